"""Sensors and schedule as Dagster evaluates them: what they ask for, what they leave in its event log."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import dagster as dg
import pytest

from dissco_platform.http import HttpClient, Validators
from dissco_platform.registry.watch import get_watch, set_watch
from dissco_platform.sensors.looking import WEEK, Held, Pace, look_round
from tests.sensors.house import AutomatedHouse
from tests.sensors.publisher import Publisher, write_archive


def test_every_look_is_an_observation_also_an_unchanged_one(house: AutomatedHouse, publisher: Publisher) -> None:
    with house.registry.write() as connection:
        for slug in ("alpha", "beta"):
            set_watch(connection, slug, due=None)
    publisher.down = True
    found = house.sensor("upstream")
    seen = {event.partition: event for event in found.asset_events}
    assert {slug: event.metadata["changed"].value for slug, event in seen.items()} == {"alpha": "unknown", "beta": "no"}
    assert "cannot be reached" in (seen["alpha"].description or "")
    assert "2 of 2 due sources" in (found.skip_message or "")
    assert house.sensor("upstream").skip_message == "no look is due"


def test_a_new_dataset_becomes_a_partition_and_is_asked_for(house: AutomatedHouse) -> None:
    write_archive(house.home / "gamma.zip", 200, 5)
    house.add("gamma", str(house.home / "gamma.zip"))
    found = house.sensor("reconciler")
    (request,) = found.run_requests or []
    assert request.partition_key == "gamma" and request.tags["cause"] == "new dataset"
    assert "gamma" in house.instance.get_dynamic_partitions("datasets")
    (overview,) = found.asset_events
    table = overview.metadata["datasets"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [(row.data["dataset"], row.data["state"]) for row in table.records] == [
        ("gamma", "requested"),
        ("alpha", "up to date"),
        ("beta", "up to date"),
    ]
    assert overview.metadata["up_to_date"].value == 2


def test_a_quiet_tick_says_how_all_datasets_stand(house: AutomatedHouse) -> None:
    first = house.sensor("reconciler")
    assert first.skip_message == "2 datasets: 2 up to date, 0 stale (0 wait, 0 need a person)"
    assert house.sensor("reconciler", first.cursor).asset_events == []


def test_a_house_without_a_checklist_waits_for_one(house: AutomatedHouse) -> None:
    house.instance.wipe_assets([dg.AssetKey("catalogue_of_life")])
    assert "dissco checklist use" in (house.sensor("reconciler").skip_message or "")


def test_the_schedule_leaves_datasets_alone_that_were_seen_unchanged(house: AutomatedHouse) -> None:
    schedule = house.definitions.get_repository_def().get_schedule_def("weekly")
    resources = dict(house.definitions.resources or {})
    with dg.build_schedule_context(
        instance=house.instance,
        scheduled_execution_time=datetime.now(UTC),
        resources={name: resources[name] for name in schedule.required_resource_keys},
        repository_def=house.definitions.get_repository_def(),
    ) as context:
        found = schedule.evaluate_tick(context)
    assert found.run_requests == [] or found.run_requests is None
    assert "all 2 datasets were seen" in (found.skip_message or "")


def test_a_failed_run_tells_its_sentence_and_is_forgotten_when_mended(house: AutomatedHouse) -> None:
    (house.home / "beta.zip").write_bytes(b"this is no archive")
    house.look(all_of_them=True)
    (ran,) = house.settle()
    assert not ran.success
    (run,) = house.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    failure = house.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    event = failure.event_log_entry.dagster_event
    assert event is not None
    resources = dict(house.definitions.resources or {})
    context = dg.build_run_status_sensor_context(
        "incidents",
        event,
        house.instance,
        run,
        resources={name: resources[name] for name in ("registry", "notifier")},
    ).for_run_failure()
    sensor = house.definitions.get_repository_def().get_sensor_def("incidents")
    sensor(context)
    with house.registry.read() as connection:
        known = get_watch(connection, "beta")
    assert known.run_failure and "beta.zip" in known.run_failure and known.run_id == run.run_id
    (line,) = (house.home / "incidents.ndjson").read_text().splitlines()
    assert json.loads(line)["step"] == "parsed_records"
    write_archive(house.home / "beta.zip", 100, 30)
    house.look(all_of_them=True)
    (ran,) = house.settle()
    assert ran.success
    house.tick()
    with house.registry.read() as connection:
        assert get_watch(connection, "beta").run_failure is None


def test_people_are_told_of_a_source_that_did_not_answer_three_times(
    house: AutomatedHouse, publisher: Publisher
) -> None:
    publisher.down = True
    for _ in range(4):
        with house.registry.write() as connection:
            set_watch(connection, "alpha", due=None)
        house.sensor("upstream")
    (line,) = (house.home / "incidents.ndjson").read_text().splitlines()
    notice = json.loads(line)
    assert (notice["kind"], notice["subject"]) == ("source out of reach", "alpha")
    assert "3 looks in a row" in notice["sentence"] and notice["link"].endswith("partition=alpha")


@pytest.mark.parametrize("said", ["7200", "date", "9999999999"])
def test_a_host_that_asks_for_patience_is_left_alone_with_all_its_datasets(
    house: AutomatedHouse, publisher: Publisher, said: str
) -> None:
    publisher.busy = format_datetime(datetime.now(UTC) + timedelta(hours=2)) if said == "date" else said
    publisher.feed = False
    source = publisher.source("alpha")
    due = [Held(name, f"{source}&{name}", 1, "0" * 64, Validators(), None) for name in ("one", "two", "three")]
    looks = look_round(HttpClient(), house.store, due, Pace(pause=0.0))
    assert publisher.answered("archive.do") == [429]
    assert [(look.slug, look.changed, look.looks_failed) for look in looks] == [
        ("one", None, 1),
        ("two", None, 0),
        ("three", None, 0),
    ]
    assert "it asks to be asked again in" in (looks[0].error or "") and (looks[1].error or "").startswith("not asked: ")
    longest = WEEK if said == "9999999999" else timedelta(hours=2)
    assert all(longest - timedelta(minutes=1) <= look.every <= longest for look in looks)
