"""Files of names in, result rows out: what `dissco names parse` and `dissco names match` do, without the command line.

Input is read in batches and answered in its order, one row for each line (CSV: for each record); results are CSV, JSON
lines or Parquet. Datasets of the platform go through `harmonise.py` instead.
"""

import codecs
import csv
import io
import itertools
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import IO, Any, Final, Literal

import orjson
import polars as pl
import pyarrow.parquet as pq

from dissco_platform.errors import UsageError
from dissco_platform.names.backbone import Backbone, build_backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.overrides import Overrides
from dissco_platform.names.parser import PARSE_COLUMNS
from dissco_platform.names.query import make_queries
from dissco_platform.names.ranks import CLASSIFICATION

Format = Literal["csv", "jsonl", "parquet"]
Progress = Callable[[int], None]

BATCH: Final = 25_000
"""Names answered at a time: small enough for memory and a moving progress bar, large enough for columns to pay."""

MAX_LINE: Final = 1_000_000
"""Characters of a line that are kept; a longer one is no name."""

MAX_HEADER: Final = 100_000
"""Characters of a first line that may be a header of columns."""

MAX_CELL_LINES: Final = 5
"""Lines that a quoted cell may go on for; beyond, the quote is taken for a stray one."""

MATCH_OUTPUT: Final[dict[str, str]] = {
    "matchType": "matchType",
    "confidence": "confidence",
    "usageID": "usageID",
    "scientificName": "matchedName",
    "authorship": "matchedAuthorship",
    "rank": "matchedRank",
    "status": "matchedStatus",
    "acceptedUsageID": "acceptedUsageID",
    "acceptedName": "acceptedName",
    "acceptedAuthorship": "acceptedAuthorship",
    "acceptedRank": "acceptedRank",
    **{rank: rank for rank in (*CLASSIFICATION, "species")},
    "nomenclaturalCode": "nomenclaturalCode",
    "nameScore": "nameScore",
    "authorshipScore": "authorshipScore",
    "classificationScore": "classificationScore",
    "rankScore": "rankScore",
    "statusScore": "statusScore",
    "alternatives": "alternatives",
    "note": "note",
    "release": "release",
}  # fmt: skip
"""Column of the result → column of a match."""

_TERMS: Final = {column.removeprefix("dwc:").lower(): column for column in NAME_COLUMNS} | {
    "name": "dwc:scientificName",
    "authorship": "dwc:scientificNameAuthorship",
    "rank": "dwc:taxonRank",
    "code": "dwc:nomenclaturalCode",
}


def parse_file(
    source: Path | str | IO[bytes],
    out: Path | IO[bytes],
    format: Format = "csv",  # noqa: A002  the option's own name
    progress: Progress | None = None,
) -> int:
    """Parse the names in `source` ("-" is standard input) to `out`; return the number of rows.

    Columns: verbatim and PARSE_COLUMNS. `progress(rows)` is told the rows done so far.
    """

    def answer(names: pl.DataFrame) -> pl.DataFrame:
        _, parsed = make_queries(names)
        return parsed.select(PARSE_COLUMNS)

    return _run(source, out, format, progress, answer)


def match_file(
    source: Path | str | IO[bytes],
    checklist: Path | Backbone,
    out: Path | IO[bytes],
    format: Format = "csv",  # noqa: A002
    progress: Progress | None = None,
    *,
    overrides: Overrides | None = None,
    indexing: Callable[[str, int], None] | None = None,
) -> int:
    """Match the names in `source` to a checklist (an index, or a ColDP or Darwin Core file that is indexed first).

    Columns: verbatim and MATCH_OUTPUT; returns the number of rows. `indexing(step, usages)` is told
    of the steps of an index that must be built. Raises ChecklistError for a bad checklist.
    """
    with ExitStack() as stack:
        index = opened(checklist, stack, indexing)

        def answer(names: pl.DataFrame) -> pl.DataFrame:
            queries, _ = make_queries(names)
            matched = match_queries(queries, index)
            if overrides is not None:
                matched = overrides.apply(names, matched, index)
            return matched.select([pl.col(column).alias(name) for name, column in MATCH_OUTPUT.items()])

        return _run(source, out, format, progress, answer)


