"""One ABCD document → frames of its tables and what it says about itself; archives of many pages in several processes.

Parsing XML in Python keeps one processor busy, so pages are parsed by helpers while the caller numbers and writes what
comes of them, in the order of the pages. Nothing here knows the archive as a whole: that is `abcd.py`.
"""

import io
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import BinaryIO

import polars as pl

from dissco_platform.archives.abcd_parser import Malformed, UnitStream
from dissco_platform.archives.abcd_rows import Node, Row, UnitRows, derive_columns
from dissco_platform.archives.abcd_terms import DATASET_COLUMNS
from dissco_platform.archives.contents import CONTENT, content_of, record_fingerprints, row_hash
from dissco_platform.archives.members import Member
from dissco_platform.archives.tables import RECORDS
from dissco_platform.archives.xmlsafe import refuse_doctype
from dissco_platform.errors import ArchiveError

BATCH = 5_000
"""Units flattened before they become columns."""
HELPERS = 2
WORTH_HELP = 24 << 20
"""Bytes of XML from which on helpers are started: they need about a second to come up."""
TOGETHER = 8 << 20
"""Bytes of small pages that a helper gets at a time."""
LARGEST_PAGE = 64 << 20
"""A larger document is streamed by the caller itself."""


@dataclass
class Facts:
    """What a document says about itself, and how its reading ended."""

    encoding: str = "UTF-8"
    namespaces: set[str] = field(default_factory=set)
    datasets: list[tuple[dict[str, list[str]], list[dict[str, str]]]] = field(default_factory=list)
    """Values by path and contacts of each DataSet."""
    units: int = 0
    stated: int | None = None
    dropped: int = 0
    problem: str = ""
    malformed: str = ""


@dataclass
class Batch:
    """Frames by table of some units, `row` counted from 0; the term columns of each in the order they were met."""

    frames: dict[str, tuple[pl.DataFrame, list[str]]]
    units: int


def parse_documents(
    pages: Iterable[tuple[str, BinaryIO]], facts: list[Facts], trees: dict[str, Node]
) -> Iterator[Batch]:
    """Yield the units of documents in batches that may span several; `facts` gets one entry a document."""
    batch: list[UnitRows] = []
    for name, stream in pages:
        for unit in _units(name, stream, facts, trees):
            batch.append(unit)
            if len(batch) == BATCH:
                yield frames_of(batch)
                batch = []
    if batch:
        yield frames_of(batch)


def _units(name: str, stream: BinaryIO, facts: list[Facts], trees: dict[str, Node]) -> Iterator[UnitRows]:
    """Yield one document's units, its data set's columns added."""
    document = UnitStream(name, trees)
    said = Facts()
    facts.append(said)
    values: dict[str, list[str]] | None = None
    columns: Row = {}
    try:
        for unit in document.units(stream):
            if unit.dataset is not values:
                values = unit.dataset
                columns = dataset_columns(values)
                said.datasets.append((values, list(document.contacts)))
            said.units += 1
            unit.source, unit.ordinal = name, said.units
            unit.record.update(columns)
            yield unit
    except Malformed as error:
        said.malformed = str(error)
    if values is None:
        said.datasets.append((document.dataset, list(document.contacts)))
    said.encoding, said.namespaces = document.encoding, document.namespaces
    said.stated, said.dropped, said.problem = document.stated, document.dropped, document.problem


def dataset_columns(values: dict[str, list[str]]) -> Row:
    """Return the columns that a DataSet gives to its units."""
    found = {column: first_of(values, paths) for column, paths in DATASET_COLUMNS.items()}
    return {column: value for column, value in found.items() if value is not None}


def first_of(values: dict[str, list[str]], paths: tuple[str, ...]) -> str | None:
    """Return the first value under the given paths."""
    for path in paths:
        if values.get(path):
            return values[path][0]
    return None


def frames_of(batch: Sequence[UnitRows]) -> Batch:
    """Turn flattened units into frames with `row`, `source_file`, `source_line`; records with id and fingerprint."""
    rows = pl.int_range(len(batch), dtype=pl.Int64, eager=True).alias("row")
    frames: dict[str, tuple[pl.DataFrame, list[str]]] = {}
    hanging = pl.zeros(len(batch), dtype=pl.UInt64, eager=True)
    children: dict[str, list[tuple[int, str, Row]]] = {}
    for offset, unit in enumerate(batch):
        for table, row_type, row in unit.children:
            children.setdefault(table, []).append((offset, row_type, row))
    origin = [pl.Series("source_file", [unit.source for unit in batch], dtype=pl.String)]
    origin.append(pl.Series("source_line", [unit.ordinal for unit in batch], dtype=pl.Int64))
    for table, found in children.items():
        frame, columns = _child_frame(table, found, origin)
        content = content_of(frame, columns).with_columns(frame["row_type"])
        sums = frame.select("row").with_columns(row_hash(pl.col("row_type"), content).alias("h"))
        sums = sums.group_by("row").agg(pl.col("h").sum())
        joined = rows.to_frame().join(sums, on="row", how="left", maintain_order="left")
        hanging = hanging + joined["h"].fill_null(0)
        frames[table] = frame, columns
    records = [unit.record for unit in batch]
    columns = list(dict.fromkeys(column for record in records for column in record))
    frame = _frame(records, columns)
    prints = record_fingerprints(content_of(frame, columns).select(CONTENT).to_numpy(), hanging.to_numpy())
    frame = frame.with_columns(
        rows,
        *origin,
        pl.Series("core_id", [unit.identifier for unit in batch], dtype=pl.String),
        pl.Series("fingerprint", pl.from_arrow(prints)),
    )
    frames[RECORDS] = frame, columns
    return Batch(frames, len(batch))


