"""Applications: states, who may move them, letters once each, every decision out of its stored inputs."""

from collections.abc import Mapping
from typing import Any

import pytest

from dissco_platform.enrolment import desk, rounds
from dissco_platform.enrolment.follow_up import observe
from dissco_platform.errors import UsageError
from dissco_platform.registry import Registry
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import add_dataset, get_dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import digital_object

FORM = {
    "source": "https://ipt.example.org/a.zip",
    "organisation": "https://ror.org/0566bfb96",
    "contact": "curator@example.org",
    "country": "NL",
    "title": None,
}
FOUND: dict[str, Any] = {
    "facts": {"dois_needed": 12_000, "discipline": "Zoology", "type_specimens": 3, "specimens": 12_000, "media": 0},
    "not_met": [],
    "remarks": [],
    "problems": [],
    "cause": "c1",
}
LACKING: dict[str, Any] = {
    **FOUND,
    "facts": {},
    "not_met": ["identifiers"],
    "problems": [{"title": "Every specimen has an identifier", "evidence": "None has.", "advice": "Fill it in."}],
    "cause": "c2",
}


def waiting(
    registry: Registry, slug: str = "moths", *, checked: Mapping[str, Any] | None = None, **form: object
) -> None:
    """Bring an application as far as the waiting list."""
    with registry.write() as connection:
        desk.submit(connection, slug, {**FORM, "source": f"https://ipt.example.org/{slug}", **form}, actor="applicant")
        desk.act(connection, slug, "confirm", actor="applicant")
        desk.act(connection, slug, "check", actor="desk", inputs=checked or FOUND)
        desk.act(connection, slug, "accept", actor="anna", inputs={"flags": {"mou": True}})


def _letters(registry: Registry, slug: str = "moths") -> list[str]:
    with registry.read() as connection:
        return [row["event"] for row in statements.notifications_of(connection, slug)]


