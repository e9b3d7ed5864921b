"""A dataset's names harmonised: distinct name rows of its parsed tables, matched, with counts by record.

What the archive says is never touched here: results stand beside the verbatim columns. A name that the dataset's earlier
names hold already, matched with the same index and decisions, keeps its answer: only new names are parsed and matched.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from dissco_platform.errors import ChecklistError
from dissco_platform.names.answer import MATCH_COLUMNS
from dissco_platform.names.backbone import Backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS, name_columns, name_key
from dissco_platform.names.match import match_queries
from dissco_platform.names.overrides import Overrides
from dissco_platform.names.parse_many import PARSE_SCHEMA, ParseCache
from dissco_platform.names.parser import PARSE_COLUMNS, PARSER_VERSION
from dissco_platform.names.query import make_queries
from dissco_platform.provenance import ContentVersion, fingerprint, json_version

TABLES = ("records", "identifications", "parts")
BATCH = 100_000
"""Distinct names matched at a time: bounds memory, large enough that the index is read once."""
ROWS = 500_000
"""Rows of a parsed table looked at at a time."""
SCHEMA: dict[str, Any] = {
    "name_key": pl.String,
    **dict.fromkeys(NAME_COLUMNS, pl.String),
    **{column: PARSE_SCHEMA[column] for column in PARSE_COLUMNS},
    **MATCH_COLUMNS,
}


@dataclass(frozen=True)
class HarmoniseReport:
    """Counts of a harmonised dataset by match type, of distinct names and of records and identifications.

    `kept` of the distinct names have the answer of the previous names, the others were matched.
    """

    names: dict[str, int]
    records: dict[str, int]
    release: str
    data_version: str
    kept: int = 0


def harmonise(
    parsed: Path,
    backbone: Backbone | Path,
    out: Path,
    *,
    overrides: Overrides | None = None,
    cache: Path | None = None,
    previous: Path | None = None,
) -> HarmoniseReport:
    """Match the distinct names in `parsed` (records.parquet, identifications.parquet) and write `out/names.parquet`.

    One row per distinct name, sorted by `name_key`: NAME_COLUMNS, parse columns, match columns. `overrides` are curators'
    decisions for this dataset (`Overrides.of`); `cache` is a folder where parses are kept across runs and datasets;
    `previous` is what an earlier call wrote: answers made with another index or other decisions are not taken from it.
    """
    index = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    names = _distinct(parsed)
    made_with = json_version(
        {
            "index": [index.info.data_version, index.info.index_version, index.info.release],
            "decisions": (overrides or Overrides()).version,
            "parser": PARSER_VERSION,
            "columns": list(SCHEMA),
        }
    )
    known = _Known.read(previous, made_with)
    out.mkdir(parents=True, exist_ok=True)
    if known is not None and known.keys["name_key"].equals(names["name_key"]):
        _link(known.path, out / "names.parquet")
        matches, version, kept = known.keys["matchType"], known.version, names.height
    else:
        version, kept = ContentVersion(), 0
        types: list[pl.Series] = []
        with pq.ParquetWriter(
            out / "names.parquet", _table(pl.DataFrame(schema=SCHEMA)).schema, compression="zstd"
        ) as file:
            for part in _batches(names):
                old = known.rows(part["name_key"]) if known is not None else None
                new = part if old is None else part.join(old.select("name_key"), on="name_key", how="anti")
                table = _matched(
                    new.drop("records"), index, overrides, ParseCache(cache) if cache is not None else None
                )
                if old is not None and old.height:
                    table = pl.concat([old, table]).sort("name_key")
                    kept += old.height
                file.write_table(_table(table), row_group_size=BATCH)
                version.add("names", _prints(table))
                types.append(table["matchType"])
        matches = pl.concat(types) if types else pl.Series("matchType", [], dtype=pl.String)
    (out / "made_with.json").write_bytes(orjson.dumps({"version": made_with, "sums": version.sums()}))
    version.schema("names", list(SCHEMA))
    by_type = pl.DataFrame({"type": matches, "records": names["records"]})
    return HarmoniseReport(
        names={t: int(n) for t, n in by_type["type"].value_counts(sort=True).iter_rows()},
        records={t: int(n) for t, n in by_type.group_by("type").agg(pl.col("records").sum()).sort("type").iter_rows()},
        release=index.info.release,
        data_version=version.hexdigest(),
        kept=kept,
    )


@dataclass(frozen=True)
class _Known:
    """The names of an earlier call that still hold: their file, keys with match types (sorted), and the file's version."""

    path: Path
    keys: pl.DataFrame
    version: ContentVersion

    @classmethod
    def read(cls, folder: Path | None, made_with: str) -> "_Known | None":
        """Return them; None where there are none or they were made with something else."""
        if folder is None or not (folder / "names.parquet").is_file():
            return None
        path = folder / "names.parquet"
        try:
            said = orjson.loads((folder / "made_with.json").read_bytes())
            if said["version"] != made_with:
                return None
            version = ContentVersion.resume(said["sums"])
            return cls(path, pl.read_parquet(path, columns=["name_key", "matchType"]), version)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return None  # written by an earlier release, or damaged: then all names are matched

    def rows(self, keys: pl.Series) -> pl.DataFrame:
        """Return the rows of those of `keys` (sorted) that are known."""
        within = pl.col("name_key").is_between(
            pl.lit(keys[0]), pl.lit(keys[-1])
        )  # row groups are sorted: others are not read
        scan = pl.scan_parquet(self.path).filter(within)
        return scan.collect().join(keys.to_frame("name_key"), on="name_key", how="semi", maintain_order="left")


