"""The front page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.pages import page
from dissco_platform.registry.datasets import list_datasets

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def health(portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Say that the registry answers; what keeps this process alive asks here. An error page with status 503 says the contrary."""
    with portal.registry.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


@router.get("/")
def front(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Show what is here."""
    with portal.registry.read() as connection:
        datasets = [found for found in list_datasets(connection) if found.state != "removed"]
    return page(request, "home.html", datasets=datasets)
