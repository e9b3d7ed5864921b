"""Routes of specimens and media: one object, its versions, lists, search, counts, look-up, export."""

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from dissco_platform.identity.publications import Published
from dissco_platform.portal import objects
from dissco_platform.portal.api.model import FAULTS, JsonApiResponse, Many, One, address, resource
from dissco_platform.portal.api.parameters import AskedOf, Cursor, Size, Sort
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.documents import documents_of, texts_of
from dissco_platform.portal.freshness import unchanged
from dissco_platform.registry.objects import objects_after
from dissco_platform.search.query import MOST_IDENTIFIERS, Question, question
from dissco_platform.search.summary import FACETS, links

router = APIRouter(prefix="/api", default_response_class=JsonApiResponse, responses=FAULTS)

Rooms = Annotated[Portal, Depends(portal_of)]
Kind = Literal["specimen", "media"]
Prefix = Annotated[str, Path(pattern=r"^10\.[0-9]{4,9}$", description="DOI prefix")]
Suffix = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9]{3}-[A-Za-z0-9]{3}-[A-Za-z0-9]{3}$", description="DOI suffix, ABC-DEF-GHJ")
]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Version")]
After = Annotated[str | None, Query(max_length=20, pattern=r"^[A-Z0-9-]*$", description="`links.next` has it")]
Fields = Annotated[
    Literal["document", "summary"], Query(description="Whole openDS documents, or what lists show (much faster)")
]
SPECIMENS, MEDIA = "/digital-specimen/v1", "/digital-media/v1"


@router.get(f"{SPECIMENS}/search", response_model=Many, tags=["search"])
def search(
    request: Request, portal: Rooms, asked: AskedOf, cursor: Cursor = None, size: Size = 25, sort: Sort = "name",
    fields: Fields = "document",
) -> Response:  # fmt: skip
    """Find specimens. `meta.totalRecords` is exact; follow `links.next` as far as you like."""
    asking = asked.question(request, cursor=cursor, size=size, sort=sort)
    found = portal.finder.find(asking)
    return JsonApiResponse(_listed(request, portal, found.entries, found.cursor, found.total, fields))


@router.get(f"{SPECIMENS}/aggregation", response_model=One, tags=["search"])
def aggregation(
    request: Request, portal: Rooms, asked: AskedOf, values: Annotated[int, Query(ge=1, le=1000)] = 12
) -> Response:
    """Count the answers to a question by each facet. A facet's own values do not narrow its counts."""
    counted = portal.finder.count(asked.question(request), values=values)
    facets = {
        name: [{"value": value, "label": label, "count": count} for value, label, count in counted.facets.get(name, [])]
        for name in FACETS
    }
    return JsonApiResponse(_counts(request, "aggregations", {"total": counted.total, **facets}))


@router.get(f"{SPECIMENS}/taxonomy/aggregation", response_model=One, tags=["search"])
def taxonomy(request: Request, portal: Rooms, asked: AskedOf) -> Response:
    """Count the answers to a question by the taxa one rank below `taxon`."""
    counted = portal.finder.count(asked.question(request), values=1)
    taxa = [{"taxon": path, "label": name, "count": count} for path, name, count in counted.taxa]
    return JsonApiResponse(_counts(request, "aggregations", {"total": counted.total, "taxa": taxa}))


@router.get(f"{SPECIMENS}/discipline", response_model=One, tags=["search"])
def discipline(request: Request, portal: Rooms) -> Response:
    """Count all specimens by discipline."""
    counted = portal.finder.count(Question(), values=None)
    named = {value or "Unclassified": count for value, _, count in counted.facets.get("discipline", [])}
    return JsonApiResponse(_counts(request, "aggregations", {"total": counted.total, **named}))


@router.get(f"{SPECIMENS}/searchTermValue", response_model=One, tags=["search"])
def suggest(
    request: Request,
    portal: Rooms,
    term: Annotated[Literal[FACETS], Query(description="Facet")],  # type: ignore[valid-type]
    value: Annotated[str, Query(max_length=250, description="Beginning of a value or its label")] = "",
) -> Response:
    """Suggest values of a facet that begin so, the most frequent first."""
    found = portal.finder.suggest(term, value)
    rows = [{"value": one, "label": label, "count": count} for one, label, count in found]
    return JsonApiResponse(_counts(request, "suggestions", {term: rows}))


@router.post(f"{SPECIMENS}/lookup", response_model=Many, tags=["search"])
def lookup(
    request: Request,
    portal: Rooms,
    ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=300)]],
        Body(embed=True, min_length=1, max_length=MOST_IDENTIFIERS),
    ],
) -> Response:
    """Look up to 1,000 specimens up by DOI, catalogue number or another identifier; answers are summaries."""
    asking = question({"id": ids, "size": ["100"]})
    entries: list[dict[str, Any]] = []
    while len(entries) <= MOST_IDENTIFIERS * 10:
        found = portal.finder.find(asking)
        entries += found.entries
        if found.cursor is None:
            break
        asking = question({"id": ids, "size": ["100"], "cursor": [found.cursor]})
    return JsonApiResponse(_listed(request, portal, entries, None, len(entries), "summary"))


