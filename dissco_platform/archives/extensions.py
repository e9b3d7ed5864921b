"""Rows that hang on records: kept on disk until the records are numbered, then written in the order of the records.

Reading an archive goes: extension rows → a scratch folder with a hash of their core id; core rows → `records.parquet`;
then this module gives each extension row its record's number, sets orphans aside and writes the tables. Memory: 16
bytes a record and 16 a record with extensions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.tables import EXTENSION_COLUMNS, VERBATIM
from dissco_platform.archives.tablewriter import RejectWriter, TableWriter, content_of, id_hash, row_hash

KEY = "__key"
"""Scratch column: 64-bit hash of the core id; null where the row number is known."""
HASH = "__hash"
CORE_ID = "__core_id"
SCRATCH = (KEY, HASH, CORE_ID)
BUCKET_ROWS = 250_000
MAX_BUCKETS = 200


class HashIndex:
    """A map from 64-bit hashes to numbers in two flat columns; of equal hashes the first pair counts."""

    def __init__(self, keys: pl.Series, values: pl.Series) -> None:
        frame = pl.DataFrame({"k": keys, "v": values}).drop_nulls("k")
        frame = frame.sort("k", maintain_order=True).unique("k", keep="first", maintain_order=True)
        self._keys = frame["k"].set_sorted()
        self._values = frame["v"]

    def __len__(self) -> int:
        return self._keys.len()

    def find(self, keys: pl.Series) -> pl.Series:
        """Return the number of each key, null where it has none."""
        if not len(self):
            return pl.Series("v", [None] * keys.len(), dtype=self._values.dtype)
        filled = keys.fill_null(0)
        at = self._keys.search_sorted(filled, side="left").clip(0, len(self) - 1)
        found = (self._keys.gather(at) == filled) & keys.is_not_null()
        return pl.select(pl.when(found).then(self._values.gather(at)).alias("v"))["v"]


@dataclass
class Group:
    """The scratch files of one extension: its row type (CURIE), table, term columns and files in reading order."""

    row_type: str
    table: str
    terms: list[str]
    parts: list[Path] = field(default_factory=list)
    reports: dict[str, FileReport] = field(default_factory=dict)
    rows: int = 0


class Extensions:
    """Collects extension rows, then writes them in the order of the records."""

    def __init__(self, scratch: Path, limits: Limits) -> None:
        self._scratch = scratch
        self._limits = limits
        self._sums: list[pl.DataFrame] = []
        self._pending: dict[int, list[pl.DataFrame]] = {}
        self._number = 0
        self.groups: list[Group] = []

    def group(self, row_type: str, table: str, terms: list[str]) -> Group:
        """Start an extension."""
        group = Group(row_type, table, terms)
        self.groups.append(group)
        return group

    def add(self, group: Group, frame: pl.DataFrame, report: FileReport) -> None:
        """Add rows that name their record by `__core_id`; fixed columns but `row` are expected."""
        hashes = row_hash(pl.lit(group.row_type), content_of(frame, group.terms))
        frame = frame.with_columns(id_hash(CORE_ID).alias(KEY), hashes.alias(HASH))
        self._sums.append(frame.group_by(KEY).agg(pl.col(HASH).sum()))
        if sum(one.height for one in self._sums) > 4 * max(self._sums[0].height, 500_000):
            self._sums = [pl.concat(self._sums).group_by(KEY).agg(pl.col(HASH).sum())]
        self._keep(group, frame.drop(HASH), report)

    def add_numbered(self, group: Group, frame: pl.DataFrame, report: FileReport | None = None) -> None:
        """Add rows whose `row` is known (made from the record itself: no part of its extension hash)."""
        self._keep(group, frame, report)

    def _keep(self, group: Group, frame: pl.DataFrame, report: FileReport | None) -> None:
        if report is not None:
            group.reports[report.name] = report
        waiting = self._pending.setdefault(id(group), [])
        waiting.append(frame)
        group.rows += frame.height
        if sum(one.height for one in waiting) >= self._limits.row_group:
            self._spill(group)

    def _spill(self, group: Group) -> None:
        waiting = self._pending.pop(id(group), [])
        if waiting:
            path = self._scratch / f"{self._number}.parquet"
            self._number += 1
            pl.concat(waiting).write_parquet(path, compression="lz4")
            group.parts.append(path)

    def sums(self) -> HashIndex | None:
        """Return the sum of row hashes for each core id, None where no extension has rows."""
        if not self._sums:
            return None
        total = pl.concat(self._sums).group_by(KEY).agg(pl.col(HASH).sum()).drop_nulls(KEY)
        self._sums = [total]
        return HashIndex(total[KEY], total[HASH])

    def write(self, out: Path, index: HashIndex, rejects: RejectWriter) -> dict[str, list[str]]:
        """Write one file a table, sorted by `row`; rows without a record become rejects.

        Returns the columns written, by table.
        """
        columns: dict[str, list[str]] = {}
        for group in self.groups:
            self._spill(group)
        for table in dict.fromkeys(group.table for group in self.groups):
            groups = [group for group in self.groups if group.table == table and group.parts]
            if not groups:
                continue
            terms = [] if table == VERBATIM else list(dict.fromkeys(t for g in groups for t in g.terms))
            with TableWriter(out, table, terms, self._limits) as writer:
                self._write_table(groups, index, rejects, writer)
                columns[table] = list(writer.schema)
                empty = writer.rows == 0
            if empty:
                writer.path.unlink()
                del columns[table]
        return columns

    def _write_table(self, groups: list[Group], index: HashIndex, rejects: RejectWriter, writer: TableWriter) -> None:
        numbered: list[tuple[Group, Path]] = []
        last, ordered, total, highest = -1, len(groups) == 1, 0, 0
        for group in groups:
            for path in group.parts:
                frame = self._number_rows(group, pl.read_parquet(path), index, rejects)
                if not frame.height:
                    path.unlink()
                    continue
                rows = frame["row"]
                ordered = ordered and rows.is_sorted() and rows[0] >= last
                last, highest = rows[-1], max(highest, int(str(rows.max())))
                total += frame.height
                frame.write_parquet(path, compression="lz4")
                numbered.append((group, path))
        if ordered:
            for group, path in numbered:
                writer.write(_shape(group, pl.read_parquet(path)))
                path.unlink()
            return
        for frame in self._buckets(numbered, total, highest):
            writer.write(frame)

    def _number_rows(self, group: Group, frame: pl.DataFrame, index: HashIndex, rejects: RejectWriter) -> pl.DataFrame:
        if KEY not in frame.columns:
            return frame
        frame = frame.with_columns(index.find(frame[KEY]).cast(pl.Int64).alias("row"))
        orphans = frame.filter(pl.col("row").is_null())
        if orphans.height:
            rejects.write(
                orphans.select(
                    "source_file",
                    pl.lit(group.table).alias("table"),
                    "source_line",
                    pl.lit("orphan_extension_row").alias("reason"),
                    pl.format("no record has the id {}", pl.col(CORE_ID).str.slice(0, 200)).alias("message"),
                    pl.concat_str(
                        [pl.col(CORE_ID), *[pl.col(t).fill_null("") for t in group.terms]], separator="\t"
                    ).alias("raw"),
                    pl.col(CORE_ID).alias("core_id"),
                ),
                core=False,
            )
            for name, rows in orphans["source_file"].value_counts().iter_rows():
                group.reports[name].rows_rejected += rows
            frame = frame.filter(pl.col("row").is_not_null())
        return frame.drop(KEY, CORE_ID)

    def _buckets(self, parts: list[tuple[Group, Path]], total: int, highest: int) -> Iterator[pl.DataFrame]:
        """Yield all rows in order of `row`, by ranges of records that fit in memory."""
        count = min(max(1, -(-total // BUCKET_ROWS)), MAX_BUCKETS)
        size = highest // count + 1
        buckets: list[list[tuple[Group, Path]]] = [[] for _ in range(count)]
        if count == 1:
            buckets[0] = parts
        else:
            for group, path in parts:
                frame = pl.read_parquet(path).with_columns((pl.col("row") // size).alias("__bucket"))
                for key, piece in frame.partition_by("__bucket", as_dict=True, include_key=False).items():
                    target = self._scratch / f"{self._number}.parquet"
                    self._number += 1
                    piece.write_parquet(target, compression="lz4")
                    buckets[int(key[0])].append((group, target))
                path.unlink()
        for bucket in buckets:
            if bucket:
                frames = [_shape(group, pl.read_parquet(path)) for group, path in bucket]
                yield pl.concat(frames, how="diagonal").sort("row", maintain_order=True)
                for _, path in bucket:
                    path.unlink()


def _shape(group: Group, frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows as their table has them: terms as columns, or one value a row for the verbatim table."""
    if group.table != VERBATIM:
        return frame
    fixed = list(EXTENSION_COLUMNS)
    long = frame.unpivot(on=group.terms, index=fixed, variable_name="term", value_name="value")
    return long.drop_nulls("value").sort("row", "source_line", maintain_order=True)
