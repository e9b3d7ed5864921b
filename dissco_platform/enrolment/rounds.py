"""Allocation rounds on the registry: the list as it stands, a round planned, granted or replayed, a year simulated.

The algorithm is `waiting_list`, which knows no registry. A round stores all that it was made from; `replay` makes the
same result from it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping

from dissco_platform.enrolment import desk
from dissco_platform.enrolment.allowance import allowances, read_parameters
from dissco_platform.enrolment.parameters import PARAMETERS_SETTING, Parameters
from dissco_platform.enrolment.waiting_list import Candidate, Plan, in_order, plan, size_class
from dissco_platform.errors import UsageError
from dissco_platform.identity.minting import handle_suffix
from dissco_platform.provenance import json_version
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import add_dataset, list_datasets, set_setting
from dissco_platform.registry.objects import quota_used

MONTHS = 12
MONTHS_AHEAD = 24
"""How far expected months are estimated."""
_LISTED = ("waiting", "not_ready", "paused", "checked", "received", *desk.RUNNING)


@dataclass(frozen=True)
class Inputs:
    """All that a round is made from."""

    candidates: tuple[Candidate, ...]
    quota: int
    year: int
    month: int
    yearly_quota: int
    used: int
    parameters: Parameters
    history: Mapping[str, Mapping[str, int]]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "candidates": [asdict(found) for found in self.candidates],
            "quota": self.quota,
            "year": self.year,
            "month": self.month,
            "yearly_quota": self.yearly_quota,
            "used": self.used,
            "parameters": self.parameters.to_json(),
            "history": {name: dict(found) for name, found in self.history.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Inputs":
        """Return inputs from plain data."""
        return cls(
            **{
                **data,
                "candidates": tuple(Candidate(**found) for found in data["candidates"]),
                "parameters": Parameters.from_json(data["parameters"]),
            }
        )


def set_parameters(connection: Connection, changed: Mapping[str, Any]) -> Parameters:
    """Change some of the settings.

    Raises:
        UsageError: a name is unknown or a value out of range.
    """
    new = Parameters.from_json({**read_parameters(connection).to_json(), **changed})
    set_setting(connection, PARAMETERS_SETTING, statements.dumps(new.to_json()))
    return new


def candidate(found: desk.Application) -> Candidate:
    """Return an application as the waiting list sees it."""
    return Candidate(
        id=found.slug,
        score=found.score.points,
        registered=found.registered,
        demand=found.demand,
        institution=found.institution,
        discipline=found.discipline,
        country=found.country,
        granted=found.granted,
        ready=found.ready,
    )


def month_quota(left: int, month: int) -> int:
    """Return a month's part of what is left of a year: the same each month, the last takes the remainder."""
    return max(0, left) // (MONTHS + 1 - month)


def gather(connection: Connection, *, yearly_quota: int, year: int, month: int, quota: int | None = None) -> Inputs:
    """Read what a round in a month is made from.

    A year's use is what was minted in it and what was granted and is still to be minted (`allowance`).

    Args:
        connection: of the registry.
        yearly_quota: DOIs of the year.
        year: of the round.
        month: 1 to 12.
        quota: DOIs of the round, where it is not the month's part; never more than is left of the year.
    """
    known = allowances(connection, yearly_quota=yearly_quota, year=year)
    settings = known.parameters
    used = quota_used(connection, year) + known.promised()
    left = max(0, yearly_quota - max(0, settings.growth_reserve - known.grown()) - used)
    listed = [candidate(found) for found in desk.list_all(connection) if found.state in _LISTED and found.demand > 0]
    return Inputs(
        candidates=tuple(sorted(listed, key=lambda found: found.id)),
        quota=month_quota(left, month) if quota is None else min(quota, left),
        year=year,
        month=month,
        yearly_quota=yearly_quota,
        used=used,
        parameters=settings,
        history=statements.granted_by_category(connection),
    )


