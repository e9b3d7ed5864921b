"""Where DOIs lead: landing pages of specimens and media, their forms for machines, versions, differences, provenance.

All addresses begin with the DOI: `/{prefix}/{suffix}`, then a form (`.jsonld`) or a part (`/versions`). What the pages
show is put together in `specimen_view` and `media_view`.
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from dissco_platform import __version__
from dissco_platform.errors import UsageError
from dissco_platform.identity.parts import read_version
from dissco_platform.identity.publications import Published, PublishedVersion
from dissco_platform.portal import formats, signposting
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.differences import readable_difference
from dissco_platform.portal.formats import CONTEXT, FORMS, HTML, Form
from dissco_platform.portal.freshness import CURRENT, LASTING, etag, freshness, unchanged
from dissco_platform.portal.media_view import media_view
from dissco_platform.portal.pages import page
from dissco_platform.portal.specimen_view import citation, specimen_view
from dissco_platform.search.summary import links as linked

router = APIRouter(include_in_schema=False)

Rooms = Annotated[Portal, Depends(portal_of)]
_READ = ["GET", "HEAD"]
_CONTEXT = b'{"@context":' + orjson.dumps(CONTEXT) + b","
JSON = "application/json"
_SUFFIX = re.compile(r"[A-Za-z0-9]{3}-[A-Za-z0-9]{3}-[A-Za-z0-9]{3}")


@router.api_route("/{prefix}/{name}", methods=_READ)
def landing(
    request: Request,
    portal: Rooms,
    prefix: str,
    name: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Answer a DOI in the form that was asked for."""
    suffix, form = formats.split(name)
    if (moved := _moved(request, portal, prefix, suffix, name)) is not None:
        return moved
    found = find(portal, prefix, suffix)
    chosen_form: Form | str | None = form or formats.chosen(request.headers.get("accept"))
    if chosen_form is None:
        offered = ", ".join([HTML, *(one.media_type for one in FORMS)])
        raise HTTPException(406, f"It can be had as {offered}.")
    if isinstance(chosen_form, Form):
        return in_form(request, portal, found, chosen_form, version)
    return _page(request, portal, found, version)


@router.api_route("/{prefix}/{suffix}/versions", methods=_READ)
def versions(request: Request, portal: Rooms, prefix: str, suffix: str) -> Response:
    """List the versions of an object."""
    found = find(portal, prefix, suffix)
    if (same := unchanged(request, headers := headers_of(found, "versions"))) is not None:
        return same
    if formats.chosen(request.headers.get("accept")) == HTML:
        return page(request, "versions.html", headers=headers, found=found)
    return Response(orjson.dumps([version_json(portal, found, one) for one in found.versions]), 200, headers, JSON)


@router.api_route("/{prefix}/{suffix}/versions/{number}", methods=_READ)
def version(request: Request, portal: Rooms, prefix: str, suffix: str, number: int) -> Response:
    """Answer one version of an object in the form that was asked for."""
    return landing(request, portal, prefix, suffix, number)


