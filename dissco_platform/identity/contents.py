"""Finds the documents of records in the builds that hold them, and streams them.

Documents lie in the order of the source, records in the order of their keys. `plan` says in which order the documents come
and divides them into portions, so that what else is known of the records of one portion fits into memory; `stream` reads
the documents of one. Only row groups that hold a wanted document are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dissco_platform.errors import StoreError
from dissco_platform.identity.incoming import ROW
from dissco_platform.identity.records import Numbers, find

ROWS_PER_PORTION = 150_000
_AT_ONCE = 2_000
_HASHES_AT_ONCE = 100_000
_BUCKETS = 16
_BORDERS = np.arange(1, _BUCKETS, dtype=np.uint64) << np.uint64(60)
_NOWHERE = np.iinfo(np.uint32).max
_FOUND = "_found"
_FILES = {"specimen": "documents.parquet", "media": "media_documents.parquet"}

Folders = Callable[[str], Path]


@dataclass(frozen=True)
class Segment:
    """Documents of one batch: of the row groups that hold any of them."""

    batch: str
    groups: list[int]


@dataclass(frozen=True)
class Portion:
    """Records (their numbers in the build, in the order of their documents) and where their documents are."""

    rows: Numbers
    segments: list[Segment]


def plan(kind: str, addresses: Iterator[pl.DataFrame], documents: Folders, size: int) -> list[Portion]:
    """Divide records into portions.

    Args:
        kind: `specimen` or `media`.
        addresses: `build_row, document, batch` of records, see `incoming.Incoming.addresses`.
        documents: gives the folder of a build by the name in the `batch` column.
        size: records of a portion.

    Raises:
        StoreError: a document is in no build.
    """
    wanted: dict[str, _Wanted] = {}
    for page in addresses:
        for (batch,), members in page.partition_by("batch", as_dict=True).items():
            wanted.setdefault(str(batch), _Wanted()).add(members["document"].to_numpy(), members[ROW].to_numpy())
    portions: list[Portion] = []
    rows: list[Numbers] = []
    segments: list[Segment] = []
    waiting = 0
    for batch in sorted(wanted):
        path = documents(batch) / _FILES[kind]
        sought = wanted.pop(batch)
        located, ends = _located(path, sought)
        if located.height < sought.height:
            raise StoreError(
                f"{sought.height - located.height} documents are not in {path}: materialise digital_specimens again."
            )
        del sought
        for some, positions in located.pieces(size - waiting, size):
            rows.append(some)
            segments.append(Segment(batch, np.unique(np.searchsorted(ends, positions, "right")).tolist()))
            waiting += some.size
            if waiting == size:
                portions.append(Portion(np.concatenate(rows), segments))
                rows, segments, waiting = [], [], 0
    if waiting:
        portions.append(Portion(np.concatenate(rows), segments))
    return portions


def stream(
    kind: str, segments: list[Segment], members: pl.DataFrame, documents: Folders, size: int
) -> Iterator[pl.DataFrame]:
    """Yield the records of a portion with `content` and `relationships`, in frames of some `size` rows.

    Args:
        kind: `specimen` or `media`.
        segments: where their documents are.
        members: `document_hash`, and whatever else shall be carried along.
        documents: gives the folder of a build by the name in the `batch` column.
        size: records of a frame.

    Raises:
        StoreError: a document is missing.
    """
    hashes = members["document_hash"].hash().to_numpy()
    order = np.argsort(hashes)
    hashes, members = hashes[order], members[order]
    done = np.zeros(members.height, np.bool_)
    waiting: list[pl.DataFrame] = []
    height = 0
    for segment in segments:
        file = pq.ParquetFile(documents(segment.batch) / _FILES[kind])
        for group in file.iter_batches(batch_size=_AT_ONCE, row_groups=segment.groups):
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            found = _among(members, hashes, frame.rename({"content_hash": _FOUND}), done)
            if found.height:
                waiting.append(found)
                height += found.height
            if height >= size:
                yield pl.concat(waiting)
                waiting, height = [], 0
    if waiting:
        yield pl.concat(waiting)
    if not done.all():
        raise StoreError(
            f"{int((~done).sum())} documents are not where they were: materialise digital_specimens again."
        )


def texts(
    kind: str, addresses: Callable[[Numbers], Iterator[pl.DataFrame]], rows: Numbers, documents: Folders
) -> Iterator[pl.DataFrame]:
    """Yield `build_row, content` of the documents of the records with the given numbers (ascending), in any order."""
    for portion in plan(kind, addresses(rows), documents, size=1_000_000):
        address = pl.concat(list(addresses(np.sort(portion.rows)))).sort("document")
        ordered, numbers = address["document"].to_numpy(), address[ROW]
        for segment in portion.segments:
            file = pq.ParquetFile(documents(segment.batch) / _FILES[kind])
            columns = ["content_hash", "content"]
            for group in file.iter_batches(batch_size=_AT_ONCE, row_groups=segment.groups, columns=columns):
                frame = pl.from_arrow(group)
                assert isinstance(frame, pl.DataFrame)
                places = find(ordered, frame["content_hash"].hash().to_numpy())
                is_wanted = places >= 0
                if is_wanted.any():
                    yield pl.DataFrame([numbers[places[is_wanted]], frame["content"].filter(pl.Series(is_wanted))])


class _Wanted:
    """Records whose documents are looked for: their numbers by hashes, apart by the first bits of the hash.

    Twelve bytes a record; what is put in order, or looked up, is a part of them at a time.
    """

    def __init__(self) -> None:
        self.height = 0
        self._pieces: list[list[tuple[Numbers, Numbers]]] = [[] for _ in range(_BUCKETS)]
        self._buckets: list[_Bucket | None] = [None] * _BUCKETS

    def add(self, hashes: Numbers, rows: Numbers) -> None:
        """Add records, before any is looked up."""
        self.height += rows.size
        order = np.argsort(hashes)
        hashes, rows = hashes[order], rows[order].astype(np.uint32)
        for bucket, piece in _apart(hashes):
            self._pieces[bucket].append((hashes[piece].copy(), rows[piece].copy()))

    def find(self, found: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield which of some hashes (their places) are records' (their numbers), each record once.

        Records may share a hash: its place is then there several times, one after the other.
        """
        order = np.argsort(found)
        ordered = found[order]
        if (ordered[1:] == ordered[:-1]).any():  # the same document twice: the first one counts
            order = np.sort(np.unique(found, return_index=True)[1])
            order = order[np.argsort(found[order])]
            ordered = found[order]
        for number, piece in _apart(ordered):
            bucket = self._bucket(number)
            low, high = (np.searchsorted(bucket.hashes, ordered[piece], side) for side in ("left", "right"))
            named = np.flatnonzero(high > low)
            several = high[named] - low[named]
            at = np.repeat(low[named], several) + _within(several)
            new = ~bucket.is_found[at]
            at = at[new]
            bucket.is_found[at] = True
            yield order[piece][np.repeat(named, several)[new]], bucket.rows[at]

    def _bucket(self, number: int) -> "_Bucket":
        bucket = self._buckets[number]
        if bucket is None:
            pieces, self._pieces[number] = self._pieces[number], []
            hashes = np.concatenate([np.zeros(0, np.uint64), *(piece[0] for piece in pieces)])
            rows = np.concatenate([np.zeros(0, np.uint32), *(piece[1] for piece in pieces)])
            order = np.argsort(hashes)
            bucket = self._buckets[number] = _Bucket(hashes[order], rows[order], np.zeros(rows.size, np.bool_))
        return bucket


