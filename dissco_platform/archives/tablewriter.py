"""Writing the parsed tables: Parquet (zstd) in row groups, rejects with their counts.

The tables' columns are defined in `tables.py`. Readers hand in frames of any size; memory stays at about one row group
a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow as pa

from dissco_platform.archives.columns import constant
from dissco_platform.archives.flow import ArrowSink, ParquetSink
from dissco_platform.archives.model import Limits
from dissco_platform.archives.tables import REJECT_COLUMNS, REJECTS, fixed_columns
from dissco_platform.provenance import ContentVersion, fingerprint


class TableWriter:
    """One Parquet file, written while the caller goes on, from frames (`write`) or Arrow columns (`write_columns`).

    `terms` are the term columns, in order, after the table's fixed columns; a frame may lack some of them (null).
    """

    def __init__(self, folder: Path, table: str, terms: Sequence[str], limits: Limits) -> None:
        self.table = table
        self.path = folder / f"{table}.parquet"
        self.schema: dict[str, pl.DataType] = dict(fixed_columns(table)) | dict.fromkeys(terms, pl.String())
        self.rows = 0
        self._limits = limits
        self._sink: ParquetSink | ArrowSink | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; columns that the frame lacks are null, columns that the table lacks are left out."""
        if not frame.height:
            return
        missing = [
            pl.lit(None, dtype=kind).alias(name) for name, kind in self.schema.items() if name not in frame.columns
        ]
        frame = frame.with_columns(missing) if missing else frame
        self._frames().write(frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items()))
        self.rows += frame.height

    def _frames(self) -> ParquetSink:
        if self._sink is None:
            self._sink = ParquetSink(self.path, self.schema, self._limits.row_group)
        assert isinstance(self._sink, ParquetSink)
        return self._sink

    def write_columns(self, columns: dict[str, pa.Array]) -> None:
        """Append rows given as Arrow columns; a table is written this way from first to last.

        Columns that are lacking are null, those that the table lacks are left out.
        """
        if self._sink is None:
            self._sink = ArrowSink(self.path)
        assert isinstance(self._sink, ArrowSink)
        rows = len(next(iter(columns.values())))
        missing = dict.fromkeys(self.schema.keys() - columns.keys(), constant(None, rows))
        table = pa.table({name: (columns | missing)[name] for name in self.schema})
        self._sink.write(table)
        self.rows += table.num_rows

    def end(self) -> None:
        """Say that no more rows come: the file is finished while the caller goes on, and closed later."""
        if self._sink is not None:
            self._sink.end()

    def close(self) -> None:
        """Write what is left and close the file; one without rows is written too."""
        (self._sink or self._frames()).close()

    def abandon(self) -> None:
        """Stop after an error elsewhere."""
        if self._sink is not None:
            self._sink.abandon()

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


class RejectWriter:
    """`rejects.parquet` and its counts: `core` by reason for records, `extension` by reason for all other tables."""

    def __init__(self, folder: Path, version: ContentVersion, limits: Limits) -> None:
        self._writer = TableWriter(folder, REJECTS, (), limits)
        self._version = version
        self._limits = limits
        self.core: Counter[str] = Counter()
        self.extension: Counter[str] = Counter()

    def write(self, frame: pl.DataFrame, *, core: bool) -> None:
        """Append rejects (columns of `tables.REJECT_COLUMNS`; missing ones null)."""
        if not frame.height:
            return
        counter = self.core if core else self.extension
        counter.update(dict(frame["reason"].value_counts().iter_rows()))
        frame = frame.with_columns(
            *[pl.lit(None, dtype=kind).alias(n) for n, kind in REJECT_COLUMNS.items() if n not in frame.columns]
        ).with_columns(pl.col("raw").str.slice(0, self._limits.max_raw))
        self._version.add(REJECTS, frame.select(fingerprint(["table", "reason", "raw", "core_id"]).alias("f"))["f"])
        self._writer.write(frame)

    def add(self, rows: Iterable[dict[str, object]], *, core: bool) -> None:
        """Append rejects given as mappings."""
        self.write(pl.DataFrame(list(rows), schema=REJECT_COLUMNS), core=core)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def abandon(self) -> None:
        """Stop after an error elsewhere."""
        self._writer.abandon()
