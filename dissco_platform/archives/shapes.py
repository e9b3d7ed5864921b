"""Does text add up to whole rows, and where does it not: counting of separators, line ends and enclosures in bytes.

Nothing is parsed here and no value is made: the functions look at a block as an array of bytes (NumPy), which costs a
twentieth of parsing it. Parsing is `columns.py`, judging single rows is `lines.py`.
"""

from collections.abc import Iterator

import numpy as np

STRIDE = 1 << 18
"""Bytes looked at together: what stays in the processor's cache."""
TAB = 9
LINE_END = 10
CARRIAGE_RETURN = 13


def counts(text: bytes, separator: bytes) -> tuple[int, int]:
    """Return the numbers of separators (one byte) and line ends."""
    array = np.frombuffer(text, np.uint8)
    separators = lines = 0
    for start in range(0, len(array), STRIDE):
        piece = array[start : start + STRIDE]
        separators += int(np.count_nonzero(piece == separator[0]))
        lines += int(np.count_nonzero(piece == LINE_END))
    return separators, lines


def clean_counts(data: bytes, separator: bytes) -> tuple[int, int] | None:
    """Return the numbers of separators (one byte) and line ends, None where other control characters are or may be.

    What `has_controls` and `counts` find in four looks at each byte, in two.
    """
    if b"\x7f" in data:
        return None
    array = np.frombuffer(data, np.uint8)
    separators = low = 0
    for start in range(0, len(array), STRIDE):
        piece = array[start : start + STRIDE]
        separators += int(np.count_nonzero(piece == separator[0]))
        low += int(np.count_nonzero(piece < 32))
    lines = data.count(b"\n")
    return (separators, lines) if low == lines + (separators if separator[0] == TAB else 0) else None


def has_controls(data: bytes) -> bool:
    """Return whether there are control characters other than tab, line feed and carriage return."""
    if b"\x7f" in data:
        return True
    array = np.frombuffer(data, np.uint8)
    for start in range(0, len(array), STRIDE):
        piece = array[start : start + STRIDE]
        low = int(np.count_nonzero(piece < 32))
        if low:
            low -= int(np.count_nonzero(piece - np.uint8(TAB) < 2))  # tab and line feed; lower ones wrap around
        if low:
            low -= int(np.count_nonzero(piece == CARRIAGE_RETURN))
        if low:
            return True
    return False


def adds_up(text: bytes, separator: bytes, width: int, counted: tuple[int, int] | None = None) -> int | None:
    """Return the number of rows where lines without enclosures may all be whole rows; None where they cannot.

    `counted`: the numbers of separators and line ends, where they are known.
    """
    separators, lines = counts(text, separator) if counted is None else counted
    if separators != (width - 1) * lines:
        return None
    if width == 1 and (text[:1] == b"\n" or b"\n\n" in text):
        return None
    return lines


def pieces(text: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Cut text into pieces of about `size` bytes at line ends."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", min(start + size, len(text)) - 1) + 1 or len(text)
        yield start, end
        start = end


def enclosed_pieces(text: bytes, mark: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Cut text with enclosures into pieces at line ends that no enclosure spans, if there are such."""
    start = end = 0
    open_marks = 0
    while end < len(text):
        target = min(start + size, len(text))
        while end < target or open_marks % 2:
            after = text.find(b"\n", max(end, target - 1) if open_marks % 2 == 0 else end) + 1
            after = after or len(text)
            open_marks += text.count(mark, end, after)
            end = after
            if end >= len(text) or end - start > 8 * size:
                break
        yield start, end
        start, open_marks = end, 0


def enclosed_row_lines(text: bytes, separator: bytes, mark: bytes, width: int | None = None) -> np.ndarray | None:
    """Return the line (0-based) on which each row starts, for text whose enclosures are as RFC 4180 has them.

    None where they are not: a mark inside a value that is not doubled, one that opens and does not close, characters
    beside an enclosure. Values without an enclosure hold no mark. With `width`, None also where a row has another
    number of columns (the parser would say so too, but not cheaply for a piece).
    """
    array = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero(array == mark[0])
    line_ends = np.flatnonzero(array == LINE_END)
    if len(marks):
        first = np.flatnonzero(np.diff(marks, prepend=-2) != 1)  # runs of neighbouring marks
        length = np.diff(first, append=len(marks))
        odd = (length & 1).astype(bool)
        inside = np.concatenate(([0], np.cumsum(odd)[:-1])) % 2 == 1
        at = marks[first]
        before = np.where(at > 0, array[at - 1], LINE_END)
        after_at = at + length
        after = np.where(after_at < len(array), array[np.minimum(after_at, len(array) - 1)], LINE_END)
        opens = (before == separator[0]) | (before == LINE_END)
        closes = (after == separator[0]) | (after == LINE_END) | (after == CARRIAGE_RETURN)
        good = np.where(inside, ~odd | closes, opens & (odd | closes))
        if not good.all() or np.count_nonzero(odd) % 2:
            return None
        outside = (np.searchsorted(marks, line_ends) & 1) == 0
    else:
        outside = np.ones(len(line_ends), bool)
    ends = np.flatnonzero(outside)
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    at_ends = line_ends[ends]
    if len(ends) and (np.diff(at_ends, prepend=-1) == 1).any():
        return None  # an empty line
    if width is not None:
        separators = np.flatnonzero(array == separator[0])
        separators = separators[(np.searchsorted(marks, separators) & 1) == 0]
        if (np.bincount(np.searchsorted(at_ends, separators), minlength=len(ends)) != width - 1).any():
            return None
    return starts.astype(np.int64)
