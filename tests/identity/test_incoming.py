"""What a publication reads of a build: the same whatever the row groups of its table are."""

from pathlib import Path

import polars as pl
import pytest

from dissco_platform.identity.incoming import ROW, Incoming

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


@pytest.mark.parametrize("group", [1, 3, 10])
def test_records_are_the_same_whatever_the_row_groups(tmp_path: Path, group: int) -> None:
    rows = incoming(tmp_path, RECORDS, group).rows()
    assert rows[ROW].to_list() == list(range(10))
    assert rows["identity_key"].to_list() == RECORDS["normalisedPhysicalSpecimenID"].to_list()
    assert rows.equals(incoming(tmp_path, RECORDS, 4).rows())
    assert rows.filter(pl.col("claims").is_not_null())["identity_key"].to_list() == ["key7"]
    assert "locality" not in rows.columns and "otherSpecimenIds" not in rows.columns


@pytest.mark.parametrize("group", [1, 3, 10])
def test_what_is_shown_comes_in_the_order_asked_for(tmp_path: Path, group: int) -> None:
    table = incoming(tmp_path, RECORDS, group)
    for numbers in ([9, 0, 5, 4], [2], [3, 8], list(range(10))):
        shown = table.shown(pl.Series(numbers, dtype=pl.Int64))
        assert shown["specimen_name"].to_list() == [f"name {number}" for number in numbers]
        assert shown["topicOrigin"].to_list() == ["Natural"] * len(numbers)


def test_a_table_without_records_has_the_same_columns(tmp_path: Path) -> None:
    nothing = incoming(tmp_path, RECORDS.clear(), 5).rows()
    assert nothing.height == 0
    assert nothing.schema == incoming(tmp_path, RECORDS, 10).rows().schema
