"""One file of an archive, and reading it within bounds.

Which files an archive has, and which archives are refused, is `container.py`.
"""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from dissco_platform.archives.model import DEFAULT_LIMITS
from dissco_platform.errors import ArchiveError

GZIP_MAGIC = b"\x1f\x8b"
READ_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Member:
    """One file of an archive: its path inside it (forward slashes), its size in bytes if known, and how to open it."""

    name: str
    size: int | None
    opener: Callable[[], BinaryIO] = field(repr=False)
    limit: int = DEFAULT_LIMITS.max_member

    @property
    def base(self) -> str:
        """The last part of the path."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        """The lower-case suffix with its dot, `.gz` left out (`occurrence.txt.gz` has `.txt`)."""
        path = Path(self.base.lower())
        return Path(path.stem).suffix if path.suffix == ".gz" and Path(path.stem).suffix else path.suffix

    def open(self) -> "BoundedReader":
        """Open for reading; a gzip-compressed member is inflated."""
        raw: BinaryIO = BoundedReader(self.opener(), self.name, self.limit)
        head = raw.read(2)
        raw.close()
        stream: BinaryIO = self.opener()
        if head == GZIP_MAGIC:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream))
        return BoundedReader(stream, self.name, self.limit)

    def read(self, limit: int) -> bytes:
        """Return the whole content, at most `limit` bytes.

        Raises:
            ArchiveError: the member is larger (`too_large`) or damaged (`damaged`).
        """
        with self.open() as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ArchiveError(f"{self.name} is larger than {limit:,} bytes", reason="too_large")
        return content

    def head(self, size: int) -> bytes:
        """Return the first `size` bytes."""
        with self.open() as stream:
            return stream.read(size)


class BoundedReader(io.RawIOBase, BinaryIO):
    """A byte stream that stops with an `ArchiveError` at a size, and when what it reads is damaged."""

    def __init__(self, stream: BinaryIO, name: str, limit: int) -> None:
        self._stream = stream
        self._name = name
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes (all for -1); fewer only at the end."""
        try:
            data = self._stream.read(size)
        except READ_ERRORS as error:
            raise damaged(self._name, error) from error
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"{self._name} holds more than the {self._limit:,} bytes allowed", reason="too_large")
        return data

    def readinto(self, buffer: object) -> int:
        """Fill `buffer`; return the number of bytes."""
        view = memoryview(cast(bytearray, buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream underneath."""
        if not self.closed:
            self._stream.close()
        super().close()


def damaged(name: str, error: Exception) -> ArchiveError:
    """Return the refusal for content that cannot be decompressed or read."""
    text = str(error)
    if "encrypted" in text or "password" in text:
        return ArchiveError(f"{name} is encrypted; send it without a password", reason="encrypted")
    if isinstance(error, NotImplementedError):
        return ArchiveError(f"{name} uses a compression that is not supported: {text}", reason="unsupported")
    return ArchiveError(f"{name} is damaged and cannot be read: {text}", reason="damaged")
