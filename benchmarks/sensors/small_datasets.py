"""Many small datasets through the whole chain, from new to registered: seconds a dataset.

    python -m benchmarks.sensors.small_datasets --datasets 100              (the daemon finds, queues and runs them)
    python -m benchmarks.sensors.small_datasets --datasets 100 --command    (one process: `dissco run --all`)

Each has the 300 records of the fossil sample with identifiers of its own. Exits with 1 where a dataset did not arrive, or took
longer than `--limit` seconds on average (start of the daemon included).
"""

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import dagster as dg

from dissco_platform.cli.house import House
from dissco_platform.cli.running import make_checklist, run_dataset
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.objects import count_objects
from dissco_platform.sandbox import running_sandbox
from dissco_platform.settings import CHECKOUT, Settings

EXAMPLES = CHECKOUT / "examples"
RECORDS = 300


def write_archive(path: Path, number: int) -> None:
    """Write the fossil sample with identifiers that no other archive has."""
    with (
        zipfile.ZipFile(EXAMPLES / "week1" / "fossils.zip") as sample,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sample.namelist():
            text = sample.read(name).decode()
            if name == "specimens.txt":
                text = re.sub(r"urn:uuid:[0-9a-f]{8}", f"urn:uuid:{number:08x}", text).replace(
                    "STRH-", f"S{number:03}-"
                )
            archive.writestr(name, text)


def enrol(house: House, folder: Path, count: int) -> None:
    """Enrol the datasets."""
    with house.registry.write() as connection:
        for number in range(count):
            path = folder / f"d{number:03}.zip"
            write_archive(path, number)
            add_dataset(
                connection,
                slug=f"d{number:03}",
                source=str(path),
                organisation_id="https://ror.org/0566bfb96",
                organisation_name=None,
                source_system_id=f"https://hdl.handle.net/20.5000.1025/TST-{number:03}-TST",
                doi_only=False,
            )


def arrived(house: House, count: int) -> int:
    """Return how many datasets have all their specimens registered."""
    done = 0
    with house.registry.read() as connection:
        for number in range(count):
            found = count_objects(connection, f"d{number:03}")
            registered = sum(
                n for (kind, _, state, _), n in found.items() if kind == "specimen" and state == "registered"
            )
            done += registered == RECORDS
    return done


def by_daemon(house: House, count: int, patience: float) -> int:
    """Let a daemon do it; return how many arrived."""
    settings = house.settings
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_path),
        "DISSCO_HOME": str(settings.home.absolute()),
        "DISSCO_DATACITE_URL": settings.datacite_url or "",
        "DISSCO_DATACITE_PASSWORD": settings.datacite_password.get_secret_value(),
        "PYTHONWARNINGS": "ignore",
    }
    log = settings.home / "daemon.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", str(CHECKOUT / "workspace.yaml")],
            env=environment,
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        stop = time.monotonic() + patience
        done = 0
        try:
            while done < count and time.monotonic() < stop and daemon.poll() is None:
                time.sleep(1)
                done = arrived(house, count)
        finally:
            os.killpg(daemon.pid, signal.SIGINT)
            try:
                daemon.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
    return done


def main() -> None:
    """Run and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("--command", action="store_true", help="one process instead of the daemon")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds a dataset")
    arguments = parser.parse_args()
    count = arguments.datasets
    with tempfile.TemporaryDirectory(prefix="dissco-bench-") as folder:
        home = Path(folder)
        with running_sandbox(
            home / "sandbox.sqlite", username="DISSCO.SANDBOX", password="sandbox", prefix="10.5555"
        ) as sandbox:
            values: dict[str, object] = {"home": home / "home", "datacite_url": sandbox.url}
            with House(Settings(**values)) as house:  # type: ignore[arg-type]
                make_checklist(house, str(EXAMPLES / "checklist.zip"))
                enrol(house, home, count)
                before, began = cpu(), time.monotonic()
                if arguments.command:
                    for number in range(count):
                        run_dataset(house, f"d{number:03}")
                    done = arrived(house, count)
                else:
                    done = by_daemon(house, count, 60 + 4 * arguments.limit * count)
                seconds, used = time.monotonic() - began, cpu() - before
                records = house.instance.get_run_records(
                    dg.RunsFilter(tags={"dagster/partition": [f"d{n:03}" for n in range(count)]})
                )
                lengths = sorted(
                    (r.end_time or 0) - (r.start_time or 0) for r in records if r.end_time and r.start_time
                )
                runs = len(records)
    result = {
        "datasets": count,
        "by": "command" if arguments.command else "daemon",
        "arrived": done,
        "runs": runs,
        "seconds_a_dataset": round(seconds / count, 2),
        "cpu_seconds_a_dataset": round(used / count, 2),
        "median_seconds_of_a_run": round(lengths[len(lengths) // 2], 2) if lengths else None,
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))
    sys.exit(0 if done == count == runs and seconds / count <= arguments.limit else 1)


def cpu() -> float:
    """Return processor seconds of this process and of the children that ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


if __name__ == "__main__":
    main()
