"""Reading a delimited file: bytes → record-aligned UTF-8 blocks → Arrow tables of String columns, and the rows set aside.

Every data row ends in a table or in a reject. A block is counted (`shapes.py`); where its separators add up to whole
rows it is parsed in one call (`columns.py`). A block that does not add up is mended first (`splice.py`) and parsed in one
call all the same. How the file is written is decided before, in `dialect.py`.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dissco_platform.archives.columns import (
    ColumnParser,
    column_names,
    exceeds,
    one_array,
    plain,
    series,
)
from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.encodings import SINGLE_BYTE, repair_lines
from dissco_platform.archives.lines import SetAside
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.splice import Layout, Splice
from dissco_platform.archives.textstream import UNIT_SEPARATOR, Text, text_of
from dissco_platform.side_by_side import ahead, in_order

__all__ = ["SOURCE_LINE", "Block", "column_names", "read_blocks"]

SOURCE_LINE = "source_line"
THREADS = 2
"""Blocks of a file that are parsed at the same time."""
BLANK_RUN_START = b"\n" * 64
BLANK_RUN = re.compile(rb"\n{64,}")


@dataclass
class Block:
    """Rows of one block: `table` with String columns `c0`…`c<width-1>` (some as dictionaries), `lines` with the
    1-based source line of each row, and the rows set aside."""

    table: pa.Table
    lines: np.ndarray
    rejects: list[SetAside] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    blank_lines: int = 0
    repaired_lines: int = 0

    @property
    def rows(self) -> int:
        """The number of rows that are left."""
        return int(self.table.num_rows)

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as a Polars frame, with a column `source_line`."""
        columns = [series(name, one_array(self.table.column(name))) for name in self.table.column_names]
        return pl.DataFrame([*columns, pl.Series(SOURCE_LINE, self.lines, dtype=pl.Int64)])


def read_blocks(member: Member, dialect: Dialect, report: FileReport, limits: Limits) -> Iterator[Block]:
    """Yield a file's rows block by block, and count them in `report` (`rows_read`, `rows_rejected`).

    Values are verbatim but for control characters (dropped), outer white space (trimmed) and the null marks `\\N`,
    `NULL`, `null` and the empty string (null). `rows_parsed` is left to the caller, who may set more rows aside.
    """
    reader = _Reader(dialect, report, limits)
    jobs = (job for text in ahead(text_of(member, dialect, limits), size=2) for job in reader.feed(text))
    for block in _in_order(jobs, reader.parser):
        report.rows_read += block.rows + len(block.rejects)
        report.rows_rejected += len(block.rejects)
        reader.blank_lines += block.blank_lines
        reader.repaired_lines += block.repaired_lines
        for flag in block.flags:
            report.flag(flag)
        if block.rows or block.rejects:
            yield block
    if reader.blank_lines:
        report.flag("blank_lines")
    if reader.repaired_lines:
        report.flag("mixed_encoding")


def _in_order(jobs: Iterator["_Job"], parser: ColumnParser) -> Iterator[Block]:
    """Run jobs in a few threads; yield their blocks in the order of the jobs."""
    for job in jobs:
        yield job.run()
        if parser.chosen:  # the first block decides how columns are kept
            break
    with ThreadPoolExecutor(THREADS, thread_name_prefix="archive-parse") as pool:
        yield from in_order(pool, _Job.run, jobs, THREADS)


class _Reader:
    """Cuts text into record-aligned blocks and parses them; remembers line numbers and the unfinished rest."""

    def __init__(self, dialect: Dialect, report: FileReport, limits: Limits) -> None:
        self.dialect = dialect
        self.limits = limits
        self.report = report
        self.separator = dialect.separator if len(dialect.separator.encode()) == 1 else UNIT_SEPARATOR
        self.layout = Layout(dialect, self.separator, limits)
        self.parser = ColumnParser(dialect, self.separator)
        self.rest = b""
        self.line = 1
        self.header_left = dialect.header_lines
        self.blank_lines = 0
        self.repaired_lines = 0
        self.skipping: SetAside | None = None

    def feed(self, text: Text) -> Iterator["_Job"]:
        pieces, final = text.pieces, text.final
        if not final and self.dialect.quote is None and not self.header_left and self.skipping is None:
            end = pieces[-1].rfind(b"\n") + 1
            if end:  # the common case, with one copy of the text instead of three
                whole = b"".join((self.rest, *pieces[:-1], memoryview(pieces[-1])[:end]))
                counted = text.counted
                if counted is not None:
                    mark = self.separator.encode()
                    more = self.rest.count(mark) - pieces[-1].count(mark, end)
                    counted = (counted[0] + more, counted[1] + self.rest.count(b"\n"))
                self.rest = pieces[-1][end:]
                yield from self._parse(whole, final, unfinished=False, counted=counted)
                self._guard_rest()
                return
        data = b"".join((self.rest, *pieces))
        self.rest = b""
        unfinished = final and data != b"" and not data.endswith(b"\n")
        if unfinished:
            data += b"\n"
        data = self._skip_header(data)
        if self.skipping is not None:
            data, job = self._skip_long(data, final)
            if job is not None:
                yield job
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
        self._guard_rest()

    def _guard_rest(self) -> None:
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

    def _skip_long(self, data: bytes, final: bool) -> tuple[bytes, "_Job | None"]:
        end = data.find(b"\n")
        if end < 0 and not final:
            return b"", None
        reject = self.skipping
        self.skipping = None
        self.line += 1
        assert reject is not None
        splice = Splice(self.layout, reject.line, final=True, unfinished=False)
        splice.rejects.append(reject)
        return data[end + 1 :] if end >= 0 else b"", _Job(self, b"", reject.line, splice)

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

    def _parse(
        self, text: bytes, final: bool, unfinished: bool, counted: tuple[int, int] | None = None
    ) -> Iterator["_Job"]:
        """Hand out whole lines; runs of empty lines are only counted."""
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
            left = text[start:] if start else text
            yield from self._parse_lines(left, final=final, unfinished=unfinished, counted=None if start else counted)

    def _parse_lines(
        self, text: bytes, *, final: bool, unfinished: bool, counted: tuple[int, int] | None = None
    ) -> Iterator["_Job"]:
        if self.dialect.codec in SINGLE_BYTE and not text.isascii():
            text, _ = repair_lines(text, self.dialect.codec)
            counted = None
        starts = self.layout.row_lines(text, counted=counted)
        if starts is not None:
            job = _Job(self, text, self.line, starts + self.line)
            self.line += text.count(b"\n") if self.layout.enclosed(text) else len(starts)
        else:
            splice = Splice(self.layout, self.line, final=final, unfinished=unfinished)
            splice.take(text, every_line=False)
            job = _Job(self, text, self.line, splice)
            self.rest = splice.left_over + self.rest
            self.line += splice.consumed
        yield job


