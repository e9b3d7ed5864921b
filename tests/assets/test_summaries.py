"""What materialisations say of large tables is the same however many pieces they are looked at in."""

from pathlib import Path

import polars as pl
import pytest

from dissco_platform.assets import summaries


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_the_commonest_rejects_and_the_first_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(summaries, "ROWS", rows)
    reasons = ["short", "bad number", "short", "short", "bad number"]
    pl.DataFrame(
        {
            "row": range(5),
            "source_file": ["a.txt"] * 4 + ["b.txt"],
            "source_line": [9, 5, 3, 7, 2],
            "reason": reasons,
            "message": [f"{reason} in {at}" for at, reason in enumerate(reasons)],
        }
    ).write_parquet(tmp_path / "rejects.parquet")
    told = summaries.parsed_text(tmp_path, "archive.zip", 10).splitlines()
    assert told[0] == "**10 records** were read; 5 rows of all files were set aside."
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told[4:] if line.startswith("|")]
    assert found == [
        ["a.txt", "short", "3", "3", "short in 2"],
        ["a.txt", "bad number", "1", "5", "bad number in 1"],
        ["b.txt", "bad number", "1", "2", "bad number in 4"],
    ]


def test_of_the_doubtful_names_those_that_most_records_bear(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "name_key": ["1", "2", "3"],
            "dwc:scientificName": ["Felis catus", "Felis nova", "Felis x"],
            "matchType": ["exact", "none", "fuzzy"],
            "confidence": [1.0, 0.0, 0.8],
            "acceptedName": ["Felis catus", None, "Felis y"],
        }
    ).write_parquet(tmp_path / "names.parquet")
    told = summaries.names_text(
        tmp_path / "names.parquet", "List", {"exact": 5, "none": 2, "fuzzy": 7}, [("3", 7), ("2", 2)]
    )
    assert told.startswith("**5 of 14 records**")
    rows = [line for line in told.splitlines() if "Felis" in line]
    assert "Felis x" in rows[0] and "probably misspelt" in rows[0] and "Felis y" in rows[0] and "| 7 |" in rows[0]
    assert "Felis nova" in rows[1] and "not found" in rows[1] and len(rows) == 2