@router.get(
    f"{SPECIMENS}/export",
    tags=["search"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The whole result",
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
def export(
    request: Request,
    portal: Rooms,
    asked: AskedOf,
    form: Annotated[Literal["ndjson", "doi-list"], Query(alias="format")] = "ndjson",
) -> Response:
    """Stream the whole result: openDS documents, one a line, or a CSV of DOIs with catalogue numbers and names."""
    asking = asked.question(request)
    doi_list = form == "doi-list"
    return StreamingResponse(
        _doi_list(portal, asking) if doi_list else _documents(portal, asking),
        media_type="text/csv; charset=utf-8" if doi_list else "application/x-ndjson",
        headers={"content-disposition": f'attachment; filename="specimens.{"csv" if doi_list else "ndjson"}"'},
    )


@router.get(f"{SPECIMENS}/latest", response_model=Many, tags=["specimens"])
def latest(
    request: Request, portal: Rooms, cursor: Cursor = None, size: Size = 25, fields: Fields = "document"
) -> Response:
    """List specimens by their latest change."""
    try:
        asking = question({"sort": ["modified"], "size": [str(size)], "cursor": [cursor or ""]})
    except Exception as error:
        raise HTTPException(404, str(error)) from error
    found = portal.finder.find(asking)
    return JsonApiResponse(_listed(request, portal, found.entries, found.cursor, found.total, fields))


def _routes(kind: Kind, base: str, other: str) -> None:
    """Add the routes that specimens and media share."""
    tag = "specimens" if kind == "specimen" else "media"

    @router.get(base, response_model=Many, tags=[tag], operation_id=f"list_{tag}")
    def listed(request: Request, portal: Rooms, after: After = None, size: Size = 25) -> Response:
        """List all objects in the order of their DOIs, ended ones included."""
        with portal.registry.read() as connection:
            rows = objects_after(connection, kind, after or "", size + 1)
        shown, more = rows[:size], len(rows) > size
        documents = documents_of(portal, [row["suffix"] for row in shown])
        prefix, site = portal.settings.doi_prefix, portal.settings.landing_page.rstrip("/")
        data = [
            resource(kind, f"{prefix}/{row['suffix']}", documents.get(row["suffix"]) or {"ods:isDoiOnly": True}, site)
            for row in shown
        ]
        onward = f"{site}/api{base}?after={shown[-1]['suffix']}&size={size}" if more else None
        return JsonApiResponse({"data": data, "links": _links(request, onward), "meta": {}})

    @router.get(f"{base}/{{prefix}}/{{suffix}}", response_model=One, tags=[tag], operation_id=f"get_{tag}")
    def one(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix) -> Response:
        """Return the current version."""
        return _one(request, portal, _find(portal, kind, prefix, suffix), None)

    @router.get(
        f"{base}/{{prefix}}/{{suffix}}/versions", response_model=Many, tags=[tag], operation_id=f"versions_{tag}"
    )
    def versions(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix) -> Response:
        """List all versions, oldest first: when, why, from what each was made."""
        found = _find(portal, kind, prefix, suffix)
        data = [
            {
                "id": f"{found.doi}/{one.number}",
                "type": "version",
                "attributes": objects.version_json(portal, found, one),
            }
            for one in found.versions
        ]
        return JsonApiResponse({"data": data, "links": _links(request), "meta": {"totalRecords": len(data)}})

    @router.get(f"{base}/{{prefix}}/{{suffix}}/diff", response_model=One, tags=[tag], operation_id=f"diff_{tag}")
    def diff(
        request: Request,
        portal: Rooms,
        prefix: Prefix,
        suffix: Suffix,
        before: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1)],
        after: Annotated[int, Query(alias="to", ge=1, le=2**31 - 1)],
    ) -> Response:
        """Return what changed between two versions, as a JSON Patch (RFC 6902)."""
        found = _find(portal, kind, prefix, suffix)
        for number in (before, after):
            objects.numbered(found, number)
        patch = portal.publications.difference(found, before, after)
        attributes = {"from": before, "to": after, "patch": patch}
        data = {"id": f"{found.doi}/{before}/{after}", "type": "difference", "attributes": attributes}
        return JsonApiResponse({"data": data, "links": _links(request)})

    @router.get(f"{base}/{{prefix}}/{{suffix}}/fdo", response_model=One, tags=[tag], operation_id=f"fdo_{tag}")
    def fdo(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix) -> Response:
        """Return the FDO record."""
        found = _find(portal, kind, prefix, suffix)
        data = {"id": found.doi, "type": "fdoRecord", "attributes": portal.publications.fdo_record(found)}
        return JsonApiResponse({"data": data, "links": _links(request)})

    @router.get(
        f"{base}/{{prefix}}/{{suffix}}/digital-{other}", response_model=Many, tags=[tag], operation_id=f"linked_{tag}"
    )
    def linked(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix) -> Response:
        """Return the media of a specimen, or the specimens that a medium shows."""
        found = _find(portal, kind, prefix, suffix)
        data = _linked(portal, found)
        return JsonApiResponse({"data": data, "links": _links(request), "meta": {"totalRecords": len(data)}})

    @router.get(f"{base}/{{prefix}}/{{suffix}}/full", response_model=One, tags=[tag], operation_id=f"full_{tag}")
    def full(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix) -> Response:
        """Return the object with all that it is linked with (`included`)."""
        found = _find(portal, kind, prefix, suffix)
        body = _body(request, portal, found, None)
        return JsonApiResponse({**body, "included": _linked(portal, found)})

    @router.get(
        f"{base}/{{prefix}}/{{suffix}}/{{version}}", response_model=One, tags=[tag], operation_id=f"version_{tag}"
    )
    def version(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix, version: Number) -> Response:
        """Return one version."""
        return _one(request, portal, _find(portal, kind, prefix, suffix), version)

    @router.get(
        f"{base}/{{prefix}}/{{suffix}}/{{version}}/event", response_model=One, tags=[tag], operation_id=f"event_{tag}"
    )
    def event(request: Request, portal: Rooms, prefix: Prefix, suffix: Suffix, version: Number) -> Response:
        """Return the provenance event of a version."""
        found = _find(portal, kind, prefix, suffix)
        objects.numbered(found, version)
        data = {
            "id": f"{found.doi}/{version}",
            "type": "event",
            "attributes": portal.publications.event(found, version),
        }
        return JsonApiResponse({"data": data, "links": _links(request)})


