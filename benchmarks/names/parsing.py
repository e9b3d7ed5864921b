"""How fast names are parsed, a core: `python benchmarks/names/parsing.py ../shared/data/suites`; JSON, exit 1 below the target.

Three lots: the hard names of the peers' tests one by one (nothing in them is plain), the same beside the bare parser, and the
snapshot of GBIF's benchmark names as a dataset would bring them. CPU time of one process, the best of a few runs, nothing
remembered between them; the first call of a process also holds what libraries compile once.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import nameparser
import polars as pl

from dissco_platform.names.parse_many import parse_names
from dissco_platform.names.parser import parse_name
from dissco_platform.names.plain import plain_names
from dissco_platform.names.stem import stem_epithet

TARGET = 15_000
REPEATS = 5


def lines(path: Path, term: str) -> list[str]:
    """Return the distinct texts of a term in a JSONL file."""
    rows = (json.loads(line) for line in path.read_text().splitlines())
    return list(dict.fromkeys(row[term] for row in rows if row[term]))


def frame(names: Iterable[str]) -> pl.DataFrame:
    """Return names as `parse_names` takes them."""
    texts = list(names)
    nothing = [None] * len(texts)
    columns = {"name": texts, "authorship": nothing, "code": nothing}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def speed(names: list[str], parse: Callable[[str], object]) -> float:
    """Return names a second of CPU, the best of a few runs."""
    best = 0.0
    for _ in range(REPEATS):
        stem_epithet.cache_clear()
        start = time.process_time()
        for name in names:
            try:
                parse(name)
            except nameparser.UnparsableNameError:
                continue
        best = max(best, len(names) / (time.process_time() - start))
    return best


def main() -> int:
    """Print the figures; return 1 where one is below the target."""
    folder = Path(sys.argv[1]) / "parsing"
    hard = lines(folder / "gnparser_names.dev.jsonl", "verbatim")
    hard += lines(folder / "gbif_nameparser_asserts.dev.jsonl", "verbatim")
    plain = plain_names(frame(hard).rename({"name": "_name", "authorship": "_authorship", "code": "_code"}))["plain"]
    hard = [name for name, easy in zip(hard, plain, strict=True) if not easy]
    snapshot = frame(lines(folder / "gbif_nameparser_golden_snapshot.dev.jsonl", "input"))
    whole = []
    for _ in range(1 + REPEATS):
        stem_epithet.cache_clear()
        start = time.process_time()
        parse_names(snapshot, processes=1)
        whole.append(snapshot.height / (time.process_time() - start))
    result = {
        "hard_names": len(hard),
        "hard_per_second": round(speed(hard, parse_name)),
        "hard_bare_parser_per_second": round(speed(hard, lambda name: nameparser.parse(name, None, None, None))),
        "snapshot_names": snapshot.height,
        "snapshot_per_second": round(max(whole)),
        "snapshot_first_call_per_second": round(whole[0]),
        "target": TARGET,
    }
    print(json.dumps(result, indent=2))
    return int(min(result["hard_per_second"], result["snapshot_per_second"]) < TARGET)


if __name__ == "__main__":
    sys.exit(main())
