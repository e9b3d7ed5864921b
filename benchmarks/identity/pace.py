"""Do processes that share a limit saturate it without exceeding it? `python -m benchmarks.identity.pace`

Four processes drain one outbox into a sandbox that answers after 100 ms, under one limit per window; the sandbox counts
requests in every rolling window. Prints JSON; exit code 1 where more than the limit arrived in a window, or less than
98 % of it in the full ones. With the defaults (5-minute windows) it takes about eleven minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.identity.editions import Edition, open_museum, publish_edition
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient
from dissco_platform.identity.datacite.drain import drain
from dissco_platform.identity.datacite.pace import SharedPace
from dissco_platform.registry import open_registry
from dissco_platform.sandbox import running_sandbox
from dissco_platform.store import DatasetStore

LEAST_SHARE = 0.98


def worker(folder: Path, url: str, limit: int, window: float, seconds: float) -> None:
    """Drain for so many seconds."""
    registry = open_registry(f"sqlite:///{folder / 'registry.sqlite'}")
    account = DataCiteAccount(url, "DISSCO.SANDBOX", "sandbox", "10.5555")
    client = DataCiteClient(account, limiter=SharedPace(registry, "sandbox", limit, window=window), concurrency=8)
    drain(registry, DatasetStore(folder), client, seconds=seconds)


def main() -> int:
    """Measure, print, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=1500)
    parser.add_argument("--window", type=float, default=300.0)
    parser.add_argument("--windows", type=float, default=2.2, help="how long, in windows")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    limit, window = arguments.limit, arguments.window
    seconds = window * arguments.windows
    if arguments.worker:
        worker(Path(arguments.worker[0]), arguments.worker[1], limit, window, seconds)
        return 0
    with tempfile.TemporaryDirectory() as name, running_sandbox(Path(name) / "sandbox.sqlite") as sandbox:
        folder = Path(name)
        registry, store = open_museum(folder)
        publish_edition(registry, store, folder, Edition(specimens=int(limit * (arguments.windows + 1))))
        faults = {"latency_seconds": 0.1, "window_seconds": window}
        httpx.put(f"{sandbox.url}/sandbox/faults", json=faults).raise_for_status()
        httpx.delete(f"{sandbox.url}/sandbox/counters").raise_for_status()
        command = [sys.executable, "-m", "benchmarks.identity.pace", "--worker", name, sandbox.url]
        command += [f"--limit={limit}", f"--window={window}", f"--windows={arguments.windows}"]
        began = time.monotonic()
        workers = [subprocess.Popen(command) for _ in range(arguments.processes)]
        counted = [(0.0, 0)]
        while any(process.poll() is None for process in workers):
            time.sleep(window / 20)
            counters = httpx.get(f"{sandbox.url}/sandbox/counters").json()
            counted.append((time.monotonic() - began, counters["requests"].get("PUT", 0)))
        peak = counters["peak"]["requests"]
    result: dict[str, Any] = {"limit": limit, "window_seconds": window, "processes": arguments.processes}
    result["most_in_a_window"] = peak
    result["share_of_the_limit"] = round(peak / limit, 4)
    # Between the tenth of a window after the start and the end, when the slowest worker goes home.
    inside = [(at, count) for at, count in counted if 0.1 * window <= at <= seconds - 1]
    rate = (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])
    result["rate_share"] = round(rate * window / limit, 4)
    result["held"] = peak <= limit and result["rate_share"] >= LEAST_SHARE
    print(json.dumps(result, indent=2))
    return int(not result["held"])


if __name__ == "__main__":
    sys.exit(main())
