"""A dataset where nearly every record bears a name of its own: the names stage in bounded memory.

    python benchmarks/names/many.py --names 8000000 [--limit-mib 2048] [--again]

Makes a table of parsed records with that many distinct names (five records to four names) and the index of a checklist
that knows most of their species, then matches them in a process of its own; with `--again` an unchanged edition and one
with a hundredth of new names follow, over the first one's answers. Every tenth name is one that the parser has to read
by itself. Prints JSON; exits with 1 where a process needed more memory than the limit or a name is lost.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.archives.values import EPITHET, GENERA, GENUS, SPECIES
from benchmarks.measuring import apart, machine
from benchmarks.stages import make_index, names

BLOCK = 100_000
AUTHORS = 400


def records(numbers: pl.Series) -> pl.DataFrame:
    """Return the name columns of records, each made from the number of its name alone."""
    n = pl.col("n")
    species, variation = n % SPECIES, n // SPECIES  # a name of a species is a variation of its author, year and rank
    genus, epithet = pl.lit(pl.Series(GENUS)).gather(species % GENERA), pl.lit(pl.Series(EPITHET)).gather(species)
    mistyped = pl.format("{}{}", epithet.str.head(-2), pl.lit("ix"))
    name = (
        pl.when(n % 10 == 7)
        .then(pl.format("{} {} var. {}", genus, epithet, pl.lit("minor")))
        .when(n % 50 == 3)
        .then(pl.format("{} cf. {}", genus, epithet))
        .when(n % 20 == 5)
        .then(pl.format("{} {}", genus, mistyped))
        .otherwise(pl.format("{} {}", genus, epithet))
    )
    author = pl.format("{}, {}", pl.lit(pl.Series(EPITHET[:AUTHORS])).gather(variation % AUTHORS).str.to_titlecase(),
                       pl.lit(1758) + variation // AUTHORS + n % 250)  # fmt: skip
    return pl.DataFrame({"n": numbers}).select(
        name.alias("dwc:scientificName"),
        author.alias("dwc:scientificNameAuthorship"),
        genus.alias("dwc:genus"),
        epithet.alias("dwc:specificEpithet"),
        pl.lit("Animalia").alias("dwc:kingdom"),
        pl.when(n % 20 != 0).then(pl.format("{}idae", genus)).alias("dwc:family"),
        pl.when(n % 10 != 0).then(pl.lit("species")).alias("dwc:taxonRank"),
    )


def make(folder: Path, count: int, first: int = 0) -> Path:
    """Write `records.parquet`: `count` distinct names from number `first` on, every fourth of them twice."""
    folder.mkdir()
    writer: pq.ParquetWriter | None = None
    for start in range(first, first + count, BLOCK):
        own = pl.int_range(start, min(start + BLOCK, first + count), dtype=pl.Int64, eager=True)
        frame = records(pl.concat([own, own.gather_every(4)]))
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(folder / "records.parquet", table.schema, compression="lz4")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return folder


def main() -> int:
    """Make, match, and say what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=int, default=8_000_000)
    parser.add_argument("--limit-mib", type=int, default=2048)
    parser.add_argument("--again", action="store_true", help="an unchanged edition and one of 1 %% new names too")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "names": options.names}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        apart(_made, home / "parsed-first", options.names, 0)
        index = make_index(home)
        found["first"] = apart(names, home, "first", index)
        if options.again:
            (home / "parsed-same").symlink_to(home / "parsed-first")
            found["same"] = apart(names, home, "same", index, "first")
            apart(_made, home / "parsed-changed", options.names, options.names // 100)
            found["changed"] = apart(names, home, "changed", index, "first")
    print(json.dumps(found, indent=1))
    editions = [found[name] for name in ("first", "same", "changed") if name in found]
    kept = all(one["distinct_names"] == options.names and one["peak_mib"] < options.limit_mib for one in editions)
    wanted = {"first": 0, "same": options.names, "changed": options.names - options.names // 100}
    return 0 if kept and all(found[name]["kept"] == wanted[name] for name in wanted if name in found) else 1


def _made(folder: Path, count: int, first: int) -> dict[str, Any]:
    return {"path": str(make(folder, count, first))}


if __name__ == "__main__":
    sys.exit(main())