def opened(
    checklist: Path | Backbone, stack: ExitStack, indexing: Callable[[str, int], None] | None = None
) -> Backbone:
    """Open an index, building one in a temporary folder (removed with `stack`) where `checklist` is a checklist."""
    if isinstance(checklist, Backbone):
        return checklist
    if (checklist / "info.json").is_file():
        return open_backbone(checklist)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dissco-names-")))
    build_backbone(checklist, folder / "index", progress=indexing)
    return open_backbone(folder / "index")


def _run(
    source: Path | str | IO[bytes],
    out: Path | IO[bytes],
    format: Format,  # noqa: A002
    progress: Progress | None,
    answer: Callable[[pl.DataFrame], pl.DataFrame],
) -> int:
    if format not in ("csv", "jsonl", "parquet"):
        raise UsageError(f"the format {format!r} is not known; use csv, jsonl or parquet")
    rows = 0
    with ExitStack() as stack:
        reader = read_names(_input(source, stack))
        writer: _Writer | None = None
        file = stack.enter_context(out.open("wb")) if isinstance(out, Path) else out
        for batch in itertools.chain(reader, [None] if format == "parquet" else []):
            if batch is None and writer is not None:
                break
            frame = _frame([] if batch is None else batch)
            verbatim = frame["verbatim"]
            result = answer(frame.drop("verbatim")).insert_column(0, verbatim)
            if writer is None:
                writer = stack.enter_context(_Writer(file, format))
            writer.write(result)
            rows += frame.height
            if progress is not None:
                progress(rows)
    return rows


def _input(source: Path | str | IO[bytes], stack: ExitStack) -> IO[bytes]:
    if not isinstance(source, (str, Path)):
        return source
    if str(source) == "-":
        return sys.stdin.buffer
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file of names")
    return stack.enter_context(path.open("rb"))


Row = dict[str, str | None]


def _frame(rows: list[Row]) -> pl.DataFrame:
    columns = ("verbatim", *NAME_COLUMNS)
    return pl.DataFrame({c: [row.get(c) for row in rows] for c in columns}, schema=dict.fromkeys(columns, pl.String))