@dataclass(frozen=True)
class _Bucket:
    hashes: Numbers  # ascending
    rows: Numbers
    is_found: Numbers


class _Located:
    """Records in the order of the documents of a file: four bytes a document."""

    def __init__(self, documents: int) -> None:
        self.height = 0
        self._row_at = np.full(documents, _NOWHERE, np.uint32)  # number of the record that has a document
        self._further: list[tuple[Numbers, Numbers]] = []  # documents and records, where several have the same one

    def put(self, places: Numbers, rows: Numbers) -> None:
        """Note whose the documents at some places are."""
        self.height += rows.size
        is_first = np.ones(places.size, np.bool_)
        is_first[1:] = places[1:] != places[:-1]
        self._row_at[places[is_first]] = rows[is_first]
        if not is_first.all():
            self._further.append((places[~is_first], rows[~is_first]))

    def pieces(self, first: int, size: int) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield numbers of records and the places of their documents: `first` of them, then `size` at a time."""
        further_places, further = (
            np.concatenate([np.zeros(0, np.int64), *(pair[side] for pair in self._further)]) for side in (0, 1)
        )
        order = np.argsort(further_places, kind="stable")
        further_places, further = further_places[order], further[order].astype(np.uint32)
        rows, places = np.zeros(0, np.uint32), np.zeros(0, np.int64)
        for start in range(0, self._row_at.size, _HASHES_AT_ONCE):
            here = self._row_at[start : start + _HASHES_AT_ONCE]
            there = np.flatnonzero(here != _NOWHERE)
            some, at = here[there], there + start
            low, high = np.searchsorted(further_places, (start, start + here.size))
            if high > low:
                after = np.searchsorted(at, further_places[low:high], "right")
                some, at = np.insert(some, after, further[low:high]), np.insert(at, after, further_places[low:high])
            rows, places = np.concatenate([rows, some]), np.concatenate([places, at])
            while rows.size >= first:
                yield rows[:first], places[:first]
                rows, places, first = rows[first:], places[first:], size
        if rows.size:
            yield rows, places


def _located(path: Path, wanted: _Wanted) -> tuple[_Located, Numbers]:
    """Return the records whose documents are in a file, and the numbers of documents at which its row groups end."""
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    located = _Located(file.metadata.num_rows)
    start = 0
    for batch in file.iter_batches(batch_size=_HASHES_AT_ONCE, columns=["content_hash"]):
        frame = pl.from_arrow(batch)  # a frame: a column alone would have Polars import what takes 0.2 s
        assert isinstance(frame, pl.DataFrame)
        for places, rows in wanted.find(frame["content_hash"].hash().to_numpy()):
            located.put(places + start, rows)
        start += batch.num_rows
        if located.height == wanted.height:
            break
    return located, np.cumsum(groups)


def _apart(ordered: Numbers) -> Iterator[tuple[int, slice]]:
    """Yield which part of some ascending hashes is in which bucket."""
    ends = np.searchsorted(ordered, _BORDERS)
    for bucket, (start, end) in enumerate(pairwise((0, *ends.tolist(), ordered.size))):
        if end > start:
            yield bucket, slice(start, end)


def _within(counts: Numbers) -> Numbers:
    """Return 0, 1, … for each of the counts, one after the other."""
    total = int(counts.sum())
    before: Numbers = np.repeat(np.cumsum(counts) - counts, counts)
    return np.arange(total) - before


def _among(wanted: pl.DataFrame, hashes: Numbers, documents: pl.DataFrame, done: Numbers) -> pl.DataFrame:
    """Return the wanted rows (in the order of their documents' `hashes`) with documents that are among a few, and note them.

    Looked up by bisection: a join would go through all wanted rows for every few documents.
    """
    found = documents[_FOUND].hash().to_numpy()
    low, high = np.searchsorted(hashes, found, "left"), np.searchsorted(hashes, found, "right")
    named = np.flatnonzero(high > low)
    several = high[named] - low[named]
    places, once = np.unique(np.repeat(low[named], several) + _within(several), return_index=True)
    new = ~done[places]
    places, numbers = places[new], np.repeat(named, several)[once][new]
    rows = wanted[places].hstack(documents[numbers])
    is_same = (rows["document_hash"] == rows[_FOUND]).to_numpy() if places.size else done[:0]
    done[places[is_same]] = True
    return rows.filter(pl.Series(is_same, dtype=pl.Boolean)).drop(_FOUND)
