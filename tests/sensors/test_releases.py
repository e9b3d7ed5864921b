"""A new release of the checklist: noticed, announced once, previewed, and taken into use by a person alone."""

import json
import shutil
import zipfile
from pathlib import Path

import dagster as dg
import orjson
import pytest

from dissco_platform.assets.recording import latest
from dissco_platform.definitions import build_definitions
from dissco_platform.errors import ChecklistError
from dissco_platform.names.releases import read_listing
from dissco_platform.registry.pins import CHECKLIST, set_pin
from dissco_platform.registry.releases import noticed_releases
from dissco_platform.sensors.requesting import CAUSE_TAG
from tests.house import EXAMPLES
from tests.sensors.house import AutomatedHouse
from tests.sensors.test_pins import next_release
from tests.sensors.test_scenarios import NAMED


@pytest.fixture
def listing(house: AutomatedHouse) -> Path:
    folder = house.home / "releases"
    folder.mkdir()
    shutil.copyfile(EXAMPLES / "checklist.zip", folder / "2026-10.zip")
    settings = house.settings.model_copy(update={"checklist_releases": str(folder)})
    house.definitions = build_definitions(settings)
    return folder


def execute(house: AutomatedHouse, asset: str, **config: object) -> bool:
    result = house.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "ops": {asset: {"config": config}},
        },
        instance=house.instance,
        asset_selection=[dg.AssetKey(asset)],
        raise_on_error=False,
    )
    return result.success


def test_a_release_is_announced_once_and_changes_nothing_before_it_is_adopted(
    house: AutomatedHouse, listing: Path
) -> None:
    assert "no release is newer than ExampleList 2026-10" in (house.sensor("checklist_releases").skip_message or "")
    usages = "Arietites bucklandi"
    next_release(listing / "2026-11.zip", (usages, "Arietites renamed"))
    found = house.sensor("checklist_releases")
    (request,) = found.run_requests or []
    assert request.tags[CAUSE_TAG] == "new release ExampleList 2026-11"
    assert request.run_config["ops"]["next_checklist"]["config"] == {"release": "2026-11"}
    (line,) = (house.home / "incidents.ndjson").read_text().splitlines()
    notice = json.loads(line)
    assert notice["kind"] == "new release" and "dissco col adopt 2026-11" in notice["sentence"]
    assert not house.sensor("checklist_releases").run_requests

    present = latest(house.instance, "catalogue_of_life", None)
    with house.registry.write() as connection:
        assert present is not None
        set_pin(connection, "beta", CHECKLIST, version=present.data_version, label="ExampleList 2026-10", by="anna")
    assert execute(house, "next_checklist", release="2026-11")
    made = latest(house.instance, "next_checklist", None)
    assert made is not None and "**" not in str(made.metadata["summary"].value)
    with house.registry.read() as connection:
        effect = next(r for r in noticed_releases(connection) if r.key == "2026-11").effect
    alpha = effect["datasets"]["alpha"]
    assert (effect["datasets"]["beta"]["pinned"], alpha["pinned"]) == (True, False)
    assert alpha["accepted_changed"] == len(alpha["examples"]) == 2  # with and without its author
    assert {change["before"] for change in alpha["examples"]} == {usages}
    assert alpha["records_changed"] == sum(change["records"] for change in alpha["examples"]) == 2
    assert house.settle() == []  # a preview is no change

    assert execute(house, "catalogue_of_life", release="2026-11", adopted_by="anna")
    now_in_use = latest(house.instance, "catalogue_of_life", None)
    assert now_in_use is not None and now_in_use.data_version == made.data_version  # the preview's index is used
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.rendered) == ("alpha", NAMED, alpha["records_changed"])
    assert ran.cause == "taxon_harmonised: col ExampleList 2026-10 → ExampleList 2026-11"
    with house.registry.read() as connection:
        assert next(r for r in noticed_releases(connection) if r.key == "2026-11").adopted_by == "anna"


def test_a_release_that_loses_the_names_in_use_does_not_pass(house: AutomatedHouse, listing: Path) -> None:
    with zipfile.ZipFile(EXAMPLES / "checklist.zip") as old, zipfile.ZipFile(listing / "2026-11.zip", "w") as new:
        new.writestr("metadata.yaml", old.read("metadata.yaml").decode().replace("2026-10", "2026-11"))
        rows = old.read("NameUsage.tsv").decode().splitlines(keepends=True)
        fresh = [row if "\tgenus\t" not in row and "\tspecies\t" not in row else "X" + row for row in rows]
        new.writestr("NameUsage.tsv", "".join(fresh))  # other identifiers for genera and species
    house.sensor("checklist_releases")
    assert execute(house, "next_checklist", release="2026-11")
    made = latest(house.instance, "next_checklist", None)
    assert made is not None and "ids in use are gone" in str(made.metadata["summary"].value)
    assert not execute(house, "catalogue_of_life", release="2026-11")
    assert house.settle() == []
    assert execute(house, "catalogue_of_life", release="2026-11", accept=True)


def test_another_file_at_the_source_in_use_is_noticed_as_a_release(house: AutomatedHouse) -> None:
    source = house.home / "latest.zip"
    shutil.copyfile(EXAMPLES / "checklist.zip", source)
    house.checklist(source)
    assert not house.sensor("checklist_releases").run_requests
    next_release(source)
    (request,) = house.sensor("checklist_releases").run_requests or []
    assert request.run_config["ops"]["next_checklist"]["config"] == {"release": "latest"}
    assert house.settle() == []


def test_a_listing_of_checklistbank_is_read_and_another_thing_is_refused() -> None:
    entries = [
        {
            "key": 310463,
            "alias": "COL26.9",
            "version": "2026-09-14",
            "issued": "2026-09-14",
            "title": "Catalogue of Life",
        },
        {"key": 311000, "alias": "COL26.10", "version": "2026-10-12", "issued": "2026-10-12"},
        {"key": 311500, "alias": "COL26.11", "version": "2026-11-09", "issued": "2026-11-09", "private": True},
    ]
    content = orjson.dumps({"offset": 0, "limit": 3, "result": entries})
    found = read_listing("https://api.example/dataset", content, "https://files.example/{issued}_coldp.zip")
    assert [(release.key, release.label) for release in found] == [
        ("311000", "COL26.10 2026-10-12"),
        ("310463", "COL26.9 2026-09-14"),
    ]
    assert found[0].source == "https://files.example/2026-10-12_coldp.zip"
    for wrong, download in ((b"<html>", "{key}"), (b"{}", "{key}"), (content, "{colour}")):
        with pytest.raises(ChecklistError, match="is no listing of releases"):
            read_listing("https://api.example/dataset", wrong, download)
