"""The shape of the API's answers (JSON:API), as OpenAPI describes it."""

from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

JSON_API: Final = "application/vnd.api+json"


class JsonApiResponse(JSONResponse):
    """An answer in JSON:API's media type."""

    media_type = JSON_API

    def render(self, content: Any) -> bytes:
        """Return the content as JSON."""
        return orjson.dumps(content)


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Resource(_Open):
    """One object: `id` is its DOI."""

    id: str
    type: str
    attributes: dict[str, Any] = Field(description="openDS document, or what the resource's type says")


class Links(_Open):
    """Where an answer is, and where it goes on."""

    self: str
    next: str | None = None


class One(_Open):
    """An answer with one object."""

    data: Resource
    links: Links


class Many(_Open):
    """An answer with a page of objects; `links.next` leads on as long as there are more."""

    data: list[Resource]
    links: Links
    meta: dict[str, Any] = Field(default_factory=dict, description="totalRecords: how many there are in all")


class Fault(_Open):
    """One error."""

    status: str
    title: str
    detail: str


class Faults(_Open):
    """What is answered instead where something is wrong."""

    errors: list[Fault]


def _fault(description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON_API: {"schema": {"$ref": "#/components/schemas/Faults"}}}}


FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    400: _fault("The request is not understood."),
    404: _fault("There is no such object, version or page."),
    503: _fault("The registry cannot be read at the moment."),
}


def address(request: Request) -> str:
    """Return the address that was asked for, under the portal's public name."""
    site = request.app.state.portal.settings.landing_page.rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{site}{request.url.path}{query}"


def resource(kind: str, doi: str, attributes: dict[str, Any], site: str) -> dict[str, Any]:
    """Return a resource object of a specimen or medium."""
    return {
        "id": doi,
        "type": "ods:DigitalSpecimen" if kind == "specimen" else "ods:DigitalMedia",
        "attributes": attributes,
        "links": {"self": f"{site}/api/digital-{kind}/v1/{doi}", "landingPage": f"{site}/{doi}"},
    }
