"""What runs and weekly looks have done reaches the applicant by itself: the sensor, and the command line after a run."""

import mailbox
from pathlib import Path

import dagster as dg

from dissco_platform.definitions import build_definitions
from dissco_platform.enrolment import desk, rounds
from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import set_latest, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import digital_object
from dissco_platform.registry.vanished import record
from dissco_platform.registry.watch import set_watch, try_again
from dissco_platform.settings import load_settings
from tests.enrolment.test_desk import waiting


def _granted(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")


def _object(registry: Registry, suffix: str, doi_state: str) -> None:
    with registry.write() as connection:
        connection.execute(
            digital_object.insert().values(
                kind="specimen", dataset="moths", identity_key=suffix, suffix=suffix, attempt=0, state="active",
                doi_only=False, version=1, content_hash="h", visible_hash="h", doi_state=doi_state, created=now(),
                modified=now(), missed=0,
            )
        )  # fmt: skip


def _told(registry: Registry, letter: str) -> list[str]:
    with registry.read() as connection:
        return [row["body"] for row in statements.notifications_of(connection, "moths") if row["event"] == letter]


def test_the_sensor_follows_runs_and_sends_letters(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    registry = open_registry(settings.registry_url)
    _granted(registry)
    _object(registry, "AAA-BBB-CCC", "registered")
    _object(registry, "AAA-BBB-CCD", "pending")
    house = build_definitions(settings)
    sensor = house.resolve_sensor_def("enrolment_follow_up")
    with dg.instance_for_test() as instance:

        def tick() -> str:
            context = dg.build_sensor_context(instance=instance, resources=house.resources, definitions=house)
            found = sensor(context)
            assert isinstance(found, dg.SkipReason)
            return str(found.skip_message)

        assert tick() == "1 applications moved on, 6 letters sent, 0 failed and kept"
        with registry.write() as connection:
            connection.exec_driver_sql("UPDATE digital_object SET doi_state = 'registered'")
            set_latest(connection, "moths", {"published": now(), "waiting": 0})
        assert tick() == "1 applications moved on, 1 letters sent, 0 failed and kept"
        assert tick() == "0 applications moved on, 0 letters sent, 0 failed and kept"
    with registry.read() as connection:
        assert desk.get(connection, "moths").state == "active"
    subjects = [letter["Subject"] for letter in mailbox.Maildir(settings.home / "maildir")]
    assert "The first DOI of moths is live" in subjects and "moths is added" in subjects
    registry.close()


def test_what_the_weekly_look_a_run_or_a_disappearance_found_is_told(registry: Registry) -> None:
    _granted(registry)
    with registry.write() as connection:
        update_dataset(connection, "moths", failed="2026-03-02T00:00:00.000Z", failure="It answered 404.")
        set_watch(connection, "moths", run_failed=now(), run_failure="The archive has no core file.")
        record(connection, "moths", 900, 900)
    assert [found.slug for found in follow_up(registry, "10.5555")] == ["moths"]
    told = " ".join(_told(registry, "problem"))
    for words in ("It answered 404.", "no core file", "900 specimens"):
        assert words in told
    assert follow_up(registry, "10.5555") == []


def test_a_failure_that_was_made_good_is_not_told(registry: Registry) -> None:
    _granted(registry)
    with registry.write() as connection:
        set_watch(connection, "moths", run_failed="2026-03-01T00:00:00.000Z", run_failure="Out of disk.")
        set_latest(connection, "moths", {"published": "2026-03-02T00:00:00.000Z"})
    follow_up(registry, "10.5555")
    assert _told(registry, "problem") == []
    with registry.write() as connection:
        set_watch(connection, "moths", run_failed="2026-03-03T00:00:00.000Z", run_failure="Out of disk.")
        try_again(connection, "moths")
    follow_up(registry, "10.5555")
    assert _told(registry, "problem") == []
