"""What is held in memory at once, told in rows and pieces: no bucket grows with where in the file its identifiers stand."""

import random
from pathlib import Path

import polars as pl
import pytest

from benchmarks.opends.memory import failures
from dissco_platform.opends import spill
from dissco_platform.opends.borders import KEY, choose_borders, range_number
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.opends.ranges import ParsedTables
from dissco_platform.opends.spill import Spill
from tests.opends.tables import BASE, CONTEXT, MAPPINGS, build


def parsed(folder: Path, identifiers: list[str | None]) -> ParsedTables:
    """Parsed records with these identifiers, in batches of 100."""
    folder.mkdir(parents=True)
    rows = pl.DataFrame({"row": range(len(identifiers)), "dwc:occurrenceID": identifiers}).with_columns(
        pl.lit("occurrence.txt").alias("source_file"), (pl.col("row") + 2).alias("source_line"),
        pl.col("row").cast(pl.String).alias("core_id"), pl.lit("f").alias("fingerprint"),
        pl.lit(BASE["dwc:basisOfRecord"]).alias("dwc:basisOfRecord"),
    )  # fmt: skip
    rows.write_parquet(folder / "records.parquet")
    return ParsedTables(folder, {"records"}, 100, None)


# As texts they sort otherwise than they run on
NUMBERS = [f"https://data.example.org/{number}" for number in range(40_000)]


@pytest.mark.parametrize(
    "identifiers",
    [
        NUMBERS,
        random.Random(1).sample(NUMBERS, len(NUMBERS)),
        [text.rpartition("/")[0] + f"/HERB-{int(text.rpartition('/')[2]):08d}" for text in NUMBERS],
    ],
    ids=["running on", "scattered", "padded"],
)
def test_ranges_of_identifiers_are_of_one_size_however_they_stand_in_the_file(
    tmp_path: Path, identifiers: list[str | None]
) -> None:
    tables = parsed(tmp_path / "parsed", identifiers)
    borders = choose_borders(tables, load_mapping(MAPPINGS / "dwc.yaml"), CONTEXT, 50)
    assert len(borders) == 49
    found = pl.DataFrame({KEY: identifiers}).select(range_number(borders).alias("n"), KEY)
    sizes = found["n"].value_counts()["count"]
    assert len(sizes) == 50
    assert sizes.max() <= 1.25 * len(identifiers) / 50  # type: ignore[operator]
    first = found.group_by("n").agg(pl.col(KEY).min()).sort("n")[KEY]
    assert first.is_sorted()
    assert first.to_list()[1:] == borders


def test_records_without_identifiers_make_no_borders(tmp_path: Path) -> None:
    tables = parsed(tmp_path / "parsed", [None] * 1_000)
    assert choose_borders(tables, load_mapping(MAPPINGS / "dwc.yaml"), CONTEXT, 5) == []
    assert pl.DataFrame({KEY: ["a", "b"]}).with_columns(n=range_number([]))["n"].to_list() == [0, 0]


def test_few_rows_for_many_buckets_are_written_together(tmp_path: Path) -> None:
    rows = Spill(tmp_path / "rows", 50)
    for batch in range(200):
        frame = pl.DataFrame({"batch": [batch] * 100, "bucket": [at % 50 for at in range(100)], "text": ["abc"] * 100})
        rows.add(frame, pl.col("bucket"))
    assert rows.pieces == 0  # less than is held
    taken = list(rows.drain())
    assert rows.pieces == len(taken) == 50
    for bucket, frame in enumerate(taken):
        assert frame["bucket"].unique().to_list() == [bucket]
        assert frame["batch"].to_list() == [batch for batch in range(200) for _ in range(2)]  # in the order added
    assert list((tmp_path / "rows").iterdir()) == []


def test_what_is_held_is_written_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "HELD_BYTES", 50_000)
    rows = Spill(tmp_path / "rows", 4)
    for batch in range(20):
        rows.add(pl.DataFrame({"n": [batch] * 100, "text": ["x" * 100] * 100}), pl.col("n") % 4)
    assert 0 < rows.pieces < 20
    assert [frame["n"].unique(maintain_order=True).to_list() for frame in rows.drain()] == [
        list(range(bucket, 20, 4)) for bucket in range(4)
    ]


def test_what_is_held_at_once_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissco_platform.opends.build.SPECIMENS_A_BUCKET", 10)
    records = [
        {
            "dwc:occurrenceID": f"https://data.example.org/{at * 37 % 60}",
            "dwc:associatedMedia": f"https://img.org/{at}.jpg",
        }
        for at in range(60)
    ]
    _, one = build(tmp_path / "one", *records, batch_rows=7)
    monkeypatch.setattr(spill, "HELD_BYTES", 1)
    _, other = build(tmp_path / "other", *records, batch_rows=7)
    for path in one.glob("*.parquet"):
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_the_measurement_of_memory_tells_a_peak_and_a_growth() -> None:
    flat = [{"records": 10, "peak_mib": 1000}, {"records": 1, "peak_mib": 900}]
    assert failures(flat, limit=1536, growth=1.4) == []
    assert len(failures(flat, limit=999, growth=1.1)) == 2


def test_records_that_were_just_read_are_not_read_again(tmp_path: Path) -> None:
    tables = parsed(tmp_path / "parsed", [f"https://data.example.org/{number}" for number in range(500)])
    whole = tables.chosen("records", pl.Series("row", range(500)))  # more than a batch: not kept
    few = pl.Series("row", [3, 70, 71, 480])
    found = tables.chosen("records", few)
    assert found.equals(whole[few.to_list()])
    (tmp_path / "parsed" / "records.parquet").rename(tmp_path / "away")
    assert tables.chosen("records", few).equals(found)
    assert tables.chosen("records", few[1:3]).equals(found[1:3])
    assert tables.chosen("records", few.clear()).height == 0
    with pytest.raises(FileNotFoundError):
        tables.chosen("records", pl.Series("row", [3, 4]))
