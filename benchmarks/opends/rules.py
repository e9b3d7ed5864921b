"""What the model's rules cost: `python -m benchmarks.opends.rules [RECORDS]`.

Two things are asked of every column: whether its values fit the model (`columns.checked`: misfits are taken out and counted)
and whether its objects are known to fit the schema (`doubts.doubt`). Both are timed for each class with a value in every
term of it, most of them different in every record, in microseconds of CPU a record and rule set (all rules of one class).
Prints JSON; exit code 1 where a rule set costs more than 1 µs.
"""

import argparse
import json
import sys
import time
from typing import Any

import polars as pl

from dissco_platform.opends.columns import Findings, checked
from dissco_platform.opends.doubts import doubt
from dissco_platform.opends.schema import PLACEHOLDER_DOI
from dissco_platform.opends.terms import MEDIA_FDO_TYPE, Term, model

LIMIT = 1.0
BATCH = 10_000
REPEATS = 5
ONE = {  # terms with a pattern: the same for all records of a dataset
    "ods:fdoType": MEDIA_FDO_TYPE, "ods:sourceSystemID": "https://hdl.handle.net/20.5000.1025/ABC-DEF-GHI",
    "ods:organisationID": "https://ror.org/0566bfb96", "@id": PLACEHOLDER_DOI, "dcterms:identifier": PLACEHOLDER_DOI,
}  # fmt: skip


def values(term: Term, start: int, rows: int) -> pl.Series:
    """Return valid values of a term, different in every record where the model lets them be."""
    at = pl.int_range(start, start + rows, dtype=pl.Int64, eager=True)
    if term.enum:
        return pl.Series([term.enum[n % len(term.enum)] for n in range(rows)])
    if term.const or term.pattern:
        return pl.Series([term.const or ONE[term.name]] * rows)
    if term.range == "boolean":
        return at % 2 == 0
    if term.range in {"integer", "number"}:
        low, high = int(term.minimum or 0), int(term.maximum or 10_000)
        return at % (high - low + 1) + low if term.range == "integer" else (at % (high - low) + low).cast(pl.Float64)
    if term.format == "date-time":
        return pl.Series(["2026-01-02T03:04:05.000Z"] * rows)
    start_with = {"email": "someone@example.org", "iri": "https://data.example.org/", "uri": "https://data.example.org/",
                  "url": "https://data.example.org/"}.get(term.format or "", "text ")  # fmt: skip
    return pl.Series([f"{start_with}{n}" for n in at]) if term.format != "email" else pl.Series([start_with] * rows)


def cpu(run: Any) -> float:
    """Return the least CPU seconds of some runs: what the work costs without what else the machine did."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def measure(owner: str, frames: list[pl.DataFrame]) -> dict[str, float]:
    """Return the rules of a class and what they cost a record."""
    rows = sum(frame.height for frame in frames)
    fits = cpu(lambda: [checked(frame, owner, Findings()) for frame in frames])
    doubts = cpu(lambda: [doubt(owner, frame) for frame in frames])
    return {
        "columns": float(frames[0].width), "checked": round(fits / rows * 1e6, 3), "doubt": round(doubts / rows * 1e6, 3)
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="?", type=int, default=100_000)
    count = parser.parse_args().records
    found = {}
    for owner, terms in model().classes.items():
        frames = [
            pl.DataFrame([values(term, start, min(BATCH, count - start)).alias(name) for name, term in terms.items()
                          if not term.nested and name != "@type"])
            for start in range(0, count, BATCH)
        ]  # fmt: skip
        found[owner] = measure(owner, frames)
    worst = max(max(one["checked"], one["doubt"]) for one in found.values())
    print(json.dumps({"records": count, "microseconds": found, "worst": worst, "limit": LIMIT}, indent=1))
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
