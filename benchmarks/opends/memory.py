"""Peak memory of building documents, by the number of records: it must be bounded and stay about flat.

    python -m benchmarks.opends.memory [--records 1000000 10000000] [--extensions] [--limit 1536] [--growth 1.4] [--folder DIR]

Per size: generates an archive, reads it and matches its names, then builds the documents in a process of its own, whose
peak (VmHWM) counts. Prints a JSON line a size; ends with 1 where a peak is above the limit (MiB) or the largest size
takes more than `growth` times the memory of the smallest. Ten million records take a quarter of an hour on two cores and
8 GB of disk.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.archives.generate import Dirt, generate
from benchmarks.measuring import apart
from benchmarks.stages import documents, make_index, names, read


def measured(folder: Path, records: int, *, extensions: bool) -> dict[str, Any]:
    """Build the documents of a generated dataset in `folder` (emptied by the caller); return what it cost."""
    archive, home = folder / "first.zip", folder / "home"
    generate(archive, records, dirt=Dirt(), extensions=extensions)
    index = make_index(folder)
    home.mkdir()
    apart(read, home, archive, "first")
    archive.unlink()
    apart(names, home, "first", index, None)
    cost = apart(documents, home, "first", None)
    return {
        "records": records, "extensions": extensions,
        **{key: cost[key] for key in ("specimens", "media", "peak_mib", "wall_s", "cpu_s")},
    }  # fmt: skip


def failures(found: list[dict[str, Any]], limit: int, growth: float) -> list[str]:
    """Return what is above the limit or grows with the number of records, in sentences."""
    told = [
        f"{one['records']:,} records took {one['peak_mib']} MiB, more than {limit}"
        for one in found
        if one["peak_mib"] > limit
    ]
    least, most = min(found, key=lambda one: one["records"]), max(found, key=lambda one: one["records"])
    if most["peak_mib"] > growth * least["peak_mib"]:
        times = most["peak_mib"] / least["peak_mib"]
        told.append(f"{most['records']:,} records took {times:.2f} times the memory of {least['records']:,}")
    return told


def main() -> int:
    """Measure; 1 where memory is not bounded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--extensions", action="store_true", help="with media, identifications and measurements")
    parser.add_argument("--limit", type=int, default=1536, help="MiB")
    parser.add_argument("--growth", type=float, default=1.4)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    found = []
    for records in options.records:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found.append(measured(Path(folder), records, extensions=options.extensions))
        print(json.dumps(found[-1]), flush=True)
    told = failures(found, options.limit, options.growth)
    for sentence in told:
        print(sentence, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    raise SystemExit(main())
