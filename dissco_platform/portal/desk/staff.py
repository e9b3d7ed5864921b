"""The staff's pages: applications, decisions, rounds, disappearances, refused DOIs, the log. Each action is audited."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from sqlalchemy import Connection

from dissco_platform.enrolment import desk as domain
from dissco_platform.enrolment import report, rounds
from dissco_platform.enrolment.scoring import CRITERIA, HIGHEST
from dissco_platform.errors import UsageError
from dissco_platform.portal.context import portal_of
from dissco_platform.portal.desk import forms
from dissco_platform.portal.desk.context import Desk, DeskOf, limited
from dissco_platform.portal.desk.guard import Form, OwnForm, answer, go
from dissco_platform.portal.desk.paths import FORM, PAGE, Slug
from dissco_platform.portal.desk.signing import Signed, require
from dissco_platform.registry import desk as statements
from dissco_platform.registry import enrolment as letters
from dissco_platform.registry import outbox, vanished
from dissco_platform.registry.datasets import find_dataset, list_datasets
from dissco_platform.registry.desk import Person
from dissco_platform.settings import DEFAULT_YEARLY_QUOTA

router = APIRouter(prefix="/staff")

DECISIONS = {
    "accept": "officer", "judge": "officer", "decline": "officer", "pause": "officer", "resume": "officer",
    "withdraw": "officer", "comment": "officer", "relink": "officer", "check": "officer",
}  # fmt: skip
"""What may be done with an application, and the role it takes."""
LOG_PAGE = 100
_LONGEST_REASON = 2000


@contextmanager
def _acting(
    desk: Desk, person: Person, action: str, subject: str, reason: str, details: object
) -> Iterator[Connection]:
    """Yield a transaction in which something is done; the log gets it in the same one."""
    with desk.staff_registry.write() as connection:
        yield connection
        statements.add_audit(
            connection, actor=person.name, action=action, subject=subject, reason=reason, details=details
        )


@router.get("", **PAGE)
def overview(request: Request, desk: DeskOf, person: Signed, state: str = "") -> Response:
    """Show the applications and what waits for a person."""
    with desk.staff_registry.read() as connection:
        everything = domain.list_all(connection)
        gone, dead = vanished.waiting(connection), len(outbox.dead_letters(connection))
        jobs = statements.recent_jobs(connection, 10)
    counts: dict[str, int] = {}
    for found in everything:
        counts[found.state] = counts.get(found.state, 0) + 1
    chosen = [found for found in everything if state in ("", found.state)]
    return answer(
        request,
        "staff_overview.html",
        person=person,
        applications=chosen[:500],
        total=len(chosen),
        counts=counts,
        state=state,
        gone=gone,
        dead=dead,
        jobs=jobs,
    )


@router.get("/applications/{slug}", **PAGE)
def application(request: Request, desk: DeskOf, person: Signed, slug: Slug) -> Response:
    """Show one application with all that is known of it."""
    return _application(request, desk, person, slug)


def _application(
    request: Request,
    desk: Desk,
    person: Person,
    slug: str,
    status: int = 200,
    error: str = "",
    typed: Form | None = None,
) -> Response:
    with desk.staff_registry.read() as connection:
        found = _found(connection, slug)
        events = domain.history(connection, slug)
        sent = letters.notifications_of(connection, slug)
        grants = letters.grants_of(connection, slug)
        job = statements.latest_job(connection, "check", slug)
        dataset = find_dataset(connection, slug)
        gone = vanished.waiting(connection).get(slug, 0)
    checks = [event for event in events if event.action == "check"]
    allowed = {
        action
        for action in DECISIONS
        if found.state in domain.ACTIONS[action] and found.state not in {"withdrawn", "declined"}
    }
    if not found.facts and found.state == "checked":
        allowed.discard("accept")
    return answer(
        request,
        "staff_application.html",
        status,
        person=person,
        application=found,
        events=events[::-1],
        letters=sent[::-1],
        grants=grants,
        job=job,
        dataset=dataset,
        gone=gone,
        checked=report.parts(checks[-1].inputs) if checks else None,
        checked_at=checks[-1].time if checks else None,
        allowed=allowed,
        criteria=CRITERIA,
        highest=HIGHEST,
        claims=forms.CLAIMS,
        judged=domain.JUDGED_FLAGS,
        error=error,
        typed=typed or {},
    )


def _found(connection: Connection, slug: str) -> domain.Application:
    if letters.find_application(connection, slug) is None:
        raise HTTPException(404)
    return domain.get(connection, slug)


@router.post("/applications/{slug}/{action}", **FORM)
def decide(request: Request, desk: DeskOf, person: Signed, slug: Slug, action: str, form: OwnForm) -> Response:
    """Decide on an application."""
    limited(request, "write")
    if action not in DECISIONS:
        raise HTTPException(404)
    require(person, DECISIONS[action])
    reason = form.get("reason", "")
    if len(reason) > _LONGEST_REASON:
        raise HTTPException(413, f"A reason has at most {_LONGEST_REASON:,} characters.")
    inputs: dict[str, Any] = {}
    if action in {"accept", "judge"}:
        inputs = {"flags": {flag: bool(form.get(f"flag-{flag}")) for flag in domain.JUDGED_FLAGS}}
    try:
        with _acting(desk, person, action, slug, reason, inputs) as connection:
            _found(connection, slug)
            if action == "check":
                statements.add_job(connection, "check", by=person.name, application=slug)
            else:
                if action == "judge" and not reason:
                    raise UsageError("Please say what the points are judged by.")
                domain.act(connection, slug, action, actor=person.name, reason=reason, inputs=inputs)
    except UsageError as error:
        said = str(error).replace("Say why (--reason)", "Please say why")
        return _application(request, desk, person, slug, 422, said, form)
    return go(f"/staff/applications/{slug}?done={action}#done")


@router.get("/round", **PAGE)
def planned_round(request: Request, desk: DeskOf, person: Signed) -> Response:
    """Show what a round would grant now."""
    portal = portal_of(request)
    quota, today = portal.settings.quota, datetime.now(UTC)
    with desk.staff_registry.read() as connection:
        inputs = rounds.gather(
            connection,
            yearly_quota=DEFAULT_YEARLY_QUOTA if quota is None else quota,
            year=today.year,
            month=today.month,
        )
        job = statements.latest_job(connection, "round")
        stored = letters.list_rounds(connection)
    had = [
        row for row in stored if row["year"] == inputs.year and letters.loads(row["inputs"])["month"] == inputs.month
    ]
    plan = rounds.plan_round(inputs)
    return answer(
        request,
        "staff_round.html",
        person=person,
        inputs=inputs,
        plan=plan,
        total=sum(plan.totals().values()),
        job=job,
        had=had,
    )


@router.post("/round", **FORM)
def ask_for_round(request: Request, desk: DeskOf, person: Signed, form: OwnForm) -> Response:
    """Ask for the month's round; a worker grants it."""
    limited(request, "write")
    require(person, "manager")
    again = form.get("again") == "yes"
    with _acting(desk, person, "round", "waiting-list", form.get("reason", ""), {"again": again}) as connection:
        statements.add_job(connection, "round", by=person.name, inputs={"again": again})
    return go("/staff/round?done=round#done")


