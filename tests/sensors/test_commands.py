"""The same work from the command line: one, several or all datasets; what stands where; a defect in one sentence."""

import json
import sys
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import insert, select

from dissco_platform.assets.recording import FORCE_TAG, latest
from dissco_platform.cli import main as entry
from dissco_platform.registry.tables import digital_object, outbox, version
from dissco_platform.sensors.jobs import CHAIN_JOBS
from dissco_platform.sensors.requesting import TARGET_TAG
from tests.sensors.house import FULL, AutomatedHouse
from tests.sensors.publisher import write_archive
from tests.sensors.test_scenarios import edit_mapping

Dissco = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def dissco(house: AutomatedHouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dissco:
    """Run a command over the house's state in this process: exit code, output (JSON where asked for), messages."""
    monkeypatch.setenv("DISSCO_HOME", str(house.home))
    monkeypatch.setenv("DISSCO_MAPPINGS", str(house.mappings))
    monkeypatch.setenv("DISSCO_REGISTRY", house.settings.registry_url)
    monkeypatch.setenv("DISSCO_DATACITE_URL", house.settings.datacite_url or "")

    def call(*arguments: str) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["dissco", *arguments])
        capsys.readouterr()
        code = 0
        try:
            entry()
        except SystemExit as done:
            code = int(done.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return (
            code,
            json.loads(said.out) if "--json" in arguments and said.out else said.out,
            " ".join(said.err.split()),
        )

    return call


def test_all_datasets_are_run_and_a_failure_delays_no_other(house: AutomatedHouse, dissco: Dissco) -> None:
    (house.home / "alpha-copy.zip").write_bytes(b"this is no archive")
    house.add("aardvark", str(house.home / "alpha-copy.zip"))  # the first in order
    write_archive(house.home / "beta.zip", 100, 31)
    code, results, _ = dissco("run", "--all", "--json")
    assert code == 1
    assert {result["dataset"]: result["ran"] for result in results} == {
        "aardvark": [],
        "alpha": [],
        "beta": [
            "raw_archive",
            "parsed_records",
            "taxon_harmonised",
            "digital_specimens",
            "registered_dois",
            "search_index",
        ],
    }
    assert "alpha-copy.zip" in results[0]["failure"]
    assert results[2]["versions"]["new"] == 1
    assert dissco("run")[0] == 2 and dissco("run", "--all", "beta")[0] == 2


def test_a_full_rebuild_makes_all_anew_and_no_version_where_nothing_differs(
    house: AutomatedHouse, dissco: Dissco
) -> None:
    code, result, _ = dissco("run", "beta", "--job", "full_rebuild", "--json")
    assert (code, set(result["ran"])) == (0, set(FULL))
    assert result["versions"]["unchanged"] == 30 and result["versions"]["new"] == result["versions"]["changed"] == 0
    made = {asset: latest(house.instance, asset, "beta") for asset in FULL}
    assert {asset for asset, found in made.items() if found and found.metadata["reused"].value} == set()
    built = made["digital_specimens"]
    assert built is not None and (built.number("rendered"), built.number("carried_over")) == (30, 0)
    (run,) = house.instance.get_runs(dg.RunsFilter(tags={FORCE_TAG: "true"}))
    assert run.tags["dagster/partition"] == "beta"
    assert house.settle() == []
    code, result, _ = dissco("run", "beta", "--job", "remap", "--json")
    assert (code, result["ran"], result["versions"]["changed"]) == (
        0,
        ["mapping", "digital_specimens", "registered_dois", "search_index"],
        0,
    )


def test_jobs_for_people_take_one_several_or_all_datasets(house: AutomatedHouse, dissco: Dissco) -> None:
    jobs = {job.name for job in house.definitions.resolve_all_job_defs()}
    assert {*CHAIN_JOBS, "drain_dois", "retention_sweep", "preview_release", "adopt_release"} <= jobs
    assert house.definitions.resolve_job_def("full_rebuild").tags[FORCE_TAG] == "true"
    for name in CHAIN_JOBS:
        assert house.definitions.resolve_job_def(name).partitions_def is not None
    edit_mapping(house, "beta", "One")
    house.settle()
    assert dissco("run", "--job", "retention_sweep", "alpha", "beta")[1].startswith(
        "retention_sweep: done for 2 datasets"
    )
    queue_one_again(house, "beta")
    assert dissco("run", "--job", "drain_dois", "--all")[0] == 0
    records = house.instance.fetch_observations(dg.AssetKey("registered_dois"), limit=10).records
    (seen,) = [record.asset_observation for record in records if record.asset_observation]
    assert seen.partition == "beta"
    assert {name: seen.metadata[name].value for name in ("dois_sent", "dois_waiting", "dois_refused")} == {
        "dois_sent": 1,
        "dois_waiting": 0,
        "dois_refused": 0,
    }


def queue_one_again(house: AutomatedHouse, slug: str) -> None:
    """Queue what DataCite is told of a dataset's first specimen once more."""
    with house.registry.write() as connection:
        o, v = digital_object.c, version.c
        row = connection.execute(
            select(o.id, o.version, o.visible_hash, v.batch_id)
            .join(version, (v.object_id == o.id) & (v.version == o.version))
            .where(o.dataset == slug)
            .limit(1)
        ).one()
        connection.execute(
            insert(outbox).values(
                object_id=row.id, dataset=slug, lane=2, version=row.version, batch_id=row.batch_id, state="queued",
                visible_hash=row.visible_hash, attempts=0, not_before=0.0, leased_until=0.0,
            )
        )  # fmt: skip


def test_a_dataset_that_was_given_up_is_shown_and_can_be_tried_again(house: AutomatedHouse, dissco: Dissco) -> None:
    (house.home / "beta.zip").write_bytes(b"this is no archive")
    house.look(all_of_them=True)
    target = next(standing.target for standing in house.tick().standings if standing.slug == "beta")
    job = house.definitions.resolve_implicit_global_asset_job_def()
    for _ in range(house.policy.attempts):
        run = house.instance.create_run_for_job(job, tags={TARGET_TAG: target}, status=dg.DagsterRunStatus.STARTED)
        house.instance.report_run_failed(run)
    code, rows, _ = dissco("status", "--json")
    stands = {row["dataset"]: (row["stands"], row["cause"]) for row in rows}
    assert code == 0 and stands["alpha"] == ("up to date", "")
    assert stands["beta"] == ("needs a person", "given up after 8 failed runs")
    assert "dissco dataset retry beta" in dissco("status")[2]
    first = house.sensor("reconciler")
    house.sensor("reconciler", first.cursor)
    (line,) = (house.home / "incidents.ndjson").read_text().splitlines()  # people are told once
    assert (
        json.loads(line)["kind"] == "needs a person" and "given up after 8 failed runs" in json.loads(line)["sentence"]
    )
    assert dissco("dataset", "retry", "beta")[0] == 0
    _, rows, _ = dissco("status", "--json")
    assert {row["dataset"]: row["stands"] for row in rows} == {"alpha": "up to date", "beta": "stale"}


def test_a_pin_is_made_shown_everywhere_and_taken_off(house: AutomatedHouse, dissco: Dissco) -> None:
    edit_mapping(house, "beta", "A mistake")
    house.settle()
    _, versions, _ = dissco("dataset", "versions", "beta", "--json")
    mappings = [row for row in versions if row["what"] == "mapping"]
    assert [row["state"] for row in mappings] == ["in force", ""]
    code, said, _ = dissco(
        "dataset", "pin", "beta", "--mapping", mappings[1]["version"][:6], "--reason", "lost values", "--json"
    )
    assert code == 0 and said["mapping"]["version"] == mappings[1]["data_version"]
    _, result, _ = dissco("run", "beta", "--json")
    assert (
        result["ran"] == ["mapping", "digital_specimens", "registered_dois", "search_index"]
        and result["versions"]["changed"] == 30
    )
    assert "(pinned)" in result["causes"]["mapping"]
    assert "lost values" in dissco("dataset", "show", "beta")[1]
    assert "beta is pinned: mapping" in dissco("status")[2]
    assert dissco("dataset", "pin", "beta", "--checklist", "1999")[2].startswith(
        "Error: '1999' is none of the checklists"
    )
    assert dissco("dataset", "pin", "beta")[0] == 2
    assert "Nothing of beta is pinned" in dissco("dataset", "unpin", "beta")[1]
    assert dissco("run", "beta", "--json")[1]["versions"]["changed"] == 30


def test_a_defect_is_one_sentence_and_a_log_file(
    house: AutomatedHouse, dissco: Dissco, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody expected\nthis second line")

    monkeypatch.setattr("dissco_platform.cli.runs.count_objects", broken)
    code, _, said = dissco("status")
    assert code == 70 and "a defect of this software: ZeroDivisionError: nobody expected." in said
    (log,) = (house.home / "logs").iterdir()
    assert str(log) in said and "this second line" in log.read_text() and "Traceback" in log.read_text()
    # In a step of a run as well: the run's own traceback goes to the log.
    monkeypatch.setattr("dissco_platform.assets.mapping.mappings_in_force", broken)
    edit_mapping(house, "beta", "Another")
    code, _, said = dissco("run", "beta")
    assert code == 1 and "mapping failed with an unexpected error" in said and "second line" not in said
    assert len(list((house.home / "logs").iterdir())) == 2