def _child_frame(
    table: str, found: list[tuple[int, str, Row]], origin: list[pl.Series]
) -> tuple[pl.DataFrame, list[str]]:
    values = [row for _, _, row in found]
    frame = derive_columns(table, _frame(values, list(dict.fromkeys(column for row in values for column in row))))
    columns = frame.columns
    rows = pl.Series("row", [row for row, _, _ in found], dtype=pl.Int64)
    kinds = pl.Series("row_type", [row_type for _, row_type, _ in found], dtype=pl.String)
    return frame.with_columns(rows, *[one.gather(rows) for one in origin], kinds), columns


def _frame(rows: list[Row], columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        [pl.Series(column, [row.get(column) for row in rows], dtype=pl.String) for column in columns]
        or {"__none": pl.Series([None] * len(rows), dtype=pl.String)}
    )


Group = tuple[list[Member], list[Facts], Iterator[Batch]]


def read_pages(members: Sequence[Member]) -> Iterator[Group]:
    """Yield documents in order, in groups with what they say about themselves (known when the batches are through).

    Raises:
        ArchiveError: `xml_doctype`, and what opening a member raises.
    """
    sizes = [member.size or 0 for member in members]
    if len(members) < HELPERS or sum(sizes) < WORTH_HELP or (os.cpu_count() or 1) < HELPERS:
        yield _here(list(members))
        return
    with _Helpers(HELPERS) as helpers:
        yield from helpers.read(members)


def _here(members: list[Member]) -> Group:
    facts: list[Facts] = []
    return members, facts, parse_documents(_opened(members), facts, {})


def _opened(members: list[Member]) -> Iterator[tuple[str, BinaryIO]]:
    for member in members:
        refuse_doctype(member.name, member.head(65_536))
        with member.open() as stream:
            yield member.name, stream


def serve() -> None:
    """A helper's life: pages in (standard input), facts and batches out, until the caller is gone."""
    pages_in = Connection(os.dup(0), writable=False)
    answers = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # whatever prints must not come between the answers
    trees: dict[str, Node] = {}
    while True:
        try:
            pages = pages_in.recv()
        except EOFError:
            return
        facts: list[Facts] = []
        batches: list[Batch] = []
        refused: tuple[str, str | None] | None = None
        try:
            for name, content in pages:
                refuse_doctype(name, content[:65_536])
            batches = list(parse_documents(((n, io.BytesIO(content)) for n, content in pages), facts, trees))
        except ArchiveError as error:
            refused = str(error), error.reason
        answers.send((facts, batches, refused))


class _Helper:
    """A process of this module. It ends when this process does, however that ends: its standard input is then closed."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        self.pages = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self.answers = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()

    def close(self) -> None:
        """End the process."""
        self.pages.close()
        self.answers.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Helpers:
    """Processes that parse pages; each has at most one group, so that neither side ever waits for the other to read."""

    def __init__(self, number: int) -> None:
        self._all = [_Helper() for _ in range(number)]
        self._idle = list(self._all)

    def __enter__(self) -> "_Helpers":
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._all:
            helper.close()

    def read(self, members: Sequence[Member]) -> Iterator[Group]:
        """Yield documents in order; as many groups as there are helpers are on their way."""
        running: deque[tuple[list[Member], _Helper]] = deque()
        for group, pages in _groups(members):
            if pages is None:
                while running:
                    yield self._next(running)
                yield _here(group)
                continue
            if not self._idle:
                yield self._next(running)
            helper = self._idle.pop()
            try:
                helper.pages.send(pages)
            except BrokenPipeError:
                raise _ended(group) from None
            running.append((group, helper))
        while running:
            yield self._next(running)

    def _next(self, running: deque[tuple[list[Member], _Helper]]) -> Group:
        group, helper = running.popleft()
        try:
            facts, batches, refused = helper.answers.recv()
        except EOFError:
            raise _ended(group) from None
        self._idle.append(helper)
        if refused is not None:
            raise ArchiveError(refused[0], reason=refused[1])
        return group, facts, iter(batches)


def _ended(group: list[Member]) -> ArchiveError:
    message = f"the process that read {group[0].name} ended before it was through (out of memory?)"
    return ArchiveError(message, reason="damaged")


def _groups(members: Sequence[Member]) -> Iterator[tuple[list[Member], list[tuple[str, bytes]] | None]]:
    """Yield pages together up to `TOGETHER` bytes with their content; without it one that is better streamed."""
    group: list[Member] = []
    pages: list[tuple[str, bytes]] = []
    for member in members:
        content = _content(member)
        if content is None:
            if group:
                yield group, pages
            yield [member], None
            group, pages = [], []
            continue
        group.append(member)
        pages.append((member.name, content))
        if sum(len(one) for _, one in pages) >= TOGETHER:
            yield group, pages
            group, pages = [], []
    if group:
        yield group, pages


def _content(member: Member) -> bytes | None:
    """Return a page's bytes, None where it is better streamed."""
    if member.size is None or member.size > LARGEST_PAGE:
        return None
    try:
        return member.read(LARGEST_PAGE)
    except ArchiveError as error:
        if error.reason == "too_large":  # compressed inside the archive
            return None
        raise
