"""From the hash of a core id to a number, in compact arrays: which record a row hangs on, what hangs on a record.

Twelve to sixteen bytes a key and never much more: keys arrive block by block, are dealt out by their first bits, and each
share is sorted and merged by itself, so that nothing is ever copied as a whole.
"""

from typing import Literal

import numpy as np
import polars as pl

SHARES = 64
"""Keys are dealt out by their six highest bits."""
PENDING = 16_384
"""Keys of a share that wait at least before they are merged."""
_SHIFT = np.uint64(58)


class HashIndex:
    """A map from 64-bit hashes, sorted and each once, to numbers."""

    def __init__(self, keys: np.ndarray, values: np.ndarray) -> None:
        self._keys = keys
        self._values = values

    def __len__(self) -> int:
        return len(self._keys)

    def items(self) -> tuple[pl.Series, np.ndarray]:
        """Return the keys and their numbers."""
        return pl.Series(self._keys), self._values

    def find(self, keys: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each key is there, and its number (anything where it is not). Null is never there."""
        wanted = keys.fill_null(0).to_numpy()
        if not len(self):
            return np.zeros(len(wanted), bool), np.zeros(len(wanted), self._values.dtype)
        order = np.argsort(wanted)  # in order, neighbours look at neighbouring memory: a third of the time
        at = np.empty(len(wanted), np.int64)
        at[order] = np.minimum(np.searchsorted(self._keys, wanted[order]), len(self) - 1)
        found = self._keys[at] == wanted
        if keys.null_count():
            found &= keys.is_not_null().to_numpy()
        return found, self._values[at]


class _Share:
    """Keys of one range: those merged (sorted, each once) and those that wait."""

    def __init__(self, dtype: type[np.unsignedinteger], merge: Literal["sum", "first"]) -> None:
        self._merge = merge
        self.keys = np.zeros(0, np.uint64)
        self.values = np.zeros(0, dtype)
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._rows = 0

    def put(self, keys: np.ndarray, values: np.ndarray) -> None:
        self._waiting.append((keys, values))
        self._rows += len(keys)
        if self._rows > max(PENDING, len(self.keys) // 4):
            self.settle()

    def settle(self) -> None:
        """Merge what waits."""
        if not self._waiting:
            return
        waiting, self._waiting, self._rows = self._waiting, [], 0
        keys = np.concatenate([self.keys, *[one for one, _ in waiting]])
        values = np.concatenate([self.values, *[one for _, one in waiting]])
        order = np.argsort(keys)
        ordered = keys[order]
        first = np.ones(len(keys), bool)
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        if first.all():
            self.keys, self.values = ordered, values[order]
            return
        if self._merge == "sum":
            self.values = np.add.reduceat(values[order], np.flatnonzero(first))
        else:
            # Of equal keys the one that came first has to stay first: five times as dear, and seldom needed.
            self.values = values[np.argsort(keys, kind="stable")][first]
        self.keys = ordered[first]


class HashTable:
    """Collects keys with numbers in any order: numbers of equal keys are added up (modulo 2^64), or the first counts."""

    def __init__(self, dtype: type[np.unsignedinteger], merge: Literal["sum", "first"]) -> None:
        self._dtype = dtype
        self._shares = [_Share(dtype, merge) for _ in range(SHARES)]

    def put(self, keys: pl.Series, values: np.ndarray) -> None:
        """Add keys (UInt64; nulls are left out) with their numbers."""
        if keys.null_count():
            values = values[keys.is_not_null().to_numpy()]
            keys = keys.drop_nulls()
        if not len(keys):
            return
        hashed = keys.to_numpy()
        places = (hashed >> _SHIFT).astype(np.uint8)
        order = np.argsort(places, kind="stable")  # bytes are counted, not compared
        hashed, values = hashed[order], values[order].astype(self._dtype, copy=False)
        ends = [0, *np.cumsum(np.bincount(places, minlength=SHARES)).tolist()]
        for share, start, end in zip(self._shares, ends[:-1], ends[1:], strict=True):
            if end > start:
                # Copies: a view would keep the whole block for the one share that is merged last.
                share.put(hashed[start:end].copy(), values[start:end].copy())

    def __len__(self) -> int:
        for share in self._shares:
            share.settle()
        return sum(len(share.keys) for share in self._shares)

    def index(self) -> HashIndex:
        """Return the map and let go of the collected keys."""
        size = len(self)
        keys, values = np.empty(size, np.uint64), np.empty(size, self._dtype)
        start = 0
        while self._shares:
            share = self._shares.pop(0)
            end = start + len(share.keys)
            keys[start:end], values[start:end] = share.keys, share.values
            start = end
        return HashIndex(keys, values)
