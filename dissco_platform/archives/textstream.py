"""A delimited file's bytes as UTF-8 text with `\n` line ends, control characters dropped, piece by piece.

Cutting the text into records and parsing it is `blocks.py`; which encoding and line end a file has is `dialect.py`.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.encodings import SINGLE_BYTE
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import Limits
from dissco_platform.archives.shapes import clean_counts, has_controls

UNIT_SEPARATOR = "\x1f"
"""Stands for separators of more than one byte; it cannot be in the text, which has no control characters."""
CONTROLS = bytes(byte for byte in range(32) if byte not in (9, 10, 13)) + b"\x7f"


@dataclass(frozen=True)
class Text:
    """Some text in pieces, whether it is the last, and its numbers of separators and line ends where they were counted."""

    pieces: list[bytes]
    final: bool
    counted: tuple[int, int] | None = None


def text_of(member: Member, dialect: Dialect, limits: Limits) -> Iterator[Text]:
    """Yield UTF-8 text, with `\\n` line ends, the dialect's separator as one character.

    Text that needs nothing done to it comes in the pieces in which it was inflated: it is copied once less.
    """
    single_byte = dialect.codec in SINGLE_BYTE  # left as it is here: `_parse` reads it line by line
    separator = dialect.separator.encode(dialect.codec if single_byte else "utf-8", errors="replace")
    single = len(separator) == 1 and separator < b"\x80"
    decoder = None
    if dialect.codec != "utf-8" and not single_byte:
        decoder = codecs.getincrementaldecoder(dialect.codec)(errors="replace")
    mark = dialect.line_end.encode()
    as_it_is = decoder is None and single and mark == b"\n"
    held = b""
    with member.open() as stream:
        if dialect.bom:
            stream.read(len(dialect.bom))
        while True:
            pieces = stream.pieces(limits.block)
            final = not pieces
            found = [clean_counts(piece, separator) for piece in pieces] if as_it_is and not held else [None]
            known = [one for one in found if one is not None]
            if len(known) == len(found):
                yield Text(pieces, final, (sum(one[0] for one in known), sum(one[1] for one in known)))
                if final:
                    return
                continue
            raw = b"".join(pieces)
            data = decoder.decode(raw, final).encode() if decoder is not None else raw
            data = held + data if held else data
            held = b""
            if not final:
                keep = max(len(mark) - 1, len(separator) - 1, 1 if data.endswith(b"\r") else 0)
                if keep:
                    data, held = data[:-keep], data[-keep:]
            data = _line_ends(data.translate(None, CONTROLS) if has_controls(data) else data, mark)
            yield Text([data if single else data.replace(separator, UNIT_SEPARATOR.encode())], final)
            if final:
                return


def _line_ends(data: bytes, mark: bytes) -> bytes:
    if mark == b"\n":
        return data.replace(b"\r\n", b"\n") if b"\r" in data else data
    if mark == b"\r":
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\n" in mark or b"\r" in mark:
        return data.replace(mark, b"\n").replace(b"\r\n", b"\n")
    # A mark of its own: line breaks are then part of values, and are kept as blanks.
    return data.replace(b"\r\n", b" ").replace(b"\n", b" ").replace(mark, b"\n")
