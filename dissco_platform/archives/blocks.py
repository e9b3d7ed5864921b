"""Reading a delimited file: bytes → record-aligned UTF-8 blocks → frames of String columns, and the rows set aside.

Every data row ends in a frame or in a reject. A block whose separators add up is parsed by Polars in one call; only
blocks that do not are looked at line by line (`lines.py`). How the file is written is decided before, in `dialect.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.encodings import SINGLE_BYTE, repair_lines
from dissco_platform.archives.flow import ahead
from dissco_platform.archives.lines import Chunk, Outcome, Row, SetAside, read_quoted, read_unquoted
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.textstream import UNIT_SEPARATOR, has_long_line, is_utf8_text, text_of

NULL_MARK = "\\N"
BLANKS = " \t\r\n"
NULL_WORDS = ("", "NULL", "null")
"""Read as null too. Left to a step of their own: three marks in the parser double its time."""
SOURCE_LINE = "source_line"
CAREFUL_LINES = 100_000
"""Lines looked at one by one at a time."""
BLANK_RUN_START = b"\n" * 64
BLANK_RUN = re.compile(rb"\n{64,}")
PIECE = 1 << 18
"""Bytes of text with enclosures that are tried again where a whole block does not add up."""


@dataclass
class Block:
    """Rows of one block: `frame` with columns `c0`…`c<width-1>` and `source_line`, and the rows set aside."""

    frame: pl.DataFrame
    rejects: list[SetAside] = field(default_factory=list)


def column_names(width: int) -> list[str]:
    """Return the frame's names for columns by position."""
    return [f"c{position}" for position in range(width)]


def read_blocks(member: Member, dialect: Dialect, report: FileReport, limits: Limits) -> Iterator[Block]:
    """Yield a file's rows block by block, and count them in `report` (`rows_read`, `rows_rejected`).

    Values are verbatim but for control characters (dropped), outer white space (trimmed) and the null marks `\\N`,
    `NULL`, `null` and the empty string (null). `rows_parsed` is left to the caller, who may set more rows aside.
    """
    reader = _Reader(dialect, report, limits)
    for text, final in ahead(text_of(member, dialect, limits)):
        for block in reader.feed(text, final):
            report.rows_read += block.frame.height + len(block.rejects)
            report.rows_rejected += len(block.rejects)
            if block.frame.height or block.rejects:
                yield block
    if reader.blank_lines:
        report.flag("blank_lines")
    if reader.repaired_lines:
        report.flag("mixed_encoding")


