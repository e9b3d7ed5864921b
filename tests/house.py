"""A house for tests: the platform's state in a folder, driven as its users drive it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY / "examples"
ORGANISATION = "https://ror.org/0566bfb96"


@dataclass
class CommandLine:
    """Runs `dissco` as a process of its own, with its state in `home`."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, expect: int = 0, input: str | None = None) -> str:
        """Run a command and return its standard output; its exit code must be the expected one."""
        done = self.process(*arguments, input=input)
        assert done.returncode == expect, f"{arguments} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and return what it says."""
        return json.loads(self(*arguments, "--json"))

    def refuses(self, *arguments: str, expect: int = 2) -> str:
        """Run a command that must fail with one sentence for people; return that sentence."""
        done = self.process(*arguments)
        assert done.returncode == expect, f"{arguments} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return " ".join(done.stderr.split())

    def process(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        return subprocess.run(
            [sys.executable, "-c", "from dissco_platform.cli import main; main()", *arguments],
            env={**os.environ, "DISSCO_HOME": str(self.home), "COLUMNS": "200", **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            input=input,
            cwd=self.home.parent,
        )

    def script(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python code with the same state (for breaking things at a chosen point)."""
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "DISSCO_HOME": str(self.home), **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=self.home.parent,
        )
