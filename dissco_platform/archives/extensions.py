"""Rows that hang on records: kept until the records are numbered, then written in the order of the records.

Reading an archive goes: extension rows, with a hash of their core id, are kept here (in memory up to `HELD`, beyond that
on disk); core rows go to `records.parquet`; then this module gives each extension row its record's number, sets orphans
aside and writes the tables. Memory beside `HELD`: 16 bytes a record with extensions while records are read, then 12 a
record and 4 an extension row of a table (`hashindex.py`).
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dissco_platform.archives.columns import constant, one_array, series
from dissco_platform.archives.contents import content_of_columns, hashes, row_hashes
from dissco_platform.archives.hashindex import HashIndex, HashTable
from dissco_platform.archives.merging import most_waiting, together, windows
from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.tables import EXTENSION_COLUMNS, VERBATIM
from dissco_platform.archives.tablewriter import RejectWriter, TableWriter

KEY = "__key"
"""Column: 64-bit hash of the core id."""
CORE_ID = "__core_id"
ROW = "row"
BUCKET_ROWS = 250_000
MAX_BUCKETS = 200
HELD = 48 << 20
"""Bytes of rows that wait in memory."""


class _Part:
    """Some rows of an extension, in memory or in a scratch file: `source_file`, `source_line`, terms, and either the core
    id with its hash or the record's number."""

    def __init__(self, table: pa.Table) -> None:
        self._table: pa.Table | None = table
        self._path: Path | None = None
        self.rows = table.num_rows
        self.size = table.nbytes

    @property
    def held(self) -> bool:
        return self._table is not None

    def spill(self, path: Path) -> None:
        """Move the rows to a file."""
        assert self._table is not None
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, self._table.schema, options=options) as stream:
            stream.write_table(self._table)
        self._table, self._path = None, path

    def load(self) -> pa.Table:
        """Return the rows."""
        if self._table is not None:
            return self._table
        with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file) as stream:
            return stream.read_all()

    def numbers(self, index: HashIndex) -> np.ndarray:
        """Return the number of each row's record, -1 where there is none."""
        names = self._names()
        wanted = KEY if KEY in names else ROW
        if self._table is not None:
            column = self._table.column(wanted)
        else:
            options = pa.ipc.IpcReadOptions(included_fields=[names.index(wanted)])
            with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file, options=options) as stream:
                column = stream.read_all().column(wanted)
        if wanted == ROW:
            return np.asarray(column.to_numpy(), np.int32)
        found, numbers = index.find(pl.Series(KEY, pl.from_arrow(column)))
        return np.where(found, numbers.astype(np.int32), np.int32(-1))

    def _names(self) -> list[str]:
        if self._table is not None:
            return list(self._table.column_names)
        with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file) as stream:
            return list(stream.schema.names)

    def drop(self) -> None:
        """Let go of the rows."""
        self._table = None
        if self._path is not None:
            self._path.unlink()
            self._path = None


@dataclass
class Group:
    """The rows of one extension: its row type (CURIE), table, term columns and parts in reading order."""

    row_type: str
    table: str
    terms: list[str]
    parts: list[_Part] = field(default_factory=list)
    reports: dict[str, FileReport] = field(default_factory=dict)


