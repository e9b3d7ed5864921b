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
    numbers = [_derived(side, rows, key) for side, rows in wanted]
    with registry.read() as connection:
        room = allowance(connection, dataset.slug, yearly_quota, datetime.now(UTC).year)
        granted = (
            [np.ones(rows.size, np.bool_) for _, rows in wanted]
            if room is None or room >= total
            else _first_served(specimens, media, max(room, 0))
        )
        given = np.concatenate([some[flags] for some, flags in zip(numbers, granted, strict=True)])
        given.sort()
        twice = np.unique(given[1:][given[1:] == given[:-1]])
        del given
        first = objects.last_id(connection, digital_object) + 1
        reserved = Reserved(created, dataset.slug, yearly_quota, first)
        for (side, rows), some, flags in zip(wanted, numbers, granted, strict=True):
            planned = _Side(side, key, twice)
            first = planned.plan(connection, rows, some, flags, first)
            reserved.sides.append(planned)
    return reserved


def _derived(side: Wanting, rows: Numbers, key: str) -> Numbers:
    """Return the number of the suffix of each record's first attempt."""
    number = minting.numbers(pl.lit(side.kind), pl.col("identity_key"), pl.lit(0), key)
    found, start = np.empty(rows.size, np.int64), 0
    for page in side.incoming.keys(rows):
        found[start : start + page.height] = page.select(number)["number"].to_numpy()
        start += page.height
    return found


def _first_served(specimens: Wanting, media: Wanting, room: int) -> list[Numbers]:
    """Return which records get a DOI where there is not room for all.

    Types come first, then specimens with images, then the rest; each is followed by its media.
    """
    rows, records = specimens.rows, specimens.records
    rank = np.where(records.flagged(TYPE)[rows], 0, np.where(records.flagged(LINKING)[rows], 1, 2))
    place = np.empty(rows.size, np.int64)
    place[np.argsort(rank, kind="stable")] = np.arange(rows.size) * 2
    by_key = np.argsort(records.key[rows])
    keys, places = records.key[rows][by_key], place[by_key]
    check_unique(keys)
    last = 2 * rows.size + 1
    media_rows = media.rows
    media_place = np.full(media_rows.size, last, np.int64)
    for links in media.incoming.targets(media_rows):
        at = find(keys, links["target"].to_numpy())
        users = np.searchsorted(media_rows, links[ROW].to_numpy())
        np.minimum.at(media_place, users[at >= 0], places[at[at >= 0]] + 1)
    everything = np.concatenate([place, media_place])
    served = np.zeros(everything.size, np.bool_)
    served[np.argsort(everything, kind="stable")[:room]] = True
    return [served[: rows.size], served[rows.size :]]


class _Side:
    """The records of one kind that want a DOI; of those that are new, all is noted in the records."""

    def __init__(self, side: Wanting, key: str, twice: Numbers) -> None:
        """Args are those of the run; `twice`: numbers of suffixes that two records would get."""
        self.side, self.key, self.twice = side, key, twice
        self.granted = 0
        self.made = 0  # objects that are made with a DOI
        self.completed = np.zeros(0, np.uint32)  # rows of records whose objects waited for one
        self.attempts: list[pl.DataFrame] = []

    def plan(self, connection: Connection, rows: Numbers, numbers: Numbers, is_granted: Numbers, first: int) -> int:
        """Note ids (from `first` on) and suffixes of the records; return the id that is free then.

        Args:
            connection: to read with.
            rows: numbers of the records.
            numbers: of their suffixes.
            is_granted: whether each record gets a DOI.
            first: id of the first new object.
        """
        records = self.side.records
        is_fresh = records.id[rows] == 0
        fresh = rows[is_fresh]
        records.id[fresh] = _ids(numbers[is_fresh], first)
        records.flags[fresh] |= FRESH
        records.suffix[rows[is_granted]] = numbers[is_granted]
        self.granted, self.made = int(is_granted.sum()), int((is_fresh & is_granted).sum())
        self.completed = rows[~is_fresh & is_granted]
        for frame in self._portions(rows[is_granted]):
            minted = self._free(connection, frame)
            records.suffix[minted[ROW].to_numpy()] = minted["number"].to_numpy()
            probed = minted.filter(pl.col("attempt") > 0).select(list(_ATTEMPTS))
            if probed.height:
                self.attempts.append(probed)
        return first + int(fresh.size)

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
        for start in range(0, rows.size, ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            keys = pl.concat(list(self.side.incoming.keys(some)))
            yield keys.with_columns(
                pl.Series("id", records.id[some]),
                pl.Series("number", records.suffix[some]),
                pl.Series("doi_only", (records.flags[some] & DOI_ONLY) != 0),
            )

    def _free(self, connection: Connection, rows: pl.DataFrame) -> pl.DataFrame:
        """Give each row the first suffix of its key that is free, probing again on collisions."""
        rows = rows.with_columns(attempt=pl.lit(0, pl.Int64)).with_columns(minting.suffix_of(pl.col("number")))
        done: list[pl.DataFrame] = []
        given = pl.Series("number", [], dtype=pl.Int64)
        while True:
            taken = pl.concat([objects.taken_suffixes(connection, rows["suffix"]), self._also_planned(rows, given)])
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

    def _also_planned(self, rows: pl.DataFrame, given: pl.Series) -> pl.Series:
        """Return the suffixes of rows that other records of this run have or would get."""
        numbers = rows["number"]
        planned = numbers.is_in(given.implode()) | numbers.is_in(pl.Series(self.twice, dtype=pl.Int64).implode())
        probed = rows["attempt"] > 0
        if probed.any():  # a handful: whether it is anybody's first choice that is not written yet
            planned |= probed & pl.Series(np.isin(numbers.to_numpy(), self.side.records.suffix))
        return rows["suffix"].filter(planned)


def _ids(numbers: Numbers, first: int) -> Numbers:
    """Return ids from `first` on: as the objects come, beyond `_LARGE` in the order of the suffixes of each portion."""
    ids = np.arange(first, first + numbers.size)
    for start in range(0, numbers.size, ROWS_AT_ONCE):
        if first + start > _LARGE:
            order = np.argsort(numbers[start : start + ROWS_AT_ONCE])
            ids[start + order] = np.arange(first + start, first + start + order.size)
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
