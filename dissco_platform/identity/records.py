"""What a publication holds in memory of every record and every object: some thirty bytes each, in arrays.

Identity keys are there as 64-bit hashes with a seed that is drawn for each publication. Two keys with the same hash are
noticed (some 10⁻⁶ of publications of ten million records) and end the publication, the next one draws another seed.
All else of a record is read from the build again when it is needed, all else of an object from the registry.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from dissco_platform.errors import RegistryError
from dissco_platform.identity import minting

Numbers = npt.NDArray[Any]

# Outcomes of a record. 0: it is not published at all (a medium of held or ended specimens alone).
LEFT_OUT, NEW, CHANGED, RETURNED, LINKED, UNCHANGED, HELD, SHARED, ENDED = range(9)
PUBLISHED: Final = (NEW, CHANGED, RETURNED, LINKED)
APART: Final = (LEFT_OUT, HELD, ENDED)

# Flags of records and objects.
DOI_ONLY, MISSING, TOMBSTONED, VERSIONED = 1, 2, 4, 8
TYPE, LINKING, FRESH, UNKNOWN = 16, 32, 64, 128

NO_SUFFIX = -1


def draw_seed() -> int:
    """Return a seed for the hashes of identity keys."""
    return secrets.randbits(63)


@dataclass
class Records:
    """Every record of a build's table, by its number there.

    `key`: hash of its identity key; `id`: of its object, 0 for none; `suffix`: number of its DOI's suffix (`minting`),
    `NO_SUFFIX` for none; `outcome`; `flags`: `DOI_ONLY`, `TYPE`, `LINKING` (it names linked objects), `MISSING` (its object
    is missing so far), `FRESH` (its object was made by this publication), `UNKNOWN` (nothing is known of its key).
    """

    key: Numbers
    id: Numbers
    suffix: Numbers
    outcome: Numbers
    flags: Numbers

    @classmethod
    def of(cls, height: int) -> "Records":
        """Return arrays for so many records, of which nothing is known."""
        return cls(
            np.zeros(height, np.uint64),
            np.zeros(height, np.int64),
            np.full(height, NO_SUFFIX, np.int64),
            np.zeros(height, np.uint8),
            np.zeros(height, np.uint8),
        )

    def has(self, *outcomes: int) -> Numbers:
        """Return whether each record has one of the outcomes."""
        wanted: Numbers = np.zeros(ENDED + 1, np.bool_)
        wanted[list(outcomes)] = True
        found: Numbers = wanted[self.outcome]
        return found

    def count(self, *outcomes: int) -> int:
        """Return how many records have one of the outcomes."""
        return int(self.has(*outcomes).sum())

    def flagged(self, flag: int) -> Numbers:
        """Return whether each record has a flag."""
        found: Numbers = (self.flags & flag) != 0
        return found


@dataclass
class Known:
    """Every object of a dataset and kind, in the order of the hashes of their identity keys.

    `content`: hash of its content hash; `flags`: `DOI_ONLY`, `MISSING`, `TOMBSTONED`, `VERSIONED` (it was published);
    `came`: whether a record of the build is this object.
    """

    key: Numbers
    id: Numbers
    suffix: Numbers
    content: Numbers
    flags: Numbers
    came: Numbers

    @classmethod
    def of(cls, height: int, frames: Iterator[pl.DataFrame], seed: int) -> "Known":
        """Return objects from the frames of `registry.objects.current_states`.

        Raises:
            RegistryError: two keys have the same hash.
        """
        columns: dict[str, Numbers] = {
            "key": np.zeros(height, np.uint64),
            "id": np.zeros(height, np.int64),
            "suffix": np.zeros(height, np.int64),
            "content": np.zeros(height, np.uint64),
            "flags": np.zeros(height, np.uint8),
        }
        start = 0
        for frame in frames:
            if start + frame.height > height:
                raise RegistryError("Another process adds to this dataset; nothing was changed, run again.")
            narrow = frame.select(
                pl.col("identity_key").hash(seed).alias("key"),
                "id",
                minting.number_of(pl.when(pl.col("suffix") != "").then(pl.col("suffix")))
                .fill_null(NO_SUFFIX)
                .alias("suffix"),
                pl.col("old_hash").hash(seed).alias("content"),
                (
                    pl.when("was_doi_only").then(DOI_ONLY).otherwise(0)
                    + pl.when(pl.col("state") == "missing").then(MISSING).otherwise(0)
                    + pl.when(pl.col("state") == "tombstoned").then(TOMBSTONED).otherwise(0)
                    + pl.when(pl.col("version") > 0).then(VERSIONED).otherwise(0)
                )
                .cast(pl.UInt8)
                .alias("flags"),
            )
            for name, array in columns.items():
                array[start : start + frame.height] = narrow[name].to_numpy()
            start += frame.height
        order = np.argsort(columns["key"][:start])
        for name in list(columns):  # one after the other: the unsorted ones are not there all at once
            columns[name] = columns[name][order]
        check_unique(columns["key"])
        return cls(**columns, came=np.zeros(start, np.bool_))

    def find(self, keys: Numbers) -> Numbers:
        """Return where the object with each key is, -1 where there is none."""
        return find(self.key, keys)

    def places(self, ids: Numbers) -> Numbers:
        """Return where the objects with the given ids are; ids of other objects are left out."""
        return np.flatnonzero(np.isin(self.id, ids))

    @property
    def absent(self) -> Numbers:
        """Where the objects are that were published once and that no record is."""
        return np.flatnonzero(~self.came & ((self.flags & VERSIONED) != 0))

    @property
    def missing(self) -> Numbers:
        """Ids of those that are absent and have not ended."""
        places = self.absent
        return cast(Numbers, self.id[places[(self.flags[places] & TOMBSTONED) == 0]])


def find(ordered: Numbers, keys: Numbers) -> Numbers:
    """Return the place of each key in an ascending array, -1 where it is not there."""
    if not ordered.size or not keys.size:
        return np.full(keys.size, -1, np.int64)
    order = np.argsort(keys)  # neighbours in the array are looked up one after the other: five times as fast
    places = np.empty(keys.size, np.int64)
    places[order] = np.searchsorted(ordered, keys[order])
    places[places == ordered.size] = 0
    places[ordered[places] != keys] = -1
    return places


def check_unique(ordered: Numbers) -> None:
    """Make sure that no two neighbours are equal.

    Raises:
        RegistryError: two are.
    """
    if ordered.size > 1 and bool((ordered[1:] == ordered[:-1]).any()):
        raise RegistryError(
            "Two identifiers have the same hash in this run, by chance; nothing was changed, run again."
        )
