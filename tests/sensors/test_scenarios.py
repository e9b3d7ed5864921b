"""What happens in a week, and exactly which assets of which datasets ran and which records were rebuilt."""

import zipfile
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dissco_platform.assets import partitions
from dissco_platform.registry.watch import get_watch, try_again
from dissco_platform.sensors.requesting import CAUSE_TAG, Policy
from tests.house import EXAMPLES
from tests.sensors.house import FULL, AutomatedHouse
from tests.sensors.publisher import Publisher, Rows, write_archive

HARVESTED = [
    "raw_archive",
    "parsed_records",
    "taxon_harmonised",
    "digital_specimens",
    "registered_dois",
    "search_index",
]
MAPPED = ["mapping", "digital_specimens", "registered_dois", "search_index"]
NAMED = ["taxon_harmonised", "digital_specimens", "registered_dois", "search_index"]


def edit_mapping(house: AutomatedHouse, slug: str, holder: str) -> None:
    path = house.mappings / "datasets" / f"{slug}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        yaml.safe_dump({"ods:DigitalSpecimen": {"records": {"dcterms:rightsHolder": {"constant": holder}}}})
    )


def three_corrected(rows: Rows) -> Rows:
    for row in rows[:3]:
        row[next(name for name in row if name.endswith("fieldNumber"))] = "corrected"
    return rows


def test_nothing_changed_costs_no_run(house: AutomatedHouse, publisher: Publisher) -> None:
    assert house.settle() == []
    house.later(days=2)
    looks = house.look()
    assert {look.slug: look.changed for look in looks} == {"alpha": False, "beta": False}
    assert {look.evidence for look in looks} == {"feed 1.1", "sha256"}
    assert publisher.answered("archive.do") == []
    assert house.settle() == []


def test_one_changed_archive_runs_its_dataset_and_rebuilds_the_changed_records(
    house: AutomatedHouse, publisher: Publisher
) -> None:
    publisher.publish("alpha", 0, 40, three_corrected)
    house.later(days=2)
    assert {look.slug: look.changed for look in house.look()} == {"alpha": True, "beta": False}
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success, ran.rendered) == ("alpha", HARVESTED, True, 3)
    assert ran.cause == "raw_archive: upstream changed (v1.1 → v1.2)"
    assert house.settle() == []
    house.later(days=2)
    assert [look.changed for look in house.look()] == [False, False]


def test_an_archive_published_again_with_equal_content_costs_no_run(
    house: AutomatedHouse, publisher: Publisher
) -> None:
    publisher.publish("alpha", 0, 40, stamp=9)
    write_archive(house.home / "beta.zip", 100, 30, stamp=9)
    house.later(days=2)
    assert {look.slug: (look.changed, look.evidence) for look in house.look()} == {
        "alpha": (False, "members"),
        "beta": (False, "sha256 members"),
    }
    assert house.settle() == []
    publisher.requests.clear()
    house.later(days=2)
    house.look()
    assert publisher.answered("archive.do") == []  # the new edition's version is remembered
    publisher.feed = False
    house.later(days=2)
    house.look()
    assert publisher.answered("archive.do") == [304]  # and its date


def test_reordered_content_is_read_and_changes_nothing(house: AutomatedHouse, publisher: Publisher) -> None:
    publisher.publish("alpha", 0, 40, lambda rows: rows[::-1])
    house.later(days=2)
    house.look()
    (ran,) = house.settle()
    assert (ran.slug, ran.rendered) == ("alpha", 0)
    assert ran.reused == ["taxon_harmonised", "digital_specimens", "registered_dois", "search_index"]
    assert house.settle() == []


def test_two_mapping_edits_before_one_tick_are_one_run_with_the_last(house: AutomatedHouse) -> None:
    edit_mapping(house, "alpha", "The first thought")
    edit_mapping(house, "alpha", "The second thought")
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.rendered) == ("alpha", MAPPED, 40)
    assert ran.cause.startswith("mapping: dwca ")
    assert house.settle() == []


