"""The page of one's own application, opened by the secret link: confirm, report, check again, change, DOIs, problems."""

import itertools
from typing import Any

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import Connection

from dissco_platform.enrolment import desk as domain
from dissco_platform.enrolment import report
from dissco_platform.enrolment.follow_up import problems
from dissco_platform.errors import UsageError
from dissco_platform.identity.doi_list import doi_list
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.desk import forms
from dissco_platform.portal.desk.context import Desk, DeskOf, limited
from dissco_platform.portal.desk.guard import OwnForm, answer, drop_cookie, go, seal, set_cookie, unseal
from dissco_platform.portal.desk.listing import place_of
from dissco_platform.portal.desk.paths import FORM, PAGE, Slug, Token
from dissco_platform.registry import desk as jobs
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import Dataset, find_dataset
from dissco_platform.registry.watch import get_watch

router = APIRouter(prefix="/enrolment")

OPENED, DAYS = "desk-opened", 30.0
_MOST_OPENED = 12
FIRST_DOIS = 10


@router.get("/open/{slug}/{token}", **PAGE)
def open_link(request: Request, desk: DeskOf, slug: Slug, token: Token) -> Response:
    """Take the secret out of the address bar: the browser keeps it sealed and goes on to the page."""
    limited(request, "open")
    with desk.registry.read() as connection:
        row = statements.find_application(connection, slug)
        found = domain.get(connection, slug) if row is not None else None
    if found is None or not desk.links.opens(found.to_json(), token):
        return answer(request, "closed.html", 404)
    opened = unseal(request, OPENED, days=DAYS)
    opened.pop(slug, None)
    kept = dict([*opened.items(), (slug, token)][-_MOST_OPENED:])
    response = go(f"/enrolment/datasets/{slug}")
    set_cookie(desk, response, OPENED, seal(desk, OPENED, kept), days=DAYS)
    return response


def _own(request: Request, connection: Connection, desk: Desk, slug: str) -> domain.Application:
    """Return an application whose link this browser has opened.

    Raises:
        HTTPException: 404, alike for what is not there and what is another's.
    """
    token = unseal(request, OPENED, days=DAYS).get(slug)
    if token is not None and statements.find_application(connection, slug) is not None:
        found = domain.get(connection, slug)
        if desk.links.opens(found.to_json(), str(token)):
            return found
    raise HTTPException(
        404, "This page opens with the link in our letters. You can have it sent again at /enrolment/link."
    )


@router.get("/datasets/{slug}", **PAGE)
def own_page(request: Request, desk: DeskOf, slug: Slug) -> Response:
    """Show where an application stands."""
    with desk.registry.read() as connection:
        found = _own(request, connection, desk, slug)
    return _page(request, desk, found)


def _page(
    request: Request, desk: Desk, found: domain.Application, status: int = 200, error: str = "", typed: Any = None
) -> Response:
    portal = portal_of(request)
    with desk.registry.read() as connection:
        events = domain.history(connection, found.slug)
        job = jobs.latest_job(connection, "check", found.slug)
    checks = [event for event in events if event.action == "check"]
    return answer(
        request,
        "own.html",
        status,
        found=found,
        told=[event for event in events if event.action not in {"news", "comment"}][::-1],
        check=checks[-1] if checks else None,
        job=job,
        listed=place_of(portal, desk, found.slug),
        grown=_grown(portal, found.slug),
        claims=forms.CLAIMS,
        error=error,
        typed=typed or {},
    )


def _grown(portal: Portal, slug: str) -> dict[str, Any] | None:
    """Return what there is of a granted dataset: progress, first DOIs, the last look, problems."""
    with portal.registry.read() as connection:
        dataset = find_dataset(connection, slug)
        if dataset is None:
            return None
        minted, registered = statements.registered_objects(connection, slug)
        return {
            "dataset": dataset,
            "minted": minted,
            "registered": registered,
            "waiting": dataset.waiting,
            "first": [f"{portal.settings.doi_prefix}/{suffix}" for suffix in _first(connection, dataset)],
            "problems": list(problems(connection, dataset)),
            "next_look": get_watch(connection, slug).due,
            "grants": statements.grants_of(connection, slug),
        }


def _first(connection: Connection, dataset: Dataset) -> list[str]:
    return statements.first_suffixes(connection, dataset.slug, FIRST_DOIS)


@router.post("/datasets/{slug}/{action}", **FORM)
def act(request: Request, desk: DeskOf, slug: Slug, action: str, form: OwnForm) -> Response:
    """Do what an applicant may: confirm, check, amend, withdraw, leave."""
    limited(request, "write")
    if action == "leave":
        response = go("/enrolment")
        drop_cookie(desk, response, OPENED)
        return response
    try:
        with desk.registry.write() as connection:
            found = _own(request, connection, desk, slug)
            _do(connection, desk, found, action, form)
    except UsageError as error:
        with desk.registry.read() as connection:
            found = _own(request, connection, desk, slug)
        return _page(request, desk, found, 422, str(error), form)
    return go(f"/enrolment/datasets/{slug}?done={action}#done")


