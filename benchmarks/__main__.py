"""`make bench` and `make bench-full`: the benchmarks one after the other; results in `benchmarks/results`.

Those on real archives run where real data is kept beside the checkout (`../shared`). Each script says in its first lines
what it measures and how to run it alone. The first one also makes `docs/performance.md`.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import as_installed

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results"


def commands(folder: Path, *, full: bool) -> dict[str, list[str]]:
    """Return the benchmarks by name: what follows `python`."""
    stages = str(RESULTS / "stages.json")
    chosen = {
        "stages": ["-m", "benchmarks.stages", "--records", "100000", "--repeat", "3" if full else "1", "-o", stages]
    }
    scales: list[str] = []
    for records in (1_000_000, 10_000_000) if full else ():
        scales.append(str(RESULTS / f"stages-{records}.json"))
        name, only = f"stages-{records}", ["--repeat", "1", "--no-peers", "--shares", "0", "0.01"]
        chosen[name] = ["-m", "benchmarks.stages", "--records", str(records), *only, "-o", scales[-1]]
        chosen[f"run-{records}"] = ["-m", "benchmarks.scale", "--records", str(records), "--keep"]
    chosen["report"] = ["-m", "benchmarks.report", stages, *(["--scale", *scales] if scales else [])]
    chosen["archives"] = ["benchmarks/archives/bench_read.py", "--rows", "1000000" if full else "50000"]
    chosen["documents"] = ["benchmarks/opends/build.py", "1000000" if full else "50000"]
    chosen["rules"] = ["-m", "benchmarks.opends.rules"]
    chosen["reconcile"] = ["-m", "benchmarks.sensors.reconcile", "--datasets", "1000" if full else "200"]
    if SHARED.is_dir():
        crustaceans, checklist = SHARED / "dwca" / "mnhn-crustaceans.zip", SHARED / "coldp" / "afd.zip"
        chosen["validity"] = ["benchmarks/opends/validate.py", str(SHARED.parent)]
        chosen["names"] = ["benchmarks/names/suites.py", str(SHARED / "suites")]
        chosen["chain"] = ["-m", "benchmarks.chain", str(crustaceans), str(checklist)]
    if full:
        chosen["portal"] = ["-m", "benchmarks.portal.serve", "--specimens", "1000000"]
        chosen["small datasets"] = ["-m", "benchmarks.sensors.small_datasets"]
        chosen["registry"] = ["-m", "benchmarks.identity.million"]
        chosen["faults"] = ["-m", "benchmarks.identity.faults"]
        chosen["cluster"] = ["-m", "benchmarks.cluster.prove", "--datasets", "200"]
        chosen["cluster, parts killed"] = ["-m", "benchmarks.cluster.prove", "--datasets", "40", "--fault", "all"]
    return chosen


def main() -> int:
    """Run all; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="to ten million records, faults and the cluster: hours")
    parser.add_argument("--only", nargs="*", help="names of benchmarks")
    options = parser.parse_args()
    as_installed()
    RESULTS.mkdir(exist_ok=True)
    failed = 0
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in commands(Path(folder), full=options.full).items():
            if options.only and name not in options.only:
                continue
            print(f"\n== {name}: {' '.join(arguments)}", flush=True)
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, *arguments], cwd=HERE.parent, capture_output=True, text=True, check=False
            )
            (RESULTS / f"{name}.txt").write_text(done.stdout + done.stderr)
            shown = (done.stdout or done.stderr).rstrip()
            print(shown if len(shown) < 3000 else f"{shown[:400]} … (all of it in benchmarks/results/{name}.txt)")
            if done.returncode:
                print(done.stderr.rstrip()[-2000:])
            took = f"-- {time.monotonic() - began:.0f} s"
            print(took + ("" if done.returncode == 0 else f", exit code {done.returncode}"), flush=True)
            failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
