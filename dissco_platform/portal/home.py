"""The front page: a search field, what is here, a few specimens to begin with; and what the API offers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dissco_platform import __version__
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.freshness import etag, freshness, unchanged
from dissco_platform.portal.pages import page
from dissco_platform.portal.specimen_view import is_image
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.search.query import Question

router = APIRouter(include_in_schema=False)
Rooms = Annotated[Portal, Depends(portal_of)]


@router.get("/healthz")
def health(portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Say that the registry answers; what keeps this process alive asks here. An error page with status 503 says the contrary."""
    with portal.registry.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


@router.get("/")
def front(request: Request, portal: Rooms) -> Response:
    """Show what is here."""
    with portal.registry.read() as connection:
        datasets = sum(found.state != "removed" for found in list_datasets(connection))
    headers = freshness(etag(__version__, "front", portal.finder.generation, datasets), None)
    if (same := unchanged(request, headers)) is not None:
        return same
    counted = portal.finder.count(Question())
    latest = portal.finder.find(
        Question(facets={"media": ("true",)}, sort="modified", size=8), total=counted.total
    ).entries
    pictures = portal.finder.media([one["media"][0] for one in latest if one.get("media")])
    for one in latest:
        picture = pictures.get((one.get("media") or [""])[0], {})
        one["picture"] = picture.get("address") if is_image(picture) else None
    return page(
        request,
        "home.html",
        headers=headers,
        total=counted.total,
        datasets=datasets,
        institutions=len([value for value, _, _ in counted.facets.get("institution", []) if value]),
        disciplines=[row for row in counted.facets.get("discipline", []) if row[0]],
        latest=latest,
        prefix=portal.settings.doi_prefix,
    )


@router.get("/api")
def api(request: Request, portal: Rooms) -> Response:
    """Say what programs find here."""
    found = portal.finder.find(Question(size=1)).entries
    example = f"{portal.settings.doi_prefix}/{found[0]['suffix'] if found else 'ABC-DEF-GHJ'}"
    return page(request, "api.html", example=example)


@router.get("/robots.txt")
def robots() -> Response:
    """Tell robots that pages may be read, and endless combinations of facets need not."""
    return Response("User-agent: *\nDisallow: /search?\nDisallow: /api/\n", media_type="text/plain")