def test_an_application_goes_from_submission_to_active(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        found = desk.get(connection, "moths")
        assert (found.state, found.score.points, found.ready) == ("waiting", 4, True)
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        made = rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        assert made.added == ("moths",)
        assert desk.get(connection, "moths").state == "granted"
        dataset = get_dataset(connection, "moths")
        assert dataset.source == "https://ipt.example.org/moths"
        assert dataset.organisation_id == "https://ror.org/0566bfb96"
        connection.execute(
            digital_object.insert().values(
                kind="specimen", dataset="moths", identity_key="k", suffix="AAA-BBB-CCC", attempt=0, state="active",
                doi_only=False, version=1, content_hash="h", visible_hash="h", doi_state="registered", created=now(),
                modified=now(), missed=0,
            )
        )  # fmt: skip
        assert observe(connection, "moths", "10.5555").state == "loading"
        update_dataset(connection, "moths", latest="{}")
        assert observe(connection, "moths", "10.5555").state == "active"
        assert observe(connection, "moths", "10.5555").state == "active"
    assert _letters(registry) == ["received", "confirmed", "ready", "accepted", "granted", "first_doi", "finished"]


def test_every_application_is_what_its_events_make(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        desk.act(connection, "moths", "pause", actor="anna", reason="moving house")
        desk.act(connection, "moths", "resume", actor="anna")
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=1)
        rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
    with registry.read() as connection:
        assert desk.replay("moths", desk.history(connection, "moths")) == desk.get(connection, "moths")
        (stored,) = statements.list_rounds(connection)
        same, again = rounds.replay(stored)
    assert same and again.totals() == {"moths": 2_500}


def test_a_dataset_served_in_part_stays_first_and_is_completed_later(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        rounds.set_parameters(connection, {"cap": 1.0, "min_tranche": 0})
        for month in (1, 2):
            inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=month)
            rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        found = desk.get(connection, "moths")
        assert (found.granted, found.demand) == (12_000, 0)
        counts = [row["count"] for row in statements.grants_of(connection, "moths")]
    assert sum(counts) == 12_000
    assert _letters(registry).count("granted") == 2


def test_who_is_passed_over_is_told_the_expected_month_and_again_only_when_it_moves_back(registry: Registry) -> None:
    waiting(registry, "moths")
    waiting(registry, "bees", source="https://ipt.example.org/bees")
    with registry.write() as connection:
        rounds.set_parameters(connection, {"cap": 1.0, "lanes": {}, "min_tranche": 0})
        for month, yearly in ((1, 36_000), (2, 36_000), (3, 100_000), (3, 13_000), (3, 0)):
            inputs = rounds.gather(connection, yearly_quota=yearly, year=2026, month=month)
            rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        told = [event.inputs for event in desk.history(connection, "bees") if event.action == "postpone"]
        bodies = [row["body"] for row in statements.notifications_of(connection, "bees") if row["event"] == "postponed"]
        (stored, *_) = statements.list_rounds(connection)
    assert [(entry["before"], entry["expected"]) for entry in told] == [
        (None, "2026-05"),
        ("2026-05", "2027-01"),
        ("2027-01", None),
    ]
    assert rounds.replay(stored)[0]
    assert "number 2 of 2" in bodies[0] and "We expect the next DOIs for it in 2026-05." in bodies[0]
    assert len(bodies) == len(told), told


def test_what_is_not_ready_keeps_its_date_and_is_passed_over(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        registered = desk.get(connection, "moths").registered
        assert desk.act(connection, "moths", "check", actor="desk", inputs=LACKING).state == "not_ready"
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        assert rounds.plan_round(inputs).grants == ()
        # Mended: it returns to its place without another acceptance.
        found = desk.act(connection, "moths", "check", actor="desk", inputs={**FOUND, "cause": "c3"})
        assert (found.state, found.registered, found.score.points) == ("waiting", registered, 4)


def test_the_same_finding_is_written_to_the_applicant_once(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        for _ in range(3):
            desk.act(connection, "moths", "check", actor="desk", inputs=LACKING)
    assert _letters(registry).count("not_ready") == 1


def test_the_same_problem_is_told_once_a_week(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        for day in ("2026-03-02", "2026-03-04", "2026-03-09"):
            update_dataset(connection, "moths", failed=f"{day}T00:00:00.000Z", failure="It answered 404.")
            observe(connection, "moths", "10.5555")
    assert _letters(registry).count("problem") == 2


def test_decisions_that_do_not_fit_are_refused_in_one_sentence(registry: Registry) -> None:
    with registry.write() as connection:
        desk.submit(connection, "moths", FORM, actor="applicant")
        with pytest.raises(UsageError, match="moths is received: accept is for applications that are checked"):
            desk.act(connection, "moths", "accept", actor="anna")
        with pytest.raises(UsageError, match="Say why"):
            desk.act(connection, "moths", "decline", actor="anna")
        with pytest.raises(UsageError, match="exists already"):
            desk.submit(connection, "moths", FORM, actor="applicant")
        with pytest.raises(UsageError, match="pre-registered already as 'moths'"):
            desk.submit(connection, "butterflies", FORM, actor="applicant")
        with pytest.raises(UsageError, match="not a mail address"):
            desk.submit(
                connection, "bees", {**FORM, "contact": "a@b.c\nBcc: all@b.c", "source": "x"}, actor="applicant"
            )
        with pytest.raises(UsageError, match="check digits"):
            desk.submit(
                connection,
                "bees",
                {**FORM, "source": "y", "organisation": "https://ror.org/0566bfb97"},
                actor="applicant",
            )


def test_a_dataset_that_was_added_by_hand_does_not_stop_a_round(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        add_dataset(
            connection, slug="moths", source="x", organisation_id="https://ror.org/0566bfb96", organisation_name=None,
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA", doi_only=False,
        )  # fmt: skip
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        made = rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        assert made.added == () and desk.get(connection, "moths").granted == 12_000


def test_a_month_is_not_granted_twice_unnoticed(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=5)
        rounds.refuse_second(connection, inputs, again=False)
        rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        with pytest.raises(UsageError, match="has had its round"):
            rounds.refuse_second(connection, inputs, again=False)
        rounds.refuse_second(connection, inputs, again=True)


def test_a_year_of_rounds_stays_within_the_years_quota(registry: Registry) -> None:
    for number in range(6):
        waiting(registry, f"moths-{number}", organisation="https://ror.org/0566bfb96")
    with registry.write() as connection:
        rounds.set_parameters(connection, {"min_tranche": 0, "growth_reserve": 1_000})
        expected = rounds.simulate(rounds.gather(connection, yearly_quota=41_000, year=2026, month=1), months=12)
        for month in range(1, 13):
            inputs = rounds.gather(connection, yearly_quota=41_000, year=2026, month=month)
            rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
        assert statements.granted_in_year(connection, 2026) <= 40_000
        for slug, entry in expected.items():
            months = [row["round_id"] for row in statements.grants_of(connection, slug)]
            assert entry["first"] == (f"2026-{months[0]:02}" if months else None)
