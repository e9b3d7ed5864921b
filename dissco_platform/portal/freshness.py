"""Conditional requests: what has not changed is not sent again."""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import Request, Response

CURRENT = "public, max-age=300"
LASTING = "public, max-age=86400"


def etag(*parts: object) -> str:
    """Return a weak entity tag of what an answer depends on (weak: compression does not change what it says)."""
    return f'W/"{hashlib.blake2b(chr(31).join(map(str, parts)).encode(), digest_size=12).hexdigest()}"'


def freshness(tag: str, modified: str | None, cache: str = CURRENT) -> dict[str, str]:
    """Return the headers that let a client keep an answer; `modified` is ISO 8601 in UTC."""
    headers = {"etag": tag, "cache-control": cache, "vary": "Accept"}
    if modified:
        headers["last-modified"] = format_datetime(_time(modified), usegmt=True)
    return headers


def unchanged(request: Request, headers: dict[str, str]) -> Response | None:
    """Return 304 if the client has what these headers describe, otherwise None."""
    known = request.headers.get("if-none-match")
    if known is not None:
        same = known.strip() == "*" or headers["etag"] in (part.strip() for part in known.split(","))
    else:
        since = request.headers.get("if-modified-since")
        same = bool(since) and "last-modified" in headers and _is_since(since or "", headers["last-modified"])
    return Response(status_code=304, headers=headers) if same else None


def _is_since(since: str, modified: str) -> bool:
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).replace(microsecond=0)
