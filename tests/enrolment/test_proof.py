"""Three applications from submission to the first DOI, as institutions and operators meet them: commands, real archives.

One dataset is good, one is under BY-NC (it ends with DOIs only), one has no identifiers (it is mended and published again).
"""

import json
import mailbox
import shutil
import zipfile
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from dissco_platform.cli.main import app
from dissco_platform.errors import DisscoError
from tests.enrolment.conftest import Served
from tests.house import EXAMPLES, CommandLine

DATASETS = {
    "ascidians": ("dwca/naturalis-ascidians.zip", "https://ror.org/0566bfb96", "NL"),
    "rocks": ("abcd/taltech-efg-one-unit.xml", "https://ror.org/0443cwa12", "EE"),
    "fossils": ("dwca/luxembourg-fossils.zip", "https://ror.org/05natt857", "LU"),
}


def _without_identifiers(source: Path, target: Path) -> None:
    """Copy an archive without what its meta.xml says of catalogue numbers and occurrence ids."""
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(target, "w") as made:
        for name in given.namelist():
            data = given.read(name)
            if name == "meta.xml":
                for term in (b"catalogNumber", b"occurrenceID", b"materialSampleID", b"materialEntityID"):
                    data = data.replace(b"/" + term + b'"', b"/fieldNumber" + term + b'"')
            made.writestr(name, data)


class Desk:
    """Runs the desk's commands in this process: a process each costs seconds; what runs the chain gets its own."""

    def __init__(self, process: CommandLine) -> None:
        self.process, self.home = process, process.home

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        done = CliRunner().invoke(app, arguments, catch_exceptions=True)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            assert expect and isinstance(done.exception, DisscoError), done.exception
            return str(done.exception)
        assert done.exit_code == expect, done.output
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def dissco(served: Served, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Desk":
    for slug, (path, _, _) in DATASETS.items():
        target = served.folder / f"{slug}{Path(path).suffix}"
        (_without_identifiers if slug == "fossils" else shutil.copyfile)(shared / "data" / path, target)
    monkeypatch.setenv("DISSCO_TRUSTED_HOSTS", served.host)
    monkeypatch.setenv("DISSCO_HOME", str(tmp_path / "home"))
    return Desk(CommandLine(tmp_path / "home"))


@pytest.mark.shared
def test_three_applications_reach_their_first_doi(dissco: Desk, served: Served, shared: Path, tmp_path: Path) -> None:
    dissco.process("checklist", "use", str(EXAMPLES / "checklist.zip"))
    for slug, (path, ror, country) in DATASETS.items():
        source = f"{served.url}/{slug}{Path(path).suffix}"
        contact = f"{slug}@example.org"
        dissco("enrol", "submit", slug, "--source", source, "--organisation", ror, "--contact", contact,
               "--country", country)  # fmt: skip
    found = {slug: dissco.json("enrol", "check", slug, "--page", str(tmp_path / f"{slug}.html")) for slug in DATASETS}
    assert {slug: check["not_met"] for slug, check in found.items()} == {
        "ascidians": [],
        "rocks": ["licence"],
        "fossils": ["identifiers"],
    }
    pages = {slug: (tmp_path / f"{slug}.html").read_text() for slug in DATASETS}
    assert "meets the minimum requirements" in pages["ascidians"]
    assert "choose DOIs only" in pages["rocks"] and "CC-BY-NC-4.0" in pages["rocks"]
    assert "neither a catalogue number nor a global identifier" in pages["fossils"]

    # Each provider mends what the report says.
    dissco("enrol", "amend", "rocks", "--doi-only")
    shutil.copyfile(shared / "data" / DATASETS["fossils"][0], served.folder / "fossils.zip")
    for slug in ("rocks", "fossils"):
        assert dissco.json("enrol", "check", slug)["not_met"] == []
    for slug in DATASETS:
        dissco("enrol", "decide", slug, "confirm")
        dissco("enrol", "decide", slug, "accept", "--grant-flag", "mou", "--by", "anna")
    listed = dissco.json("waiting-list", "show")
    assert [entry["application"] for entry in listed] == list(DATASETS)

    done = dissco.process.json("waiting-list", "grant", "--run", "--by", "anna")
    assert done["added"] == list(DATASETS)
    runs: dict[str, dict[str, Any]] = {run["dataset"]: run for run in done["runs"]}
    assert runs["ascidians"]["specimens"] == 14 and runs["ascidians"]["dois"]["registered"] == 28
    assert (runs["rocks"]["specimens"], runs["rocks"]["doi_only"]) == (0, 1)
    assert runs["fossils"]["specimens"] == 20
    for entry in done["grants"]:
        run = runs[entry["id"]]
        assert entry["count"] == run["dois"]["registered"], "the trial load foresaw every DOI"

    assert {entry["state"] for entry in dissco.json("enrol", "list")} == {"active"}
    assert "has had its round" in dissco("waiting-list", "grant", expect=2)
    assert dissco.json("enrol", "verify") == {"applications": 3, "rounds": 1, "findings": []}
    dissco("enrol", "letters", "--send")
    assert dissco.json("enrol", "letters", "--send") == {"sent": 0, "failed": 0, "waiting": 0}
    subjects = [letter["Subject"] for letter in mailbox.Maildir(dissco.home / "maildir")]
    assert subjects.count("rocks is not ready yet: what is missing") == 1
    assert sum(subject.startswith("The first DOI of") for subject in subjects) == 3
    assert sum(subject.endswith("is added") for subject in subjects) == 3


def test_a_round_in_dagster_records_its_inputs_and_adds_the_partition(tmp_path: Path) -> None:
    from dissco_platform.definitions import build_definitions
    from dissco_platform.enrolment import desk
    from dissco_platform.registry import open_registry
    from dissco_platform.settings import load_settings
    from tests.enrolment.test_desk import FORM, FOUND

    settings = load_settings(home=tmp_path / "home")
    registry = open_registry(settings.registry_url)
    with registry.write() as connection:
        desk.submit(connection, "moths", FORM, actor="applicant")
        desk.act(connection, "moths", "confirm", actor="applicant")
        desk.act(connection, "moths", "check", actor="desk", inputs=FOUND)
        desk.act(connection, "moths", "accept", actor="anna", inputs={"flags": {"mou": True}})
    job = build_definitions(settings).resolve_job_def("allocation_round")
    with dg.instance_for_test() as instance:
        assert job.execute_in_process(instance=instance).success
        assert instance.get_dynamic_partitions("datasets") == ["moths"]
        (event,) = instance.fetch_materializations(dg.AssetKey("waiting_list"), limit=1).records
        metadata = event.asset_materialization.metadata  # type: ignore[union-attr]
        assert metadata["granted"].value == 12_000
        assert metadata["inputs"].value["parameters"]["cap"] == 0.25  # type: ignore[index, call-overload]
        second = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not second.success, "a month is granted once"
    registry.close()
