"""The front page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.pages import page
from dissco_platform.registry.datasets import list_datasets

router = APIRouter(include_in_schema=False)


@router.get("/")
def front(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Show what is here."""
    with portal.registry.read() as connection:
        datasets = [found for found in list_datasets(connection) if found.state != "removed"]
    return page(request, "home.html", datasets=datasets)
