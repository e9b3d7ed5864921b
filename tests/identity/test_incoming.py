"""What a publication reads of a build: the same whatever the row groups of its table are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dissco_platform.identity.incoming import ROW, VISIBLE, Incoming

RECORDS = pl.DataFrame(
    {
        "normalisedPhysicalSpecimenID": [f"key{number}" for number in range(10)],
        "content_hash": [f"hash{number}" for number in range(10)],
        "doi_only": [number % 3 == 0 for number in range(10)],
        "batch": ["build"] * 10,
        "media_keys": [["b", "a"] if number == 4 else [] for number in range(10)],
        "otherSpecimenIds": [
            "see https://doi.org/10.5555/ABC-DEF-GHJ" if number == 7 else "none" for number in range(10)
        ],
        "specimen_name": [f"name {number}" for number in range(10)],
        "topicOrigin": ["Natural"] * 10,
        "locality": ["here"] * 10,
    },
    schema_overrides={"media_keys": pl.List(pl.String)},
)


def incoming(folder: Path, records: pl.DataFrame, group: int) -> Incoming:
    path = folder / f"specimens{group}.parquet"
    records.write_parquet(path, row_group_size=group)
    return Incoming(path, "normalisedPhysicalSpecimenID", "media_keys", prefix="10.5555")


def whole(frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(list(frames))


@pytest.mark.parametrize("group", [1, 3, 10])
def test_records_are_the_same_whatever_the_row_groups(tmp_path: Path, group: int) -> None:
    rows = whole(incoming(tmp_path, RECORDS, group).identified())
    assert rows[ROW].to_list() == list(range(10))
    assert rows["identity_key"].to_list() == RECORDS["normalisedPhysicalSpecimenID"].to_list()
    assert rows.equals(whole(incoming(tmp_path, RECORDS, 4).identified()))
    assert rows.filter(pl.col("claims").is_not_null())["identity_key"].to_list() == ["key7"]
    assert rows.filter("linking")["identity_key"].to_list() == ["key4"]
    assert "locality" not in rows.columns and "otherSpecimenIds" not in rows.columns


@pytest.mark.parametrize("group", [1, 3, 10])
def test_chosen_records_come_with_what_is_shown_of_them(tmp_path: Path, group: int) -> None:
    table = incoming(tmp_path, RECORDS, group)
    for numbers in ([0, 4, 5, 9], [2], [3, 8], list(range(10))):
        rows = np.array(numbers)
        shown = whole(table.whole(rows))
        assert shown[ROW].to_list() == whole(table.keys(rows))[ROW].to_list() == numbers
        assert shown["specimen_name"].to_list() == [f"name {number}" for number in numbers]
        assert shown["topicOrigin"].to_list() == ["Natural"] * len(numbers)
        assert shown["document_hash"].to_list() == [f"hash{number}" for number in numbers]


def test_links_are_hashes_of_keys_in_their_scope(tmp_path: Path) -> None:
    RECORDS.write_parquet(tmp_path / "specimens.parquet")
    table = Incoming(
        tmp_path / "specimens.parquet",
        "normalisedPhysicalSpecimenID",
        "media_keys",
        "10.5555",
        target_organisation="ror",
        seed=7,
    )
    links = whole(table.targets(np.arange(10)))
    assert links[ROW].to_list() == [4, 4]
    assert links["target"].to_list() == pl.Series(["ror b", "ror a"]).hash(7).to_list()


@pytest.mark.parametrize("name", [name for name in VISIBLE if name in RECORDS.columns])
def test_a_doi_only_record_changes_with_each_thing_that_is_shown_of_it(tmp_path: Path, name: str) -> None:
    other = RECORDS.with_columns(pl.lit("otherwise").alias(name))
    before, after = (whole(incoming(tmp_path, records, 10).identified()) for records in (RECORDS, other))
    differs = before["content"] != after["content"]
    assert differs.to_list() == RECORDS["doi_only"].to_list()


def test_a_table_without_records_gives_none(tmp_path: Path) -> None:
    table = incoming(tmp_path, RECORDS.clear(), 5)
    assert table.height == 0
    assert [frame.height for frame in table.identified()] in ([], [0])
