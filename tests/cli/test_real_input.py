"""A real collection of 31,485 crustaceans against a checklist of 432,775 names: nothing lost, nothing minted twice."""

import shutil
from pathlib import Path

import pytest

from benchmarks.chain import change_records
from tests.house import CommandLine

CHANGED = 300


@pytest.mark.shared
@pytest.mark.xdist_group("large")
def test_a_real_collection_from_archive_to_dois(shared: Path, tmp_path: Path) -> None:
    dissco = CommandLine(tmp_path / "home")
    archive = tmp_path / "crustaceans.zip"
    source = shared / "data" / "dwca" / "mnhn-crustaceans.zip"
    shutil.copyfile(source, archive)
    assert dissco.json("checklist", "use", str(shared / "data" / "coldp" / "afd.zip"))["names"] == 432_775
    dissco("dataset", "add", "crustaceans", "--source", str(archive), "--organisation", "https://ror.org/03wkt5x30")
    first = dissco.json("run", "crustaceans")
    assert first["records"] == 31_485
    outcomes = first["specimens"] + first["doi_only"] + first["held"] + first["waiting_quota"]
    assert outcomes + sum(first["rejects"].values()) == first["records"]
    assert first["dois"]["registered"] == first["specimens"] + first["doi_only"] + first["media"]
    assert first["dois"]["written"] == first["dois"]["registered"]
    again = dissco.json("run", "crustaceans")
    assert (again["ran"], again["versions"]["new"], again["versions"]["changed"]) == ([], 0, 0)
    assert again["dois"] == {**first["dois"], "written": 0}
    assert change_records(source, archive, CHANGED) == CHANGED
    changed = dissco.json("run", "crustaceans")
    assert changed["versions"]["changed"] == CHANGED
    assert changed["versions"]["new"] == changed["versions"]["missing"] == 0
    assert changed["versions"]["unchanged"] == outcomes - CHANGED
    assert dissco.json("registry", "verify", "--datacite")["findings"] == []
