"""Frames that wait for their turn: in memory while they are few, in a file without a name when they are many.

The file has no name from the moment that it is made, so a killed process leaves nothing behind.
"""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa

from dissco_platform.errors import StoreError

IN_MEMORY = 4 * 2**20  # bytes


class Spool:
    """Frames of one schema, in the order in which they were appended; may be read more than once."""

    def __init__(self, folder: Path, in_memory: int | None = None) -> None:
        """Make an empty one whose file, if there will be one, is on the disk of a folder; `in_memory`: bytes."""
        self.height = 0
        self._in_memory = IN_MEMORY if in_memory is None else in_memory
        self._folder = folder
        self._held: list[pa.Table] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, int]] = []

    def append(self, frame: pl.DataFrame) -> None:
        """Add a frame.

        Raises:
            StoreError: the disk is full.
        """
        if not frame.height:
            return
        self.height += frame.height
        # Copied: a few rows of a frame would keep the texts of all of its rows in memory, uncounted.
        self._held.append(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self._bytes += self._held[-1].nbytes
        if self._bytes > self._in_memory:
            self._write()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        yield from self._read(None)
        yield from self._in_hand()

    def columns(self, *names: str) -> Iterator[pl.DataFrame]:
        """Yield some columns of the frames; the others are not unpacked."""
        yield from self._read(list(names))
        yield from (frame.select(names) for frame in self._in_hand())

    def _in_hand(self) -> Iterator[pl.DataFrame]:
        for table in self._held:
            frame = pl.from_arrow(table)
            assert isinstance(frame, pl.DataFrame)
            yield frame

    def _read(self, names: list[str] | None) -> Iterator[pl.DataFrame]:
        for start, length in self._places:
            assert self._file is not None
            self._file.seek(start)
            yield pl.read_ipc_stream(io.BytesIO(self._file.read(length)), columns=names)

    def collected(self) -> pl.DataFrame | None:
        """Return all of it as one frame; None where there is nothing."""
        frames = list(self)
        return pl.concat(frames) if frames else None

    def close(self) -> None:
        """Give back what it takes."""
        self._held, self._places = [], []
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed with the spool
            start = self._file.seek(0, io.SEEK_END)
            table = pa.concat_tables(self._held).combine_chunks()
            with pa.ipc.new_stream(
                self._file, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
            ) as stream:
                stream.write_table(table)
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"What waits to be written cannot be put into {self._folder} ({error}): make room there. Nothing of this "
                "publication was committed; run again."
            ) from error
        self._places.append((start, self._file.tell() - start))
        self._held, self._bytes = [], 0
