"""Plans DOIs for what is new, and enters them in the registry when the versions that have them are committed.

A suffix follows from the identity key, so it is known before anything is written: `reserve` only reads. It looks up which
suffixes are taken, which ids are next and what quota and grants allow; `Reserved.enter` checks ids and allowance again inside
the transaction that commits, where the unique indexes of keys and suffixes decide. A run that is killed before has given
nothing away, and the next one comes to the same suffixes. Objects that got a DOI are inserted with their first version
(`committing`), each once; those that have to wait for quota are inserted here. Deriving a suffix is `minting`.

Ids follow the order of keys: tables and the index of keys then grow at their ends. Where the index of suffixes is larger than a
database's cache they follow the suffixes, a portion at a time: the index is then gone through once a portion and not for every
object.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection

from dissco_platform.enrolment.allowance import allowance
from dissco_platform.identity import minting
from dissco_platform.identity.committing import Minted, OvertakenError
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.records import (
    DOI_ONLY,
    FRESH,
    LINKING,
    NEW,
    NO_SUFFIX,
    TYPE,
    Numbers,
    Records,
    check_unique,
    find,
)
from dissco_platform.registry import Registry, objects
from dissco_platform.registry.datasets import Dataset, setting_once
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import digital_object

ROWS_AT_ONCE = 500_000
_SORTED_AT_ONCE = 2_000_000
_LARGE = 2_000_000  # objects of a registry whose index of suffixes takes more than a database's cache
_ATTEMPTS: dict[str, Any] = {"suffix": pl.String, "attempt": pl.Int64}


@dataclass(frozen=True)
class Wanting:
    """Records of one kind of which some want a DOI, and their table."""

    kind: str
    records: Records
    incoming: Incoming

    @property
    def rows(self) -> Numbers:
        """Numbers of the records that want a DOI."""
        wanting = np.flatnonzero((self.records.outcome == NEW) & (self.records.suffix == NO_SUFFIX))
        return wanting.astype(np.uint32)  # half of the room: they are there for all records at once


@dataclass
class Reserved:
    """What will be entered for the records that want a DOI.

    `created`: when the new objects were made; `first`: id of the first of them, as far as is known; `attempts`: `suffix,
    attempt` of those that did not get the first choice.
    """

    created: str
    slug: str = ""
    yearly_quota: int | None = None
    first: int = 1
    sides: list["_Side"] = field(default_factory=list)

    @property
    def completed(self) -> bool:
        """Whether objects that were there before are given a DOI."""
        return any(side.completed.size for side in self.sides)

    @property
    def attempts(self) -> pl.DataFrame:
        """`suffix, attempt` of those that did not get the first choice of their key."""
        return pl.concat([pl.DataFrame(schema=_ATTEMPTS), *(frame for side in self.sides for frame in side.attempts)])

    def enter(self, connection: Connection) -> Minted | None:
        """Take the quota and enter what waits and what was waiting, inside the transaction that commits.

        Ids of new objects are raised where others were made meanwhile; those of the records are afterwards.

        Raises:
            OvertakenError: there is less to be given than there was.
        """
        if not self.sides:
            return None
        year = datetime.now(UTC).year
        granted = sum(side.granted for side in self.sides)
        room = allowance(connection, self.slug, self.yearly_quota, year)
        if room is not None and room < granted:
            raise OvertakenError(
                f"Another process used DOIs that {self.slug} was to get; nothing was changed, run again."
            )
        # Written where there is no quota as well: grants are compared with what was minted.
        objects.use_quota(connection, year, self.slug, granted)
        shift = objects.next_id(connection, digital_object) - self.first
        for side in self.sides:
            side.enter(connection, self.slug, self.created, shift)
        made = sum(side.made for side in self.sides)
        return Minted(self.created, self.attempts, shift, made)


def reserve(
    registry: Registry, dataset: Dataset, specimens: Wanting, media: Wanting, yearly_quota: int | None
) -> Reserved:
    """Plan DOIs for what is new, as far as quota and grants go; the records get ids and suffixes.

    Args:
        registry: where objects are kept.
        dataset: that publishes.
        specimens: its specimens.
        media: its media.
        yearly_quota: DOIs of a year over all datasets; None: as many as are wanted.
    """
    created = now()
    wanted = [(side, side.rows) for side in (specimens, media)]
    total = sum(rows.size for _, rows in wanted)
    if not total:
        return Reserved(created)
    with registry.write() as connection:
        key = setting_once(connection, minting.KEY_SETTING, minting.new_key())
    for side, rows in wanted:
        _derive(side, rows, key)
    with registry.read() as connection:
        room = allowance(connection, dataset.slug, yearly_quota, datetime.now(UTC).year)
        first = objects.last_id(connection, digital_object) + 1
        granted: tuple[Numbers | None, Numbers | None] = (None, None)
        if room is not None and room < total:
            granted = _first_served(specimens, media, wanted[0][1], wanted[1][1], max(room, 0))
        reserved = Reserved(created, dataset.slug, yearly_quota, first)
        for (side, rows), is_granted in zip(wanted, granted, strict=True):
            reserved.sides.append(_Side(side, key))
            first = reserved.sides[-1].give(rows, is_granted, first)
        twice = _twice(specimens.records.suffix, media.records.suffix)
        for planned, (_, rows), is_granted in zip(reserved.sides, wanted, granted, strict=True):
            planned.settle(connection, rows if is_granted is None else rows[is_granted], twice)
    return reserved


def _derive(side: Wanting, rows: Numbers, key: str) -> None:
    """Note the number of the suffix of each record's first attempt."""
    number = minting.numbers(pl.lit(side.kind), pl.col("identity_key"), pl.lit(0), key)
    for page in side.incoming.keys(rows):
        side.records.suffix[page[ROW].to_numpy()] = page.select(number)["number"].to_numpy()


