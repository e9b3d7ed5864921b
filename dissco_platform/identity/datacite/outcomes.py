"""What became of a write to DataCite, told from its answer.

Source: DataCite REST service, error bodies and states (JSON:API). Who waits, repeats or gives up is `client.py` and the
drain above it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson


class Kind(StrEnum):
    """Classes of outcomes, each with one way to go on."""

    REGISTERED = "registered"  # in the wished state, and the Handle System resolves it
    ACCEPTED = "accepted_not_resolvable"  # in the wished state, not resolvable yet: put again later
    REJECTED = "rejected"  # never again without a change, show the message (403: another's prefix or DOI)
    UNAUTHORIZED = "unauthorized"  # credentials are wrong: stop everything
    RATE_LIMITED = "rate_limited"  # pause everything, then slower
    RETRYABLE = "retryable"  # nothing was done: again with back-off
    UNKNOWN = "unknown"  # it may have been done: put again, a PUT is idempotent


REPEATABLE: Final = frozenset({Kind.RATE_LIMITED, Kind.RETRYABLE, Kind.UNKNOWN})
SUCCESSFUL: Final = frozenset({Kind.REGISTERED, Kind.ACCEPTED})
STATE_AFTER: Final = {"publish": "findable", "show": "findable", "register": None, "hide": "registered"}
"""State that an event leads to; `register` leaves a findable DOI findable."""

_MESSAGE_LENGTH: Final = 1000
_THROTTLED: Final = re.compile(r"rate limited", re.IGNORECASE)
_TAKEN: Final = re.compile(r"already been taken", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]+>|\s+")
_BY_STATUS: Final = {
    401: Kind.UNAUTHORIZED,
    408: Kind.RETRYABLE,
    409: Kind.RETRYABLE,
    425: Kind.RETRYABLE,
    429: Kind.RATE_LIMITED,
    504: Kind.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write. `message` is for people and holds no secrets; `status` is null without an answer."""

    kind: Kind
    doi: str
    status: int | None = None
    message: str = ""
    state: str | None = None
    registered: str | None = None
    updated: str | None = None
    created: bool = False
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether DataCite holds what was sent."""
        return self.kind in SUCCESSFUL


def outcome(doi: str, status: int, body: bytes, event: str = "publish") -> Outcome:
    """Return what an answer (status, body) to a PUT of `doi` with `event` means."""
    if status in {200, 201}:
        return _accepted(doi, status, body, event)
    message = error_message(status, body)
    if status == 403 and _THROTTLED.search(message):
        return Outcome(Kind.RATE_LIMITED, doi, status, message)
    if status == 422 and _TAKEN.search(message):  # two creations at once; the next PUT is an update
        return Outcome(Kind.RETRYABLE, doi, status, message)
    kind = _BY_STATUS.get(status, Kind.RETRYABLE if status >= 500 else Kind.REJECTED)
    return Outcome(kind, doi, status, message)


def error_message(status: int, body: bytes) -> str:
    """Return what an error answer says, on one line: the titles of its errors, or the text of its page."""
    try:
        errors = orjson.loads(body)["errors"]
        said = [_one(entry) for entry in errors]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        said = [_TAG.sub(" ", body[:4096].decode(errors="replace"))]
    text = " ".join("; ".join(part for part in said if part).split())
    return (text or f"HTTP status {status}")[:_MESSAGE_LENGTH]


def _one(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    title = str(entry.get("title") or entry.get("detail") or "")
    source = entry.get("source")
    return f"{source}: {title}" if isinstance(source, str) and source else title


def _accepted(doi: str, status: int, body: bytes, event: str) -> Outcome:
    try:
        data = orjson.loads(body)["data"]
        attributes, name = data["attributes"], str(data["id"])
        state, registered, updated = attributes["state"], attributes.get("registered"), attributes.get("updated")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return Outcome(Kind.UNKNOWN, doi, status, "the answer is not the record that was written")
    if name.lower() != doi.lower():
        return Outcome(Kind.REJECTED, doi, status, f"the service answered with another DOI, {name}")
    wished = STATE_AFTER.get(event)
    if state == "draft" or (wished is not None and state != wished):
        text = f"the service took the write but left the DOI {state} instead of {wished or 'registered'}"
        return Outcome(Kind.REJECTED, doi, status, text, state=state, registered=registered, updated=updated)
    return Outcome(
        Kind.REGISTERED if registered else Kind.ACCEPTED,
        doi,
        status,
        "" if registered else "accepted, but the Handle System does not resolve it yet",
        state=state,
        registered=registered,
        updated=updated,
        created=status == 201,
    )
