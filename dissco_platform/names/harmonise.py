"""A dataset's names harmonised: distinct name rows of its parsed tables, matched, with counts by record.

What the archive says is never touched here: results stand beside the verbatim columns. A name that the dataset's earlier
names hold already, matched with the same index and decisions, keeps its answer: only new names are parsed and matched.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dissco_platform.names.answer import MATCH_COLUMNS
from dissco_platform.names.distinct import BATCH, DistinctNames, keys_version
from dissco_platform.names.index import Backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.match_types import AS_WRITTEN
from dissco_platform.names.overrides import Overrides
from dissco_platform.names.parse_many import PARSE_SCHEMA, ParseCache
from dissco_platform.names.parser import PARSE_COLUMNS, PARSER_VERSION
from dissco_platform.names.query import make_queries
from dissco_platform.provenance import ContentVersion, fingerprint, json_version

SCHEMA: dict[str, Any] = {
    "name_key": pl.String,
    **dict.fromkeys(NAME_COLUMNS, pl.String),
    **{column: PARSE_SCHEMA[column] for column in PARSE_COLUMNS},
    **MATCH_COLUMNS,
}

DOUBTFUL = 10
"""How many doubtful names are told."""


@dataclass(frozen=True)
class HarmoniseReport:
    """Counts of a harmonised dataset by match type, of distinct names and of records and identifications.

    `kept` of the distinct names have the answer of the previous names, the others were matched. `doubtful` are the keys of the
    names that are not known as they are written and stand in most records (`DOUBTFUL` at most), with the numbers of records.
    """

    names: dict[str, int]
    records: dict[str, int]
    release: str
    data_version: str
    kept: int = 0
    doubtful: list[tuple[str, int]] = field(default_factory=list)


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
    made_with = json_version(
        {
            "index": [index.info.data_version, index.info.index_version, index.info.release],
            "decisions": (overrides or Overrides()).version,
            "parser": PARSER_VERSION,
            "columns": list(SCHEMA),
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=out) as scratch:
        names = DistinctNames(parsed, Path(scratch))
        known = _Known.read(previous, made_with)
        counts = _Counts()
        if known is not None and known.keys == names.keys:
            _link(known.path, out / "names.parquet")
            version, kept = known.version, names.height
            for part, types in zip(names.batches(), known.types(names), strict=True):
                counts.add(part, types)
        else:
            parses = ParseCache(cache) if cache is not None else None
            version, kept = _write(names, known, out, lambda new: _matched(new, index, overrides, parses), counts)
    (out / "made_with.json").write_bytes(orjson.dumps({"version": made_with, "sums": version.sums()}))
    version.schema("names", list(SCHEMA))
    return HarmoniseReport(
        names=dict(counts.names.most_common()),
        records=dict(sorted(counts.records.items())),
        release=index.info.release,
        data_version=version.hexdigest(),
        kept=kept,
        doubtful=list(counts.doubtful.select("name_key", "records").iter_rows()),
    )


class _Counts:
    """How many distinct names, and how many records, have each match type; the doubtful names that most records bear."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self.doubtful = pl.DataFrame(schema={"name_key": pl.String, "records": pl.UInt32, "type": pl.String})

    def add(self, names: pl.DataFrame, types: pl.Series) -> None:
        """Count names (`name_key`, `records`) by their match types."""
        typed = names.select("name_key", "records").with_columns(types.alias("type"))
        by_type = typed.group_by("type")
        for kind, count, borne in by_type.agg(pl.len(), pl.col("records").sum().cast(pl.Int64)).iter_rows():
            self.names[kind] += count
            self.records[kind] += borne
        doubtful = typed.filter(~pl.col("type").is_in(AS_WRITTEN))
        # The key decides between names with equally many records, so that the same names are chosen every time.
        self.doubtful = pl.concat([self.doubtful, doubtful]).sort("records", "name_key", descending=[True, False])
        self.doubtful = self.doubtful.head(DOUBTFUL)


def _write(
    names: DistinctNames,
    known: "_Known | None",
    out: Path,
    match: Callable[[pl.DataFrame], pl.DataFrame],
    counts: _Counts,
) -> tuple[ContentVersion, int]:
    """Write the names with their answers; return the table's version and how many of the answers were known."""
    version, kept = ContentVersion() if known is None else known.version, 0
    schema = _table(pl.DataFrame(schema=SCHEMA)).schema
    after = ""
    # Only the key is searched by; the least and greatest text of other columns help nobody.
    options = {"compression": "zstd", "write_statistics": ["name_key"]}
    with pq.ParquetWriter(out / "names.parquet", schema, **options) as file:
        for part in names.batches():
            new = part
            if known is not None:
                old, gone = known.rows(after, part["name_key"])
                version.remove("names", _prints(gone))
                new = part.join(old.select("name_key"), on="name_key", how="anti", maintain_order="left")
                kept += old.height
            table = match(new.drop("records"))
            version.add("names", _prints(table))
            if known is not None and old.height:
                table = pl.concat([old, table]).sort("name_key")
            file.write_table(_table(table), row_group_size=BATCH)
            counts.add(part, table["matchType"])
            after = part["name_key"][-1]
        if known is not None:
            version.remove("names", _prints(known.rows(after, None)[1]))
    return version if names.height else ContentVersion(), kept


@dataclass(frozen=True)
class _Known:
    """The names of an earlier call that still hold: their file, the version of their keys, and the file's version."""

    path: Path
    keys: str
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
            keys = keys_version(column["name_key"] for column in _columns(path, "name_key"))
            return cls(path, keys, version)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, pl.exceptions.PolarsError):
            return None  # written by an earlier release, or damaged: then all names are matched

    def types(self, names: DistinctNames) -> Iterator[pl.Series]:
        """Yield the match types of names that are the same as these, for each of their batches."""
        held = pl.Series("matchType", [], dtype=pl.String)
        columns = _columns(self.path, "matchType")
        for part in names.batches():
            while held.len() < part.height:
                held = pl.concat([held, next(columns)["matchType"]])
            yield held.head(part.height)
            held = held.slice(part.height)

    def rows(self, after: str, keys: pl.Series | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the known rows behind the key `after` up to the last of `keys` (sorted): those among `keys`, the others.

        Without `keys`, all known rows behind `after` are others.
        """
        within = pl.col("name_key") > pl.lit(after)
        if keys is not None:
            within &= pl.col("name_key") <= pl.lit(keys[-1])
        # Row groups are sorted: others are not read.
        rows = pl.scan_parquet(self.path).filter(within).collect()
        if keys is None:
            return rows.clear(), rows
        wanted = keys.to_frame("name_key")
        return (
            rows.join(wanted, on="name_key", how="semi", maintain_order="left"),
            rows.join(wanted, on="name_key", how="anti"),
        )


def _columns(path: Path, column: str) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=[column]):
            yield pl.DataFrame(pl.from_arrow(batch))


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


__all__ = ["HarmoniseReport", "harmonise"]
