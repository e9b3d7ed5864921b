"""A grant is a cap at minting; growth has a rule; nobody's grant is used up by another."""

from pathlib import Path

from dissco_platform.enrolment import desk, rounds
from dissco_platform.enrolment.allowance import allowance, allowances, mintable
from dissco_platform.enrolment.follow_up import observe
from dissco_platform.registry import Registry
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import add_dataset, get_dataset
from dissco_platform.registry.objects import quota_used, use_quota
from tests.enrolment.test_desk import FOUND, waiting
from tests.identity.test_publish import Museum, edition

YEAR = 2026


def _checked(needed: int) -> dict[str, object]:
    return {**FOUND, "facts": {**FOUND["facts"], "dois_needed": needed}, "cause": f"needs-{needed}"}


def _granted(registry: Registry, slug: str, needed: int, quota: int, *, month: int = 12) -> int:
    """Apply for a dataset and grant a round of so many DOIs; return what it got."""
    waiting(registry, slug, checked=_checked(needed))
    return _round(registry, slug, quota, month=month)


def _round(registry: Registry, slug: str, quota: int, *, month: int = 12) -> int:
    with registry.write() as connection:
        rounds.set_parameters(connection, {"cap": 1.0, "min_tranche": 0, "lanes": {}, "growth_least": 2})
        inputs = rounds.gather(connection, yearly_quota=1_000, year=YEAR, month=month, quota=quota)
        made = rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")
    return made.result.totals().get(slug, 0)


def _room(registry: Registry, slug: str, yearly_quota: int | None = 1_000) -> int | None:
    with registry.read() as connection:
        return allowance(connection, slug, yearly_quota, YEAR)


def test_a_partial_grant_is_a_cap_and_the_rest_is_minted_after_the_next_round(
    registry: Registry, tmp_path: Path
) -> None:
    assert _granted(registry, "moths", needed=5, quota=3) == 3
    with registry.read() as connection:
        museum = Museum(registry, get_dataset(connection, "moths"), tmp_path)
    report = museum.publish(edition(1, 2, 3, 4, 5))
    assert (report.specimens, report.waiting_quota) == (3, 2)
    assert museum.dataset().waiting == 2
    again = museum.publish(edition(1, 2, 3, 4, 5))
    assert (again.new, again.waiting_quota) == (0, 2), "running again mints nothing more"
    with registry.read() as connection:
        assert mintable(connection, {"moths": 2}, 1_000) == {}
    assert _round(registry, "moths", 100) == 2
    with registry.read() as connection:
        assert mintable(connection, {"moths": 2}, 1_000) == {"moths": 2}, "which makes the dataset stale"
    report = museum.publish(edition(1, 2, 3, 4, 5))
    assert (report.specimens, report.waiting_quota, report.new) == (5, 0, 2)


def test_a_fully_granted_dataset_may_grow_a_little_and_then_stands_in_the_list_again(
    registry: Registry, tmp_path: Path
) -> None:
    assert _granted(registry, "moths", needed=3, quota=100) == 3
    with registry.read() as connection:
        museum = Museum(registry, get_dataset(connection, "moths"), tmp_path)
    museum.publish(edition(1, 2, 3))
    assert _room(registry, "moths") == 2, "growth_least, where the share of the grant is less"
    report = museum.publish(edition(*range(1, 8)))
    assert (report.specimens, report.waiting_quota) == (5, 2)
    with registry.write() as connection:
        connection.exec_driver_sql("UPDATE digital_object SET doi_state = 'registered' WHERE suffix IS NOT NULL")
        observe(connection, "moths", "10.5555")
        found = observe(connection, "moths", "10.5555")
        assert (found.state, found.demand, found.ready) == ("active", 4, True), "what it grew by is asked for as well"
        letters = [row["event"] for row in statements.notifications_of(connection, "moths")]
        assert letters.count("grown") == 1
    assert _round(registry, "moths", 100) == 4
    assert _room(registry, "moths") == 2 + 2
    report = museum.publish(edition(*range(1, 8)))
    assert (report.specimens, report.waiting_quota) == (7, 0)
    with registry.read() as connection:
        assert desk.replay("moths", desk.history(connection, "moths")) == desk.get(connection, "moths")


def test_what_was_granted_is_kept_from_growth_and_from_datasets_without_an_application(registry: Registry) -> None:
    assert _granted(registry, "moths", needed=600, quota=600) == 600
    with registry.write() as connection:
        add_dataset(
            connection, slug="byhand", source="x", organisation_id="https://ror.org/0566bfb96", organisation_name=None,
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA", doi_only=False,
        )  # fmt: skip
        use_quota(connection, YEAR, "byhand", 300)
    assert _room(registry, "byhand") == 100
    assert _room(registry, "byhand", None) is None, "where there is no quota, nobody is held back"
    assert _room(registry, "moths") == 600 + 60
    with registry.read() as connection:
        inputs = rounds.gather(connection, yearly_quota=1_000, year=YEAR, month=12)
        assert (inputs.used, inputs.quota) == (900, 100), "a round shares out what is neither minted nor promised"


def test_rounds_and_minting_together_never_exceed_the_year(registry: Registry) -> None:
    for number, needed in enumerate((400, 700, 50, 900)):
        waiting(registry, f"m{number}", checked=_checked(needed))
    for month in range(1, 13):
        _round(registry, "m0", 1_000, month=month)
        with registry.write() as connection:
            known = allowances(connection, yearly_quota=1_000, year=YEAR)
            for number in range(4):
                # Each dataset tries to mint as much as it is allowed, and more came than was foreseen.
                room = known.of(f"m{number}") if f"m{number}" in known.standings else 0
                use_quota(connection, YEAR, f"m{number}", (room or 0) // 2) if room else None
                known = allowances(connection, yearly_quota=1_000, year=YEAR)
            assert quota_used(connection, YEAR) + known.promised() <= 1_000


def test_a_withdrawn_dataset_gets_nothing_more_and_gives_its_grant_back(registry: Registry) -> None:
    _granted(registry, "moths", needed=600, quota=600)
    with registry.write() as connection:
        desk.act(connection, "moths", "withdraw", actor="anna", reason="the house is closed")
        assert get_dataset(connection, "moths").state == "removed"
    assert _room(registry, "moths") == 0
    with registry.read() as connection:
        assert rounds.gather(connection, yearly_quota=1_000, year=YEAR, month=12).used == 0


def test_pausing_stops_the_dataset_and_keeps_its_grant(registry: Registry) -> None:
    _granted(registry, "moths", needed=600, quota=600)
    with registry.write() as connection:
        desk.act(connection, "moths", "pause", actor="anna", reason="renumbering")
        assert get_dataset(connection, "moths").state == "paused"
        assert rounds.gather(connection, yearly_quota=1_000, year=YEAR, month=12).used == 600
        assert desk.act(connection, "moths", "resume", actor="anna").state == "granted"
        assert get_dataset(connection, "moths").state == "active"
