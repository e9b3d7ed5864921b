"""Removes part files that no publication names: what killed processes left in the store. Nothing else is ever removed.

A part is named by the moment of its publication; young ones may be of a publication that is under way. After a registry
was restored from a backup, parts of later publications look like debris as well: run the datasets first, then sweep.
"""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from dissco_platform.registry import Registry
from dissco_platform.registry.tables import batch
from dissco_platform.store import DatasetStore

YOUNG = timedelta(days=1)
_MOMENT = re.compile(r"\.?(\d{4}-\d{2}-\d{2}T\d{6})")


def orphans(registry: Registry, store: DatasetStore, *, before: datetime | None = None) -> list[tuple[str, str]]:
    """Return `(dataset, name)` of the part files that no publication names and that are older than a day.

    Args:
        registry: names the parts of every publication.
        store: holds them.
        before: only parts written before this moment (default: a day ago).
    """
    limit = (before or datetime.now(UTC) - YOUNG).astimezone(UTC)
    there = list(store.parts())  # listed first: what is committed meanwhile is named below
    with registry.read() as connection:
        named = {(row.dataset, row.path) for row in connection.execute(select(batch.c.dataset, batch.c.path))}
    return [part for part in there if part not in named and _written(part[1]) < limit]


def sweep(store: DatasetStore, parts: list[tuple[str, str]]) -> None:
    """Remove such part files."""
    for dataset, name in parts:
        store.remove_part(dataset, name)


def _written(name: str) -> datetime:
    matched = _MOMENT.match(name)
    if not matched:
        return datetime.max.replace(tzinfo=UTC)  # no part of ours: left alone
    return datetime.strptime(matched[1], "%Y-%m-%dT%H%M%S").replace(tzinfo=UTC)