def _twice(*numbers: Numbers) -> Numbers:
    """Return which numbers of suffixes are there more than once; a part of them is put in order at a time."""
    parts = 1 + sum(some.size for some in numbers) // _SORTED_AT_ONCE
    borders = np.linspace(0, len(minting.ALPHABET) ** minting.LENGTH, parts + 1).astype(np.int64)
    found = [np.zeros(0, np.int64)]
    for low, high in pairwise(borders):
        part = np.sort(np.concatenate([some[(some >= low) & (some < high)] for some in numbers]))
        found.append(np.unique(part[1:][part[1:] == part[:-1]]))
    return np.concatenate(found)


def _first_served(
    specimens: Wanting, media: Wanting, rows: Numbers, media_rows: Numbers, room: int
) -> tuple[Numbers, Numbers]:
    """Return which of the records that want a DOI get one where there is not room for all.

    Types come first, then specimens with images, then the rest; each is followed by its media.
    """
    records = specimens.records
    rank = np.where(records.flagged(TYPE)[rows], 0, np.where(records.flagged(LINKING)[rows], 1, 2))
    place = np.empty(rows.size, np.int64)
    place[np.argsort(rank, kind="stable")] = np.arange(rows.size) * 2
    by_key = np.argsort(records.key[rows])
    keys, places = records.key[rows][by_key], place[by_key]
    check_unique(keys)
    last = 2 * rows.size + 1
    media_place = np.full(media_rows.size, last, np.int64)
    for links in media.incoming.targets(media_rows):
        at = find(keys, links["target"].to_numpy())
        users = np.searchsorted(media_rows, links[ROW].to_numpy())
        np.minimum.at(media_place, users[at >= 0], places[at[at >= 0]] + 1)
    everything = np.concatenate([place, media_place])
    served = np.zeros(everything.size, np.bool_)
    served[np.argsort(everything, kind="stable")[:room]] = True
    return served[: rows.size], served[rows.size :]


