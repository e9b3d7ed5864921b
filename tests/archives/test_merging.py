"""Rows of extensions in the order of their records, against sorting all of them."""

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.archives import extensions, merging
from dissco_platform.archives.merging import most_waiting, together, windows
from tests.archives.conftest import Make, Reader
from tests.archives.samples import DWC, GOOD, extension, meta, tsv

PARTS = st.lists(st.lists(st.integers(-1, 30), max_size=12), max_size=5)


@pytest.fixture(scope="module", autouse=True)
def few_rows_together() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "ENOUGH", 4)
        patch.setattr(merging, "BIN", 4)
        yield


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=3), st.booleans())
def test_merged_rows_are_as_if_all_were_sorted(numbers: list[list[list[int]]], nearly_sorted: bool) -> None:
    if nearly_sorted:
        numbers = [[sorted(part) for part in parts] for parts in numbers]
    groups = [[np.array(part, np.int32) for part in parts] for parts in numbers]
    loaded: list[tuple[int, int]] = []

    def load(group: int, part: int) -> pa.Table:
        loaded.append((group, part))
        rows = [row for row in numbers[group][part] if row >= 0]
        names = [f"{group}.{part}.{place}" for place, row in enumerate(numbers[group][part]) if row >= 0]
        column = pa.array(names, pa.string())
        own = column.dictionary_encode() if group else column
        return pa.table({"row": pa.array(rows, pa.int64()), "name": own, f"only {group}": own})

    expected = sorted(
        ((row, group, part, place) for group, parts in enumerate(numbers) for part, rows in enumerate(parts)
         for place, row in enumerate(rows) if row >= 0)
    )  # fmt: skip
    got: list[tuple[int, str]] = []
    for window in windows(groups, load):
        columns = together([table for _, table in window], "row")
        names = columns["name"].to_pylist()
        for group, _ in window:
            alone = columns[f"only {group}"].to_pylist()
            assert alone == [name if name.startswith(f"{group}.") else None for name in names]
        rows = columns["row"].to_pylist()
        assert not got or rows[0] > got[-1][0]  # no record in two windows
        got += zip(rows, names, strict=True)
    assert got == [(row, f"{group}.{part}.{place}") for row, group, part, place in expected]
    assert sorted(loaded) == [(group, part) for group, parts in enumerate(numbers) for part in range(len(parts))]


def test_how_many_rows_wait_is_known_before() -> None:
    ascending = [np.arange(start, start + 100, dtype=np.int32) for start in range(0, 1_000, 100)]
    assert most_waiting([ascending]) <= 110
    assert most_waiting([ascending, ascending]) <= 210
    assert most_waiting([ascending[::-1]]) == 1_000
    assert most_waiting([[np.full(3, -1, np.int32)], []]) == 3


@pytest.mark.parametrize("at_once", [250_000, 5])
def test_extension_rows_in_any_order_make_the_same_tables(
    at_once: int, make_zip: Make, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "BUCKET_ROWS", at_once)  # with 5, rows are dealt out to ranges of records
    rows = [f"{1 + number % 43}\tname {number}" for number in range(200)]  # three of 43 records are not there
    shuffled = random.Random(5).sample(rows, len(rows))
    names = extension(DWC + "Identification", "names.txt", ("scientificName",))
    tables, versions = [], set()
    for order in (sorted(rows, key=lambda row: int(row.split("\t")[0])), rows, shuffled):
        members = {
            "meta.xml": meta(extensions=names),
            "occurrence.txt": tsv(*GOOD),
            "names.txt": tsv(*order, header="coreid\tscientificName"),
        }
        got = read(make_zip(members))
        table = got.table("identifications")
        assert table["row"].is_sorted()
        versions.add(got.parsed.data_version)
        tables.append(table.select("row", "dwc:scientificName").sort("row", "dwc:scientificName").rows())
        file = next(one for one in got.parsed.files if one.name == "names.txt")
        lost = sum(int(row.split("\t")[0]) > len(GOOD) for row in rows)
        assert (file.rows_read, file.rows_parsed, file.rows_rejected) == (200, 200 - lost, lost)
    assert tables[0] == tables[1] == tables[2] and len(tables[0]) == 200 - lost
    assert len(versions) == 1