class Extensions:
    """Collects extension rows, then writes them in the order of the records."""

    def __init__(self, scratch: Path, limits: Limits) -> None:
        self._scratch = scratch
        self._limits = limits
        self._sums: HashTable | None = None
        self._number = 0
        self.groups: list[Group] = []

    def group(self, row_type: str, table: str, terms: list[str]) -> Group:
        """Start an extension."""
        group = Group(row_type, table, terms)
        self.groups.append(group)
        return group

    def add(self, group: Group, columns: Mapping[str, pa.Array], core_id: pa.Array, report: FileReport) -> None:
        """Add rows that name their record: `source_file`, `source_line` and the group's terms as columns."""
        group.reports[report.name] = report
        content = content_of_columns({term: columns[term] for term in group.terms}, len(core_id))
        keys = pl.Series(KEY, _key(core_id), dtype=pl.UInt64)
        if self._sums is None:
            self._sums = HashTable(np.uint64, "sum")
        self._sums.put(keys, row_hashes(group.row_type, content))
        self._keep(group, pa.table({**columns, CORE_ID: core_id, KEY: keys.to_arrow()}))

    def add_numbered(self, group: Group, columns: Mapping[str, pa.Array], rows: np.ndarray) -> None:
        """Add rows whose record's number is known (made from the record itself: no part of its extension hash)."""
        self._keep(group, pa.table({**columns, ROW: pa.array(rows, pa.int64())}))

    def _keep(self, group: Group, table: pa.Table) -> None:
        if not table.num_rows:
            return
        group.parts.append(_Part(table))
        held = [part for one in self.groups for part in one.parts if part.held]
        if sum(part.size for part in held) > HELD:
            for part in held:
                part.spill(self._scratch / f"{self._number}.arrow")
                self._number += 1

    def sums(self) -> HashIndex | None:
        """Return the sum of row hashes for each core id, None where no extension has rows; to be asked for once."""
        if self._sums is None:
            return None
        sums, self._sums = self._sums, None
        return sums.index()

    def write(self, out: Path, index: HashIndex, rejects: RejectWriter) -> dict[str, list[str]]:
        """Write one file a table, sorted by `row`; rows without a record become rejects.

        Returns the columns written, by table.
        """
        columns: dict[str, list[str]] = {}
        empty: list[Path] = []
        with ExitStack() as files:  # the end of one file is encoded while the next table is put in order
            for table in dict.fromkeys(group.table for group in self.groups):
                groups = [group for group in self.groups if group.table == table and group.parts]
                if not groups:
                    continue
                terms = [] if table == VERBATIM else list(dict.fromkeys(t for g in groups for t in g.terms))
                writer = files.enter_context(TableWriter(out, table, terms, self._limits))
                self._write_table(groups, index, rejects, writer)
                writer.end()
                if writer.rows:
                    columns[table] = list(writer.schema)
                else:
                    empty.append(writer.path)
        for path in empty:
            path.unlink()
        return columns

    def _write_table(self, groups: list[Group], index: HashIndex, rejects: RejectWriter, writer: TableWriter) -> None:
        numbers = [[part.numbers(index) for part in group.parts] for group in groups]
        numbered = [
            (group, part, rows)
            for group, parts in zip(groups, numbers, strict=True)
            for part, rows in zip(group.parts, parts, strict=True)
        ]
        if len(groups) == 1 and _ascending(numbers[0]):
            for group, part, rows in numbered:
                _write(writer, *self._known(group, part, rows, rejects))
        elif most_waiting(numbers) <= BUCKET_ROWS:

            def load(place: int, part: int) -> pa.Table:
                group = groups[place]
                return self._known(group, group.parts[part], numbers[place][part], rejects)[1]

            for window in windows(numbers, load):
                _write_sorted(writer, [(groups[place], table) for place, table in window])
        else:
            for bucket in self._buckets(numbered, rejects):
                _write_sorted(writer, bucket)

    def _known(self, group: Group, part: _Part, rows: np.ndarray, rejects: RejectWriter) -> tuple[Group, pa.Table]:
        """Return a part's rows that have a record, with `row`; the others are set aside."""
        table = part.load()
        part.drop()
        if ROW in table.column_names:
            return group, table
        lost = rows < 0
        if lost.any():
            self._orphans(group, table.filter(pa.array(lost)), rejects)
            table, rows = table.filter(pa.array(~lost)), rows[~lost]
        return group, table.drop_columns([KEY, CORE_ID]).append_column(ROW, pa.array(rows.astype(np.int64)))

    def _orphans(self, group: Group, table: pa.Table, rejects: RejectWriter) -> None:
        orphans = _frame(table)
        rejects.write(
            orphans.select(
                "source_file",
                pl.lit(group.table).alias("table"),
                "source_line",
                pl.lit("orphan_extension_row").alias("reason"),
                pl.format("no record has the id {}", pl.col(CORE_ID).str.slice(0, 200)).alias("message"),
                pl.concat_str([pl.col(CORE_ID), *[pl.col(t).fill_null("") for t in group.terms]], separator="\t").alias(
                    "raw"
                ),
                pl.col(CORE_ID).alias("core_id"),
            ),
            core=False,
        )
        for name, rows in orphans["source_file"].value_counts().iter_rows():
            group.reports[name].rows_rejected += rows

    def _buckets(
        self, numbered: list[tuple[Group, _Part, np.ndarray]], rejects: RejectWriter
    ) -> Iterator[list[tuple[Group, pa.Table]]]:
        """Yield all rows by ranges of records that fit in memory, in the order of the ranges."""
        total = sum(len(rows) for _, _, rows in numbered)
        highest = max(int(rows.max(initial=0)) for _, _, rows in numbered)
        count = min(-(-total // BUCKET_ROWS), MAX_BUCKETS)
        size = highest // count + 1
        buckets: list[list[tuple[Group, _Part]]] = [[] for _ in range(count)]
        for group, part, rows in numbered:
            _, table = self._known(group, part, rows, rejects)
            places = table.column(ROW).to_numpy() // size
            for place in np.unique(places):
                piece = _Part(table.filter(pa.array(places == place)))
                piece.spill(self._scratch / f"{self._number}.arrow")
                self._number += 1
                buckets[int(place)].append((group, piece))
        for bucket in buckets:
            if bucket:
                yield [(group, piece.load()) for group, piece in bucket]
                for _, piece in bucket:
                    piece.drop()


def _ascending(parts: list[np.ndarray]) -> bool:
    """Return whether all rows that have a record are in the order of the records."""
    last = -1
    for rows in parts:
        known = rows[rows >= 0]
        if len(known):
            if int(known[0]) < last or not (known[1:] >= known[:-1]).all():
                return False
            last = int(known[-1])
    return True


def _key(core_id: pa.Array) -> np.ndarray:
    if not pa.types.is_dictionary(core_id.type):
        return hashes(core_id)
    return np.asarray(hashes(core_id.dictionary)[core_id.indices.to_numpy()])


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(
        [
            series(name, one_array(column))
            if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type)
            else pl.Series(name, pl.from_arrow(column))
            for name, column in zip(table.column_names, table.columns, strict=True)
        ]
    )


def _write(writer: TableWriter, group: Group, table: pa.Table) -> None:
    """Write rows as their table has them: terms as columns, or one value a row for the verbatim table."""
    if group.table == VERBATIM:
        writer.write(_long(group, table))
    elif table.num_rows:
        columns = {name: one_array(table.column(name)) for name in table.column_names}
        writer.write_columns({**columns, "row_type": constant(group.row_type, table.num_rows)})


def _write_sorted(writer: TableWriter, tables: list[tuple[Group, pa.Table]]) -> None:
    """Write rows of several parts in the order of their records; of one record, in the order they were read."""
    if writer.table == VERBATIM:
        frames = [_long(group, table) for group, table in tables]
        writer.write(pl.concat(frames, how="diagonal").sort(ROW, maintain_order=True))
        return
    typed = [table.append_column("row_type", constant(group.row_type, table.num_rows)) for group, table in tables]
    if any(table.num_rows for table in typed):
        writer.write_columns(together(typed, ROW))


def _long(group: Group, table: pa.Table) -> pl.DataFrame:
    frame = _frame(table).with_columns(pl.lit(group.row_type).alias("row_type"))
    long = frame.unpivot(on=group.terms, index=list(EXTENSION_COLUMNS), variable_name="term", value_name="value")
    return long.drop_nulls("value").sort(ROW, "source_line", maintain_order=True)
