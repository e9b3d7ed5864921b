"""What every form of the desk passes: size, type, where it was sent from; cookies; answers that nobody keeps.

A form is believed when it carries the keyed hash of the browser's own random cookie (which another site can neither read nor
set), and the browser does not say that another site sent it. Sources: OWASP, cross-site request forgery prevention; Fetch
Metadata (Sec-Fetch-Site); RFC 6265bis (cookie prefixes).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from dissco_platform.portal.desk.context import Desk, desk_of
from dissco_platform.portal.pages import page

LARGEST_FORM = 64 * 1024
MOST_FIELDS = 60
FIELD = "csrf"
_BROWSER, _KEPT_DAYS = "desk-browser", 90
_FORM_TYPE = "application/x-www-form-urlencoded"


class Form(dict[str, str]):
    """The fields of a form: the last value of each name, without space around it, without control characters."""

    def all(self, name: str) -> list[str]:
        """Return the values of a field that may come more than once."""
        return [value for value in self.get(name, "").split("\x1f") if value]


async def read_form(request: Request) -> Form:
    """Return the fields of the request's body.

    Raises:
        HTTPException: 413, 415 or 400: it is too large, or no form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415, "Please use the form on the page.")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_FORM:
            raise HTTPException(413, "That is more text than this form takes.")
    try:
        pairs = parse_qsl(
            data.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError as error:
        raise HTTPException(400, "The form could not be read.") from error
    form = Form()
    for name, value in pairs:
        clean = "".join(sign for sign in value if sign.isprintable() or sign in "\r\n").strip()
        form[name] = f"{form[name]}\x1f{clean}" if name.endswith("[]") and name in form else clean
    return form


async def own_form(request: Request) -> Form:
    """Return the fields of a form that was sent from our own page (a FastAPI dependency).

    Raises:
        HTTPException: 403, it was not, or its page is too old.
    """
    form = await read_form(request)
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"} or not _same_host(request):
        raise HTTPException(403, "The form was sent from another site and was not used.")
    expected = form_token(request)
    if expected is None or not hmac.compare_digest(expected.encode(), form.get(FIELD, "").encode()):
        raise HTTPException(
            403,
            "The page was too old, or your browser keeps no cookies. Go back, load the page again and send it once more.",
        )
    return form


OwnForm = Annotated[Form, Depends(own_form)]


def _same_host(request: Request) -> bool:
    origin = request.headers.get("origin")
    if origin is None:
        return True
    if origin == "null":  # what browsers say on pages without a referrer, as ours are
        return request.headers.get("sec-fetch-site") == "same-origin"
    return urlsplit(origin).netloc == request.headers.get("host", "")


def form_token(request: Request) -> str | None:
    """Return what a form of this browser has to carry; None: the browser has no cookie yet."""
    desk = desk_of(request)
    mark = getattr(request.state, "browser", None) or request.cookies.get(cookie_name(desk, _BROWSER))
    if not mark:
        return None
    return hmac.new(desk.links.key, f"form\0{mark}".encode(), hashlib.sha256).hexdigest()[:40]


def answer(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page of the desk: with the token of its forms, and kept by nobody."""
    desk = desk_of(request)
    fresh = None
    if form_token(request) is None:
        fresh = request.state.browser = secrets.token_urlsafe(18)
    made = page(
        request,
        f"desk/{template}",
        status,
        {"cache-control": "no-store"},
        csrf=form_token(request),
        support=desk.settings.support_address,
        enquiries=desk.settings.enquiries_address,
        **values,
    )
    if fresh is not None:
        set_cookie(desk, made, _BROWSER, fresh, days=_KEPT_DAYS)
    return made


def go(address: str) -> RedirectResponse:
    """Return an answer that leads to a page of our own after a form was used."""
    return RedirectResponse(address, 303, {"cache-control": "no-store"})


def cookie_name(desk: Desk, name: str) -> str:
    """Return a cookie's name: with https, browsers make sure that only this host has set it."""
    return f"__Host-{name}" if desk.https else name


def set_cookie(desk: Desk, response: Response, name: str, value: str, *, days: float) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    response.set_cookie(
        cookie_name(desk, name),
        value,
        max_age=int(days * 86_400),
        path="/",
        secure=desk.https,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(desk: Desk, response: Response, name: str) -> None:
    """Have a cookie forgotten."""
    response.delete_cookie(cookie_name(desk, name), path="/", secure=desk.https, httponly=True, samesite="lax")


def seal(desk: Desk, purpose: str, value: Mapping[str, Any]) -> str:
    """Return a value that a browser keeps for us and cannot change."""
    return str(URLSafeTimedSerializer(desk.links.key, salt=purpose).dumps(dict(value)))


def unseal(request: Request, purpose: str, *, days: float) -> dict[str, Any]:
    """Return the value of a sealed cookie of this name; empty where there is none, or it is too old or changed."""
    desk = desk_of(request)
    raw = request.cookies.get(cookie_name(desk, purpose), "")
    try:
        found = URLSafeTimedSerializer(desk.links.key, salt=purpose).loads(raw, max_age=int(days * 86_400))
    except BadData:
        return {}
    return found if isinstance(found, dict) else {}