@router.get("/datasets", **PAGE)
def datasets(request: Request, desk: DeskOf, person: Signed) -> Response:
    """Show mass disappearances, and what the last looks and runs said."""
    with desk.staff_registry.read() as connection:
        gone = vanished.waiting(connection)
        listed = list_datasets(connection)
    failing = [found for found in listed if found.failed or found.slug in gone]
    return answer(request, "staff_datasets.html", person=person, datasets=failing, total=len(listed), gone=gone)


@router.post("/datasets/{slug}/confirm-disappearance", **FORM)
def confirm_disappearance(request: Request, desk: DeskOf, person: Signed, slug: Slug, form: OwnForm) -> Response:
    """Confirm that the specimens which vanished are gone: the next run makes tombstones of them."""
    limited(request, "write")
    require(person, "manager")
    reason = form.get("reason", "")
    if not reason:
        raise HTTPException(422, "Please go back and say how you know that they are gone.")
    with desk.staff_registry.read() as connection:
        missing = vanished.waiting(connection).get(slug, 0)
    if not missing or form.get("missing") != str(missing):
        raise HTTPException(409, "The number of missing specimens has changed meanwhile. Please look again.")
    with _acting(desk, person, "disappearance", slug, reason, {"missing": missing}) as connection:
        vanished.confirm(connection, slug, person.name)
    return go("/staff/datasets?done=confirmed#done")


@router.get("/dead-letters", **PAGE)
def dead_letters(request: Request, desk: DeskOf, person: Signed) -> Response:
    """Show the DOIs that the DOI service refused."""
    with desk.staff_registry.read() as connection:
        dead = outbox.dead_letters(connection)
    return answer(request, "staff_dead_letters.html", person=person, dead=dead[:200], total=len(dead))


@router.post("/dead-letters", **FORM)
def retry(request: Request, desk: DeskOf, person: Signed, form: OwnForm) -> Response:
    """Have refused DOIs sent again, of one dataset or of all."""
    limited(request, "write")
    require(person, "manager")
    dataset = form.get("dataset") or None
    with desk.staff_registry.write() as connection:
        count = outbox.retry_dead(connection, dataset)
        details = {"dataset": dataset, "count": count}
        statements.add_audit(
            connection,
            actor=person.name,
            action="retry",
            subject=dataset or "all",
            reason=form.get("reason", ""),
            details=details,
        )
    return go("/staff/dead-letters?done=retry#done")


@router.get("/log", **PAGE)
def log(request: Request, desk: DeskOf, person: Signed, before: int | None = Query(None, ge=1, le=2**62)) -> Response:
    """Show what was done at the desk, by whom, when and why."""
    with desk.staff_registry.read() as connection:
        entries = statements.list_audit(connection, before=before, limit=LOG_PAGE)
    return answer(request, "staff_log.html", person=person, entries=entries, more=len(entries) == LOG_PAGE)