def test_an_edit_while_a_run_is_in_flight_is_run_afterwards(house: AutomatedHouse, publisher: Publisher) -> None:
    publisher.publish("alpha", 0, 40, three_corrected)
    house.look(all_of_them=True)
    (request,) = house.tick().choice.requests
    seen: list[tuple[list[dg.RunRequest], dict[str, str]]] = []

    def edited_meanwhile() -> None:
        """A person edits while the run is downloading, and the daemon ticks."""
        edit_mapping(house, "alpha", "Edited meanwhile")
        tick = house.tick()
        seen.append((tick.choice.requests, tick.choice.waiting))

    publisher.meanwhile = edited_meanwhile
    ran = house.launch(request)
    # The run had begun without `mapping` and goes on with the rules that it was planned with.
    assert seen == [([], {"alpha": "a run is in flight"})]
    assert ran is not None and (ran.assets, ran.success, ran.rendered) == (HARVESTED, True, 3)
    (after,) = house.settle()
    assert (after.slug, after.assets, after.success, after.rendered) == ("alpha", MAPPED, True, 40)
    assert house.settle() == []


def test_a_failed_run_is_tried_again_later_and_given_up_in_the_end(house: AutomatedHouse) -> None:
    house.policy = Policy(attempts=2)
    (house.home / "beta.zip").write_bytes(b"this is no archive")
    house.look(all_of_them=True)
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success) == ("beta", HARVESTED, False)
    # The download is there now, its content still cannot be read: the same attempt, so it waits.
    tick = house.tick()
    assert tick.choice.requests == [] and "attempt 2" in tick.choice.waiting["beta"]
    house.later(minutes=6)
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success) == ("beta", HARVESTED[1:], False)
    house.later(days=3)
    assert house.tick().choice.given_up == {"beta": "given up after 2 failed runs"}
    with house.registry.write() as connection:
        try_again(connection, "beta")
    assert [request.partition_key for request in house.tick().choice.requests] == ["beta"]
    write_archive(house.home / "beta.zip", 100, 30, three_corrected)
    house.look(all_of_them=True)
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success, ran.rendered) == ("beta", HARVESTED, True, 3)


def test_a_daemon_killed_in_a_tick_loses_and_doubles_nothing(house: AutomatedHouse) -> None:
    for slug in ("alpha", "beta"):
        edit_mapping(house, slug, "Both")
    first, second = house.tick().choice.requests
    assert house.launch(first) is not None
    again = house.tick().choice.requests  # the daemon died before it launched the second
    assert [request.run_key for request in again] == [second.run_key]
    assert house.launch(first) is None  # the daemon goes on with the tick that it was in
    assert house.launch(again[0]) is not None
    assert house.settle() == []


def test_a_reset_cursor_changes_no_request(house: AutomatedHouse) -> None:
    edit_mapping(house, "beta", "Reset")
    keys = []
    for cursor in (None, '{"states": "other"}', None):
        found = house.sensor("reconciler", cursor)
        keys.append([request.run_key for request in found.run_requests or []])
        assert found.run_requests and found.run_requests[0].tags[CAUSE_TAG].startswith("mapping: dwca ")
    assert keys[0] == keys[1] == keys[2]


def test_a_new_release_runs_names_and_below_and_rebuilds_the_records_concerned(
    house: AutomatedHouse, tmp_path: Path
) -> None:
    release = tmp_path / "next.zip"
    with zipfile.ZipFile(EXAMPLES / "checklist.zip") as old, zipfile.ZipFile(release, "w") as new:
        usages = old.read("NameUsage.tsv").decode().splitlines(keepends=True)
        new.writestr("metadata.yaml", old.read("metadata.yaml").decode().replace("2026-10", "2026-11"))
        new.writestr("NameUsage.tsv", "".join([*usages, "ZZZZZ\t9WZBQ\taccepted\tphylum\tNovophyta\t\t\tNovophyta\n"]))
    house.checklist(release)
    ran = house.settle()
    assert [(run.slug, run.assets, run.rendered) for run in ran] == [("alpha", NAMED, 0), ("beta", NAMED, 0)]
    assert all(run.cause.startswith("taxon_harmonised: ") for run in ran)
    assert house.settle() == []


