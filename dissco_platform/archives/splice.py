"""A block whose separators do not add up to whole rows: what is whole stays as it is, the rest is judged line by line.

Pieces that add up are taken whole; of the others, only the lines that are to blame are looked at (`lines.py`), and what they
are found to say is written anew in their place, so that `blocks.py` parses the block in one call all the same.
"""

from dataclasses import dataclass

import numpy as np

from dissco_platform.archives.columns import escape
from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.encodings import is_whole_utf8, repair_lines
from dissco_platform.archives.lines import Chunk, Outcome, SetAside, read_quoted, read_unquoted
from dissco_platform.archives.model import Limits
from dissco_platform.archives.shapes import adds_up, enclosed_pieces, enclosed_row_lines, pieces

PIECE = 1 << 18
"""Bytes of text with enclosures that are looked at apart where a whole block does not add up."""
SMALL_PIECE = 1 << 16
"""The same for text without enclosures."""
MANY_LINES = 100_000
"""Lines judged together at most, so that a file of nothing but bad lines takes bounded memory."""


@dataclass(frozen=True)
class Layout:
    """How a file's rows are written: its dialect, the one-byte separator of its blocks, and what a row may hold."""

    dialect: Dialect
    separator: str
    limits: Limits

    def enclosed(self, text: bytes) -> bool:
        """Return whether the text has enclosures."""
        return self.dialect.quote is not None and self.dialect.quote.encode() in text

    def row_lines(
        self, text: bytes, width: int | None = None, counted: tuple[int, int] | None = None
    ) -> np.ndarray | None:
        """Return the line (0-based) on which each row starts where the text seems to be whole rows, else None."""
        if self.enclosed(text):
            if self.dialect.backslash or self.dialect.width == 1:
                return None
            return enclosed_row_lines(text, self.separator.encode(), (self.dialect.quote or '"').encode(), width)
        rows = adds_up(text, self.separator.encode(), self.dialect.width, counted)
        return None if rows is None else np.arange(rows, dtype=np.int64)


class Splice:
    """Whole rows of a block as they are, judged rows written anew between them, and what was set aside."""

    def __init__(self, layout: Layout, first: int, *, final: bool, unfinished: bool) -> None:
        self._layout = layout
        self._first = first
        self._dialect = layout.dialect
        self._separator = layout.separator
        self._final = final
        self._unfinished = unfinished
        self._texts: list[bytes] = []
        self._lines: list[np.ndarray] = []
        self._run: list[bytes] = []
        self.rejects: list[SetAside] = []
        self.flags: set[str] = set()
        self.blank = 0
        self.repaired = 0
        self.consumed = 0
        self.left_over = b""

    def text(self) -> bytes:
        """The rows to parse."""
        return b"".join(self._texts)

    def lines(self) -> np.ndarray:
        """The source line of each row to parse."""
        return np.concatenate(self._lines) if self._lines else np.zeros(0, np.int64)

    def take(self, text: bytes, *, every_line: bool) -> None:
        """Take a block: pieces that add up as they are (unless `every_line` is wanted), single lines of the others."""
        if self._layout.enclosed(text):
            self._take_enclosed(text, every_line=every_line)
            return
        for start, end in pieces(text, SMALL_PIECE):
            piece = text[start:end]
            starts = None if every_line else self._layout.row_lines(piece)
            if starts is None:
                self._take_lines(piece)
            else:
                self._end_run(at_end=False)
                self._whole(piece, starts, len(starts))
        self._end_run(at_end=True)

    def _take_enclosed(self, text: bytes, *, every_line: bool) -> None:
        mark = (self._dialect.quote or '"').encode()
        for start, end in enclosed_pieces(text, mark, PIECE):
            piece = text[start:end]
            starts = None if every_line else self._layout.row_lines(piece, self._dialect.width)
            if starts is None:
                self._judge(piece, at_end=end == len(text), enclosed=True)
            else:
                self._whole(piece, starts, piece.count(b"\n"))

    def _whole(self, piece: bytes, starts: np.ndarray, lines: int) -> None:
        self._texts.append(piece)
        self._lines.append(starts + (self._first + self.consumed))
        self.consumed += lines

    def _take_lines(self, piece: bytes) -> None:
        """Take the lines that are whole rows; the others wait in a run, to be judged with their neighbours."""
        mark, wanted = self._separator.encode(), self._dialect.width - 1
        lines = piece.split(b"\n")
        lines.pop()
        good: list[bytes] = []
        for line in lines:
            if line and line.count(mark) == wanted:
                self._end_run(at_end=False)
                good.append(line)
                continue
            self._end_good(good)
            self._run.append(line)
            if len(self._run) == MANY_LINES:
                self._end_run(at_end=False)
        self._end_good(good)

    def _end_good(self, good: list[bytes]) -> None:
        if good:
            self._whole(b"\n".join(good) + b"\n", np.arange(len(good), dtype=np.int64), len(good))
            good.clear()

    def _end_run(self, *, at_end: bool) -> None:
        if self._run:
            run, self._run = self._run, []
            self._judge(b"\n".join(run) + b"\n", at_end=at_end, enclosed=False)

    def _judge(self, piece: bytes, *, at_end: bool, enclosed: bool) -> None:
        if not is_whole_utf8(piece):
            piece, repaired = repair_lines(piece)
            self.repaired += repaired
        chunk = Chunk(
            piece.decode(),
            self._first + self.consumed,
            self._separator,
            self._final or not at_end,
            self._unfinished and at_end,
        )
        read = read_quoted if enclosed else read_unquoted
        outcome: Outcome = read(chunk, self._dialect, self._layout.limits)
        self.rejects += outcome.rejects
        self.flags |= outcome.flags
        self.blank += outcome.blank
        if outcome.rows:
            self._texts += [escape(row.cells, self._dialect, self._separator) for row in outcome.rows]
            self._lines.append(np.array([row.line for row in outcome.rows], np.int64))
        if outcome.consumed < len(outcome.lines):
            self.left_over = ("\n".join(outcome.lines[outcome.consumed :]) + "\n").encode()
        self.consumed += outcome.consumed
