"""Two small pieces of plumbing: an iterator that runs ahead in a thread, and a Parquet file fed from a queue.

Inflating, parsing and encoding then overlap: zlib, Polars' parser and Polars' Parquet writer all release the
interpreter lock. Measured on two cores with 200,000 rows × 72 columns: writing in 0.5 s instead of the 1.6 s that
pyarrow's writer takes in a thread.
"""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

import polars as pl
from polars.io.plugins import register_io_source

Item = TypeVar("Item")
POLL = 0.2
"""Seconds between looks at whether the other side is still there."""


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


def ahead(items: Iterator[Item], size: int = 2) -> Iterator[Item]:
    """Yield from `items`, which runs in a thread up to `size` items ahead. Its exceptions are raised here."""
    queue: Queue[Item | _Failure | _End] = Queue(size)
    stopped = Event()

    def put(item: Item | _Failure | _End) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=POLL)
            except Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End())
        except BaseException as error:  # handed over and raised by the reader
            put(_Failure(error))

    thread = Thread(target=run, name="archive-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join()


class ParquetSink:
    """A Parquet file (zstd) written by Polars' streaming engine from frames handed over one by one, in order."""

    def __init__(self, path: Path, schema: dict[str, pl.DataType], row_group: int) -> None:
        self._path = path
        self._schema = schema
        self._row_group = row_group
        self._queue: Queue[pl.DataFrame | None] = Queue(2)
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Hand over rows; waits while two frames are in line.

        Raises:
            OSError, polars.exceptions.PolarsError: the file could not be written.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name="archive-sink", daemon=True)
            self._thread.start()
        self._put(frame)

    def _put(self, frame: pl.DataFrame | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._queue.put(frame, timeout=POLL)
            except Full:
                continue
            return

    def _source(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        while (frame := self._queue.get()) is not None:
            yield frame

    def _run(self) -> None:
        try:
            register_io_source(self._source, schema=self._schema).sink_parquet(
                self._path,
                compression="zstd",
                compression_level=1,
                row_group_size=self._row_group,
                maintain_order=True,
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            self._error = error

    def close(self) -> None:
        """Finish the file; a file without rows is written too."""
        if self._thread is None:
            pl.DataFrame(schema=self._schema).write_parquet(self._path, compression="zstd")
            return
        try:
            self._put(None)
        finally:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Stop without caring for the file."""
        if self._thread is not None and self._thread.is_alive():
            while True:
                try:
                    self._queue.get_nowait()
                except Empty:
                    break
            self._queue.put(None)
            self._thread.join()
