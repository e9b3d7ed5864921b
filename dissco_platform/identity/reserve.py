"""Reserves DOIs for what is new: one transaction that gives suffixes, spends quota and inserts the objects.

A run that is killed afterwards finds its reservations by their identity keys and goes on; nothing is minted twice.
Deriving a suffix is `minting`. Objects are inserted some hundred thousand at a time. They come in the order of their keys;
where the index of suffixes is larger than what a database keeps in memory, each portion is inserted in the order of the
suffixes, so that the index is gone through once for a portion and not read and written anew for every object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection

from dissco_platform.enrolment.allowance import allowance
from dissco_platform.identity import minting
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
_LARGE = 2_000_000  # objects in a registry whose index of suffixes takes more than its cache


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


@dataclass(frozen=True)
class Reserved:
    """When the new objects were made, and whether objects that were there before were given a DOI."""

    created: str
    completed: bool


def reserve(
    registry: Registry, dataset: Dataset, specimens: Wanting, media: Wanting, yearly_quota: int | None
) -> Reserved:
    """Reserve DOIs for what is new, as far as quota and grants go; the records get ids and suffixes.

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
        return Reserved(created, False)
    with registry.write() as connection:
        key = setting_once(connection, minting.KEY_SETTING, minting.new_key())
    # Derived before the transaction, which keeps everybody else from writing.
    numbers = [_derived(side, rows, key) for side, rows in wanted]
    completed = False
    with registry.write() as connection:
        year = datetime.now(UTC).year
        room = allowance(connection, dataset.slug, yearly_quota, year)
        granted = (
            [np.ones(rows.size, np.bool_) for _, rows in wanted]
            if room is None or room >= total
            else _first_served(specimens, media, max(room, 0))
        )
        # Written where there is no quota as well: grants are compared with what was minted.
        objects.use_quota(connection, year, dataset.slug, int(sum(flags.sum() for flags in granted)))
        given = np.concatenate([some[flags] for some, flags in zip(numbers, granted, strict=True)])
        given.sort()
        twice = np.unique(given[1:][given[1:] == given[:-1]])
        del given
        for (side, rows), some, flags in zip(wanted, numbers, granted, strict=True):
            writer = _Writer(connection, dataset.slug, side, key, created, twice)
            writer.write(rows, some, flags)
            completed |= writer.completed
    return Reserved(created, completed)


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


class _Writer:
    """Writes the objects of one kind, inside the transaction."""

    def __init__(
        self, connection: Connection, slug: str, side: Wanting, key: str, created: str, twice: Numbers
    ) -> None:
        """Args are those of the run; `twice`: numbers of suffixes that two records would get."""
        self.connection, self.slug, self.side, self.key = connection, slug, side, key
        self.created, self.twice = created, twice
        self.completed = False

    def write(self, rows: Numbers, numbers: Numbers, granted: Numbers) -> None:
        """Insert or complete the objects of records, and note their ids and suffixes."""
        records = self.side.records
        is_fresh = records.id[rows] == 0
        first = objects.next_id(self.connection, digital_object)
        records.id[rows[is_fresh]] = np.arange(first, first + int(is_fresh.sum()))
        records.flags[rows[is_fresh]] |= FRESH
        records.suffix[rows[granted]] = numbers[granted]
        for frame in self._portions(rows, is_fresh, granted):
            minted = self._free(frame.filter("granted"))
            records.suffix[minted[ROW].to_numpy()] = minted["number"].to_numpy()
            waiting = frame.filter(~pl.col("granted")).with_columns(
                suffix=pl.lit(None, pl.String), attempt=pl.lit(0, pl.Int64)
            )
            state = pl.when("granted").then(pl.lit("active")).otherwise(pl.lit("waiting_quota"))
            whole = pl.concat([minted, waiting.select(minted.columns)]).with_columns(state=state)
            self._insert(whole.filter("fresh"))
            known = whole.filter(~pl.col("fresh") & pl.col("granted"))
            if known.height:
                self.completed = True
                objects.update_objects(self.connection, known.select("id", "suffix", "attempt", "state"))

    def _portions(self, rows: Numbers, is_fresh: Numbers, granted: Numbers) -> Iterator[pl.DataFrame]:
        """Yield `build_row, identity_key, id, number, fresh, granted, doi_only` of many records at a time."""
        records = self.side.records
        for start in range(0, rows.size, ROWS_AT_ONCE):
            chosen = rows[start : start + ROWS_AT_ONCE]
            keys = pl.concat(list(self.side.incoming.keys(chosen)))
            yield keys.with_columns(
                pl.Series("id", records.id[chosen]),
                pl.Series("number", records.suffix[chosen]),
                pl.Series("fresh", is_fresh[start : start + ROWS_AT_ONCE]),
                pl.Series("granted", granted[start : start + ROWS_AT_ONCE]),
                pl.Series("doi_only", (records.flags[chosen] & DOI_ONLY) != 0),
            )

    def _free(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give each row the first suffix of its key that is free, probing again on collisions."""
        rows = rows.with_columns(attempt=pl.lit(0, pl.Int64)).with_columns(minting.suffix_of(pl.col("number")))
        done: list[pl.DataFrame] = []
        given = pl.Series("number", [], dtype=pl.Int64)
        while True:
            taken = pl.concat(
                [objects.taken_suffixes(self.connection, rows["suffix"]), self._also_planned(rows, given)]
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

    def _also_planned(self, rows: pl.DataFrame, given: pl.Series) -> pl.Series:
        """Return the suffixes of rows that other records of this run have or would get."""
        numbers = rows["number"]
        planned = numbers.is_in(given.implode()) | numbers.is_in(pl.Series(self.twice, dtype=pl.Int64).implode())
        probed = rows["attempt"] > 0
        if probed.any():  # a handful: whether it is anybody's first choice that is not written yet
            planned |= probed & pl.Series(np.isin(numbers.to_numpy(), self.side.records.suffix))
        return rows["suffix"].filter(planned)

    def _insert(self, fresh: pl.DataFrame) -> None:
        constant: dict[str, Any] = {
            "kind": self.side.kind,
            "dataset": self.slug,
            "content_hash": "",
            "visible_hash": "",
            "doi_state": "none",
            "created": self.created,
            "modified": self.created,
        }
        if fresh.height and fresh["id"][0] > _LARGE:
            fresh = fresh.sort("suffix")
        objects.insert_rows(
            self.connection,
            digital_object,
            fresh.select(
                "id",
                "identity_key",
                "suffix",
                "attempt",
                "state",
                "doi_only",
                *(pl.lit(value).alias(name) for name, value in constant.items()),
                pl.lit(0).alias("version"),
                pl.lit(0).alias("missed"),
            ),
        )
