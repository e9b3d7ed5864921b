"""`make bench`: the quick benchmarks, one after the other; results in `benchmarks/results`.

Those on real archives run where real data is kept beside the checkout (`../shared`). Each script says in its first lines
what it measures and how to run it alone, larger.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results"


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the benchmarks by name: script and arguments below this folder."""
    archive = folder / "generated.zip"
    chosen = {
        "generate": ["archives/generate.py", str(archive), "--rows", "100000", "--clean"],
        "archives": ["archives/bench_read.py", str(archive)],
        "documents": ["opends/build.py", "50000"],
        "reconcile": ["-m", "benchmarks.sensors.reconcile", "--datasets", "200"],
    }
    if SHARED.is_dir():
        crustaceans, checklist = SHARED / "dwca" / "mnhn-crustaceans.zip", SHARED / "coldp" / "afd.zip"
        chosen["names"] = ["names/suites.py", str(SHARED / "suites")]
        chosen["chain"] = ["chain.py", str(crustaceans), str(checklist)]
    return chosen


def main() -> int:
    """Run all; return 1 if one failed."""
    RESULTS.mkdir(exist_ok=True)
    failed = 0
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (script, *arguments) in commands(Path(folder)).items():
            print(f"\n== {name}: {' '.join([script, *arguments])}", flush=True)
            program = [script] if script == "-m" else [str(HERE / script)]
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, *program, *arguments],
                cwd=HERE.parent,
                capture_output=True,
                text=True,
                check=False,
            )
            (RESULTS / f"{name}.txt").write_text(done.stdout + done.stderr)
            print((done.stdout or done.stderr).rstrip())
            print(
                f"-- {time.monotonic() - began:.0f} s"
                + ("" if done.returncode == 0 else f", exit code {done.returncode}")
            )
            failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
