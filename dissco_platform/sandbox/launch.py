"""A sandbox for as long as a block of code runs: what commands and tests use where no DataCite is configured."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dissco_platform.errors import DoiServiceError
from dissco_platform.sandbox.server import DEFAULT_PASSWORD, DEFAULT_PREFIX, DEFAULT_USERNAME

_STOP_SECONDS: Final = 10.0


@dataclass(frozen=True)
class RunningSandbox:
    """Where a sandbox answers, and its process."""

    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running_sandbox(
    database: Path,
    *,
    username: str = DEFAULT_USERNAME,
    password: str = DEFAULT_PASSWORD,
    prefix: str = DEFAULT_PREFIX,
    host: str = "127.0.0.1",
    port: int = 0,
    options: tuple[str, ...] = (),
) -> Iterator[RunningSandbox]:
    """Start a sandbox over `database` in a process of its own and end it with the block.

    The process also ends when this one is killed (its standard input closes). `options` are further command-line
    options, faults for example. Raises DoiServiceError with the sandbox's own words when it does not start.
    """
    command = [
        sys.executable,
        "-m",
        "dissco_platform.sandbox",
        "--end-with-stdin",
        f"--host={host}",
        f"--port={port}",
        f"--database={database}",
        f"--username={username}",
        "--password-from-stdin",
        f"--prefix={prefix}",
        *options,
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said: list[bytes] = []
    try:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("pipes were asked for")
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(password.encode() + b"\n")
            process.stdin.flush()
        listener = threading.Thread(target=_collect, args=(process.stderr, said), daemon=True)
        listener.start()
        line = process.stdout.readline()
        if not line:
            process.wait(_STOP_SECONDS)
            listener.join(_STOP_SECONDS)
            reason = b"".join(said).decode(errors="replace").strip() or f"exit code {process.returncode}"
            raise DoiServiceError(f"The sandbox did not start: {reason.splitlines()[-1]}")
        yield RunningSandbox(json.loads(line)["url"], process)
    finally:
        _end(process)


def _collect(stream: object, said: list[bytes]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        said.append(line)
        del said[:-50]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
