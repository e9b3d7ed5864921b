"""The waiting list as everyone may see it: place, points with their reasons, expected month, how the order is made."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dissco_platform.enrolment import desk as domain
from dissco_platform.enrolment import rounds
from dissco_platform.enrolment.scoring import CRITERIA, HIGHEST
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.desk.context import Desk, DeskOf, limited
from dissco_platform.portal.desk.guard import answer
from dissco_platform.portal.desk.paths import PAGE
from dissco_platform.registry.enrolment import list_rounds, loads
from dissco_platform.settings import DEFAULT_YEARLY_QUOTA

router = APIRouter(prefix="/enrolment")

# A simulation of the year for thousands of datasets takes seconds; a list that is a minute old serves as well.
FRESH_SECONDS = 60.0
LONG = 1_000
PAGE_SIZE = 100


@dataclass(frozen=True)
class Listing:
    """The list at a moment, with what it was made from."""

    made: float
    entries: tuple[dict[str, Any], ...]
    inputs: rounds.Inputs
    last_round: dict[str, Any] | None
    stamp: tuple[int, str]


_lock = Lock()


def listing(portal: Portal, desk: Desk) -> Listing:
    """Return the list, made again when an application changed: a long one at most once in `FRESH_SECONDS`.

    While one request makes it again (3 s of processor time for 10,000 applications), others get the one before.
    """
    kept = _kept.get(id(desk))
    stamp = _stamp(portal)
    if kept is not None and (
        kept.stamp == stamp or (len(kept.inputs.candidates) > LONG and time.monotonic() - kept.made < FRESH_SECONDS)
    ):
        return kept
    long = kept is not None and len(kept.inputs.candidates) > LONG
    if not _lock.acquire(blocking=not long):
        assert kept is not None
        return kept
    try:
        made = _make(portal, stamp)
        _kept.clear()
        _kept[id(desk)] = made
        return made
    finally:
        _lock.release()


_kept: dict[int, Listing] = {}


def _stamp(portal: Portal) -> tuple[int, str]:
    """Return what the list depends on: the last event, and the month."""
    with portal.registry.read() as connection:
        number = connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM application_event").scalar_one()
    return int(number), f"{datetime.now(UTC):%Y-%m}"


def _make(portal: Portal, stamp: tuple[int, str]) -> Listing:
    quota = portal.settings.quota
    today = datetime.now(UTC)
    with portal.registry.read() as connection:
        inputs = rounds.gather(
            connection,
            yearly_quota=DEFAULT_YEARLY_QUOTA if quota is None else quota,
            year=today.year,
            month=today.month,
        )
        known = {found.slug: found for found in domain.list_all(connection)}
        stored = list_rounds(connection)
    shown: list[dict[str, Any]] = []
    for entry in rounds.listing(inputs):
        found = known[entry["application"]]
        # A pre-registration that nobody has confirmed is nobody's business but its sender's.
        if not found.confirmed or found.state not in {"checked", "not_ready", "waiting", "paused", *domain.RUNNING}:
            continue
        shown.append(
            {
                **entry,
                "position": len(shown) + 1,
                "title": found.facts.get("title") or found.form.get("title") or found.slug,
                "institution": found.institution,
                "institution_name": found.facts.get("organisation_name") or found.form.get("organisation_name"),
                "reasons": list(found.score.reasons),
                "state": found.state,
            }
        )
    last = stored[-1] if stored else None
    told = None
    if last is not None:
        result = loads(last["result"])
        told = {
            "number": last["id"],
            "this_month": last["time"][:7] == f"{today:%Y-%m}",
            "date": last["time"],
            "quota": result["quota"],
            "granted": result["granted"],
            "grants": result["grants"],
            "titles": {slug: entry.facts.get("title") or slug for slug, entry in known.items()},
            "inputs_hash": last["inputs_hash"],
        }
    return Listing(time.monotonic(), tuple(shown), inputs, told, stamp)


def place_of(portal: Portal, desk: Desk, slug: str) -> dict[str, Any] | None:
    """Return an application's line in the list, or None."""
    return next((entry for entry in listing(portal, desk).entries if entry["application"] == slug), None)


@router.get("/waiting-list", **PAGE)
def waiting_list(request: Request, desk: DeskOf, page: int = 1) -> Response:
    """Show the list."""
    limited(request, "read")
    found = listing(portal_of(request), desk)
    pages = max(1, -(-len(found.entries) // PAGE_SIZE))
    page = min(max(1, page), pages)
    begin = (page - 1) * PAGE_SIZE
    return answer(
        request,
        "waiting_list.html",
        entries=found.entries[begin : begin + PAGE_SIZE],
        total=len(found.entries),
        page=page,
        pages=pages,
        inputs=found.inputs,
        parameters=found.inputs.parameters,
        last=found.last_round,
        criteria=CRITERIA,
        highest=HIGHEST,
    )


@router.get("/waiting-list.json", **PAGE)
def waiting_list_json(request: Request, desk: DeskOf) -> Response:
    """Hand over the whole list, with the settings of its order."""
    limited(request, "read")
    found = listing(portal_of(request), desk)
    return JSONResponse(
        {
            "year": found.inputs.year,
            "month": found.inputs.month,
            "yearly_quota": found.inputs.yearly_quota,
            "used": found.inputs.used,
            "this_month": found.inputs.quota,
            "parameters": found.inputs.parameters.to_json(),
            "waiting": list(found.entries),
        }
    )