def _do(connection: Connection, desk: Desk, found: domain.Application, action: str, form: dict[str, str]) -> None:
    slug = found.slug
    match action:
        case "confirm":
            if not found.confirmed:
                domain.act(connection, slug, "confirm", actor="applicant")
                jobs.add_job(connection, "check", by="applicant", application=slug)
        case "check":
            if not found.confirmed:
                raise UsageError("Please confirm your address first: one click above.")
            jobs.add_job(connection, "check", by="applicant", application=slug)
        case "amend":
            _amend(connection, found, form)
        case "withdraw":
            if form.get("sure") != "yes":
                raise UsageError("Please tick that you are sure: a dataset that was withdrawn loses its date.")
            if found.state not in {*domain.OPEN, "paused"} or found.granted:
                raise UsageError("DOIs were granted to this dataset already. Please write to our support.")
            reason = form.get("reason", "")[:500] or "the applicant withdrew it"
            domain.act(connection, slug, "withdraw", actor="applicant", reason=reason)
        case _:
            raise HTTPException(404)


def _amend(connection: Connection, found: domain.Application, form: dict[str, str]) -> None:
    wanted: dict[str, Any] = {}
    source, contact, what = (form.get(name, "") for name in ("source", "contact", "what"))
    if source and source != found.form["source"]:
        wrong = forms.check_address(source)
        if wrong or len(source) > forms.LONGEST["source"]:
            raise UsageError(wrong or "The address is too long.")
        wanted["source"] = source
    if contact and contact != found.form["contact"]:
        wanted["contact"] = contact[: forms.LONGEST["contact"]]
    if what in {"full", "doi"} and (what == "doi") != bool(found.form.get("doi_only")):
        wanted["doi_only"] = what == "doi"
    if not wanted:
        raise UsageError("Nothing was changed.")
    domain.amend(connection, found.slug, wanted, actor="applicant")
    if set(wanted) - {"contact"} and found.confirmed:
        jobs.add_job(connection, "check", by="applicant", application=found.slug)


def _latest_check(request: Request, desk: Desk, slug: str) -> domain.Event:
    with desk.registry.read() as connection:
        _own(request, connection, desk, slug)
        checks = [event for event in domain.history(connection, slug) if event.action == "check"]
    if not checks:
        raise HTTPException(404, "The dataset was not checked yet.")
    return checks[-1]


@router.get("/datasets/{slug}/report", **PAGE)
def show_report(request: Request, desk: DeskOf, slug: Slug) -> Response:
    """Show the latest check."""
    event = _latest_check(request, desk, slug)
    return answer(request, "report.html", slug=slug, time=event.time, **report.parts(event.inputs))


@router.get("/datasets/{slug}/report.html", **PAGE)
def save_report(request: Request, desk: DeskOf, slug: Slug) -> Response:
    """Hand the latest check over as one file that can be kept, sent and printed."""
    event = _latest_check(request, desk, slug)
    # A file to be kept, with its own style; were it shown, nothing in it could run.
    policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    headers = {**_saved(f"{slug}-check.html"), **policy}
    return HTMLResponse(report.page(event.inputs, event.time), headers=headers)


@router.get("/datasets/{slug}/report.json", **PAGE)
def save_report_json(request: Request, desk: DeskOf, slug: Slug) -> Response:
    """Hand the latest check over for programs."""
    event = _latest_check(request, desk, slug)
    hidden = {"problems", "cause"}
    body = {"checked": event.time, **{name: value for name, value in event.inputs.items() if name not in hidden}}
    return Response(
        orjson.dumps(body, option=orjson.OPT_INDENT_2),
        media_type="application/json",
        headers=_saved(f"{slug}-check.json"),
    )


@router.get("/datasets/{slug}/dois.csv", **PAGE)
def dois(request: Request, desk: DeskOf, slug: Slug) -> Response:
    """Hand over catalogue numbers with their DOIs."""
    portal = portal_of(request)
    with desk.registry.read() as connection:
        _own(request, connection, desk, slug)
    with portal.registry.read() as connection:
        if find_dataset(connection, slug) is None:
            raise HTTPException(404, "This dataset has no DOIs yet.")

    lines = doi_list(portal.registry, portal.store, portal.settings.doi_prefix, slug)
    begin = list(itertools.islice(lines, 2))  # what cannot be read is told before the download begins
    headers = _saved(f"{slug}-dois.csv")
    return StreamingResponse(itertools.chain(begin, lines), media_type="text/csv; charset=utf-8", headers=headers)


def _saved(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
