"""Hash tables of core ids against dictionaries."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.archives import hashindex
from dissco_platform.archives.hashindex import HashTable

KEYS = st.lists(st.one_of(st.none(), st.integers(0, 12), st.integers(0, 2**64 - 1)), max_size=40)


def series(keys: list[int | None]) -> pl.Series:
    return pl.Series("k", keys, dtype=pl.UInt64)


@settings(max_examples=60, deadline=None)
@given(st.lists(KEYS, max_size=5), KEYS)
def test_a_table_says_what_a_dictionary_says(batches: list[list[int | None]], asked: list[int | None]) -> None:
    first, total = HashTable(np.uint32, "first"), HashTable(np.uint64, "sum")
    places: dict[int, int] = {}
    sums: dict[int, int] = {}
    row = 0
    for batch in batches:
        numbers = np.arange(row, row + len(batch), dtype=np.uint64)
        large = numbers * np.uint64(0x9E3779B97F4A7C15)
        first.put(series(batch), numbers)
        total.put(series(batch), large)
        for key, number, weight in zip(batch, numbers.tolist(), large.tolist(), strict=True):
            if key is not None:
                places.setdefault(key, number)
                sums[key] = (sums.get(key, 0) + weight) % 2**64
        row += len(batch)
    assert len(first) == len(places)
    asked = [*asked, *places]
    for table, expected in ((first, places), (total, sums)):
        found, values = table.index().find(series(asked))
        got = [value if there else None for there, value in zip(found.tolist(), values.tolist(), strict=True)]
        assert got == [None if key is None else expected.get(key) for key in asked]


def test_keys_that_come_often_are_merged_on_the_way() -> None:
    table = HashTable(np.uint64, "sum")
    keys = pl.Series("k", np.random.default_rng(1).integers(0, 2**64, 1_000, np.uint64))
    rounds = 3 * hashindex.SHARES * hashindex.PENDING // 1_000
    for _ in range(rounds):
        table.put(keys, np.ones(1_000, np.uint64))
    waiting = sum(share._rows for share in table._shares)
    assert waiting <= hashindex.SHARES * hashindex.PENDING  # a third of what was put in
    found, values = table.index().find(keys)
    assert found.all() and (values == rounds).all()