@router.api_route("/{prefix}/{suffix}/diff", methods=_READ)
def difference(
    request: Request,
    portal: Rooms,
    prefix: str,
    suffix: str,
    before: Annotated[int | None, Query(alias="from", ge=1, le=2**31 - 1)] = None,
    after: Annotated[int | None, Query(alias="to", ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Show what changed between two versions (the last two by default); JSON Patch for machines."""
    found = find(portal, prefix, suffix)
    newest = found.version().number
    later = numbered(found, after or newest).number
    earlier = numbered(found, before or max(later - 1, found.versions[0].number)).number
    headers = headers_of(found, "diff", earlier, later)
    if (same := unchanged(request, headers)) is not None:
        return same
    if formats.chosen(request.headers.get("accept")) == HTML:
        one, two = (_told(portal, found, number) for number in (earlier, later))
        return page(
            request, "diff.html", headers=headers, found=found, before=earlier, after=later,
            changes=readable_difference(one, two),
        )  # fmt: skip
    patch = portal.publications.difference(found, earlier, later)
    return Response(orjson.dumps(patch), 200, headers, "application/json-patch+json")


@router.api_route("/{prefix}/{suffix}/events", methods=_READ)
def events(request: Request, portal: Rooms, prefix: str, suffix: str) -> Response:
    """Return the addresses of an object's provenance events, oldest first."""
    found = find(portal, prefix, suffix)
    site = portal.settings.landing_page.rstrip("/")
    listed = [
        {
            "version": one.number,
            "time": one.created,
            "causes": one.causes,
            "event": f"{site}/{found.doi}/events/{one.number}",
        }
        for one in found.versions
    ]
    return Response(orjson.dumps(listed), 200, headers_of(found, "events"), JSON)


@router.api_route("/{prefix}/{suffix}/events/{number}", methods=_READ)
def event(request: Request, portal: Rooms, prefix: str, suffix: str, number: int) -> Response:
    """Return the provenance event of a version (openDS, W3C PROV)."""
    found = find(portal, prefix, suffix)
    numbered(found, number)
    made = portal.publications.event(found, number)
    return _json(request, found, ("event", number), made, "application/ld+json", LASTING)


@router.api_route("/{prefix}/{suffix}/fdo", methods=_READ)
def fdo(request: Request, portal: Rooms, prefix: str, suffix: str) -> Response:
    """Return the FDO record of a DOI."""
    found = find(portal, prefix, suffix)
    return _json(request, found, ("fdo",), portal.publications.fdo_record(found), JSON)


@router.api_route("/{prefix}/{suffix}/linkset", methods=_READ)
def linkset(request: Request, portal: Rooms, prefix: str, suffix: str) -> Response:
    """Return the object's typed links (RFC 9264)."""
    found = find(portal, prefix, suffix)
    document = portal.publications.document(found)
    site = portal.settings.landing_page.rstrip("/")
    made = signposting.linkset(site, found, signposting.links(site, found, document, _items(found, document)))
    return _json(request, found, ("linkset",), made, "application/linkset+json")


def find(portal: Portal, prefix: str, suffix: str) -> Published:
    """Return the published object of a DOI.

    Raises:
        HTTPException: 404: it is not known, or not published yet.
    """
    try:
        found = portal.publications.find(f"{prefix}/{suffix}") if prefix == portal.settings.doi_prefix else None
    except UsageError:
        found = None
    if found is None:
        raise HTTPException(404, f"{prefix}/{suffix} is no DOI that is published here.")
    if not found.versions:
        raise HTTPException(404, f"{found.doi} is reserved and will be published shortly.", {"retry-after": "600"})
    return found


def in_form(request: Request, portal: Portal, found: Published, form: Form, number: int | None) -> Response:
    """Answer an object (a version of it) in a form for machines."""
    version = numbered(found, number)
    headers = headers_of(found, form.suffix, version.number, cache=CURRENT if number is None else LASTING)
    headers["link"] = (
        f'<{found.url}>; rel="cite-as", '
        f'<{portal.settings.landing_page.rstrip("/")}/{found.doi}>; rel="describes"; type="text/html"'
    )
    headers["access-control-allow-origin"] = "*"
    if (same := unchanged(request, headers)) is not None:
        return same
    return Response(_BODIES[form.suffix](portal, found, version), 200, headers, f"{form.media_type}; charset=utf-8"
                    if form.media_type.startswith("text/") else form.media_type)  # fmt: skip


def version_json(portal: Portal, found: Published, version: PublishedVersion) -> dict[str, Any]:
    """Return what is known of a version, for machines."""
    page_of = f"{portal.settings.landing_page.rstrip('/')}/{found.doi}"
    return {
        "version": version.number,
        "created": version.created,
        "causes": version.causes,
        "contentHash": version.content_hash,
        "madeFrom": version.made_from,
        "document": f"{page_of}.jsonld?version={version.number}",
        "event": f"{page_of}/events/{version.number}",
    }


def document_text(portal: Portal, found: Published, version: PublishedVersion) -> str:
    """Return the openDS document of a version as it was published.

    Raises:
        HTTPException: 404: the object is DOI only.
    """
    text, _ = read_version(portal.store, version.dataset, version.path, found.suffix)
    if text is None:
        raise HTTPException(404, f"{found.doi} is DOI only: its institution publishes no open document of it.")
    return text


def _jsonld(portal: Portal, found: Published, version: PublishedVersion) -> bytes:
    return _CONTEXT + document_text(portal, found, version).encode()[1:]


_BODIES: dict[str, Callable[[Portal, Published, PublishedVersion], bytes]] = {
    "jsonld": _jsonld,
    "json": lambda portal, found, version: document_text(portal, found, version).encode(),
    "datacite.json": lambda portal, found, version: orjson.dumps(
        portal.publications.datacite_json(found, version.number)
    ),
    "datacite.xml": lambda portal, found, version: portal.publications.datacite_xml(found, version.number),
    "csl.json": lambda portal, found, version: orjson.dumps(portal.publications.csl_json(found, version.number)),
    "txt": lambda portal, found, version: citation(
        portal.publications.csl_json(found, version.number), found, version
    ).encode(),
}


def _page(request: Request, portal: Portal, found: Published, number: int | None) -> Response:
    version = numbered(found, number)
    generation = portal.finder.generation
    headers = headers_of(
        found, "page", version.number, found.doi_state, generation, cache=CURRENT if number is None else LASTING
    )
    if (same := unchanged(request, headers)) is not None:
        return same
    text, payload = read_version(portal.store, version.dataset, version.path, found.suffix)
    document = None if text is None else orjson.loads(text)
    told = {"doi": found.doi, **orjson.loads(payload)}
    site = portal.settings.landing_page.rstrip("/")
    items = _items(found, document)
    headers["link"] = signposting.header(signposting.links(site, found, document, items, number))
    values: dict[str, Any] = {
        "found": found,
        "version": version,
        "is_current": version.number == found.version().number,
        "document": document,
        "told": told,
        "forms": FORMS if document is not None else FORMS[2:],
        "schema_org": _schema_org(site, found, document, told, version),
    }
    if found.kind == "specimen":
        return page(
            request, "specimen.html", headers=headers, **values, **specimen_view(portal, found, version, document, told)
        )
    return page(request, "media.html", headers=headers, **values, **media_view(portal, found, version, document, told))


def _items(found: Published, document: dict[str, Any] | None) -> list[str]:
    if document is None:
        return []
    if found.kind == "specimen":
        return linked(document, "hasDigitalMedia")
    return [str(document["ac:accessURI"])] if document.get("ac:accessURI") else []


def _schema_org(
    site: str, found: Published, document: dict[str, Any] | None, told: dict[str, Any], version: PublishedVersion
) -> str:
    """Return schema.org's description as JSON that may stand in a page."""
    titles, creators = told.get("titles") or [{}], told.get("creators") or [{}]
    made: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Dataset" if found.kind == "specimen" else "MediaObject",
        "@id": found.url,
        "identifier": found.url,
        "url": f"{site}/{found.doi}",
        "name": titles[0].get("title"),
        "creator": {"@type": "Organization", "name": creators[0].get("name")},
        "publisher": {"@type": "Organization", "name": (told.get("publisher") or {}).get("name")},
        "datePublished": found.created[:10],
        "dateModified": version.created[:10],
        "version": str(version.number),
        "description": next((one["description"] for one in told.get("descriptions") or []), None),
        "license": signposting.licence_address(
            (document or {}).get("dcterms:license") or (document or {}).get("dcterms:rights")
        ),
        "contentUrl": (document or {}).get("ac:accessURI"),
    }
    text = json.dumps({key: value for key, value in made.items() if value})  # ASCII: no mark that turns the text
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _told(portal: Portal, found: Published, number: int) -> dict[str, Any]:
    return portal.publications.document(found, number) or portal.publications.datacite_json(found, number)


def numbered(found: Published, number: int | None) -> PublishedVersion:
    """Return a version of an object, the current one by default.

    Raises:
        HTTPException: 404: there is none of that number.
    """
    try:
        return found.version(number)
    except UsageError as error:
        raise HTTPException(404, str(error)) from error


def headers_of(found: Published, *what: object, cache: str = CURRENT) -> dict[str, str]:
    """Return the headers that let a client keep an answer about an object: `what` it is, as it stands now."""
    newest = found.version()
    tag = etag(__version__, found.doi, newest.number, newest.content_hash, found.state, *what)
    return freshness(tag, newest.created, cache)


def _json(
    request: Request, found: Published, what: tuple[object, ...], made: Any, media_type: str, cache: str = CURRENT
) -> Response:
    headers = headers_of(found, *what, cache=cache)
    headers["access-control-allow-origin"] = "*"
    return unchanged(request, headers) or Response(orjson.dumps(made), 200, headers, media_type)


def _moved(request: Request, portal: Portal, prefix: str, suffix: str, name: str) -> Response | None:
    """DOIs are the same in any case; one spelling has the page."""
    if prefix != portal.settings.doi_prefix or suffix == suffix.upper() or not _SUFFIX.fullmatch(suffix):
        return None
    rest = name[len(suffix) :]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{prefix}/{suffix.upper()}{rest}{query}", 308)