def plan_round(inputs: Inputs) -> Plan:
    """Return the plan of a round."""
    return plan(inputs.candidates, inputs.quota, inputs.parameters, inputs.history)


def categories(candidates: Sequence[Candidate], settings: Parameters) -> dict[str, dict[str, str | None]]:
    """Return each candidate's category in each dimension; the size is its institution's."""
    totals: dict[str, int] = {}
    for found in candidates:
        owner = found.institution or found.id
        totals[owner] = totals.get(owner, 0) + found.demand + found.granted
    return {
        found.id: {
            "discipline": found.discipline,
            "country": found.country,
            "size": size_class(totals[found.institution or found.id], settings),
        }
        for found in candidates
    }


@dataclass(frozen=True)
class Round:
    """A round that was granted: its number, what it was made from, its plan, and the datasets that it added."""

    number: int
    inputs: Inputs
    inputs_hash: str
    result: Plan
    added: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "round": self.number,
            "inputs_hash": self.inputs_hash,
            "year": self.inputs.year,
            "month": self.inputs.month,
            "used_before": self.inputs.used,
            "parameters": self.inputs.parameters.to_json(),
            "added": list(self.added),
            **self.result.to_json(),
        }


def grant_round(connection: Connection, inputs: Inputs, *, actor: str, handle_prefix: str) -> Round:
    """Grant a round: stored with its inputs, applications moved on, letters queued, new datasets added; one transaction."""
    result = plan_round(inputs)
    stored = inputs.to_json()
    inputs_hash = json_version(stored)
    known = categories(inputs.candidates, inputs.parameters)
    number = statements.add_round(
        connection,
        actor=actor,
        year=inputs.year,
        inputs=stored,
        inputs_hash=inputs_hash,
        result=result.to_json(),
        grants=[
            {
                "application": grant.id,
                "lane": grant.lane,
                "count": grant.count,
                "reason": grant.reason,
                "categories": statements.dumps(known[grant.id]),
            }
            for grant in result.grants
        ],
    )
    _tell_postponed(connection, inputs, result, number, actor)
    added = []
    enrolled = {dataset.slug for dataset in list_datasets(connection)}
    for slug, count in result.totals().items():
        found = desk.get(connection, slug)
        reasons = [
            f"{grant.count:,} by {_lane(grant.lane)}: {grant.reason}" for grant in result.grants if grant.id == slug
        ]
        desk.act(
            connection,
            slug,
            "grant",
            actor=actor,
            reason="; ".join(reasons),
            inputs={"count": count, "reasons": reasons, "cause": f"round-{number}", "inputs_hash": inputs_hash},
        )
        # One that staff added by hand meanwhile stays as it is: a round must not fail over it.
        if slug not in enrolled:
            _add(connection, found, handle_prefix)
            added.append(slug)
    return Round(number, inputs, inputs_hash, result, tuple(added))


def _tell_postponed(connection: Connection, inputs: Inputs, result: Plan, number: int, actor: str) -> None:
    """Tell those whom the round passed over when their turn comes: the first time, and when it has moved back."""
    served = result.totals()
    passed = [found for found in inputs.candidates if found.ready and found.id not in served]
    if not passed:
        return
    expected = simulate(inputs, MONTHS_AHEAD)
    for found in passed:
        first = expected[found.id]["first"]
        told = [event.inputs["expected"] for event in desk.history(connection, found.id) if event.action == "postpone"]
        # None is later than every month.
        if told and (told[-1] is None or (first is not None and str(first) <= told[-1])):
            continue
        desk.act(
            connection,
            found.id,
            "postpone",
            actor=actor,
            reason=f"it is number {result.positions[found.id]} of {len(inputs.candidates)} in the waiting list, and the "
            f"{inputs.quota:,} DOIs of the round went to others",
            inputs={
                "expected": first,
                "before": told[-1] if told else None,
                "month": f"{inputs.year}-{inputs.month:02}",
                "horizon": MONTHS_AHEAD,
                "cause": f"round-{number}",
            },
        )