def read_names(file: IO[bytes]) -> Iterator[list[Row]]:
    """Yield batches of rows (`verbatim` and NAME_COLUMNS) of a file of names.

    A first line with a cell `scientificName` makes it CSV (comma, semicolon, tab or bar), a first `{` JSON lines;
    anything else is one verbatim name a line, commas and quotes untouched.
    """
    lines = _lines(file)
    first = next(lines, None)
    if first is None:
        return
    lines = itertools.chain([first], lines)
    header = _csv_header(first)
    if header is not None:
        rows = _csv_rows(lines, *header)
    elif first.lstrip().startswith("{"):
        rows = (_json_row(line) for line in lines)
    else:
        rows = ({"verbatim": line, "dwc:scientificName": line} for line in lines)
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield lines without their ends, decoded as UTF-8 (what is not is read as Windows-1252), of bounded length."""
    first = True
    while raw := file.readline(MAX_LINE):
        if first and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            yield from _wide_lines(raw, file)
            return
        rest = raw
        while not rest.endswith(b"\n") and len(rest) == MAX_LINE:
            rest = file.readline(MAX_LINE)
        raw = raw.rstrip(b"\r\n").replace(b"\x00", b"")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", errors="replace")
        yield text.removeprefix("\ufeff") if first else text
        first = False


def _wide_lines(start: bytes, file: IO[bytes]) -> Iterator[str]:
    """Yield the lines of UTF-16 text, as spreadsheets export it; `start` was read already."""
    waiting = ""
    for text in codecs.iterdecode(itertools.chain([start], iter(lambda: file.read(2**16), b"")), "utf-16", "replace"):
        *whole, waiting = (waiting + text).split("\n")
        yield from (line.rstrip("\r").replace("\x00", "")[:MAX_LINE] for line in whole)
        waiting = waiting[:MAX_LINE]
    if waiting:
        yield waiting.rstrip("\r")


def _csv_header(line: str) -> tuple[str, list[str]] | None:
    if len(line) > MAX_HEADER or "scientificname" not in line.lower():
        return None
    for delimiter in ("\t", ",", ";", "|"):
        cells = [c.strip() for c in next(csv.reader([line], delimiter=delimiter), [])]
        terms = [cell.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower() for cell in cells]
        if "scientificname" in terms:
            return delimiter, terms
    return None


def _csv_rows(lines: Iterator[str], delimiter: str, terms: list[str]) -> Iterator[Row]:
    next(lines)
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE))
    for record in _csv_records(lines, delimiter):
        # tab-separated files of names are written without quoting; a stray quote never swallows the lines after it
        quoted = delimiter != "\t" and not re.search(rf'(?:^|{re.escape(delimiter)})"(?:[^"]|"")*$', record)
        cell_reader = (
            csv.reader(io.StringIO(record, newline=""), delimiter=delimiter)
            if quoted
            else csv.reader([record], delimiter=delimiter, quoting=csv.QUOTE_NONE)
        )
        cells = next(cell_reader, [])
        row: Row = {}
        for term, cell in zip(terms, cells, strict=False):
            column = _TERMS.get(term)
            # a term given twice under two names: Darwin Core's own name wins
            if column and cell and (column not in row or term == column.removeprefix("dwc:").lower()):
                row[column] = cell
        row["verbatim"] = row.get("dwc:scientificName")
        yield row


def _csv_records(lines: Iterator[str], delimiter: str) -> Iterator[str]:
    """Yield records: lines, or a few of them where a quoted cell goes on over the end of its line."""
    # a cell that begins with a quote and does not end on its line; a quote inside a cell means nothing
    is_open = re.compile(rf'(?:^|{re.escape(delimiter)})"(?:[^"]|"")*$')
    waiting: list[str] = []
    while True:
        line = waiting.pop(0) if waiting else next(lines, None)
        if line is None:
            return
        if delimiter == "\t" or not is_open.search(line):
            yield line
            continue
        record, taken = line, 0
        while is_open.search(record) and taken < MAX_CELL_LINES:
            if taken == len(waiting):
                more = next(lines, None)
                if more is None:
                    break
                waiting.append(more)
            record += "\n" + waiting[taken]
            taken += 1
        if is_open.search(record):
            yield line
        else:
            del waiting[:taken]
            yield record


def _json_row(line: str) -> Row:
    """Read one JSON object; a line that is none is taken as it is, like a line of bare names."""
    try:
        value = orjson.loads(line) if line.strip() else {}
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        return {"verbatim": line, "dwc:scientificName": line}
    row: Row = {}
    for term, cell in value.items():
        column = _TERMS.get(str(term).rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower())
        if column and cell is not None and not isinstance(cell, (dict, list)):
            row[column] = str(cell)
    row["verbatim"] = row.get("dwc:scientificName")
    return row


class _Writer(AbstractContextManager["_Writer"]):
    """Writes batches of rows as CSV, JSON lines or Parquet to an open binary file."""

    def __init__(self, file: IO[bytes], format: Format) -> None:  # noqa: A002
        self._file, self._format = file, format
        self._parquet: pq.ParquetWriter | None = None
        self._header = True

    def write(self, frame: pl.DataFrame) -> None:
        """Write one batch."""
        if self._format == "parquet":
            table = frame.to_arrow()
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._file, table.schema, compression="zstd")
            self._parquet.write_table(table)
        elif self._format == "csv":
            buffer = io.BytesIO()
            frame.write_csv(buffer, include_header=self._header)
            self._file.write(buffer.getvalue())
            self._header = False
        else:
            self._file.write(_json_lines(frame.iter_rows(named=True)))
        self._file.flush()

    def __exit__(self, *exc: object) -> None:
        if self._parquet is not None:
            self._parquet.close()


def _json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines without null keys."""
    return b"".join(
        orjson.dumps({k: v for k, v in row.items() if v is not None}, option=orjson.OPT_APPEND_NEWLINE) for row in rows
    )
