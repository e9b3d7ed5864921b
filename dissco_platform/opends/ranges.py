"""Parsed tables read in ranges of records: a batch's records and the rows of their extensions, bounded memory.

A record's number (`row`) orders every table; a batch is the records from one number to the next. What becomes of a
batch is `build`'s and `media_tables`' affair.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import orjson
import polars as pl

CHUNK_ROWS = 50_000
SAMPLED_AT_ONCE = 200_000

Progress = Callable[[str, int], None]


class ParsedTables:
    """The parsed tables of a dataset, a range of records at a time."""

    def __init__(self, parsed: Path, tables: Iterable[str], batch_rows: int, progress: Progress | None) -> None:
        self.parsed, self.batch_rows = parsed, batch_rows
        self.progress = progress or (lambda _stage, _done: None)
        self.tables = {
            table: path
            for table in sorted(set(tables) - {"records"})
            if (path := parsed / f"{table}.parquet").is_file()
        }
        self.records = pl.scan_parquet(parsed / "records.parquet")
        self.columns = set(self.records.collect_schema().names())
        rows = self.records.select(pl.col("row")).collect()["row"]
        self.height = len(rows)
        self.bounds = [*rows.gather_every(batch_rows).to_list(), int(rows[-1]) + 1] if len(rows) else []
        self.about = self._about_dataset()
        self._dataset_columns = [
            pl.lit(value, dtype=pl.String).alias(f"dataset:{name}") for name, value in self.about.items()
        ]
        self._chunks: dict[str, tuple[int, int, pl.DataFrame, frozenset[str] | None]] = {}
        self._held: dict[str, tuple[pl.Series, pl.DataFrame]] = {}  # rows asked for and found, by table

    def _about_dataset(self) -> dict[str, str | None]:
        """Return what mappings may read of the dataset's metadata, as columns `dataset:<name>`."""
        path = self.parsed / "dataset.json"
        about = orjson.loads(path.read_bytes()) if path.is_file() else {}
        return {name: str(about[name]) if about.get(name) else None for name in ("title", "language", "license")}

    def ranges(self, stage: str) -> Iterator[tuple[int, int]]:
        """Yield (first row, row after the last) of each batch, and tell the progress."""
        done = 0
        for start, end in zip(self.bounds, self.bounds[1:], strict=False):
            yield start, end
            done += self.batch_rows
            self.progress(stage, min(done, self.height))

    def rows(self, table: str, start: int, end: int, columns: Collection[str] | None = None) -> pl.DataFrame:
        """Return a table's rows of one range of records, from a chunk of several ranges read at once.

        A Parquet row group is decoded whole: reading it anew for each range would cost many times the reading. `columns` are
        those that are read, where there are such, if not all; the ranges of one walk ask for the same.
        """
        asked = None if columns is None else frozenset(columns)
        chunk = self._chunks.get(table)
        if chunk is None or chunk[3] != asked or not (chunk[0] <= start and end <= chunk[1]):
            at = bisect_left(self.bounds, start)
            last = self.bounds[min(at + max(1, CHUNK_ROWS // self.batch_rows), len(self.bounds) - 1)]
            scan = self.records if table == "records" else pl.scan_parquet(self.tables[table])
            if asked is not None:
                scan = scan.select(name for name in scan.collect_schema().names() if name in asked)
            self._chunks.pop(table, None)
            frame = scan.filter(pl.col("row").is_between(start, max(last, end), closed="left")).collect()
            if not frame["row"].is_sorted():
                frame = frame.sort("row", maintain_order=True)
            chunk = self._chunks[table] = (start, max(last, end), frame, asked)
        low, high = chunk[2]["row"].search_sorted(pl.Series([start, end]), side="left")
        frame = chunk[2].slice(low, high - low)
        return frame.with_columns(self._dataset_columns) if table == "records" else frame

    def every(self, step: int, columns: Collection[str]) -> Iterator[pl.DataFrame]:
        """Yield every `step`-th record of the whole table, with these columns and those of the dataset, part by part."""
        for start in range(0, self.height, SAMPLED_AT_ONCE):
            part = self.records.slice(start, SAMPLED_AT_ONCE).select(sorted(columns)).collect()
            yield part.gather_every(step).with_columns(self._dataset_columns)

    def chosen(self, table: str, rows: pl.Series) -> pl.DataFrame:
        """Return a table's rows of some records (their numbers, ascending), reading as little else as can be.

        What was read last is kept while it is no more than a batch: the same records are asked for several times.
        """
        held = self._held.get(table)
        if held is None or not rows.is_in(held[0].implode()).all():
            held = rows, self._read_chosen(table, rows)
            if len(rows) <= self.batch_rows:
                self._held[table] = held
        frame = held[1] if held[0] is rows else held[1].filter(pl.col("row").is_in(rows.implode()))
        return frame.with_columns(self._dataset_columns) if table == "records" else frame

    def _read_chosen(self, table: str, rows: pl.Series) -> pl.DataFrame:
        scan = self.records if table == "records" else pl.scan_parquet(self.tables[table])
        if rows.is_empty():
            return scan.head(0).collect()
        near = pl.col("row").is_between(pl.lit(rows[0]), pl.lit(rows[-1]))  # other row groups are not opened
        frame = scan.filter(near & pl.col("row").is_in(rows.implode())).collect()
        return frame if frame["row"].is_sorted() else frame.sort("row", maintain_order=True)

    def extension(self, table: str, records: pl.DataFrame, start: int, end: int) -> pl.DataFrame | None:
        """Return an extension's rows of the given records of a range; None where the dataset has no such table."""
        if table not in self.tables:
            return None
        rows = self.rows(table, start, end)
        if records.height == end - start:  # none is left out
            return rows
        return rows.join(records.select("row"), on="row", how="semi", maintain_order="left")