def _lane(lane: str) -> str:
    if lane.startswith("balance:"):
        return f"the balance lane for {lane.partition(':')[2]}"
    return {"priority": "the priority lane", "rest": "what the balance lanes left"}[lane]


def _add(connection: Connection, found: desk.Application, handle_prefix: str) -> None:
    add_dataset(
        connection,
        slug=found.slug,
        source=found.form["source"],
        organisation_id=found.institution,
        organisation_name=found.facts.get("organisation_name") or found.form.get("organisation_name"),
        source_system_id=f"https://hdl.handle.net/{handle_prefix}/{handle_suffix()}",
        doi_only=bool(found.form.get("doi_only")),
    )


def replay(row: RowMapping) -> tuple[bool, Plan]:
    """Plan a stored round again from its inputs; say whether the result is the stored one."""
    inputs = Inputs.from_json(json.loads(row["inputs"]))
    again = plan_round(inputs)
    same = statements.dumps(again.to_json()) == row["result"] and json_version(inputs.to_json()) == row["inputs_hash"]
    return same, again


def simulate(inputs: Inputs, months: int = MONTHS_AHEAD) -> dict[str, dict[str, str | int | None]]:
    """Estimate when each application is served if nothing changes: `{slug: {first, complete}}` as `YYYY-MM`.

    Months are rounds with the month's part of the year's quota; a month beyond the horizon is None.
    """
    if not 1 <= months <= 120:
        raise UsageError("A simulation covers 1 to 120 months.")
    settings = inputs.parameters
    waiting = {found.id: found for found in inputs.candidates}
    found: dict[str, dict[str, str | int | None]] = {name: {"first": None, "complete": None} for name in waiting}
    history = {name: dict(counts) for name, counts in inputs.history.items()}
    year, month, used = inputs.year, inputs.month, inputs.used
    for step in range(months):
        listed = [waiting[name] for name in sorted(waiting)]
        if not any(entry.ready for entry in listed):
            break
        left = inputs.yearly_quota - settings.growth_reserve - used
        quota = inputs.quota if step == 0 else month_quota(left, month)
        known = categories(listed, settings)
        for name, count in plan(listed, quota, settings, history, estimate=step > 0).totals().items():
            entry = waiting[name]
            used += count
            for dimension, category in known[name].items():
                if category is not None:
                    counts = history.setdefault(dimension, {})
                    counts[category] = counts.get(category, 0) + count
            found[name]["first"] = found[name]["first"] or f"{year}-{month:02}"
            waiting[name] = replace(entry, demand=entry.demand - count, granted=entry.granted + count)
            if count == entry.demand:
                found[name]["complete"] = f"{year}-{month:02}"
                del waiting[name]
        year, month = (year, month + 1) if month < MONTHS else (year + 1, 1)
        used = used if month > 1 else 0
    return found


def listing(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the waiting list as everyone may see it, by position, with expected months (an estimate)."""
    expected = simulate(inputs)
    return [
        {
            "position": place,
            "application": entry.id,
            "points": entry.score,
            "registered": entry.registered[:10],
            "needs": entry.demand,
            "granted": entry.granted,
            "discipline": entry.discipline,
            "country": entry.country,
            "ready": entry.ready,
            "expected_first": expected[entry.id]["first"],
            "expected_complete": expected[entry.id]["complete"],
        }
        for place, entry in enumerate(in_order(inputs.candidates), start=1)
    ]


def refuse_second(connection: Connection, inputs: Inputs, *, again: bool) -> None:
    """Keep a month from being granted twice unnoticed.

    Raises:
        UsageError: the month has had its round and `again` was not said.
    """
    for row in statements.list_rounds(connection):
        if not again and row["year"] == inputs.year and json.loads(row["inputs"])["month"] == inputs.month:
            raise UsageError(
                f"{inputs.year}-{inputs.month:02} has had its round (number {row['id']}); say --again for another one."
            )
