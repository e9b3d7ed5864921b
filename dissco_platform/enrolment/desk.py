"""The desk: states of an application, who may move it where, and what was decided from what.

An application is the fold of its events (`replay`): `apply` is the one place where an event changes anything, and each
event carries all that it was decided from. The row in the registry is a copy for reading. What a check finds is
`requirements`; who is granted DOIs is `waiting_list`; what runs have done is `follow_up`; the letters are `notifications`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping

from dissco_platform.enrolment.notifications import notify
from dissco_platform.enrolment.scoring import Score, is_european, score
from dissco_platform.errors import UsageError
from dissco_platform.identity.organisations import organisation_id
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import check_slug, list_datasets, set_state
from dissco_platform.registry.engine import now

UNCONFIRMED = timedelta(days=14)
"""After so long a pre-registration that nobody confirmed stands in nobody's way."""

JUDGED_FLAGS = ("reason", "mou", "partner")
"""Flags that staff decide; `europe` and `types` follow from evidence."""

OPTIONAL = ("title", "organisation_name", "country", "discipline", "expected_dois", "doi_only", "claims", "remark")
"""What an application may leave open; `source`, `organisation` and `contact` it may not."""

OPEN = ("received", "checked", "not_ready", "waiting")
RUNNING = ("granted", "loading", "active")

# Action → states from which it is allowed. Where it leads is in `apply`.
ACTIONS: dict[str, tuple[str, ...]] = {
    "submit": (),
    "confirm": (*OPEN, "paused"),
    "amend": (*OPEN, "paused"),
    "check": (*OPEN, *RUNNING),
    "accept": ("checked",),
    "judge": (*OPEN, "paused", *RUNNING),
    "decline": OPEN,
    "pause": (*OPEN, *RUNNING),
    "resume": ("paused",),
    "withdraw": (*OPEN, "paused", "granted"),
    "grant": ("waiting", *RUNNING),
    "load": ("granted",),
    "activate": ("loading",),
    "postpone": ("waiting", *RUNNING),
    "grow": RUNNING,
    "problem": RUNNING,
    "relink": (*OPEN, *RUNNING, "paused"),
    "news": (*OPEN, *RUNNING, "paused"),
    "comment": (
        "received",
        "checked",
        "not_ready",
        "waiting",
        "granted",
        "loading",
        "active",
        "paused",
        "declined",
        "withdrawn",
    ),
}
DECISIONS = ("confirm", "accept", "judge", "decline", "pause", "resume", "withdraw", "comment", "relink")
"""Actions that a person takes at the desk; the others follow from a check, a round or a run."""
REASON_NEEDED = frozenset({"decline", "pause", "withdraw", "comment"})


