"""Finds the documents of records in the builds that hold them, and streams them.

Documents lie in the order of the source, records in the order of their keys. `plan` says in which order the documents come
and divides them into portions, so that what else is known of the records of one portion fits into memory; `stream` reads
the documents of one. Only row groups that hold a wanted document are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
_NOWHERE = np.iinfo(np.uint32).max
_HASH, _FOUND = "_hash", "_found"
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
    pages = list(addresses)
    if not pages:
        return []
    batches = pl.concat([page["batch"].unique() for page in pages]).unique().cast(pl.String).sort()
    portions: list[Portion] = []
    rows: list[Numbers] = []
    segments: list[Segment] = []
    waiting = 0
    for batch in batches:  # a column at a time, and no more of it than is needed: it is there for all records at once
        path = documents(batch) / _FILES[kind]
        members = pl.concat([page.filter(pl.col("batch") == batch).select(ROW, "document") for page in pages])
        count = members.height
        members = members.sort("document")
        ordered, groups = _located(path, members)
        del members
        if ordered.size < count:
            raise StoreError(
                f"{count - ordered.size} documents are not in {path}: materialise digital_specimens again."
            )
        start = 0
        while start < ordered.size:
            end = min(start + size - waiting, ordered.size)
            rows.append(ordered[start:end])
            segments.append(Segment(str(batch), np.unique(groups[start:end]).tolist()))
            waiting += end - start
            start = end
            if waiting == size:
                portions.append(Portion(np.concatenate(rows), segments))
                rows, segments, waiting = [], [], 0
    if waiting:
        portions.append(Portion(np.concatenate(rows), segments))
    return portions


def stream(kind: str, portion: Portion, members: pl.DataFrame, documents: Folders, size: int) -> Iterator[pl.DataFrame]:
    """Yield the records of a portion with `content` and `relationships`, in frames of some `size` rows.

    Args:
        kind: `specimen` or `media`.
        portion: where their documents are.
        members: `document_hash`, and whatever else shall be carried along.
        documents: gives the folder of a build by the name in the `batch` column.
        size: records of a frame.

    Raises:
        StoreError: a document is missing.
    """
    wanted = members.with_columns(pl.col("document_hash").hash().alias(_HASH)).sort(_HASH)
    hashes = wanted[_HASH].to_numpy()
    wanted = wanted.drop(_HASH)
    done = np.zeros(wanted.height, np.bool_)
    waiting: list[pl.DataFrame] = []
    height = 0
    for segment in portion.segments:
        file = pq.ParquetFile(documents(segment.batch) / _FILES[kind])
        for group in file.iter_batches(batch_size=_AT_ONCE, row_groups=segment.groups):
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            found = _among(wanted, hashes, frame.rename({"content_hash": _FOUND}), done)
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


def _located(path: Path, members: pl.DataFrame) -> tuple[Numbers, Numbers]:
    """Return the records (ordered by `document`) whose documents are in a file, in its order, and the row group of each."""
    hashes, rows = members["document"].to_numpy(), members[ROW].to_numpy()
    file = pq.ParquetFile(path)
    counts = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    ends = np.cumsum(counts)
    first = np.full(rows.size, _NOWHERE, np.uint32)
    start, left = 0, rows.size
    for batch in file.iter_batches(batch_size=_HASHES_AT_ONCE, columns=["content_hash"]):
        frame = pl.from_arrow(batch)  # a frame: a column alone would have Polars import what takes 0.2 s
        assert isinstance(frame, pl.DataFrame)
        found = frame["content_hash"].hash().to_numpy()
        low, high = np.searchsorted(hashes, found, "left"), np.searchsorted(hashes, found, "right")
        named = np.flatnonzero(high > low)
        several = high[named] - low[named]
        # Two records may have the same document: each of them gets its place.
        places = np.repeat(low[named], several) + _within(several)
        positions = np.repeat(named, several) + start
        places, once = np.unique(places, return_index=True)
        new = first[places] == _NOWHERE
        first[places[new]] = positions[once][new]
        left -= int(new.sum())
        start += batch.num_rows
        if not left:
            break
    order = np.argsort(first, kind="stable").astype(np.uint32)
    first = first[order]
    found_at = int(np.searchsorted(first, _NOWHERE))
    order, first = order[:found_at], first[:found_at]
    return rows[order], np.searchsorted(ends, first, "right").astype(np.uint32)


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
