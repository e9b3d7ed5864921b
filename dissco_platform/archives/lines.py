"""Reading delimited rows one by one: only for blocks that do not add up as a whole (`blocks.py`).

A Python loop is right here: the rows are few, each needs its own judgement, and each ends as a row or as a reject with
its line number, reason and raw text.
"""

import re
from dataclasses import dataclass, field
from functools import cache

from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.model import Limits

MAX_JOINED_LINES = 200
MAX_TRIES = 20
"""Ends of a record over several lines that are tried."""


@dataclass(frozen=True)
class SetAside:
    """A row that is not a record: the 1-based line where it starts, a reason code, a message and the raw text."""

    line: int
    reason: str
    message: str
    raw: str


@dataclass(frozen=True)
class Row:
    """A row's cells and the 1-based line where it starts."""

    line: int
    cells: list[str | None]


@dataclass(frozen=True)
class Chunk:
    """Text to read: its first line's number (1-based), whether it is the file's last, and ends within a line."""

    text: str
    first: int
    separator: str
    final: bool
    unfinished: bool


@dataclass
class Outcome:
    """What became of a block's lines; `consumed` says how many (a record open at the end waits for more text)."""

    lines: list[str]
    rows: list[Row] = field(default_factory=list)
    rejects: list[SetAside] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    consumed: int = 0
    blank: int = 0


def _fit(cells: list[str], dialect: Dialect, outcome: Outcome) -> list[str | None] | None:
    """Return the cells at the file's width, None where they do not fit it."""
    width = dialect.width
    if len(cells) > width:
        if any(cell.strip() for cell in cells[width:]):
            return None
        outcome.flags.add("trailing_separators")
        return list(cells[:width])
    if len(cells) < width:
        if not dialect.trimmed or (len(cells) == 1 and width > 2):  # one value alone is a fragment, not a record
            return None
        return [*cells, *[None] * (width - len(cells))]
    return list(cells)


def _misfit(line: int, count: int, dialect: Dialect, raw: str, limits: Limits, *, cut_off: bool) -> SetAside:
    reason = "too_few_columns" if count < dialect.width else "too_many_columns"
    if cut_off and count < dialect.width:
        reason = "truncated_row"
    message = f"{count} columns where the file has {dialect.width}"
    return SetAside(line, reason, message, raw[: limits.max_raw])


def read_unquoted(chunk: Chunk, dialect: Dialect, limits: Limits) -> Outcome:
    """Read lines without enclosures. Neighbouring short lines that make one whole row are joined again."""
    separator, first, final, unfinished = chunk.separator, chunk.first, chunk.final, chunk.unfinished
    lines = chunk.text.split("\n")
    lines.pop()
    outcome = Outcome(lines)
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line.strip(" \r"):
            outcome.blank += 1
            position += 1
            continue
        count = line.count(separator) + 1
        cells = _fit(line.split(separator), dialect, outcome)
        taken = 1
        if cells is None and count < dialect.width:
            joined = _join(lines, position, separator, dialect.width)
            if joined is None and not final and len(lines) - position < MAX_JOINED_LINES // 10:
                break  # the rest of the row may be in the next block
            if joined is not None:
                taken = joined
                cells = list("\n".join(lines[position : position + taken]).split(separator))
                outcome.flags.add("broken_rows_joined")
        if cells is None:
            cut_off = unfinished and position == len(lines) - 1
            outcome.rejects.append(_misfit(first + position, count, dialect, line, limits, cut_off=cut_off))
        else:
            outcome.rows.append(Row(first + position, cells))
        position += taken
    outcome.consumed = position
    return outcome


def _join(lines: list[str], start: int, separator: str, width: int) -> int | None:
    """Return how many lines from `start` make one row of `width` columns (broken by line ends inside a value)."""
    columns = 1
    for taken in range(1, min(20, len(lines) - start) + 1):
        added = lines[start + taken - 1].count(separator)
        if taken > 1 and added + 1 >= width:
            return None  # a whole row of its own
        columns += added
        if columns == width:
            return taken if taken > 1 else None
        if columns > width:
            return None
    return None


@cache
def _pattern(separator: str, quote: str, backslash: bool, blanks: bool) -> re.Pattern[str]:
    sep, mark = re.escape(separator), re.escape(quote)
    inner = rf"(?:[^{mark}\\]|\\.|{mark}{mark})*" if backslash else rf"(?:[^{mark}]|{mark}{mark})*"
    around = "[ ]*" if blanks else ""
    return re.compile(rf"{around}{mark}({inner}){mark}{around}(?={sep}|\Z)|([^{sep}]*)", re.DOTALL)


