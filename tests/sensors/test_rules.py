"""The rules of automation one by one: which requests, when looks are due, what a feed says, what the schedule does."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from dissco_platform.assets.partitions import DEPENDENCIES
from dissco_platform.errors import ArchiveError
from dissco_platform.http import Validators
from dissco_platform.registry import open_registry
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.tables import metadata
from dissco_platform.registry.watch import Watch
from dissco_platform.sensors.feeds import feed_of, read_feed
from dissco_platform.sensors.looking import WEEK, Look
from dissco_platform.sensors.notifying import Notice, Notifier
from dissco_platform.sensors.overview import changed_overview, overview_rows
from dissco_platform.sensors.reconcile import Plan
from dissco_platform.sensors.requesting import Choice, History, Policy, choose
from dissco_platform.sensors.standing import Found, Standing
from dissco_platform.sensors.upstream import next_look
from dissco_platform.sensors.weekly import weekly_requests

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NOTHING_MADE: Found = dict.fromkeys(DEPENDENCIES)


def standing(slug: str, *, checked: str | None = "2026-11-21T09:00:00.000Z", **causes: str) -> Standing:
    dataset = Dataset(
        slug,
        "source",
        "organisation",
        None,
        "system",
        False,
        "active",
        "2026",
        None,
        checked,
        None,
        None,
        None,
        None,
        None,
    )
    return Standing(dataset, Watch(slug), NOTHING_MADE, Plan(slug, causes), f"{slug}-target", f"{slug}-position")


def slugs(choice: Choice) -> list[str | None]:
    return [request.partition_key for request in choice.requests]


def test_requests_are_few_and_what_concerns_one_dataset_goes_first() -> None:
    many = [standing(f"d{n}", taxon_harmonised="col 2026-10 → 2026-11") for n in range(5)]
    stale = [*many, standing("mapped", mapping="dwca 1 → 2"), standing("new", raw_archive="never made")]
    choice = choose(stale, set(), {}, NOW, Policy(at_once=3))
    assert slugs(choice) == ["new", "mapped", "d0"]
    assert set(choice.waiting) == {"d1", "d2", "d3", "d4"}
    assert slugs(choose(stale, {"x", "y", "z"}, {}, NOW, Policy(at_once=3, in_flight=4))) == ["new"]
    assert slugs(choose(stale, {"new"}, {}, NOW, Policy(at_once=1))) == ["mapped"]


def test_a_request_names_its_assets_cause_and_target() -> None:
    (request,) = choose([standing("a", mapping="dwca 1 → 2")], set(), {}, NOW, Policy()).requests
    assert request.asset_selection == [
        dg.AssetKey(name) for name in ("mapping", "digital_specimens", "registered_dois", "search_index")
    ]
    assert request.tags["cause"] == "mapping: dwca 1 → 2"
    assert request.run_key == "a:a-target:a-position:0"


@pytest.mark.parametrize(
    ("failed", "minutes", "asked"),
    [(1, 4, False), (1, 6, True), (2, 19, False), (2, 21, True), (7, 1439, False), (7, 1441, True), (8, 99999, False)],
)
def test_pauses_grow_with_failures_until_a_person_has_to_look(failed: int, minutes: int, asked: bool) -> None:
    history = {"a-target": History(failed=failed, ended=(NOW - timedelta(minutes=minutes)).timestamp())}
    choice = choose([standing("a", mapping="1 → 2")], set(), history, NOW, Policy())
    assert bool(choice.requests) is asked
    assert ("a" in choice.given_up) is (failed == 8)
    if asked:
        assert choice.requests[0].run_key == f"a:a-target:a-position:{failed}"


def test_a_target_that_is_stale_right_after_it_was_reached_is_not_run_in_a_circle() -> None:
    history = {"a-target": History(succeeded=3, ended=NOW.timestamp() - 60)}
    assert choose([standing("a", mapping="1 → 2")], set(), history, NOW, Policy()).requests == []
    waiting = standing("a", registered_dois="7 DOIs wait to be registered")
    late = {"a-target": History(succeeded=3, ended=NOW.timestamp() - 301)}
    assert slugs(choose([waiting], set(), late, NOW, Policy())) == ["a"]


@given(
    st.sampled_from(["feed 1.2", "304", "sha256", "sha256 members", "download sha256", "v1 → v2"]),
    st.text(st.characters(codec="ascii"), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),
)
def test_every_look_is_due_within_a_week(evidence: str, source: str, moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    look = Look("a", 1, False, evidence, Validators(), None)
    due = next_look(look, source, moment)
    assert timedelta(hours=12) <= due - moment <= WEEK
    down = replace(look, changed=None, looks_failed=30)
    assert timedelta(hours=1) <= next_look(down, source, moment) - moment <= timedelta(days=1)


def test_looks_of_datasets_enrolled_together_spread_over_the_day() -> None:
    look = Look("a", 1, False, "304", Validators(), None)
    due = [next_look(look, f"https://museum{n}.example/archive.zip", NOW) for n in range(1000)]
    by_hour = [sum(moment.hour == hour for moment in due) for hour in range(24)]
    assert max(by_hour) < 80
    of_one_ipt = {next_look(look, f"https://ipt.example/ipt/archive.do?r=r{n}", NOW) for n in range(9)}
    assert len(of_one_ipt) == 1


def test_a_feed_gives_the_version_of_each_resource() -> None:
    content = b"""<?xml version="1.0"?><rss xmlns:ipt="http://ipt.gbif.org/" version="2.0"><channel>
      <item><title>Beetles - Version 1.42</title><ipt:dwca>https://ipt.example/ipt/archive.do?r=beetles</ipt:dwca>
        <pubDate>Mon, 02 Nov 2026 10:00:00 +0000</pubDate></item>
      <item><title>Only metadata - Version 1.0</title></item>
      <item><title>A package - Version 2.1</title><ipt:archive>https://ipt.example/ipt/archive.do?r=package</ipt:archive></item>
    </channel></rss>"""
    assert read_feed("https://ipt.example/ipt/rss.do", content) == {
        "beetles": "1.42 of Mon, 02 Nov 2026 10:00:00 +0000",
        "package": "2.1",
    }
    with pytest.raises(ArchiveError):
        read_feed("feed", b'<!DOCTYPE x [<!ENTITY a "b">]><rss>&a;</rss>')


@pytest.mark.parametrize(
    ("source", "feed"),
    [
        ("https://ipt.example/ipt/archive.do?r=beetles", "https://ipt.example/ipt/rss.do"),
        ("https://ipt.example/archive.do?r=beetles", "https://ipt.example/rss.do"),
        ("https://ipt.example/ipt/archive.do?r=beetles&v=1.4", None),
        ("https://museum.example/beetles.zip", None),
        ("/data/archive.do", None),
    ],
)
def test_only_the_newest_archive_of_an_ipt_has_a_feed(source: str, feed: str | None) -> None:
    assert feed_of(source) == feed


def test_the_schedule_asks_for_what_is_not_known_to_be_up_to_date() -> None:
    old = "2026-11-01T09:00:00.000Z"
    found = [
        standing("fresh"),
        standing("stale", mapping="1 → 2"),
        standing("unseen", checked=old),
        standing("running", mapping="1 → 2"),
        replace(standing("wrong", mapping="1 → 2"), error="its mapping is wrong"),
    ]
    requests = weekly_requests(found, {"running"}, NOW)
    assert [(r.partition_key, len(r.asset_selection or []), r.tags["cause"]) for r in requests] == [
        ("stale", 4, "mapping: 1 → 2"),
        ("unseen", 7, f"source not seen since {old}"),
    ]
    assert requests[0].run_key == "weekly-2026-47-stale"


def test_the_overview_shows_first_what_needs_a_person() -> None:
    found = [standing("good"), standing("given", mapping="1 → 2"), standing("next", mapping="1 → 2")]
    choice = Choice([dg.RunRequest(partition_key="next")], {}, {"given": "given up after 8 failed runs"})
    rows = overview_rows(found, [], choice, set())
    assert [(row["dataset"], row["state"]) for row in rows] == [
        ("given", "needs a person"),
        ("next", "requested"),
        ("good", "up to date"),
    ]
    cursor = changed_overview(None, rows, NOW)
    assert cursor is not None
    assert changed_overview(cursor, rows, NOW + timedelta(days=3)) is None
    rows[2]["checked"] = "just now"
    assert changed_overview(cursor, rows, NOW) is None
    assert changed_overview(cursor, rows, NOW + timedelta(hours=2)) is not None
    rows[2]["state"] = "stale"
    assert changed_overview(cursor, rows, NOW) is not None


def test_an_incident_is_a_line_of_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "incidents.ndjson"
    for number in range(2):
        Notifier(path=str(path)).notify(
            Notice("failed run", "a", "now", "é is wrong", f"run{number}", "parsed_records", "mapping")
        )
    assert [json.loads(line)["run_id"] for line in path.read_text().splitlines()] == ["run0", "run1"]


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    registry = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    with registry.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    registry.close()