def _matched(
    names: pl.DataFrame, index: Backbone, overrides: Overrides | None, cache: ParseCache | None
) -> pl.DataFrame:
    if names.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    queries, parses = make_queries(names, cache=cache)
    matched = match_queries(queries, index)
    if overrides is not None:
        matched = overrides.apply(names, matched, index)
    return pl.concat([names, parses.select(PARSE_COLUMNS), matched], how="horizontal").select(list(SCHEMA))


def _batches(names: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for start in range(0, names.height, BATCH):
        yield names.slice(start, BATCH)


def _prints(table: pl.DataFrame) -> pl.Series:
    return table.select(fingerprint([pl.col(column).cast(pl.String) for column in SCHEMA])).to_series()


def _table(frame: pl.DataFrame) -> Any:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _link(source: Path, target: Path) -> None:
    """Give a file that is never written again a second name; copy it where the file system knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _distinct(parsed: Path) -> pl.DataFrame:
    """Return distinct name rows (name_key, NAME_COLUMNS, records: how many rows use the name), sorted by key.

    Rows are grouped by their cells before keys are made: a name stands in many rows.
    """
    found: list[pl.DataFrame] = []
    tables = [path for name in TABLES if (path := parsed / f"{name}.parquet").is_file()]
    if not tables:
        raise ChecklistError(f"{parsed}: holds no records.parquet; parse the archive first")
    for path in tables:
        scan = pl.scan_parquet(path)
        cells = [column for column in scan.collect_schema().names() if column in NAME_COLUMNS]
        height = scan.select(pl.len()).collect().item() if cells else 0
        for start in range(0, height, ROWS):
            frame = scan.slice(start, ROWS).select(cells).collect()
            grouped = frame.group_by(cells).agg(records=pl.len())
            found.append(grouped.select(name_key(cells), *name_columns(cells), "records"))
            if sum(frame.height for frame in found) > 4 * max(BATCH, found[0].height):
                found = [_one_a_key(pl.concat(found))]
    empty = pl.DataFrame(schema={"name_key": pl.String, **dict.fromkeys(NAME_COLUMNS, pl.String), "records": pl.UInt32})
    return _one_a_key(pl.concat([empty, *found])).sort("name_key")


def _one_a_key(frame: pl.DataFrame) -> pl.DataFrame:
    named = frame.filter(pl.col("name_key").is_not_null())
    totals = named.group_by("name_key").agg(pl.col("records").sum())
    return named.drop("records").unique("name_key", keep="any").join(totals, on="name_key")


__all__ = ["HarmoniseReport", "harmonise"]