class _Job:
    """One block to parse: text that adds up as it is, or what a splice made of text that does not."""

    def __init__(self, reader: _Reader, text: bytes, first: int, rows: "np.ndarray | Splice") -> None:
        self._reader = reader
        self._parser = reader.parser
        self._dialect = reader.dialect
        self._separator = reader.separator
        self._limits = reader.limits
        self._text = text
        self._first = first
        self._rows = rows

    def run(self) -> Block:
        """Parse, trim, and set aside what is hollow or too long."""
        if isinstance(self._rows, Splice):
            splice: Splice | None = self._rows
            text, lines = self._rows.text(), self._rows.lines()
        else:
            splice = None
            text, lines = self._text, self._rows
        repaired = 0
        table = self._parse(text, lines, escaped=splice is not None)
        if table is None:
            text, repaired = repair_lines(text)
            table = self._parse(text, lines, escaped=splice is not None) if repaired else None
        if table is None:
            # The counts hid two faults that make up for each other: now every line is judged by itself.
            whole = self._text if splice is None else _without_last(self._text, splice.left_over.count(b"\n"))
            splice = Splice(self._reader.layout, self._first, final=True, unfinished=False)
            splice.take(repair_lines(whole)[0], every_line=True)
            lines = splice.lines()
            table = self._parse(splice.text(), lines, escaped=True)
            assert table is not None
        block = Block(table, lines)
        if splice is not None:
            block.rejects, block.flags, block.blank_lines = splice.rejects, splice.flags, splice.blank
            repaired += splice.repaired
        block.repaired_lines = repaired
        return self._finish(block)

    def _parse(self, text: bytes, lines: np.ndarray, *, escaped: bool) -> pa.Table | None:
        """Return the table, None where it has not as many rows as there are lines."""
        if not text:
            return pa.table({name: pa.array([], pa.string()) for name in column_names(self._dialect.width)})
        table = self._parser.parse(text, escaped=escaped)
        return table if table is not None and table.num_rows == len(lines) else None

    def _finish(self, block: Block) -> Block:
        """Set aside rows that are blank or hold an over-long value."""
        columns = block.table.columns
        if block.rows and not any(column.null_count == 0 for column in columns):
            blank = np.ones(block.rows, bool)
            for column in columns:
                blank &= column.is_null().to_numpy()
            self._split(block, blank, "blank_row", "every value is empty")
        if any(exceeds(column, self._limits.max_cell) for column in columns):
            long = np.zeros(block.rows, bool)
            for column in block.table.columns:
                sizes = pc.fill_null(pc.binary_length(plain(one_array(column))), 0)
                long |= sizes.to_numpy(zero_copy_only=False) > self._limits.max_cell
            self._split(block, long, "field_too_long", "a value is longer than the limit")
        return block

    def _split(self, block: Block, bad: np.ndarray, reason: str, message: str) -> None:
        if not bad.any():
            return
        aside = block.table.filter(pa.array(bad))
        cells = [plain(one_array(column)).to_pylist() for column in aside.columns]
        for line, row in zip(block.lines[bad], zip(*cells, strict=True), strict=True):
            raw = self._separator.join((cell or "")[: self._limits.max_raw] for cell in row)[: self._limits.max_raw]
            block.rejects.append(SetAside(int(line), reason, message, raw))
        block.table = block.table.filter(pa.array(~bad))
        block.lines = block.lines[~bad]


def _without_last(text: bytes, lines: int) -> bytes:
    end = len(text)
    for _ in range(lines):
        end = text.rfind(b"\n", 0, end - 1) + 1
    return text[:end]
