"""The portal as an ASGI application: which rooms it has, in which order they are asked, what all answers carry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from dissco_platform import __version__
from dissco_platform.portal import errors, home, objects
from dissco_platform.portal.context import Portal
from dissco_platform.portal.desk import applicant, front, listing, signing, staff
from dissco_platform.portal.desk.context import Desk
from dissco_platform.portal.pages import STATIC, page_templates
from dissco_platform.portal.security import SecurityHeaders
from dissco_platform.settings import Settings, load_settings

# Rooms in the order in which they are asked: a room that answers to any two path segments comes last.
DESK = (front.router, listing.router, applicant.router, signing.router, staff.router)
ROOMS = (home.router, *DESK, objects.router)


def create_portal(settings: Settings) -> FastAPI:
    """Return the portal for the given settings; the registry is opened when the application starts.

    A room finds what it works with as `request.app.state.portal` (a `context.Portal`).

    Raises:
        RegistryError: at start-up: the registry cannot be opened.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        portal = Portal.opened(settings)
        app.state.portal = portal
        app.state.desk = Desk.opened(settings)
        try:
            yield
        finally:
            app.state.desk.close()
            portal.close()

    app = FastAPI(
        title="DiSSCo portal",
        version=__version__,
        description="Digital Specimens and Digital Media: documents, versions, search.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.templates = page_templates(settings)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for room in ROOMS:
        app.include_router(room)
    errors.register(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(SecurityHeaders, https=settings.landing_page.startswith("https://"))
    return app


def from_settings() -> FastAPI:
    """Return the portal for the settings of the environment: what worker processes start with."""
    return create_portal(load_settings())