@dataclass(frozen=True)
class Application:
    """The present state of an application.

    `form` is what the applicant said, `facts` what the latest check measured, `flags` what staff judged, `granted` the
    DOIs of all rounds, `demand` those that it still needs. `link` numbers the secret link to its page: the next one ends the
    one before. `news`: whether letters that nobody has to have are wanted.
    """

    slug: str
    state: str
    registered: str
    form: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    granted: int = 0
    confirmed: bool = False
    paused_from: str | None = None
    link: int = 1
    news: bool = True

    @property
    def country(self) -> str | None:
        """Country of the facility: from its ROR record, else as the applicant said."""
        return self.facts.get("country") or self.form.get("country")

    @property
    def discipline(self) -> str | None:
        """The discipline of most of its specimens, else as the applicant said."""
        return self.facts.get("discipline") or self.form.get("discipline")

    @property
    def institution(self) -> str:
        """Identifier of the institution; the successor where its ROR record names one."""
        return str(self.facts.get("organisation_id") or self.form["organisation"])

    @property
    def demand(self) -> int:
        """DOIs that are still to be granted; before a check, those that the applicant expects."""
        return max(0, int(self.facts.get("dois_needed") or self.form.get("expected_dois") or 0) - self.granted)

    @property
    def score(self) -> Score:
        """Points: judged flags, and evidence for Europe and type specimens."""
        types = bool(self.facts.get("type_specimens"))
        return score({**self.flags, "europe": is_european(self.country), "types": types})

    @property
    def ready(self) -> bool:
        """Whether a round may grant it DOIs."""
        return self.state in {"waiting", *RUNNING} and self.confirmed and self.demand > 0

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **asdict(self),
            "country": self.country,
            "discipline": self.discipline,
            "institution": self.institution,
            "demand": self.demand,
            "score": self.score.to_json(),
            "ready": self.ready,
        }


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an application: who, when, why, and from what it was decided."""

    time: str
    actor: str
    action: str
    reason: str
    inputs: Mapping[str, Any]


def apply(application: Application | None, slug: str, event: Event) -> Application:
    """Return the application after an event.

    Raises:
        UsageError: the action does not fit its state.
    """
    inputs = event.inputs
    if application is None:
        if event.action != "submit":
            raise UsageError(f"There is no application '{slug}'; see `dissco enrol list`.")
        return Application(slug, "received", event.time, dict(inputs["form"]))
    if application.state not in ACTIONS[event.action]:
        allowed = ", ".join(ACTIONS[event.action]) or "new"
        raise UsageError(
            f"{slug} is {application.state.replace('_', ' ')}: {event.action} is for applications that are {allowed}."
        )
    match event.action:
        case "confirm":
            return replace(application, confirmed=True)
        case "amend":
            return _amended(application, inputs["form"])
        case "check":
            return replace(application, facts=dict(inputs["facts"]), state=_after_check(application, inputs))
        case "accept":
            return replace(application, flags=_judged(application, inputs), state="waiting")
        case "judge":
            return replace(application, flags=_judged(application, inputs))
        case "decline":
            return replace(application, state="declined")
        case "pause":
            return replace(application, state="paused", paused_from=application.state)
        case "resume":
            return replace(application, state=application.paused_from or "received", paused_from=None)
        case "withdraw":
            return replace(application, state="withdrawn")
        case "grant":
            state = "loading" if application.state == "loading" else "granted"
            return replace(application, state=state, granted=application.granted + int(inputs["count"]))
        case "grow":
            return replace(application, facts={**application.facts, "dois_needed": int(inputs["dois_needed"])})
        case "relink":
            return replace(application, link=application.link + bool(inputs.get("rotate", True)))
        case "news":
            return replace(application, news=bool(inputs["wanted"]))
        case "load":
            return replace(application, state="loading")
        case "activate":
            return replace(application, state="active")
    return application  # a problem or an estimate is told, a comment kept, and none changes anything


def _amended(application: Application, changed: Mapping[str, Any]) -> Application:
    form = {**application.form, **changed}
    # A new address has to say that it is the right one, and links that went to the old one end.
    same = form["contact"] == application.form["contact"]
    after = replace(
        application,
        form=form,
        confirmed=application.confirmed and same,
        link=application.link + (not same),
        news=application.news or not same,
    )
    if not set(changed) - {"contact"}:
        return after
    # What was measured belongs to what was asked for before.
    return replace(
        after, facts={}, state="paused" if application.state == "paused" else "received", paused_from="received"
    )


def _after_check(application: Application, inputs: Mapping[str, Any]) -> str:
    if application.state in RUNNING:
        return application.state
    if inputs["not_met"]:
        return "not_ready"
    # Where staff have accepted it before, it returns to its place without their being asked again.
    return "waiting" if application.flags else "checked"


def _judged(application: Application, inputs: Mapping[str, Any]) -> dict[str, bool]:
    named = {flag: bool(value) for flag, value in inputs.get("flags", {}).items()}
    return {flag: named.get(flag, application.flags.get(flag, False)) for flag in JUDGED_FLAGS}


def replay(slug: str, events: Iterable[Event]) -> Application:
    """Return the application that its events make.

    Raises:
        UsageError: there are none.
    """
    application = None
    for event in events:
        application = apply(application, slug, event)
    if application is None:
        raise UsageError(f"There is no application '{slug}'; see `dissco enrol list`.")
    return application


def history(connection: Connection, slug: str) -> list[Event]:
    """Return an application's events, oldest first."""
    return [
        Event(row["time"], row["actor"], row["action"], row["reason"], json.loads(row["inputs"]))
        for row in statements.events_of(connection, slug)
    ]


def get(connection: Connection, slug: str) -> Application:
    """Return an application.

    Raises:
        UsageError: there is none of that name.
    """
    row = statements.find_application(connection, slug)
    if row is None:
        known = ", ".join(found["slug"] for found in statements.list_applications(connection)[:10]) or "none yet"
        raise UsageError(f"There is no application '{slug}'. Applications: {known}. Submit one: `dissco enrol submit`.")
    return _read(row)


def list_all(connection: Connection) -> list[Application]:
    """Return all applications by date of pre-registration."""
    return [_read(row) for row in statements.list_applications(connection)]


def _read(row: RowMapping) -> Application:
    return Application(slug=row["slug"], state=row["state"], registered=row["registered"], **json.loads(row["body"]))


