"""Sorting more rows than memory holds: rows go to bucket files by range or hash, and come back one sorted bucket at a time.

Arrow files in a folder that the build removes. What the rows are is `build`'s affair.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

HELD_BYTES = 16 * 2**20


class Spill:
    """Rows of one kind in numbered buckets: a file a bucket, to which every addition appends.

    Additions are held until they are `HELD_BYTES` large: a batch's rows for one of a hundred buckets are few, and a
    hundred small pieces cost many times what one large piece does, written and read.
    """

    def __init__(self, folder: Path, buckets: int) -> None:
        self.folder = folder
        self.buckets = buckets
        self.pieces = 0  # written so far
        self._held: list[pl.DataFrame] = []
        self._held_bytes = 0
        self._open: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, frame: pl.DataFrame, bucket: pl.Expr | None = None) -> None:
        """Add rows; `bucket` gives each row's number (0 … buckets − 1), needed where there is more than one.

        All additions have the same columns.
        """
        if frame.is_empty():
            return
        if self.buckets == 1 or bucket is None:
            self._write(_arrow_of(frame), 0)
            return
        self._held.append(frame.with_columns(bucket.cast(pl.Int32).alias("__bucket")))
        self._held_bytes += int(frame.estimated_size())
        if self._held_bytes >= HELD_BYTES:
            self.write_held()

    def write_held(self) -> None:
        """Write what is held; from then on buckets may be taken by several threads."""
        if not self._held:
            return
        numbered = pl.concat(self._held, rechunk=False).sort("__bucket", maintain_order=True)
        self._held, self._held_bytes = [], 0
        lengths = numbered["__bucket"].rle().struct.unnest()
        table = _arrow_of(numbered.drop("__bucket"))
        start = 0
        for length, number in lengths.iter_rows():
            self._write(table.slice(start, length), int(number))
            start += length

    def _write(self, table: pa.Table, bucket: int) -> None:
        writer = self._open.get(bucket)
        if writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = self._open[bucket] = pa.ipc.new_stream(self._path(bucket), table.schema, options=options)
        writer.write_table(table)
        self.pieces += 1

    def _path(self, bucket: int) -> str:
        return str(self.folder / f"{bucket:05d}.arrows")

    def drain(self) -> Iterator[pl.DataFrame]:
        """Yield the rows bucket by bucket, in the order they were added, and free their files."""
        for bucket in range(self.buckets):
            frame = self.take(bucket)
            if frame is not None:
                yield frame

    def take(self, bucket: int) -> pl.DataFrame | None:
        """Return a bucket's rows in the order they were added, and free their file; None where it has none.

        Nothing is added after the first is taken.
        """
        self.write_held()
        writer = self._open.pop(bucket, None)
        if writer is None:
            return None
        writer.close()
        path = Path(self._path(bucket))
        frame = pl.read_ipc_stream(path)
        path.unlink()
        return frame


def _arrow_of(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())  # a view would carry the texts of all buckets


class ParquetOut:
    """A Parquet file written frame by frame with one schema (zstd).

    `texts` are columns of long, ever different text: they get neither dictionary nor statistics, which cost as much as
    their compression and find nothing. `plain` are columns of values that hardly repeat: they get no dictionary.
    """

    def __init__(
        self, path: Path, schema: dict[str, pl.DataType], row_group: int, *,
        texts: Collection[str] = (), plain: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._schema = schema
        self._row_group = row_group
        self._arrow = _arrow(pl.DataFrame(schema=schema)).schema
        leaves = {  # as the file calls them
            name: f"{name}.list.element" if isinstance(dtype, pl.List) else name for name, dtype in schema.items()
        }
        self._writer = pq.ParquetWriter(
            path, self._arrow, compression="zstd", compression_level=1,  # with hashes about, higher levels gain nothing
            use_dictionary=[leaf for name, leaf in leaves.items() if name not in texts and name not in plain],
            write_statistics=[leaf for name, leaf in leaves.items() if name not in texts],
            store_schema=False,  # readers see plain strings, whatever they are in memory here
        )  # fmt: skip
        self.rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; columns are put in order and cast to the schema."""
        if frame.is_empty():
            return
        ordered = frame.select(pl.col(name).cast(dtype) for name, dtype in self._schema.items())
        for start in range(0, frame.height, self._row_group):  # one at a time: Arrow's texts are a copy
            part = _arrow(ordered.slice(start, self._row_group))
            self._writer.write_table(part.cast(self._arrow), row_group_size=self._row_group)
        self.rows += frame.height

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())  # no copy is made of texts
