"""A dataset's names harmonised: distinct name rows of its parsed tables, matched, with counts by record.

What the archive says is never touched here: results stand beside the verbatim columns.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dissco_platform.errors import ChecklistError
from dissco_platform.names.backbone import Backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS, name_columns, name_key
from dissco_platform.names.match import match_queries
from dissco_platform.names.overrides import Overrides
from dissco_platform.names.parse_many import ParseCache
from dissco_platform.names.parser import PARSE_COLUMNS
from dissco_platform.names.query import make_queries
from dissco_platform.provenance import ContentVersion, fingerprint

TABLES = ("records", "identifications", "parts")
BATCH = 200_000
"""Distinct names matched at a time: bounds memory, large enough that the index is read once."""


@dataclass(frozen=True)
class HarmoniseReport:
    """Counts of a harmonised dataset by match type, of distinct names and of records and identifications."""

    names: dict[str, int]
    records: dict[str, int]
    release: str
    data_version: str


def harmonise(
    parsed: Path,
    backbone: Backbone | Path,
    out: Path,
    *,
    overrides: Overrides | None = None,
    cache: Path | None = None,
) -> HarmoniseReport:
    """Match the distinct names in `parsed` (records.parquet, identifications.parquet) and write `out/names.parquet`.

    One row per distinct name, sorted by `name_key`: NAME_COLUMNS, parse columns, match columns. `overrides` are curators'
    decisions for this dataset (`Overrides.of`); `cache` is a folder where parses are kept across runs and datasets.
    """
    index = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    names = _distinct(parsed)
    kept = ParseCache(cache) if cache is not None else None
    results = []
    for start in range(0, max(names.height, 1), BATCH):
        part = names.slice(start, BATCH)
        queries, parses = make_queries(part, cache=kept)
        matched = match_queries(queries, index)
        if overrides is not None:
            matched = overrides.apply(part, matched, index)
        own = part.drop("records")
        results.append(pl.concat([own, parses.select(PARSE_COLUMNS), matched], how="horizontal"))
    table = pl.concat(results)
    out.mkdir(parents=True, exist_ok=True)
    table.write_parquet(out / "names.parquet", compression="zstd", row_group_size=100_000)
    version = ContentVersion()
    version.schema("names", table.columns)
    if table.height:
        version.add("names", table.select(fingerprint([pl.col(c).cast(pl.String) for c in table.columns])).to_series())
    by_type = pl.DataFrame({"type": table["matchType"], "records": names["records"]})
    return HarmoniseReport(
        names={t: int(n) for t, n in by_type["type"].value_counts(sort=True).iter_rows()},
        records={t: int(n) for t, n in by_type.group_by("type").agg(pl.col("records").sum()).sort("type").iter_rows()},
        release=index.info.release,
        data_version=version.hexdigest(),
    )


def _distinct(parsed: Path) -> pl.DataFrame:
    """Return distinct name rows (name_key, NAME_COLUMNS, records: how many rows use the name), sorted by key."""
    frames = []
    for name in TABLES:
        path = parsed / f"{name}.parquet"
        if not path.is_file():
            continue
        frame = pl.scan_parquet(path)
        available = frame.collect_schema().names()
        frames.append(frame.select(name_key(available), *name_columns(available)))
    if not frames:
        raise ChecklistError(f"{parsed}: holds no records.parquet; parse the archive first")
    return (
        pl.concat(frames)
        .filter(pl.col("name_key").is_not_null())
        .group_by("name_key")
        .agg(*[pl.col(c).first() for c in NAME_COLUMNS], records=pl.len())
        .sort("name_key")
        .collect()
    )
