"""Dataset pages: what was harvested when and what came of it, rejects with examples, quality, history; as JSON too."""

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request, Response

from dissco_platform import __version__
from dissco_platform.errors import UsageError
from dissco_platform.names.match_types import MATCH_TYPES
from dissco_platform.portal import formats
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.formats import HTML
from dissco_platform.portal.freshness import etag, freshness, unchanged
from dissco_platform.portal.pages import page
from dissco_platform.portal.plots import columns, shares
from dissco_platform.portal.specimen_view import MIDS_TITLES
from dissco_platform.registry.datasets import Dataset, get_dataset, list_datasets
from dissco_platform.registry.harvests import harvests_of
from dissco_platform.search.query import Question

router = APIRouter(include_in_schema=False)
Rooms = Annotated[Portal, Depends(portal_of)]

_MATCHES: Final = tuple(
    (kind, words, tone)
    for (kind, words), tone in zip(MATCH_TYPES.items(), ("good", "good", "fair", "fair", "poor", "poor"), strict=True)
)
_LEVELS: Final = tuple(
    (str(level), f"level {level}, {title}", tone)
    for (level, title), tone in zip(MIDS_TITLES.items(), ("poor", "fair", "good", "good"), strict=True)
)


@router.get("/datasets")
def listing(request: Request, portal: Rooms) -> Response:
    """List the datasets."""
    with portal.registry.read() as connection:
        known = [found for found in list_datasets(connection) if found.state != "removed"]
        titles = {found.slug: _title(harvests_of(connection, found.slug, 1), portal, found) for found in known}
    headers = freshness(
        etag(__version__, "datasets", portal.finder.generation, [(d.slug, d.checked, d.state) for d in known]), None
    )
    if (same := unchanged(request, headers)) is not None:
        return same
    counted = {
        value: count for value, _, count in portal.finder.count(Question(), values=None).facets.get("dataset", [])
    }
    institutions = {
        found.slug: found.organisation_name or portal.finder.labelled("institution", found.organisation_id)
        for found in known
    }
    return page(
        request,
        "datasets.html",
        headers=headers,
        known=known,
        counted=counted,
        titles=titles,
        institutions=institutions,
    )


@router.get("/datasets/{slug}")
def dataset(request: Request, portal: Rooms, slug: str) -> Response:
    """Show one dataset."""
    found, harvests = _found(portal, slug)
    headers = freshness(
        etag(__version__, slug, portal.finder.generation, found, len(harvests)),
        harvests[0]["published"] if harvests else None,
    )
    if (same := unchanged(request, headers)) is not None:
        return same
    if formats.chosen(request.headers.get("accept")) != HTML:
        return report(request, portal, slug)
    counted = portal.finder.count(Question(facets={"dataset": (slug,)}))
    latest = harvests[0] if harvests else {}
    rejects = [
        (reason, count, latest.get("examples", {}).get(reason, []))
        for kind in ("rejects", "extension_rejects", "media_rejects")
        for reason, count in sorted(latest.get(kind, {}).items(), key=lambda pair: -pair[1])
    ]
    oldest_first = harvests[::-1]
    return page(
        request,
        "dataset.html",
        headers=headers,
        found=found,
        title=_title(harvests, portal, found),
        institution=found.organisation_name or portal.finder.labelled("institution", found.organisation_id),
        latest=latest,
        harvests=harvests,
        total=counted.total,
        facets={name: counted.facets.get(name, []) for name in ("country", "discipline", "type_status", "licence")},
        taxa=counted.taxa[:12],
        rejects=rejects,
        rejected=sum(count for _, count, _ in rejects),
        matches=shares(latest.get("match_types", {}), _MATCHES),
        levels=shares({str(key): value for key, value in latest.get("mids", {}).items()}, _LEVELS),
        growth=columns([(one["published"][:10], one["counts"].get("specimens", 0)) for one in oldest_first]),
        change=columns(
            [
                (one["published"][:10], one["counts"].get("new", 0) + one["counts"].get("changed", 0))
                for one in oldest_first
            ]
        ),
        checks=latest.get("checks", []),
    )


@router.get("/datasets/{slug}/report.json")
def report(request: Request, portal: Rooms, slug: str) -> Response:
    """Return all harvests of a dataset, newest first: the quality report for its institution."""
    found, harvests = _found(portal, slug)
    headers = freshness(etag(__version__, "report", slug, found.checked, len(harvests)), None)
    if (same := unchanged(request, headers)) is not None:
        return same
    made: dict[str, Any] = {
        "dataset": found.slug,
        "organisation": {"id": found.organisation_id, "name": found.organisation_name},
        "sourceSystemID": found.source_system_id,
        "state": found.state,
        "checked": found.checked,
        "harvests": harvests,
    }
    return Response(orjson.dumps(made), 200, {**headers, "access-control-allow-origin": "*"}, "application/json")


def _found(portal: Portal, slug: str) -> tuple[Dataset, list[dict[str, Any]]]:
    with portal.registry.read() as connection:
        try:
            found = get_dataset(connection, slug)
        except UsageError:
            found = None
        if found is None or found.state == "removed":
            raise HTTPException(404, f"There is no dataset {slug}.")
        return found, harvests_of(connection, slug)


def _title(harvests: list[dict[str, Any]], portal: Portal, found: Dataset) -> str:
    return (
        found.title or (harvests[0].get("title") if harvests else None) or portal.finder.labelled("dataset", found.slug)
    )
