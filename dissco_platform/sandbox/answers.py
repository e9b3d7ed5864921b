"""Answers as DataCite's REST service words them: statuses, titles, bodies.

Which answer a request gets is `app.py`.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from dissco_platform.sandbox.faults import RATE_LIMIT_TITLE

Header = tuple[bytes, bytes]
JSON: Final[Header] = (b"content-type", b"application/json; charset=utf-8")
_TEXT: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
_HTML: Final[Header] = (b"content-type", b"text/html")
_HTML_PAGE: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

TITLES: Final = {
    401: "Bad credentials.",
    403: "You are not authorized to access this resource.",
    404: "The resource you are looking for doesn't exist.",
    405: "Method not allowed",
    406: "The content type is not recognized.",
    409: "The resource already exists.",
    410: "The resource is no longer available.",
    500: "Internal server error.",
    501: "Not implemented",
}
NO_PAYLOAD: Final = "You need to provide a payload following the JSONAPI spec"
WRITES: Final = b"HEAD, GET, POST, PATCH, PUT, OPTIONS"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = (JSON,)


def json_answer(status: int, value: Any, *headers: Header) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, orjson.dumps(value), (JSON, *headers))


def error(status: int, title: str | None = None, *headers: Header) -> Answer:
    """Return an error in the service's shape; the title is its usual one unless given."""
    body = {"errors": [{"status": str(status), "title": title or TITLES[status]}]}
    return json_answer(status, body, *headers)


def bad_credentials() -> Answer:
    """Return the answer to a write without (good) credentials."""
    return error(401, None, (b"www-authenticate", b'Basic realm="datacite.org"'))


def text(status: int, body: str) -> Answer:
    """Return a plain text answer."""
    return Answer(status, body.encode(), (_TEXT,))


def page(title: str) -> Answer:
    """Return what the web server in front says by itself: an HTML page; `title` begins with the status."""
    return Answer(int(title[:3]), _HTML_PAGE.format(title).encode(), (_HTML,))


FAULT_ANSWERS: Final = {
    "rate_limited": error(429, RATE_LIMIT_TITLE),
    "rate_limited_403": error(403, RATE_LIMIT_TITLE),
    "error_500": error(500),
    "error_502": page("502 Bad Gateway"),
    "error_503": page("503 Service Temporarily Unavailable"),
    "error_504": page("504 Gateway Time-out"),
    "conflict": error(409),
}
