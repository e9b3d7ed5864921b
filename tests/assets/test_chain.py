"""The chain inside Dagster: what is recorded, what is stale, and that unchanged inputs mean no work."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dissco_platform.assets.partitions import DEPENDENCIES, below
from dissco_platform.assets.recording import latest
from dissco_platform.cli.house import House
from dissco_platform.cli.running import make_checklist, run_dataset
from dissco_platform.definitions import build_definitions
from dissco_platform.errors import RunFailedError
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.enrolment import save_application
from dissco_platform.settings import Settings, load_settings
from tests.house import EXAMPLES, ORGANISATION


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("chain") / "home")


@pytest.fixture(scope="module")
def house(settings: Settings) -> Iterator[House]:
    archive = settings.home.parent / "fossils.zip"
    shutil.copyfile(EXAMPLES / "week1" / "fossils.zip", archive)
    with House(settings) as opened:
        make_checklist(opened, str(EXAMPLES / "checklist.zip"))
        with opened.registry.write() as connection:
            add_dataset(
                connection,
                slug="fossils",
                source=str(archive),
                organisation_id=ORGANISATION,
                organisation_name=None,
                source_system_id="https://hdl.handle.net/20.5000.1025/AAA-BBB-CC1",
                doi_only=False,
            )
        run_dataset(opened, "fossils")
        yield opened


def test_the_graph_is_the_chain(settings: Settings) -> None:
    graph = build_definitions(settings).resolve_asset_graph()
    for asset, made_from in DEPENDENCIES.items():
        node = graph.get(dg.AssetKey(asset))
        assert {key.to_user_string() for key in node.parent_keys} == set(made_from)
        assert node.description and node.owners and node.group_name and node.code_version
        assert node.is_partitioned == (asset != "catalogue_of_life")


def test_every_materialisation_says_what_it_holds_and_what_it_was_made_from(house: House) -> None:
    for asset in DEPENDENCIES:
        made = latest(house.instance, asset, "fossils")
        assert made is not None
        assert made.data_version
        assert made.made_from["code"]
        assert "seconds" in made.metadata
        for dependency in DEPENDENCIES[asset]:
            if (asset, dependency) == ("digital_specimens", "mapping"):
                continue  # of the mapping, only that of the archive's own kind
            above = latest(house.instance, dependency, "fossils")
            assert above is not None
            assert made.made_from[dependency] == above.data_version
    raw = latest(house.instance, "raw_archive", "fossils")
    assert raw is not None and raw.text("sha256") == raw.data_version
    lineage = latest(house.instance, "digital_specimens", "fossils")
    assert lineage is not None
    columns = lineage.metadata["dagster/column_lineage"].value.deps_by_column
    assert columns["ods:Event dwc:eventDate"][0].column_name == "records.dwc:eventDate"


def test_checks_sit_on_the_assets_and_say_how_bad_it_is(house: House) -> None:
    seen = {}
    for event in house.instance.all_logs(_latest_run(house), of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        evaluation = event.get_dagster_event().asset_check_evaluation_data
        seen[f"{evaluation.asset_key.to_user_string()}.{evaluation.check_name}"] = evaluation
    assert seen["parsed_records.rows_accounted_for"].passed
    assert seen["digital_specimens.records_accounted_for"].passed
    assert seen["digital_specimens.documents_valid"].passed
    assert seen["registered_dois.specimens_accounted_for"].passed
    assert seen["taxon_harmonised.names_matched"].severity == dg.AssetCheckSeverity.WARN


def test_an_asset_whose_inputs_are_unchanged_does_no_work(house: House) -> None:
    before = {asset: latest(house.instance, asset, "fossils") for asset in DEPENDENCIES}
    store = sorted(path for path in house.store.root.rglob("*") if path.is_file())
    chain = [dg.AssetKey(asset) for asset in DEPENDENCIES if asset != "catalogue_of_life"]
    job = build_definitions(house.settings).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=house.instance, partition_key="fossils", asset_selection=chain)
    assert result.success
    for asset in chain:
        name = asset.to_user_string()
        again, earlier = latest(house.instance, name, "fossils"), before[name]
        assert again is not None and earlier is not None
        assert again.run_id == result.run_id
        assert again.data_version == earlier.data_version
        assert again.metadata["reused"].value is True
        assert again.made_from == earlier.made_from
    assert sorted(path for path in house.store.root.rglob("*") if path.is_file()) == store
    assert run_dataset(house, "fossils")["ran"] == []


def test_an_archive_republished_with_equal_content_makes_nothing_below_the_parsing(house: House) -> None:
    import zipfile

    archive = house.settings.home.parent / "fossils.zip"
    with zipfile.ZipFile(EXAMPLES / "week1" / "fossils.zip") as old:
        members = {name: old.read(name) for name in reversed(old.namelist())}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as new:
        for name, data in members.items():
            new.writestr(name, data)
    run = run_dataset(house, "fossils")
    assert run["ran"][:2] == ["raw_archive", "parsed_records"]
    assert (run["versions"]["new"], run["versions"]["changed"], run["dois"]["written"]) == (0, 0, 0)
    names = latest(house.instance, "taxon_harmonised", "fossils")
    assert names is not None and names.metadata["reused"].value is True
    assert run_dataset(house, "fossils")["ran"] == []


def test_a_lost_table_is_made_again(house: House) -> None:
    parsed = latest(house.instance, "parsed_records", "fossils")
    assert parsed is not None
    shutil.rmtree(house.store.path("parsed_records", "fossils", parsed.data_version))
    run = run_dataset(house, "fossils")
    assert run["causes"] == {"parsed_records": "its tables are not in the store"}
    assert (run["versions"]["new"], run["versions"]["changed"]) == (0, 0)


def test_a_step_that_fails_says_the_sentence_that_the_command_line_says(house: House, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no archive at all")
    with house.registry.write() as connection:
        add_dataset(
            connection,
            slug="notes",
            source=str(tmp_path / "notes.txt"),
            organisation_id=ORGANISATION,
            organisation_name=None,
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-BBB-CC2",
            doi_only=False,
        )
    with pytest.raises(Exception, match="notes") as raised:
        run_dataset(house, "notes")
    failures = house.instance.all_logs(_latest_run(house), of_type=dg.DagsterEventType.STEP_FAILURE)
    assert failures[0].get_dagster_event().step_failure_data.user_failure_data.description == str(raised.value)


def test_what_lies_below_an_asset() -> None:
    assert below({"mapping"}) == {"mapping", "digital_specimens", "registered_dois", "search_index"}
    assert below({"catalogue_of_life"}) == {
        "catalogue_of_life",
        "taxon_harmonised",
        "digital_specimens",
        "registered_dois",
        "search_index",
    }


def _latest_run(house: House) -> str:
    return house.instance.get_run_records(limit=1)[0].dagster_run.run_id


def test_an_enrolled_strangers_address_may_not_lie_on_our_own_network(house: House, tmp_path: Path) -> None:
    refusals = {
        "inside": ("http://127.0.0.1:8080/archive.zip", "private network"),
        "local": (str(tmp_path / "archive.zip"), "not an http"),
    }
    for slug, (source, said) in refusals.items():
        with house.registry.write() as connection:
            save_application(
                connection, {"slug": slug, "state": "granted", "registered": "2026-01-01T00:00:00.000Z", "body": "{}"}
            )
            add_dataset(
                connection,
                slug=slug,
                source=source,
                organisation_id=ORGANISATION,
                organisation_name=None,
                source_system_id=f"https://hdl.handle.net/20.5000.1025/{slug}",
                doi_only=False,
            )
        with pytest.raises(RunFailedError, match=said):
            run_dataset(house, slug)