_routes("specimen", SPECIMENS, "media")
_routes("media", MEDIA, "specimen")


def _find(portal: Portal, kind: Kind, prefix: str, suffix: str) -> Published:
    found = objects.find(portal, prefix, suffix.upper())
    if found.kind != kind:
        raise HTTPException(404, f"{found.doi} is a digital {found.kind}: ask /api/digital-{found.kind}/v1 for it.")
    return found


def _one(request: Request, portal: Portal, found: Published, number: int | None) -> Response:
    version = objects.numbered(found, number)
    headers = objects.headers_of(found, "api", version.number)
    if (same := unchanged(request, headers)) is not None:
        return same
    return JsonApiResponse(_body(request, portal, found, number), headers=headers)


def _body(request: Request, portal: Portal, found: Published, number: int | None) -> dict[str, Any]:
    document = portal.publications.document(found, number)
    if document is None:
        document = {"ods:isDoiOnly": True, "datacite": portal.publications.datacite_json(found, number)}
    site = portal.settings.landing_page.rstrip("/")
    return {"data": resource(found.kind, found.doi, document, site), "links": _links(request)}


def _linked(portal: Portal, found: Published) -> list[dict[str, Any]]:
    document = portal.publications.document(found) or {}
    relationship, kind = (
        ("hasDigitalMedia", "media") if found.kind == "specimen" else ("hasDigitalSpecimen", "specimen")
    )
    suffixes = [one.rpartition("/")[2] for one in links(document, relationship)]
    documents = documents_of(portal, suffixes)
    prefix, site = portal.settings.doi_prefix, portal.settings.landing_page.rstrip("/")
    return [
        resource(kind, f"{prefix}/{suffix}", documents.get(suffix) or {"ods:isDoiOnly": True}, site)
        for suffix in suffixes
    ]


def _listed(
    request: Request, portal: Portal, entries: list[dict[str, Any]], cursor: str | None, total: int, fields: str
) -> dict[str, Any]:
    prefix, site = portal.settings.doi_prefix, portal.settings.landing_page.rstrip("/")
    documents = documents_of(portal, [one["suffix"] for one in entries]) if fields == "document" else {}
    data = [
        resource(
            "specimen",
            f"{prefix}/{one['suffix']}",
            {key: value for key, value in one.items() if key not in {"id", "suffix"}}
            if fields == "summary"
            else documents.get(one["suffix"]) or {"ods:isDoiOnly": True},
            site,
        )
        for one in entries
    ]
    onward = None
    if cursor:
        onward = f"{site}{request.url.path}?{request.url.include_query_params(cursor=cursor).query}"
    return {"data": data, "links": _links(request, onward), "meta": {"totalRecords": total}}


def _links(request: Request, onward: str | None = None) -> dict[str, str | None]:
    return {"self": address(request), "next": onward}


def _counts(request: Request, kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"id": request.url.path, "type": kind, "attributes": attributes}, "links": _links(request)}


def _documents(portal: Portal, asking: Question) -> Iterator[bytes]:
    for entries in portal.finder.every(asking):
        for text in texts_of(portal, [suffix for suffix, _, _ in entries]):
            yield text.encode() + b"\n"


def _doi_list(portal: Portal, asking: Question) -> Iterator[bytes]:
    """Yield CSV; a cell that a spreadsheet would take for a formula is led by an apostrophe."""
    yield b"DOI,catalogNumber,specimenName\n"
    for entries in portal.finder.every(asking):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for suffix, catalog_number, name in entries:
            writer.writerow(
                [f"https://doi.org/{portal.settings.doi_prefix}/{suffix}", _cell(catalog_number), _cell(name)]
            )
        yield text.getvalue().encode()


def _cell(text: str | None) -> str:
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text or ""
