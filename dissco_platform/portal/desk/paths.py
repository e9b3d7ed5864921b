"""What the desk's addresses have in common: the shapes of their parts, and what they may answer, for the API's description."""

from typing import Annotated, Any

from fastapi import Path
from fastapi.responses import HTMLResponse

Slug = Annotated[str, Path(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", description="Name of the application")]
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{32}$", description="Secret part of a link")]

_HTML = {"text/html": {"schema": {"type": "string"}}}


def _answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    said = {
        200: "A page", 303: "Done; the next page is named", 400: "Not understood", 403: "Not allowed from here",
        404: "Nothing there, or not for you", 409: "Not possible as things stand", 413: "Too much", 415: "Not a form",
        422: "The form, with what is wrong in it", 429: "Too often", 503: "Not available at the moment",
    }  # fmt: skip
    return {code: {"description": said[code], "content": _HTML} for code in codes}


PAGE: dict[str, Any] = {
    "response_class": HTMLResponse,
    "include_in_schema": False,
    "responses": _answers(200, 303, 400, 403, 404, 429, 503),
}
FORM: dict[str, Any] = {
    "response_class": HTMLResponse,
    "include_in_schema": False,
    "responses": _answers(200, 303, 400, 403, 404, 409, 413, 415, 422, 429, 503),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {"type": "object", "additionalProperties": {"type": "string"}}
                }
            },
        }
    },
}