def test_a_mapping_that_is_wrong_stops_its_dataset_alone_and_says_what_is_wrong(house: AutomatedHouse) -> None:
    edit_mapping(house, "alpha", "A museum")
    path = house.mappings / "datasets" / "beta.yaml"
    path.write_text("ods:DigitalSpecimen: {records: {dcterms:noSuchTerm: dwc:x}}")
    tick = house.tick()
    assert [request.partition_key for request in tick.choice.requests] == ["alpha"]
    assert "noSuchTerm" in tick.choice.given_up["beta"] and "beta.yaml, line 1" in tick.choice.given_up["beta"]
    path.unlink()
    assert house.tick().choice.given_up == {}


def test_a_code_version_makes_its_asset_stale_everywhere(
    house: AutomatedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(partitions.CODE_VERSIONS, "registered_dois", "next")
    before = partitions.CODE_VERSIONS["digital_specimens"]
    tick = house.tick()
    assert {standing.slug: standing.plan.selection for standing in tick.standings} == {
        "alpha": ["registered_dois", "search_index"],
        "beta": ["registered_dois", "search_index"],
    }
    monkeypatch.setitem(partitions.CODE_VERSIONS, "digital_specimens", "next")
    requests = house.tick().choice.requests
    assert f"code digital_specimens v{before} → vnext" in requests[0].tags[CAUSE_TAG]
    assert {request.tags["dagster/priority"] for request in requests} == {"0"}
    ran = [house.launch(request) for request in requests]
    below = ["digital_specimens", "registered_dois", "search_index"]
    # The build's code is in the graph's version; what a record is rendered with did not change, so none is rendered.
    assert [(run.slug, run.assets, run.success, run.rendered) for run in ran if run] == [
        ("alpha", below, True, 0),
        ("beta", below, True, 0),
    ]
    assert house.settle() == []


def test_a_paused_dataset_is_left_alone_and_catches_up_when_resumed(house: AutomatedHouse) -> None:
    house.state("alpha", "paused")
    edit_mapping(house, "alpha", "While it was paused")
    house.later(days=2)
    assert [look.slug for look in house.look()] == ["beta"]
    assert house.settle() == []
    house.state("alpha", "active")
    assert [look.slug for look in house.look()] == ["alpha"]
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success, ran.rendered) == ("alpha", MAPPED, True, 40)
    house.state("alpha", "removed")
    edit_mapping(house, "alpha", "After it was removed")
    house.later(days=9)
    assert [look.slug for look in house.look()] == ["beta"]
    assert house.settle() == []


def test_a_new_dataset_is_run_whole_and_no_other(house: AutomatedHouse) -> None:
    write_archive(house.home / "gamma.zip", 200, 5)
    house.add("gamma", str(house.home / "gamma.zip"))
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.cause, ran.rendered) == ("gamma", FULL, "new dataset", 5)
    assert house.settle() == []


def test_the_base_mapping_concerns_every_dataset_and_only_the_records_that_differ(house: AutomatedHouse) -> None:
    base = house.mappings / "dwc.yaml"
    rules = yaml.safe_load(base.read_text())
    rules["ods:DigitalSpecimen"]["records"]["dcterms:rightsHolder"] = {"constant": "Everybody"}
    base.write_text(yaml.safe_dump(rules, sort_keys=False))
    ran = house.settle()
    assert [(run.slug, run.assets, run.success, run.rendered) for run in ran] == [
        ("alpha", MAPPED, True, 40),
        ("beta", MAPPED, True, 30),
    ]
    assert house.settle() == []


def test_a_source_that_is_down_for_three_weeks_costs_no_run_and_loses_nothing(
    house: AutomatedHouse, publisher: Publisher
) -> None:
    publisher.down = True
    failures = 0
    for _ in range(21):
        house.later(days=1)
        looks = [look for look in house.look() if look.slug == "alpha"]
        failures += sum(look.changed is None for look in looks)
        assert house.settle() == []
    assert 15 <= failures <= 21
    with house.registry.read() as connection:
        known = get_watch(connection, "alpha")
    assert known.looks_failed == failures and known.changed is None
    publisher.down = False
    publisher.publish("alpha", 0, 40, three_corrected)
    house.later(days=2)
    house.look()
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.rendered) == ("alpha", HARVESTED, 3)
    with house.registry.read() as connection:
        assert get_watch(connection, "alpha").looks_failed == 0
