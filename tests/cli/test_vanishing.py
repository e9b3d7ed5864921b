"""Specimens that vanish upstream, through the commands that an operator uses."""

import json
from pathlib import Path

import pytest

from tests.house import EXAMPLES, ORGANISATION, CommandLine

HEADER = "occurrenceID,catalogNumber,basisOfRecord,scientificName,institutionCode,license\n"


def table(*numbers: int) -> str:
    licence = "http://creativecommons.org/publicdomain/zero/1.0/"
    rows = [f"https://museum.example/{n},{n},PreservedSpecimen,Parus major,M,{licence}\n" for n in numbers]
    return HEADER + "".join(rows)


@pytest.fixture
def dissco(tmp_path: Path) -> CommandLine:
    command = CommandLine(tmp_path / "home")
    command("checklist", "use", str(EXAMPLES / "checklist.zip"))
    (tmp_path / "birds.csv").write_text(table(*range(20)))
    command("dataset", "add", "birds", "--source", str(tmp_path / "birds.csv"), "--organisation", ORGANISATION)
    assert command.json("run", "birds")["specimens"] == 20
    return command


def test_unchanged_looks_count_as_harvests_and_a_tombstone_follows(dissco: CommandLine) -> None:
    source = dissco.home.parent / "birds.csv"
    source.write_text(table(*range(19)))
    run = dissco.json("run", "birds")
    assert (run["versions"]["missing"], run["versions"]["tombstoned"]) == (1, 0)
    listed = dissco("export", "birds", "--format", "doi-list").splitlines()
    assert [line for line in listed if line.startswith("19,https://museum.example/19,https://doi.org/")]
    assert dissco.json("run", "birds")["ran"] == []
    run = dissco.json("run", "birds")
    assert run["ran"] == ["registered_dois", "search_index"]
    assert run["causes"] == {"registered_dois": "1 tombstones or decisions are due"}
    assert (run["versions"]["missing"], run["versions"]["tombstoned"], run["dois"]["written"]) == (0, 1, 1)
    assert dissco.json("run", "birds")["ran"] == []
    assert len(dissco("export", "birds", "--format", "ndjson").splitlines()) == 19
    assert dissco.json("registry", "verify", "--datacite")["findings"] == []
    source.write_text(table(*range(20)))
    run = dissco.json("run", "birds")
    assert (run["versions"]["new"], run["versions"]["changed"], run["versions"]["tombstoned"]) == (0, 1, 0)
    documents = [json.loads(line) for line in dissco("export", "birds", "--format", "ndjson").splitlines()]
    assert sorted(document["ods:version"] for document in documents) == [1] * 19 + [3]


def test_a_mass_disappearance_waits_for_an_operators_word(dissco: CommandLine) -> None:
    (dissco.home.parent / "birds.csv").write_text(table(*range(5)))
    for _ in range(4):
        run = dissco.json("run", "birds")
    assert (run["versions"]["missing"], run["versions"]["tombstoned"]) == (15, 0)
    assert dissco.json("dataset", "confirm", "birds", "--yes")["confirmed"] == 15
    run = dissco.json("run", "birds")
    assert run["versions"]["tombstoned"] == 15
    assert dissco.json("dataset", "confirm", "birds", "--yes")["confirmed"] == 0
