"""One file of an archive, and reading it within bounds.

Which files an archive has, and which archives are refused, is `container.py`.
"""

import copy
import gzip
import importlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from dissco_platform.archives.model import DEFAULT_LIMITS
from dissco_platform.errors import ArchiveError


def _isal() -> Any:
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:  # not made for this kind of machine: zlib does the same in three times the time
        return None


isal_zlib = _isal()
"""Intel's library for deflated data, with the functions of `zlib`, or None."""
GZIP_MAGIC = b"\x1f\x8b"
INFLATE_ERROR: type[Exception] = zlib.error if isal_zlib is None else isal_zlib.error
READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    INFLATE_ERROR,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


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


def open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """Open a member of a zip file; a deflated one is inflated by Intel's library where that is installed.

    Raises:
        zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError: the member cannot be read.
    """
    if info.compress_type != zipfile.ZIP_DEFLATED or isal_zlib is None:
        return cast(BinaryIO, archive.open(info))
    packed = copy.copy(info)  # its bytes as they are
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
    del packed.CRC
    return cast(BinaryIO, Inflating(cast(BinaryIO, archive.open(packed)), info))


class Inflating(io.RawIOBase):
    """A deflated member of a zip file, inflated as it is read: no more bytes than its directory says, checksum tested."""

    PIECE = 1 << 16

    def __init__(self, packed: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._packed = packed
        self._name = info.filename
        self._left = info.file_size
        self._checksum = info.CRC
        self._sum = 0
        self._inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS)
        self._tail = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes (all for -1); fewer only at the end."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> list[bytes]:
        """Return what `read` does as it is inflated, piece by piece: to be looked at while the processor has it at hand."""
        wanted = self._left if size < 0 else min(size, self._left)
        pieces: list[bytes] = []
        while wanted and not self._inflater.eof:
            data = self._tail or self._packed.read(self.PIECE)
            piece = self._inflater.decompress(data, wanted)
            self._tail = self._inflater.unconsumed_tail
            if not piece and not data and not self._inflater.eof:
                raise EOFError("the file ends inside it")
            wanted -= len(piece)
            self._left -= len(piece)
            self._sum = isal_zlib.crc32(piece, self._sum)
            pieces.append(piece)
        if (self._inflater.eof or not self._left) and self._sum != self._checksum:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {self._name!r}")
        return pieces

    def close(self) -> None:
        """Close the bytes underneath."""
        if not self.closed:
            self._packed.close()
        super().close()


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
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> list[bytes]:
        """Return what `read` does in pieces, none where there is nothing left."""
        try:
            pieces = self._stream.pieces(size) if isinstance(self._stream, Inflating) else [self._stream.read(size)]
        except READ_ERRORS as error:
            raise damaged(self._name, error) from error
        self._left -= sum(map(len, pieces))
        if self._left < 0:
            raise ArchiveError(f"{self._name} holds more than the {self._limit:,} bytes allowed", reason="too_large")
        return [piece for piece in pieces if piece]

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
