"""What is answered when there is nothing to show: a page for people, a JSON:API error object for programs."""

import logging
import uuid
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dissco_platform.errors import DisscoError, RegistryError
from dissco_platform.portal.pages import page

_LOG = logging.getLogger(__name__)
JSON_API = "application/vnd.api+json"

_WORDS = {
    404: "There is nothing at this address.",
    405: "This address cannot be used in that way.",
    406: "What was asked for is not available in that form.",
    410: "What was here is no longer available.",
    500: "Something went wrong on our side.",
    503: "This is not available at the moment. Please try again in a minute.",
}


def register(app: FastAPI) -> None:
    """Let an application answer errors in the portal's way."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DisscoError, _known)
    app.add_exception_handler(Exception, _unexpected)


def wants_page(request: Request) -> bool:
    """Say whether a person asked: outside the API, with a browser's Accept header (or none)."""
    accept = request.headers.get("accept", "*/*")
    return not request.url.path.startswith("/api/") and ("text/html" in accept or "*/*" in accept or "text/*" in accept)


def error_answer(
    request: Request, status: int, detail: str | None = None, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """Return an error in the form that was asked for."""
    title = HTTPStatus(status).phrase
    words = detail or _WORDS.get(status, title)
    if wants_page(request):
        return page(request, "error.html", status, headers, title=title, words=words, code=status, **more)
    body = {"errors": [{"status": str(status), "title": title, "detail": words}]}
    return JSONResponse(body, status, headers, media_type=JSON_API)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = None if error.detail == HTTPStatus(error.status_code).phrase else error.detail
    return error_answer(request, error.status_code, detail, dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = "; ".join(f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors())
    return error_answer(request, 400, f"The request is not understood: {told}.")


async def _known(request: Request, error: Exception) -> Response:
    if isinstance(error, RegistryError):
        _LOG.error("%s", error)
        return error_answer(request, 503, headers={"retry-after": "60"})
    return error_answer(request, 400, str(error))


async def _unexpected(request: Request, error: Exception) -> Response:
    reference = uuid.uuid4().hex[:12]
    _LOG.exception("Request %s failed (%s)", request.url.path, reference, exc_info=error)
    return error_answer(request, 500, f"{_WORDS[500]} If you write to us, name the number {reference}.")
