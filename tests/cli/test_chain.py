"""The chain end to end as its users run it: commands in processes of their own, a real sandbox, real state on disk."""

import csv
import io
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import jsonpatch
import polars as pl
import pytest

from dissco_platform.registry import open_registry
from dissco_platform.search.find import Finder
from dissco_platform.search.index import behind, open_index
from dissco_platform.settings import Settings
from tests.house import EXAMPLES, ORGANISATION, CommandLine

EDITIONS = json.loads((EXAMPLES / "editions.json").read_text())["datasets"]


@pytest.fixture(scope="module")
def zoology(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two weeks of the zoological sample, each step as a command; what each said."""
    folder = tmp_path_factory.mktemp("zoology")
    dissco = CommandLine(folder / "home")
    archive = folder / "zoology.zip"
    shutil.copyfile(EXAMPLES / "week1" / "zoology.zip", archive)
    said: dict[str, Any] = {"dissco": dissco, "archive": archive}
    said["checklist"] = dissco.json("checklist", "use", str(EXAMPLES / "checklist.zip"))
    said["dataset"] = dissco.json("dataset", "add", "zoology", "--source", str(archive), "--organisation", ORGANISATION)
    said["first"] = dissco.json("run", "zoology")
    said["again"] = dissco.json("run", "zoology")
    shutil.copyfile(EXAMPLES / "week2" / "zoology.zip", archive)
    said["week2"] = dissco.json("run", "zoology")
    return said


def test_records_are_specimens_or_rejects_and_nothing_else(zoology: dict[str, Any]) -> None:
    for edition, week in (("first", "week1"), ("week2", "week2")):
        run, expected = zoology[edition], EDITIONS["zoology"][week]
        outcomes = run["specimens"] + run["doi_only"] + run["held"] + run["waiting_quota"]
        assert run["records"] == expected["core_rows"] == outcomes + sum(run["rejects"].values())
        assert sum(run["rejects"].values()) == expected["rejected"]
        assert run["doi_only"] == expected["doi_only"]
        assert run["specimens"] == expected["full"]
        assert sum(run["extension_rejects"].values()) == sum(expected["orphan_extension_rows"].values())


def test_every_specimen_and_medium_has_a_doi_at_the_service(zoology: dict[str, Any]) -> None:
    run = zoology["first"]
    assert run["dois"]["registered"] == run["specimens"] + run["doi_only"] + run["media"] == run["dois"]["written"]
    assert run["dois"]["pending"] == run["dois"]["failed"] == 0
    sandbox = sqlite3.connect(f"file:{zoology['dissco'].home / 'sandbox.sqlite'}?mode=ro", uri=True)
    tables = [row[0] for row in sandbox.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert tables
    assert zoology["dissco"].json("registry", "verify", "--datacite")["findings"] == []


def test_a_second_run_creates_nothing_and_writes_nothing(zoology: dict[str, Any]) -> None:
    again = zoology["again"]
    assert again["ran"] == []
    assert again["versions"]["new"] == again["versions"]["changed"] == 0
    assert again["versions"]["unchanged"] == again["specimens"] + again["doi_only"]
    assert again["dois"]["written"] == 0


def test_the_next_edition_makes_exactly_the_versions_it_changed(zoology: dict[str, Any]) -> None:
    expected, run = EDITIONS["zoology"]["from_week1_to_week2"], zoology["week2"]
    assert run["versions"]["new"] == expected["new"]
    assert run["versions"]["changed"] == expected["changed"]
    assert run["versions"]["missing"] == expected["vanished"]
    assert run["versions"]["unchanged"] == expected["unchanged"]
    assert "mapping" not in run["ran"] and "raw_archive" in run["ran"]
    assert run["causes"]["raw_archive"].startswith("upstream changed")


def test_a_specimen_is_readable_in_every_version(zoology: dict[str, Any]) -> None:
    dissco = zoology["dissco"]
    lines = dissco("export", "zoology", "--format", "ndjson").splitlines()
    documents = [json.loads(line) for line in lines]
    specimens = [document for document in documents if document["@type"] == "ods:DigitalSpecimen"]
    assert len(specimens) == zoology["week2"]["specimens"] + zoology["week2"]["versions"]["missing"]
    changed = next(document for document in specimens if document["ods:version"] == 2)
    doi = changed["@id"].removeprefix("https://doi.org/")
    assert json.loads(dissco("specimen", "show", doi)) == changed
    first = json.loads(dissco("specimen", "show", changed["@id"], "--version", "1"))
    assert first["ods:version"] == 1
    assert first["dcterms:created"] == changed["dcterms:created"]
    assert first != changed
    history = dissco.json("specimen", "history", doi.lower())
    assert [(row["version"], row["cause"]) for row in history] == [(1, "new"), (2, "source")]
    assert history[0]["made_from"]["archive"] != history[1]["made_from"]["archive"]
    patch = json.loads(dissco("specimen", "diff", doi, "1", "2"))
    assert jsonpatch.apply_patch(first, patch) == changed
    assert "no version 9" in dissco.refuses("specimen", "show", doi, "--version", "9")


def test_documents_are_exported_as_typed_tables(zoology: dict[str, Any], tmp_path: Path) -> None:
    dissco = zoology["dissco"]
    dissco("export", "zoology", "--format", "parquet", "-o", str(tmp_path / "tables"))
    lines = [json.loads(line) for line in dissco("export", "zoology", "--format", "ndjson").splitlines()]
    for kind, name in (("ods:DigitalSpecimen", "specimens"), ("ods:DigitalMedia", "media")):
        table = pl.read_parquet(tmp_path / "tables" / f"{name}.parquet")
        documents = [line for line in lines if line["@type"] == kind]
        assert table["@id"].to_list() == [line["@id"] for line in documents]
    said = dissco.process("export", "zoology", "--format", "parquet")
    assert (said.returncode, "-o FOLDER" in said.stderr) == (2, True)


def test_the_doi_list_is_for_the_collection_system(zoology: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "dois.csv"
    zoology["dissco"]("export", "zoology", "--format", "doi-list", "-o", str(target))
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert list(rows[0]) == ["catalogNumber", "occurrenceID", "DOI"]
    run = zoology["week2"]
    assert len(rows) == run["specimens"] + run["doi_only"] + run["versions"]["missing"]
    assert len({row["DOI"] for row in rows}) == len(rows)
    assert all(
        re.fullmatch(r"https://doi\.org/10\.5555/[A-Z0-9]{3}-[A-Z0-9]{3}-[A-Z0-9]{3}", row["DOI"]) for row in rows
    )


def test_the_doi_service_agrees_with_the_registry(zoology: dict[str, Any]) -> None:
    dissco = zoology["dissco"]
    registered = zoology["week2"]["dois"]["registered"]
    assert dissco.json("doi", "status")["registered"] == registered
    assert dissco.json("doi", "reconcile") == {"at_datacite": registered, "differences": []}
    assert dissco.json("doi", "dead-letters") == []
    assert dissco.json("doi", "drain")["written"] == 0
    assert "There is no dataset" in dissco.refuses("doi", "retry", "--dataset", "nobody")


def test_status_and_dataset_show_what_is_there(zoology: dict[str, Any]) -> None:
    dissco, run = zoology["dissco"], zoology["week2"]
    status = dissco.json("status")[0]
    assert status["registered"] == run["dois"]["registered"]
    assert dissco.json("dataset", "list")[0]["organisation"] == ORGANISATION
    shown = dissco.json("dataset", "show", "zoology")
    assert shown["source_system"] == zoology["dataset"]["source_system"]
    assert shown["made_from"]["archive"]


def test_a_mapping_fix_rebuilds_documents_and_reads_no_archive(zoology: dict[str, Any], tmp_path: Path) -> None:
    dissco = zoology["dissco"]
    mappings = tmp_path / "mappings"
    shutil.copytree(Path(__file__).resolve().parents[2] / "mappings", mappings)
    base = mappings / "dwc.yaml"
    base.write_text(base.read_text() + "\n# a comment changes nothing\n")
    home = tmp_path / "home"
    shutil.copytree(dissco.home, home)
    fixed = CommandLine(home, {"DISSCO_MAPPINGS": str(mappings)})
    assert fixed.json("run", "zoology")["ran"] == []
    (mappings / "datasets").mkdir(exist_ok=True)
    (mappings / "datasets" / "zoology.yaml").write_text(OVERRIDE)
    preview = fixed.json("mapping", "preview", "zoology")
    records = zoology["week2"]["specimens"] + zoology["week2"]["doi_only"]
    assert (preview["changed"], preview["appearing"], preview["vanishing"]) == (records, 0, 0)
    assert preview["terms"] == {"dcterms:rightsHolder": zoology["week2"]["specimens"]}
    run = fixed.json("run", "zoology")
    assert run["ran"] == ["mapping", "digital_specimens", "registered_dois", "search_index"]
    assert run["versions"]["changed"] == run["specimens"]
    assert run["versions"]["new"] == 0
    shown = fixed("export", "zoology", "--format", "ndjson").splitlines()
    document = next(found for line in shown if (found := json.loads(line)).get("ods:version") == 2)
    assert document["dcterms:rightsHolder"] == "The museum that found the mistake"
    doi = document["@id"].removeprefix("https://doi.org/")
    assert fixed.json("specimen", "history", doi)[-1]["cause"] == "mapping"


def test_the_search_follows_a_withdrawal_and_a_merge_at_once(zoology: dict[str, Any], tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(zoology["dissco"].home, home)
    dissco, settings = CommandLine(home), Settings(home=home)
    listed = [line.rsplit("/", 2)[1:] for line in dissco("export", "zoology", "--format", "doi-list").splitlines()[1:]]
    one, two, three = ("/".join(found) for found in listed[:3])
    registry, index = open_registry(settings.registry_url), open_index(settings.search_url)
    finder = Finder(index)
    assert finder.card(one.partition("/")[2])
    for arguments in (("withdraw", one), ("merge", two, "--into", three)):
        dissco("specimen", *arguments, "--reason", "A trial.", "--yes")
        assert behind(index, registry) == [], arguments
    registry.close()
    index.close()


OVERRIDE = """
ods:DigitalSpecimen:
  records:
    dcterms:rightsHolder: { constant: The museum that found the mistake }
"""


def test_a_low_mids_level_and_unknown_values_are_explained(zoology: dict[str, Any]) -> None:
    dissco = zoology["dissco"]
    told = dissco.json("mapping", "explain", "zoology", "ods:midsLevel")
    assert sum(told["levels"].values()) >= sum(1 for row in told["lacking"] if row["specimens"]) > 0
    assert all(row["terms"] and row["columns"] for row in told["lacking"])
    listed = dissco("export", "zoology", "--format", "doi-list").splitlines()  # the missing have no catalogue number
    doi = next(line.rsplit(",", 1)[1] for line in listed[1:] if not line.startswith(","))
    shown = dissco.process("specimen", "show", doi)
    level = json.loads(shown.stdout).get("ods:midsLevel")
    if level is not None and level < 3:
        assert f"MIDS level {level}; for level {level + 1} it lacks" in " ".join(shown.stderr.split())
    assert isinstance(dissco.json("mapping", "unmatched", "zoology"), list)


def test_the_schema_and_the_context_are_printed_from_the_models_table(zoology: dict[str, Any]) -> None:
    dissco = zoology["dissco"]
    schema = json.loads(dissco("mapping", "schema", "media"))
    assert schema["$ref"] == "#/$defs/ods:DigitalMedia"
    assert "ac:accessURI" in schema["$defs"]["ods:DigitalMedia"]["required"]
    assert json.loads(dissco("mapping", "context"))["@context"]["dwc"] == "http://rs.tdwg.org/dwc/terms/"


def test_an_institution_goes_by_the_name_that_ror_gives_it(tmp_path: Path) -> None:
    dump = tmp_path / "ror.json"
    names = [{"value": "A Museum of Nature", "types": ["ror_display", "label"], "lang": "en"}]
    record = {
        "id": ORGANISATION,
        "names": names,
        "status": "active",
        "locations": [],
        "external_ids": [],
        "relationships": [],
    }
    dump.write_text(json.dumps([record]))
    dissco = CommandLine(tmp_path / "home", {"DISSCO_ROR_DUMP": str(dump)})
    added = dissco.json("dataset", "add", "one", "--source", "one.zip", "--organisation", ORGANISATION)
    assert added["organisation_name"] == "A Museum of Nature"
    dissco.environment["DISSCO_ROR_DUMP"] = str(tmp_path / "none.json")
    said = dissco.process("dataset", "add", "two", "--source", "two.zip", "--organisation", ORGANISATION)
    assert said.returncode == 0
    assert "was not looked up" in " ".join(said.stderr.split())