class _Side:
    """The records of one kind that want a DOI; of those that are new, all is noted in the records."""

    def __init__(self, side: Wanting, key: str) -> None:
        """Args are those of the run."""
        self.side, self.key = side, key
        self.granted = 0
        self.made = 0  # objects that are made with a DOI
        self.completed = np.zeros(0, np.uint32)  # rows of records whose objects waited for one
        self.attempts: list[pl.DataFrame] = []

    def give(self, rows: Numbers, is_granted: Numbers | None, first: int) -> int:
        """Note the ids of the records, which have the numbers of their suffixes; return the id that is free then.

        Args:
            rows: numbers of the records.
            is_granted: whether each of them gets a DOI (those that do not have no suffix afterwards); None: all do.
            first: id of the first new object.
        """
        records = self.side.records
        is_fresh = np.concatenate([np.zeros(0, np.bool_), *(records.id[some] == 0 for some in _pieces(rows))])
        fresh = rows if is_fresh.all() else rows[is_fresh]
        for some in _pieces(fresh):  # what is made of all records at once would be as large as all that is kept of them
            records.id[some] = _ids(records.suffix[some], first)
            records.flags[some] |= FRESH
            first += some.size
        if is_granted is None:
            is_granted = np.ones(rows.size, np.bool_)
        else:
            records.suffix[rows[~is_granted]] = NO_SUFFIX
        self.granted, self.made = int(is_granted.sum()), int((is_fresh & is_granted).sum())
        self.completed = rows[~is_fresh & is_granted]
        return first

    def settle(self, connection: Connection, rows: Numbers, twice: Numbers) -> None:
        """Give those records that get a DOI another suffix where theirs is taken.

        Args:
            connection: to read with.
            rows: numbers of the records.
            twice: numbers of suffixes that two records would get.
        """
        records = self.side.records
        for frame in self._portions(rows):
            minted = self._free(connection, frame, twice)
            records.suffix[minted[ROW].to_numpy()] = minted["number"].to_numpy()
            probed = minted.filter(pl.col("attempt") > 0).select(list(_ATTEMPTS))
            if probed.height:
                self.attempts.append(probed)

    def enter(self, connection: Connection, slug: str, created: str, shift: int) -> None:
        """Enter the objects that wait, and give suffixes to those that waited; raise the ids of the records."""
        records = self.side.records
        is_fresh = records.flagged(FRESH)
        if shift:
            records.id[is_fresh] += shift
        for frame in self._portions(np.flatnonzero(is_fresh & (records.suffix == NO_SUFFIX))):
            objects.insert_rows(connection, digital_object, _waiting(frame, self.side.kind, slug, created))
        attempts = pl.concat([pl.DataFrame(schema=_ATTEMPTS), *self.attempts])
        for frame in self._portions(self.completed):
            given = frame.with_columns(minting.suffix_of(pl.col("number")), state=pl.lit("active")).join(
                attempts, on="suffix", how="left"
            )
            objects.update_objects(connection, given.select("id", "suffix", pl.col("attempt").fill_null(0), "state"))

    def _portions(self, rows: Numbers) -> Iterator[pl.DataFrame]:
        """Yield `build_row, identity_key, id, number, doi_only` of records, many at a time."""
        records = self.side.records
        for some in _pieces(rows):
            keys = pl.concat(list(self.side.incoming.keys(some)))
            yield keys.with_columns(
                pl.Series("id", records.id[some]),
                pl.Series("number", records.suffix[some]),
                pl.Series("doi_only", (records.flags[some] & DOI_ONLY) != 0),
            )

    def _free(self, connection: Connection, rows: pl.DataFrame, twice: Numbers) -> pl.DataFrame:
        """Give each row the first suffix of its key that is free, probing again on collisions."""
        rows = rows.with_columns(attempt=pl.lit(0, pl.Int64)).with_columns(minting.suffix_of(pl.col("number")))
        done: list[pl.DataFrame] = []
        given = pl.Series("number", [], dtype=pl.Int64)
        while True:
            taken = pl.concat(
                [objects.taken_suffixes(connection, rows["suffix"]), self._also_planned(rows, given, twice)]
            )
            # Of two records of this run that would get the same one, none does: which comes first must not matter.
            collides = pl.col("suffix").is_in(taken.implode()) | pl.col("suffix").is_duplicated()
            free = rows.filter(~collides)
            done.append(free)
            rows = rows.filter(collides)
            if not rows.height:
                return pl.concat(done)
            given = pl.concat([given, free["number"]])
            again = minting.numbers(pl.lit(self.side.kind), pl.col("identity_key"), pl.col("attempt"), self.key)
            rows = (
                rows.with_columns(pl.col("attempt") + 1)
                .with_columns(again)
                .with_columns(minting.suffix_of(pl.col("number")))
            )

    def _also_planned(self, rows: pl.DataFrame, given: pl.Series, twice: Numbers) -> pl.Series:
        """Return the suffixes of rows that other records of this run have or would get."""
        numbers = rows["number"]
        planned = numbers.is_in(given.implode()) | numbers.is_in(pl.Series(twice, dtype=pl.Int64).implode())
        probed = rows["attempt"] > 0
        if probed.any():  # a handful: whether it is anybody's first choice that is not written yet
            ordered = np.sort(numbers.to_numpy())
            there = [some[find(ordered, some) >= 0] for some in _pieces(self.side.records.suffix)]
            planned |= probed & numbers.is_in(pl.Series(np.concatenate(there)).implode())
        return rows["suffix"].filter(planned)


def _pieces(rows: Numbers) -> Iterator[Numbers]:
    for start in range(0, rows.size, ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]


def _ids(numbers: Numbers, first: int) -> Numbers:
    """Return ids from `first` on for objects with the given suffixes: as they come, beyond `_LARGE` in the order of those."""
    ids = np.arange(first, first + numbers.size)
    if first > _LARGE:
        ids[np.argsort(numbers)] = np.arange(first, first + numbers.size)
    return ids


def _waiting(rows: pl.DataFrame, kind: str, slug: str, created: str) -> pl.DataFrame:
    """Return the rows of new objects that wait for a DOI."""
    constant: dict[str, Any] = {
        "kind": kind,
        "dataset": slug,
        "attempt": 0,
        "state": "waiting_quota",
        "version": 0,
        "content_hash": "",
        "visible_hash": "",
        "doi_state": "none",
        "created": created,
        "modified": created,
        "missed": 0,
    }
    return rows.select(
        "id", "identity_key", "doi_only", *(pl.lit(value).alias(name) for name, value in constant.items())
    )
