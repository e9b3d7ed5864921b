"""Rendering of pages: the Jinja environment with its filters, and the answer made of a template."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dissco_platform import __version__
from dissco_platform.enrolment.notifications import TEMPLATES as REPORT
from dissco_platform.settings import Settings

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

# Characters that are no text: controls, and marks that turn the direction of what follows. A name that holds them
# could make the words around it read otherwise.
_NO_TEXT: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
LONG: Final = 600
LONGEST: Final = 20_000


def shown(value: object) -> str:
    """Return a value as text that may stand on a page: no control characters, no marks that turn its direction."""
    return "" if value is None else _NO_TEXT.sub("", str(value))


def number(value: object) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else shown(value)


def day(value: object) -> str:
    """Return the day of an ISO 8601 time."""
    return shown(value)[:10]


def spaced(value: object) -> str:
    """Return a name of the field as words: `PreservedSpecimen` as Preserved specimen."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", shown(value).rpartition(":")[2])
    first, _, rest = words.partition(" ")
    return f"{first[:1].upper()}{first[1:]} {rest if rest.isupper() else rest.lower()}".strip()


def web_address(value: object) -> str | None:
    """Return a value if it is an address that a page may link to (http or https), otherwise None."""
    text = shown(value).strip()
    return text if re.match(r"^https?://[^\s<>\"']+$", text) else None


def without_cursor(given: Mapping[str, Sequence[str]]) -> str:
    """Return parameters as a query, from the first page on."""
    return _query({**given, "cursor": []})


def sorted_by(given: Mapping[str, Sequence[str]], sort: str) -> str:
    """Return parameters as a query with another order."""
    return _query({**given, "cursor": [], "sort": [sort]})


def _query(given: Mapping[str, Sequence[str]]) -> str:
    return urlencode([(name, value) for name, values in given.items() for value in values if value])


def page_templates(settings: Settings) -> Environment:
    """Return the environment that pages are rendered with; text is escaped everywhere."""
    environment = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE / "desk" / "templates", REPORT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (shown, number, day, web_address, spaced, without_cursor, sorted_by):
        environment.filters[function.__name__] = function
    style = (STATIC / "portal.css").read_bytes()
    environment.globals.update(
        site={
            "name": settings.portal_name,
            "address": settings.landing_page.rstrip("/"),
            "help": settings.help_page,
            "contact": settings.contact,
            "sandbox": settings.is_on_this_machine,
            "version": __version__,
        },
        style=f"/static/portal.css?v={hashlib.sha256(style).hexdigest()[:12]}",
        long=LONG,
        longest=LONGEST,
    )
    return environment


def page(
    request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Return a template as an answer; `request` is among its values."""
    environment: Environment = request.app.state.templates
    text = environment.get_template(template).render(request=request, **values)
    return HTMLResponse(text, status_code=status, headers=headers)
