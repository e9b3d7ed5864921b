"""The portal as an ASGI application: which rooms it has, in which order they are asked, what all answers carry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from dissco_platform import __version__
from dissco_platform.portal import datasets, errors, finding, home, objects
from dissco_platform.portal.api import specimens
from dissco_platform.portal.api.model import Faults
from dissco_platform.portal.context import Portal
from dissco_platform.portal.desk import applicant, front, listing, signing, staff
from dissco_platform.portal.desk.context import Desk
from dissco_platform.portal.pages import STATIC, page_templates
from dissco_platform.portal.security import SecurityHeaders
from dissco_platform.settings import Settings, load_settings

# Rooms in the order in which they are asked: a room that answers to any two path segments comes last.
DESK = (front.router, listing.router, applicant.router, signing.router, staff.router)
ROOMS = (home.router, finding.router, datasets.router, specimens.router, *DESK, objects.router)


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
    described(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(SecurityHeaders, https=settings.landing_page.startswith("https://"))
    return app


def described(app: FastAPI) -> None:
    """Let an application's OpenAPI description name the errors that it answers (`api.model.Faults`), and no others."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            text = made()
            for path in text["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            schemas = text["components"]["schemas"]
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            schemas |= Faults.model_json_schema(ref_template="#/components/schemas/{model}").pop("$defs")
            schemas["Faults"] = Faults.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas["Faults"].pop("$defs", None)
        return made()

    app.openapi = openapi  # type: ignore[method-assign]


def from_settings() -> FastAPI:
    """Return the portal for the settings of the environment: what worker processes start with."""
    return create_portal(load_settings())
