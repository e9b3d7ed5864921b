"""Reading to Parquet against python-dwca-reader's row iteration and plain zip inflation, in one run, one after the other.

    python benchmarks/archives/generate.py million.zip --rows 1000000
    python benchmarks/archives/bench_read.py million.zip

Each measurement runs in a process of its own; wall and CPU seconds and peak memory are printed, rates are per wall second.
On a machine that others use, compare the CPU seconds.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def inflate(path: Path) -> int:
    """Bytes inflated with zipfile."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                while block := member.read(1 << 20):
                    total += len(block)
    return total


def ours(path: Path) -> int:
    """Records read to Parquet."""
    from dissco_platform.archives import read_archive

    with tempfile.TemporaryDirectory() as out:
        return read_archive(path, Path(out)).records


def python_dwca_reader(path: Path, limit: int = 20_000) -> int:
    """Core rows iterated (no Parquet), at most `limit`."""
    from dwca.read import DwCAReader

    count = 0
    with DwCAReader(str(path)) as archive:
        for row in archive:
            count += bool(row.data)
            if count >= limit:
                break
    return count


def _child(work: Callable[[Path], int], path: Path, pipe: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    amount = work(path)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send({"amount": amount, "wall": wall, "cpu": cpu, "peak_mib": after.ru_maxrss // 1024})


def measure(work: Callable[[Path], int], path: Path) -> dict[str, float]:
    """Run in a fresh process and return amount, wall and CPU seconds, peak memory."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(work, path, there))
    process.start()
    result: dict[str, float] = here.recv()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    best: dict[str, dict[str, float]] = {}
    for _ in range(options.repeat):
        for work in (inflate, ours, python_dwca_reader):
            result = measure(work, options.path)
            if work.__name__ not in best or result["wall"] < best[work.__name__]["wall"]:
                best[work.__name__] = result
    size = best["inflate"]["amount"]
    print(json.dumps(best, indent=1))
    for kind in ("wall", "cpu"):
        read_rate = best["ours"]["amount"] / best["ours"][kind]
        theirs = best["python_dwca_reader"]["amount"] / best["python_dwca_reader"][kind]
        share = best["inflate"][kind] / best["ours"][kind]
        print(
            f"{kind}: {read_rate:,.0f} records/s, {read_rate / theirs:.1f} times python-dwca-reader; "
            f"{size / 1e6 / best['ours'][kind]:,.0f} MB/s, {share:.0%} of plain inflation"
        )


if __name__ == "__main__":
    main()