class _Reader:
    """Cuts text into record-aligned blocks and parses them; remembers line numbers and the unfinished rest."""

    def __init__(self, dialect: Dialect, report: FileReport, limits: Limits) -> None:
        self.dialect = dialect
        self.limits = limits
        self.report = report
        self.separator = dialect.separator if len(dialect.separator.encode()) == 1 else UNIT_SEPARATOR
        self.rest = b""
        self.line = 1
        self.header_left = dialect.header_lines
        self.blank_lines = 0
        self.repaired_lines = 0
        self.skipping: SetAside | None = None

    def feed(self, text: bytes, final: bool) -> Iterator[Block]:
        data = self.rest + text if self.rest else text
        self.rest = b""
        unfinished = final and data != b"" and not data.endswith(b"\n")
        if unfinished:
            data += b"\n"
        data = self._skip_header(data)
        if self.skipping is not None:
            data, block = self._skip_long(data, final)
            if block is not None:
                yield block
        if not data:
            return
        cut = len(data) if final else self._cut(data)
        if cut == 0:
            self.rest = data
            if len(data) > self.limits.max_record:
                self._start_skipping()
            return
        block_text, self.rest = data[:cut], data[cut:]
        yield from self._parse(block_text, final, unfinished)
        if len(self.rest) > self.limits.max_record and b"\n" not in self.rest:
            self._start_skipping()

    def _skip_header(self, data: bytes) -> bytes:
        start = 0
        while self.header_left:
            end = data.find(b"\n", start)
            if end < 0:
                self.rest = data[start:]
                return b""
            start = end + 1
            self.line += 1
            self.header_left -= 1
        return data[start:] if start else data

    def _start_skipping(self) -> None:
        """The row is longer than allowed: keep its beginning as a reject and drop the rest up to the next line end."""
        raw = self.rest[: self.limits.max_raw].decode(errors="replace")
        message = f"the row is longer than {self.limits.max_record:,} bytes"
        self.skipping = SetAside(self.line, "row_too_long", message, raw)
        self.rest = b""

    def _skip_long(self, data: bytes, final: bool) -> tuple[bytes, Block | None]:
        end = data.find(b"\n")
        if end < 0 and not final:
            return b"", None
        reject = self.skipping
        self.skipping = None
        self.line += 1
        assert reject is not None
        return data[end + 1 :] if end >= 0 else b"", Block(self._empty(), [reject])

    def _empty(self) -> pl.DataFrame:
        names = column_names(self.dialect.width)
        return pl.DataFrame(schema={**dict.fromkeys(names, pl.String()), SOURCE_LINE: pl.Int64()})

    def _cut(self, data: bytes) -> int:
        """Return where the last whole record ends (0 for nowhere)."""
        end = data.rfind(b"\n") + 1
        quote = self.dialect.quote
        if end == 0 or quote is None:
            return end
        mark = quote.encode()
        parity = data.count(mark, 0, end) % 2
        position = end
        for _ in range(2000):
            if parity == 0 or position == 0:
                break
            before = data.rfind(b"\n", 0, position - 1) + 1
            parity ^= data.count(mark, before, position) % 2
            position = before
        if parity == 0 and position:
            return position
        # Marks that never pair up (an inch sign, a stray quote) must not hold the whole file back.
        return end if len(data) > self.limits.max_record else 0

    def _parse(self, text: bytes, final: bool, unfinished: bool) -> Iterator[Block]:
        """Parse whole lines; runs of empty lines are only counted."""
        start = 0
        for run in BLANK_RUN.finditer(text) if BLANK_RUN_START in text else ():
            if run.start() > start:
                yield from self._parse_lines(text[start : run.start() + 1], final=True, unfinished=False)
                empty = run.end() - run.start() - 1
            else:
                empty = run.end() - run.start()
            self.line += empty
            self.blank_lines += empty
            start = run.end()
        if start < len(text):
            yield from self._parse_lines(text[start:] if start else text, final=final, unfinished=unfinished)

    def _parse_lines(self, text: bytes, *, final: bool, unfinished: bool) -> Iterator[Block]:
        single_byte = self.dialect.codec in SINGLE_BYTE
        if single_byte and not text.isascii():
            text, _ = repair_lines(text, self.dialect.codec)
        frame = self._whole(text)
        if frame is None and not single_byte and not is_utf8_text(text):
            text, repaired = repair_lines(text)
            self.repaired_lines += repaired
            frame = self._whole(text)
        if frame is not None:
            yield self._finish(frame, [], text)
            return
        after, self.rest = self.rest, b""
        if self.dialect.quote is None or self.dialect.quote.encode() not in text:
            for piece, last in _short_pieces(text):
                piece, self.rest = self.rest + piece, b""  # noqa: PLW2901  with what the piece before left open
                yield self._careful_unquoted(piece, final and last, unfinished and last)
        else:
            pieces = list(self._pieces(text))
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                frame = self._whole(piece)
                if frame is None:
                    yield self._careful_quoted(piece, final and last, unfinished and last, last=last)
                else:
                    yield self._finish(frame, [], piece)
        self.rest += after

    def _whole(self, text: bytes) -> pl.DataFrame | None:
        """Parse text in one call if its separators add up to whole rows; None (nothing consumed) otherwise."""
        if self.dialect.quote is not None and self.dialect.quote.encode() in text:
            return self._fast_quoted(text)
        return self._fast(text)

    def _pieces(self, text: bytes) -> Iterator[bytes]:
        """Cut text with enclosures into pieces of some hundred lines, at line ends that no enclosure spans."""
        mark = (self.dialect.quote or '"').encode()
        start = end = 0
        open_marks = 0
        while end < len(text):
            target = min(start + PIECE, len(text))
            while end < target or open_marks % 2:
                after = text.find(b"\n", max(end, target - 1) if open_marks % 2 == 0 else end) + 1
                after = after or len(text)
                open_marks += text.count(mark, end, after)
                end = after
                if end >= len(text) or end - start > 8 * PIECE:
                    break
            yield text[start:end]
            start, open_marks = end, 0

    def _csv(self, text: bytes, quote: str | None) -> pl.DataFrame | None:
        try:
            return pl.read_csv(
                text,
                has_header=False,
                schema=dict.fromkeys(column_names(self.dialect.width), pl.String()),
                separator=self.separator,
                quote_char=quote,
                null_values=NULL_MARK,
                infer_schema=False,
            )
        except pl.exceptions.PolarsError:
            return None

    def _fast(self, text: bytes) -> pl.DataFrame | None:
        """Parse a block without enclosures.

        Polars fails on longer rows and fills shorter ones with nulls, so if the separators are as many as whole rows
        have, every row is whole. (An empty line is a row without separators.)
        """
        width = self.dialect.width
        separators = text.count(self.separator.encode())
        if separators % max(width - 1, 1) or (width == 1 and (separators or text[:1] == b"\n" or b"\n\n" in text)):
            return None
        frame = self._csv(text, None)
        if frame is None or separators != (width - 1) * frame.height:
            return None
        first, self.line = self.line, self.line + frame.height
        return frame.with_columns(pl.int_range(first, first + frame.height, dtype=pl.Int64).alias(SOURCE_LINE))

    def _fast_quoted(self, text: bytes) -> pl.DataFrame | None:
        """Parse a block with enclosures if separators and line ends, those inside values taken off, add up."""
        if self.dialect.backslash or self.dialect.width == 1:
            return None
        frame = self._csv(text, self.dialect.quote)
        if frame is None:
            return None
        names = frame.columns
        inside = frame.select(
            pl.sum_horizontal(pl.col(names).str.count_matches(self.separator, literal=True).sum()).alias("separators"),
            pl.sum_horizontal(pl.col(names).str.count_matches("\n", literal=True).sum()).alias("lines"),
        ).row(0)
        if text.count(b"\n") - (inside[1] or 0) != frame.height:
            return None
        if any(inside) and self._joined_by_stray_marks(frame, names):
            return None
        if text.count(self.separator.encode()) - (inside[0] or 0) != (self.dialect.width - 1) * frame.height:
            return None
        first, self.line = self.line, self.line + frame.height + (inside[1] or 0)
        if not inside[1]:
            numbers = pl.int_range(first, first + frame.height, dtype=pl.Int64)
        else:
            breaks = pl.sum_horizontal(pl.col(names).str.count_matches("\n", literal=True)).cast(pl.Int64) + 1
            numbers = breaks.fill_null(1).cum_sum().shift(1, fill_value=0) + first
        return frame.with_columns(numbers.alias(SOURCE_LINE))

    def _joined_by_stray_marks(self, frame: pl.DataFrame, names: list[str]) -> bool:
        """Return whether a value holds a mark together with a separator or line end.

        Polars lets a mark in the middle of a value (an inch sign) open an enclosure, and reads on to the next such mark.
        A well-written value can look the same; both are left to the careful way.
        """
        cells = pl.col(names)
        spans = cells.str.contains(self.separator, literal=True) | cells.str.contains("\n", literal=True)
        found = frame.select((spans & cells.str.contains(self.dialect.quote or '"', literal=True)).any())
        return any(found.row(0)) if frame.height else False

    def _careful_unquoted(self, text: bytes, final: bool, unfinished: bool) -> Block:
        """Parse the lines that are whole rows in one call, and look at each run of others."""
        mark = self.separator.encode()
        wanted = self.dialect.width - 1
        lines = text.split(b"\n")
        lines.pop()
        good: list[int] = []
        runs: list[list[int]] = []
        for number, line in enumerate(lines):
            if line and line.count(mark) == wanted:
                good.append(number)
            elif runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        whole = self._csv(b"\n".join(lines[number] for number in good) + b"\n", None) if good else self._empty()
        if whole is None or whole.height != len(good):
            runs, good, whole = [list(range(len(lines)))], [], self._empty()
        frames = [whole.select(column_names(self.dialect.width)).with_columns(self._numbers(good))]
        rejects: list[SetAside] = []
        consumed = len(lines)
        for run in runs:
            at_end = run[-1] == len(lines) - 1
            part = b"\n".join(lines[number] for number in run).decode() + "\n"
            chunk = Chunk(part, self.line + run[0], self.separator, final or not at_end, unfinished and at_end)
            outcome = read_unquoted(chunk, self.dialect, self.limits)
            self._note(outcome)
            rejects += outcome.rejects
            if outcome.rows:
                frames.append(self._frame(outcome.rows))
            if outcome.consumed < len(run):
                consumed = run[outcome.consumed]
        if consumed < len(lines):
            self.rest = b"\n".join(lines[consumed:]) + b"\n" + self.rest
        self.line += consumed
        frame = pl.concat(frames) if len(frames) > 1 else frames[0]
        return self._finish(frame.sort(SOURCE_LINE, maintain_order=True), rejects, b"")

    def _numbers(self, offsets: list[int]) -> pl.Series:
        return pl.Series(SOURCE_LINE, offsets, dtype=pl.Int64) + self.line

    def _careful_quoted(self, text: bytes, final: bool, unfinished: bool, *, last: bool) -> Block:
        """Look at each line of text with enclosures that does not add up."""
        chunk = Chunk(text.decode(), self.line, self.separator, final or not last, unfinished)
        outcome = read_quoted(chunk, self.dialect, self.limits)
        self._note(outcome)
        if outcome.consumed < len(outcome.lines):
            self.rest = ("\n".join(outcome.lines[outcome.consumed :]) + "\n").encode() + self.rest
        self.line += outcome.consumed
        return self._finish(self._frame(outcome.rows), outcome.rejects, b"")

    def _note(self, outcome: Outcome) -> None:
        self.blank_lines += outcome.blank
        for flag in outcome.flags:
            self.report.flag(flag)

    def _frame(self, rows: list[Row]) -> pl.DataFrame:
        names = column_names(self.dialect.width)
        width = self.dialect.width
        values = {
            name: pl.Series(name, [row.cells[position] for row in rows], dtype=pl.String)
            for position, name in enumerate(names[:width])
        }
        frame = pl.DataFrame(values).with_columns(pl.Series(SOURCE_LINE, [row.line for row in rows], dtype=pl.Int64))
        return frame.with_columns(pl.when(pl.col(names) == NULL_MARK).then(None).otherwise(pl.col(names)).name.keep())

    def _finish(self, frame: pl.DataFrame, rejects: list[SetAside], text: bytes) -> Block:
        """Trim values, and set aside rows that are blank or hold an over-long value."""
        names = column_names(self.dialect.width)
        if frame.height:
            frame = self._null_words(self._trim(frame, names, text), names)
        frame, hollow_rows = self._split(frame, pl.all_horizontal(pl.col(names).is_null()), "blank_row")
        rejects += hollow_rows
        if not text or has_long_line(text, self.limits.max_cell):
            too_long = pl.any_horizontal(pl.col(names).str.len_bytes() > self.limits.max_cell).fill_null(value=False)
            frame, long = self._split(frame, too_long, "field_too_long")
            rejects += long
        return Block(frame, rejects)

    def _trim(self, frame: pl.DataFrame, names: list[str], text: bytes) -> pl.DataFrame:
        """Take outer white space off values; columns without any are left alone (most, at half the cost)."""
        quoted = self.dialect.quote is not None and self.dialect.quote.encode() in text
        if not text or quoted or b"\r" in text or (self.separator != "\t" and b"\t" in text):
            return frame.with_columns(pl.col(names).str.strip_chars(BLANKS))
        columns = pl.col(names)
        padded = frame.select((columns.str.starts_with(" ") | columns.str.ends_with(" ")).any()).row(0)
        return frame.with_columns(
            pl.col(name).str.strip_chars(BLANKS) for name, has in zip(names, padded, strict=True) if has
        )

    def _null_words(self, frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
        """Turn empty strings and the words for null into nulls, in the columns that have any."""
        found = [frame.select((pl.col(names) == word).any()).row(0) for word in NULL_WORDS]
        hollow = [name for name, *has in zip(names, *found, strict=True) if any(has)]
        if not hollow:
            return frame
        blank = pl.col(hollow).is_in(NULL_WORDS)
        return frame.with_columns(pl.when(~blank).then(pl.col(hollow)).otherwise(None).name.keep())

    def _split(self, frame: pl.DataFrame, bad: pl.Expr, reason: str) -> tuple[pl.DataFrame, list[SetAside]]:
        marked = frame.select(bad.alias("bad"))["bad"] if frame.height else pl.Series("bad", [], dtype=pl.Boolean)
        if not marked.any():
            return frame, []
        aside = [
            SetAside(
                row[-1],
                reason,
                "every value is empty" if reason == "blank_row" else "a value is longer than the limit",
                self.separator.join((cell or "")[: self.limits.max_raw] for cell in row[:-1])[: self.limits.max_raw],
            )
            for row in frame.filter(marked).iter_rows()
        ]
        return frame.filter(~marked), aside


def _short_pieces(text: bytes) -> Iterator[tuple[bytes, bool]]:
    """Cut text of very many short lines, so that looking at each takes bounded memory; and whether it is the last."""
    lines = text.count(b"\n")
    size = len(text) if lines <= CAREFUL_LINES else max(len(text) * CAREFUL_LINES // lines, 1)
    start = 0
    while start < len(text):
        end = text.find(b"\n", min(start + size, len(text)) - 1) + 1 or len(text)
        yield text[start:end], end == len(text)
        start = end
