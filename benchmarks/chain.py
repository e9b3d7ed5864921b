"""The whole chain on one archive: first run, unchanged second run, and a run with a few hundred records changed.

    python -m benchmarks.chain ARCHIVE CHECKLIST [--changed 300]

Each run is `dissco run` in a process of its own with the sandbox as DOI service; wall and CPU seconds, peak memory (of the
largest process), records per second and what the run says are printed as JSON, with the costs of every asset (the DOI
service's drain is `registered_dois`). A Markdown table of the assets follows on standard error.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.watching import Watch, steps

DISSCO = [sys.executable, "-c", "from dissco_platform.cli import main; main()"]


def command(home: Path, *arguments: str, program: Sequence[str] = DISSCO) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a command; return its JSON and what it cost, as a whole and by `assets`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, since = time.monotonic(), time.time()
    with (
        subprocess.Popen(
            [*program, *arguments, *(["--json"] if program is DISSCO else [])],
            env={**os.environ, "DISSCO_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        Watch(process.pid) as watch,
    ):
        told, complaint = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode:
        sys.exit(complaint)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(told), {
        "wall_s": round(seconds, 1),
        "cpu_s": round(cpu, 1),
        "peak_mib": round(max((sample[2] for sample in watch.samples), default=0) / 2**20),
        "assets": steps(home / "dagster", watch.samples, since),
    }


def table(results: dict[str, Any]) -> str:
    """Return the costs of the runs' assets as a Markdown table."""
    lines = ["| run | asset | wall s | CPU s | peak MiB |", "|---|---|---|---|---|"]
    for name, run in results.items():
        if not isinstance(run, dict):
            continue  # a count beside the runs
        for asset, cost in {**run["assets"], "(whole command)": run}.items():
            lines.append(f"| {name} | {asset} | {cost['wall_s']} | {cost['cpu_s']} | {cost['peak_mib']} |")
    return "\n".join(lines)


def change_records(source: Path, target: Path, count: int) -> int:
    """Copy an archive with a column of the first `count` records changed; return how many were."""
    changed = 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.lower().startswith("occurrence"):
                lines = data.split(b"\n")
                column = lines[0].rstrip(b"\r").split(b"\t").index(b"locality")
                for index in range(1, len(lines)):
                    cells = lines[index].split(b"\t")
                    if changed < count and len(cells) > column:
                        cells[column] += b" (as the label has it)"
                        lines[index] = b"\t".join(cells)
                        changed += 1
                data = b"\n".join(lines)
            new.writestr(name, data)
    return changed


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("checklist", type=Path)
    parser.add_argument("--changed", type=int, default=300)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        home, archive = Path(folder) / "home", Path(folder) / "archive.zip"
        archive.write_bytes(options.archive.read_bytes())
        _, results["checklist"] = command(home, "checklist", "use", str(options.checklist))
        organisation = "https://ror.org/0566bfb96"
        command(home, "dataset", "add", "benchmark", "--source", str(archive), "--organisation", organisation)
        for name in ("first", "unchanged", "changed"):
            if name == "changed":
                results["records_changed"] = change_records(options.archive, archive, options.changed)
            run, cost = command(home, "run", "benchmark")
            results[name] = {
                **cost,
                "records": run["records"],
                "records_per_s": round(run["records"] / cost["wall_s"]),
                "versions": run["versions"],
                "dois_written": run["dois"]["written"],
            }
    print(table(results), file=sys.stderr)
    results["load"] = os.getloadavg()
    json.dump(results, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
