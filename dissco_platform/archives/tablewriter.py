"""Writing the parsed tables: Parquet (zstd) in row groups, rejects with their counts, fingerprints of records.

The tables' columns are defined in `tables.py`. Readers hand in frames of any size; memory stays at about one row group
a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import polars_hash  # noqa: F401  registers the .nchash namespace
import pyarrow as pa
import pyarrow.parquet as pq

from dissco_platform.archives.model import Limits
from dissco_platform.archives.tables import REJECT_COLUMNS, REJECTS, fixed_columns
from dissco_platform.provenance import ContentVersion, fingerprint

COMPRESSION_LEVEL = 1
FLUSH_BYTES = 128 << 20


class TableWriter:
    """One Parquet file, written in row groups of `limits.row_group` rows by a thread of its own.

    `terms` are the term columns, in order, after the table's fixed columns; a frame may lack some of them (null).
    """

    def __init__(self, folder: Path, table: str, terms: Sequence[str], limits: Limits) -> None:
        self.table = table
        self.path = folder / f"{table}.parquet"
        self.schema: dict[str, pl.DataType] = dict(fixed_columns(table)) | dict.fromkeys(terms, pl.String())
        self.rows = 0
        self._limits = limits
        self._buffer: list[pl.DataFrame] = []
        self._buffered = 0
        self._writer = pq.ParquetWriter(
            self.path, _arrow_schema(self.schema), compression="zstd", compression_level=COMPRESSION_LEVEL
        )
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; columns that the frame lacks are null, columns that the table lacks are an error."""
        if not frame.height:
            return
        missing = [
            pl.lit(None, dtype=kind).alias(name) for name, kind in self.schema.items() if name not in frame.columns
        ]
        frame = frame.with_columns(missing) if missing else frame
        self._buffer.append(frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items()))
        self._buffered += frame.height
        self.rows += frame.height
        if self._buffered >= self._limits.row_group:
            self._flush()

    def _flush(self) -> None:
        frames, self._buffer, self._buffered = self._buffer, [], 0
        if frames:
            self._wait()
            self._pending = self._thread.submit(self._write, frames)

    def _write(self, frames: list[pl.DataFrame]) -> None:
        frame = pl.concat(frames)
        self._writer.write_table(
            frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._writer.schema), row_group_size=frame.height
        )

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self._flush()
            self._wait()
        finally:
            self._thread.shutdown()
            self._writer.close()

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._buffer = []
            self._thread.shutdown()
            self._writer.close()


def _arrow_schema(schema: dict[str, pl.DataType]) -> Any:
    kinds = {pl.Int64(): pa.int64(), pl.String(): pa.large_string()}
    return pa.schema([(name, kinds[kind]) for name, kind in schema.items()])


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


def column_weight(name: str) -> int:
    """Return a 64-bit number for a column's name: the sum over a row's filled columns tells which they are."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def content_parts(terms: Iterable[str]) -> list[pl.Expr]:
    """Return two expressions over term columns that together say what a row holds.

    The values of the filled columns, joined in the order of the columns' names, and a number that says which columns
    are filled. Columns without a value do not enter, so a new empty column changes nothing.
    """
    ordered = sorted(terms)
    if not ordered:
        return [pl.lit(""), pl.lit(0, dtype=pl.UInt64)]
    filled = [
        pl.col(name).is_not_null().cast(pl.UInt64) * pl.lit(column_weight(name), dtype=pl.UInt64) for name in ordered
    ]
    return [
        pl.concat_str([pl.col(name) for name in ordered], separator="\x1f", ignore_nulls=True),
        pl.sum_horizontal(filled),
    ]


def row_hash(parts: Sequence[pl.Expr]) -> pl.Expr:
    """Return a 64-bit hash (UInt64) of extension rows, to be added up for each record, so that their order is free."""
    text = pl.concat_str([part.cast(pl.String).fill_null("") for part in parts], separator="\x1e")
    return text.nchash.xxh3_64()  # type: ignore[attr-defined, no-any-return]


def id_hash(column: str) -> pl.Expr:
    """Return a 64-bit hash (UInt64) of an identifier, to join extension rows to records in little memory."""
    return pl.col(column).nchash.xxh3_64()  # type: ignore[attr-defined, no-any-return]