def act(
    connection: Connection,
    slug: str,
    action: str,
    *,
    actor: str,
    reason: str = "",
    inputs: Mapping[str, Any] | None = None,
) -> Application:
    """Move an application on: the event, the new state and the letter are written together.

    Raises:
        UsageError: there is none, the action does not fit its state, or its reason is missing.
    """
    if action in REASON_NEEDED and not reason.strip():
        raise UsageError(f"Say why (--reason): it is kept with what happened to {slug}.")
    before = get(connection, slug)
    after = _record(connection, before, slug, Event(now(), actor, action, reason, inputs or {}))
    _follow(connection, before, after)
    return after


def _follow(connection: Connection, before: Application, after: Application) -> None:
    """Let the dataset, where there is one already, do as its application: pause, go on, or end before its first DOI."""
    if before.state == after.state:
        return
    wanted = None
    if after.state == "paused" and before.state in RUNNING:
        wanted = "paused"
    elif before.state == "paused" and after.state in RUNNING:
        wanted = "active"
    elif after.state == "withdrawn" and "granted" in {before.state, before.paused_from}:
        wanted = "removed"
    if wanted is not None and any(dataset.slug == after.slug for dataset in list_datasets(connection)):
        set_state(connection, after.slug, wanted)


def amend(
    connection: Connection, slug: str, changed: Mapping[str, Any], *, actor: str, reason: str = ""
) -> Application:
    """Change what was asked for (address, DOIs only or full, contact); the date stays, the check has to be made again."""
    form = _checked_form(connection, slug, changed)
    before = get(connection, slug)
    after = act(connection, slug, "amend", actor=actor, reason=reason, inputs={"form": form})
    if after.link != before.link:
        after = act(connection, slug, "relink", actor=actor, inputs={"rotate": False})
    return after


def end_news(connection: Connection, slug: str) -> list[str]:
    """End news for the contact of an application, in all of its applications; return those."""
    contact = get(connection, slug).form["contact"]
    ended = [
        entry.slug
        for entry in list_all(connection)
        if entry.form["contact"] == contact and entry.news and entry.state in ACTIONS["news"]
    ]
    for each in ended:
        act(connection, each, "news", actor="applicant", inputs={"wanted": False})
    return sorted(ended)


def submit(connection: Connection, slug: str, form: Mapping[str, Any], *, actor: str) -> Application:
    """Pre-register a dataset: `source, organisation, contact` and, if known, `title, organisation_name, country,
    discipline, expected_dois, doi_only, claims`.

    Raises:
        UsageError: the name is taken, or the organisation or address cannot be one.
    """
    check_slug(slug)
    if statements.find_application(connection, slug):
        raise UsageError(f"An application '{slug}' exists already; see `dissco enrol show {slug}`.")
    if any(dataset.slug == slug for dataset in list_datasets(connection)):
        raise UsageError(f"A dataset '{slug}' is enrolled already; choose another name.")
    complete = {**dict.fromkeys(OPTIONAL), **_checked_form(connection, slug, form)}
    return _record(connection, None, slug, Event(now(), actor, "submit", "", {"form": complete}))


def _checked_form(connection: Connection, slug: str, form: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(form)
    if "contact" in form:
        contact = checked["contact"] = str(form["contact"]).strip()
        local, at, domain = contact.rpartition("@")
        if (
            not at
            or not local
            or "." not in domain
            or any(sign.isspace() or not sign.isprintable() for sign in contact)
        ):
            raise UsageError(f"'{contact}' is not a mail address; decisions are sent there.")
    if "source" in form:
        for found in list_all(connection):
            if (
                found.form["source"] == form["source"]
                and found.slug != slug
                and found.state not in {"declined", "withdrawn"}
                and not _lapsed(found)
            ):
                raise UsageError(f"{form['source']} is pre-registered already as '{found.slug}'.")
    if "organisation" in form:
        checked["organisation"] = organisation_id(str(form["organisation"]))
    return checked


def _lapsed(found: Application) -> bool:
    """Say whether a pre-registration was never confirmed: it must not keep a dataset from its institution for ever."""
    age = datetime.now(UTC) - datetime.fromisoformat(found.registered)
    return not found.confirmed and found.state in {"received", "not_ready", "checked"} and age > UNCONFIRMED


def _record(connection: Connection, before: Application | None, slug: str, event: Event) -> Application:
    after = apply(before, slug, event)
    body = {name: value for name, value in asdict(after).items() if name not in {"slug", "state", "registered"}}
    statements.save_application(
        connection,
        {"slug": slug, "state": after.state, "registered": after.registered, "body": statements.dumps(body)},
    )
    number = statements.add_event(
        connection,
        {
            "application": slug,
            "time": event.time,
            "actor": event.actor,
            "action": event.action,
            "before": before.state if before else None,
            "after": after.state,
            "reason": event.reason,
            "inputs": statements.dumps(event.inputs),
        },
    )
    notify(connection, after.to_json(), event.action, event.reason, event.inputs, number)
    return after
