"""Reading to Parquet against python-dwca-reader's row iteration and plain zip inflation, in one run, one after the other.

    python benchmarks/archives/bench_read.py --rows 1000000

Makes two archives without dirt (the peer stops at the first short row): core alone, and core with two extensions. Each
measurement runs in a process of its own, imports before the clock. The best of `--repeat` runs counts. Prints JSON and
exits with 1 where a claim fails: at least `--share` of the inflation rate, at least `--times` the peer's rate over the
same rows (core alone: its core rows; with extensions: its core rows with their extension rows), peak under 1 GiB. The floor
is measured beside: the same tables inflated, parsed by Arrow on two threads and written to Parquet without a single rule (no
check of widths or encodings, no trimming, no rejects, no fingerprints, no joins). With `--floor SHARE`, a core alone that
misses the multiple passes where ours reaches that share of the floor's rate. On a machine that others use, compare the CPU
seconds: both are printed.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.archives.generate import Dirt, generate

MEBIBYTE = 1 << 20


def inflate(path: Path) -> int:
    """Bytes inflated with zipfile."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                while block := member.read(MEBIBYTE):
                    total += len(block)
    return total


def ours(path: Path) -> int:
    """Records read to Parquet, with their extension rows."""
    from dissco_platform.archives import read_archive

    with tempfile.TemporaryDirectory() as out:
        return read_archive(path, Path(out)).records


def floor(path: Path) -> int:
    """Rows of all tables inflated and parsed into columns of text, and nothing else."""
    return _without_rules(path, write=False)


def floor_to_parquet(path: Path) -> int:
    """Rows of all tables inflated, parsed and written to Parquet, and nothing else."""
    return _without_rules(path, write=True)


def _without_rules(path: Path, *, write: bool) -> int:
    import pyarrow.csv
    import pyarrow.parquet

    from dissco_platform.archives.members import open_zipped

    def blocks(stream: Any) -> Any:
        rest, header = b"", True
        while piece := stream.read(8 * MEBIBYTE):
            start, end = piece.find(b"\n") + 1 if header else 0, piece.rfind(b"\n") + 1
            yield rest + piece[start:end]
            rest, header = piece[end:], False
        if rest:
            yield rest

    def parse(text: bytes, names: list[str], kinds: dict[str, Any]) -> Any:
        return pyarrow.csv.read_csv(
            pyarrow.py_buffer(text),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=2 * MEBIBYTE),
            parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=kinds, check_utf8=False),
        )

    count = 0
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as out, ThreadPoolExecutor(2) as pool:
        for info in archive.infolist():
            if not info.filename.endswith(".txt"):
                continue
            with archive.open(info) as member:
                names = member.readline().decode().rstrip("\n").split("\t")
            names = [f"c{position}" for position in range(len(names))]
            kinds = dict.fromkeys(names, pyarrow.string())
            schema = pyarrow.schema(list(kinds.items()))
            sink = (
                pyarrow.parquet.ParquetWriter(Path(out) / info.filename, schema, compression="lz4") if write else None
            )
            waiting: deque[Any] = deque()
            with open_zipped(archive, info) as stream:
                for text in blocks(stream):
                    waiting.append(pool.submit(parse, text, names, kinds))
                    while len(waiting) > 2:
                        count += _put(waiting.popleft().result(), sink)
            while waiting:
                count += _put(waiting.popleft().result(), sink)
            if sink is not None:
                sink.close()
    return count


def _put(table: Any, sink: Any) -> int:
    if sink is not None:
        sink.write_table(table)
    return int(table.num_rows)


def python_dwca_reader(path: Path) -> int:
    """Core rows iterated (no Parquet)."""
    from dwca.read import DwCAReader

    count = 0
    with DwCAReader(str(path)) as archive:
        for row in archive:
            count += bool(row.data)
    return count


def python_dwca_reader_with_extensions(path: Path) -> int:
    """Core rows iterated with their extension rows (no Parquet)."""
    from dwca.read import DwCAReader

    count = 0
    with DwCAReader(str(path)) as archive:
        for row in archive:
            count += bool(row.data)
            for extension in row.extensions:
                assert extension.data
    return count


def _child(work: Callable[[Path], int], path: Path, pipe: Any) -> None:
    import dwca.read  # noqa: F401  imported before the clock starts
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    import dissco_platform.archives  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    amount = work(path)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send({"amount": amount, "wall": wall, "cpu": cpu, "peak_mib": peak_mib()})


def peak_mib() -> int:
    """Peak memory of this process in MiB (`ru_maxrss` would count the parent's, from before this program was loaded)."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(work: Callable[[Path], int], path: Path) -> dict[str, float]:
    """Run in a fresh process and return amount, wall and CPU seconds, peak memory."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, path, there))
    process.start()
    there.close()  # or a child that fails would be waited for without end
    try:
        result: dict[str, float] = here.recv()
    except EOFError:
        raise SystemExit(f"{work.__name__} failed on {path}") from None
    finally:
        process.join()
    return result


def compare(path: Path, peer: Callable[[Path], int], repeat: int) -> dict[str, Any]:
    """Return the best of each measurement, and ratios by wall and by CPU time."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(repeat):
        for name, work in (
            ("inflation", inflate),
            ("floor", floor),
            ("floor_to_parquet", floor_to_parquet),
            ("ours", ours),
            ("python-dwca-reader", peer),
        ):
            result = measure(work, path)
            if name not in best or result["wall"] < best[name]["wall"]:
                best[name] = result
    report: dict[str, Any] = dict(best)
    for kind in ("wall", "cpu"):
        mine, theirs = best["ours"], best["python-dwca-reader"]
        report[kind] = {
            "records_per_second": round(mine["amount"] / mine[kind]),
            "times_python_dwca_reader": round(mine["amount"] / mine[kind] / (theirs["amount"] / theirs[kind]), 2),
            "mb_per_second": round(best["inflation"]["amount"] / 1e6 / mine[kind]),
            "share_of_inflation": round(best["inflation"][kind] / mine[kind], 3),
            "share_of_floor": round(best["floor"][kind] / mine[kind], 3),
            "share_of_floor_to_parquet": round(best["floor_to_parquet"][kind] / mine[kind], 3),
            "floor_to_parquet_times_python_dwca_reader": round(
                theirs[kind] / theirs["amount"] * mine["amount"] / best["floor_to_parquet"][kind], 2
            ),
        }
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--times", type=float, default=5.0)
    parser.add_argument("--floor", type=float, help="share of the floor's rate that is enough for a core alone")
    options = parser.parse_args()
    clean = Dirt(0, 0, 0, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        alone, whole = Path(folder) / "core.zip", Path(folder) / "whole.zip"
        generate(alone, options.rows, dirt=clean, extensions=False)
        generate(whole, options.rows, dirt=clean)
        report: dict[str, Any] = {
            "rows": options.rows,
            "core_alone": compare(alone, python_dwca_reader, options.repeat),
            "with_extensions": compare(whole, python_dwca_reader_with_extensions, options.repeat),
        }
    print(json.dumps(report, indent=1))
    kept = all(
        one["wall"]["share_of_inflation"] >= options.share and one["ours"]["peak_mib"] < 1024
        for one in (report["core_alone"], report["with_extensions"])
    )
    alone_ratios, whole_ratios = report["core_alone"]["wall"], report["with_extensions"]["wall"]
    kept = kept and whole_ratios["times_python_dwca_reader"] >= options.times
    kept = kept and (
        alone_ratios["times_python_dwca_reader"] >= options.times
        or (options.floor is not None and alone_ratios["share_of_floor_to_parquet"] >= options.floor)
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
