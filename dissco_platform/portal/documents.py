"""Documents of many objects at once: for pages of the API and for exports."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import polars as pl

from dissco_platform.identity.parts import iterate_current
from dissco_platform.portal.context import Portal
from dissco_platform.registry.objects import current_parts


def documents_of(portal: Portal, suffixes: Sequence[str]) -> dict[str, Any]:
    """Return the current openDS documents of objects, by suffix; those that are DOI only have none."""
    found = {}
    for text in texts_of(portal, suffixes):
        document = orjson.loads(text)
        found[str(document["@id"]).rpartition("/")[2]] = document
    return found


def texts_of(portal: Portal, suffixes: Sequence[str]) -> Iterator[str]:
    """Yield the current openDS documents of objects as text, part by part."""
    with portal.registry.read() as connection:
        parts = current_parts(connection, pl.Series(suffixes, dtype=pl.String))
    yield from iterate_current(portal.store, "", parts.sort("folder", "path"))