def split_quoted(text: str, separator: str, quote: str, *, backslash: bool, blanks: bool = False) -> list[str] | None:
    """Split one record; None where an enclosure that opens a value does not close before a separator or the end.

    A mark inside a value that does not begin with one is a character like any other. With `blanks`, an enclosure may
    have blanks around it.
    """
    pattern = _pattern(separator, quote, backslash, blanks)
    cells: list[str] = []
    position = 0
    while True:
        match = pattern.match(text, position)
        if match is None:  # cannot be: the second alternative takes the empty string
            return None
        if match.group(1) is not None:
            value = match.group(1).replace(quote * 2, quote)
            cells.append(value.replace("\\" + quote, quote) if backslash else value)
        else:
            plain = match.group(2)
            if plain.startswith(quote):
                return None
            cells.append(plain)
        position = match.end()
        if position >= len(text):
            return cells
        position += 1
        if position == len(text):
            cells.append("")
            return cells


def read_quoted(chunk: Chunk, dialect: Dialect, limits: Limits) -> Outcome:
    """Read lines whose values may stand in enclosures, with line breaks inside them.

    A line that is not a whole record takes the following lines until it is one of the file's width. If that fails,
    the marks are read as characters, if the line then has the file's width; otherwise the line is set aside alone, so
    that a stray mark never swallows the rows after it.
    """
    quote = dialect.quote or '"'
    separator, first, final, unfinished = chunk.separator, chunk.first, chunk.final, chunk.unfinished
    lines = chunk.text.split("\n")
    lines.pop()
    outcome = Outcome(lines)
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line.strip(" \r"):
            outcome.blank += 1
            position += 1
            continue
        split = split_quoted(line, separator, quote, backslash=dialect.backslash)
        cells = _fit(split, dialect, outcome) if split is not None else None
        taken = 1
        if split is None:
            taken, cells = _extend(lines, position, separator, dialect, outcome, limits=limits)
            if taken == 0:
                waiting = sum(len(one) for one in lines[position:])
                few = len(lines) - position < MAX_JOINED_LINES and waiting < limits.max_record
                if not final and few:
                    break
                taken = 1
        if cells is None:
            taken = 1
            spaced = split_quoted(line, separator, quote, backslash=dialect.backslash, blanks=True)
            cells = _fit(spaced, dialect, outcome) if spaced is not None else None
        if cells is None:
            cells = _literally(line, separator, quote, dialect, outcome)
            taken = 1
        if cells is None and split is not None and len(split) < dialect.width:
            joined = _join(lines, position, separator, dialect.width)
            if joined is not None and not any(quote in one for one in lines[position : position + joined]):
                taken = joined
                cells = list("\n".join(lines[position : position + taken]).split(separator))
                outcome.flags.add("broken_rows_joined")
        if cells is None:
            cut_off = unfinished and position == len(lines) - 1
            if split is None and not cut_off:
                message = f"a quotation mark opens and does not close in a row of {dialect.width} columns"
                aside = SetAside(first + position, "unbalanced_quote", message, line[: limits.max_raw])
            else:
                count = len(split) if split is not None else line.count(separator) + 1
                aside = _misfit(first + position, count, dialect, line, limits, cut_off=cut_off)
                if cut_off and split is None:
                    aside = SetAside(aside.line, "truncated_row", "the file ends inside this row", aside.raw)
            outcome.rejects.append(aside)
        else:
            outcome.rows.append(Row(first + position, cells))
        position += taken
    outcome.consumed = position
    return outcome


def _extend(
    lines: list[str], start: int, separator: str, dialect: Dialect, outcome: Outcome, *, limits: Limits
) -> tuple[int, list[str | None] | None]:
    """Add following lines to an open record until it closes at the file's width.

    Returns the number of lines and the cells; (0, None) where the lines run out; (1, None) where it cannot be one
    record.
    """
    quote = dialect.quote or '"'
    size = len(lines[start])
    tries = 0
    for end in range(start + 1, min(start + MAX_JOINED_LINES, len(lines))):
        size += len(lines[end]) + 1
        if size > limits.max_record or tries == MAX_TRIES:
            return 1, None
        if quote not in lines[end]:
            continue
        tries += 1
        split = split_quoted("\n".join(lines[start : end + 1]), separator, quote, backslash=dialect.backslash)
        cells = _fit(split, dialect, outcome) if split is not None else None
        if cells is not None:
            return end + 1 - start, cells
    return (0, None) if len(lines) - start < MAX_JOINED_LINES else (1, None)


def _literally(line: str, separator: str, quote: str, dialect: Dialect, outcome: Outcome) -> list[str | None] | None:
    """Read quotation marks as characters, if the row then has exactly the file's width."""
    plain = line.split(separator)
    if len(plain) != dialect.width:
        return None
    outcome.flags.add("stray_quotation_marks")
    return [_unwrap(cell, quote) for cell in plain]


def _unwrap(cell: str, quote: str) -> str:
    inner = cell.strip()
    if len(inner) > 1 and inner[0] == inner[-1] == quote:
        return inner[1:-1].replace(quote * 2, quote)
    return cell
