"""Writing the parsed tables: Parquet (zstd) in row groups, rejects with their counts, fingerprints of records.

The tables' columns are defined in `tables.py`. Readers hand in frames of any size; memory stays at about one row group
a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import polars as pl
import polars_hash  # noqa: F401  registers the .nchash namespace

from dissco_platform.archives.flow import ParquetSink
from dissco_platform.archives.model import Limits
from dissco_platform.archives.tables import REJECT_COLUMNS, REJECTS, fixed_columns
from dissco_platform.provenance import ContentVersion, fingerprint


class TableWriter:
    """One Parquet file, written in row groups of `limits.row_group` rows while the caller goes on.

    `terms` are the term columns, in order, after the table's fixed columns; a frame may lack some of them (null).
    """

    def __init__(self, folder: Path, table: str, terms: Sequence[str], limits: Limits) -> None:
        self.table = table
        self.path = folder / f"{table}.parquet"
        self.schema: dict[str, pl.DataType] = dict(fixed_columns(table)) | dict.fromkeys(terms, pl.String())
        self.rows = 0
        self._sink = ParquetSink(self.path, self.schema, limits.row_group)

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; columns that the frame lacks are null, columns that the table lacks are left out."""
        if not frame.height:
            return
        missing = [
            pl.lit(None, dtype=kind).alias(name) for name, kind in self.schema.items() if name not in frame.columns
        ]
        frame = frame.with_columns(missing) if missing else frame
        self._sink.write(frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items()))
        self.rows += frame.height

    def close(self) -> None:
        """Write what is left and close the file."""
        self._sink.close()

    def abandon(self) -> None:
        """Stop after an error elsewhere."""
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


def column_weights(name: str) -> tuple[int, int]:
    """Return two odd 64-bit numbers for a column's name."""
    digest = blake2b(name.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little") | 1, int.from_bytes(digest[8:], "little") | 1


CONTENT = ("__content_0", "__content_1")
"""Names of the two UInt64 columns that `content_of` returns."""


def content_of(frame: pl.DataFrame, terms: Iterable[str]) -> pl.DataFrame:
    """Return two UInt64 columns that together say what each row holds in its term columns.

    Each filled cell counts as the XXH3 hash of its text times a number made from its column's name; a row is the sum
    (modulo 2^64, once for each of two numbers). Empty cells add nothing and the order of columns is free, so a new
    empty column or another column order changes no record. A third of the cost of joining the texts.
    """
    ordered = sorted(terms)
    if not ordered:
        return pl.DataFrame({name: pl.zeros(frame.height, dtype=pl.UInt64, eager=True) for name in CONTENT})
    hashed = frame.select(pl.col(ordered).nchash.xxh3_64())  # type: ignore[attr-defined]
    weights = [column_weights(name) for name in ordered]
    return hashed.select(
        pl.sum_horizontal(
            pl.col(name) * pl.lit(weight[place], dtype=pl.UInt64) for name, weight in zip(ordered, weights, strict=True)
        ).alias(CONTENT[place])
        for place in (0, 1)
    )


def row_hash(row_type: pl.Expr, content: pl.DataFrame) -> pl.Series:
    """Return a 64-bit hash (UInt64) of extension rows, to be added up for each record, so that their order is free."""
    text = pl.concat_str([row_type, *[pl.col(name).cast(pl.String) for name in CONTENT]], separator="\x1e")
    return content.select(text.nchash.xxh3_64().alias("h"))["h"]  # type: ignore[attr-defined]


def id_hash(column: str) -> pl.Expr:
    """Return a 64-bit hash (UInt64) of an identifier, to join extension rows to records in little memory."""
    return pl.col(column).nchash.xxh3_64()  # type: ignore[attr-defined, no-any-return]
