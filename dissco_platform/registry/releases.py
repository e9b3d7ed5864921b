"""Statements on releases of the checklist that were noticed: announced, previewed, adopted by a person."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import checklist_release


@dataclass(frozen=True)
class NoticedRelease:
    """A row of the `checklist_release` table."""

    key: str
    label: str
    source: str
    issued: str
    noticed: str
    announced: str | None = None
    version: str | None = None
    archive: str | None = None
    preview: str | None = None
    previewed: str | None = None
    adopted: str | None = None
    adopted_by: str | None = None

    @property
    def effect(self) -> dict[str, Any]:
        """What adopting it would change, empty before the preview was made."""
        return dict(json.loads(self.preview)) if self.preview else {}


def noticed_releases(connection: Connection) -> list[NoticedRelease]:
    """Return all releases that were noticed, the newest first."""
    order = (checklist_release.c.issued.desc(), checklist_release.c.noticed.desc(), checklist_release.c.key)
    rows = connection.execute(select(checklist_release).order_by(*order))
    return [NoticedRelease(**row._mapping) for row in rows]


def notice_release(connection: Connection, *, key: str, label: str, source: str, issued: str) -> bool:
    """Write down a release; False where it is known already (its address is renewed)."""
    where = checklist_release.c.key == key
    if connection.execute(update(checklist_release).where(where).values(label=label, source=source)).rowcount:
        return False
    connection.execute(
        insert(checklist_release).values(key=key, label=label, source=source, issued=issued, noticed=now())
    )
    return True


def set_release(connection: Connection, key: str, **values: object) -> None:
    """Set columns of one release."""
    connection.execute(update(checklist_release).where(checklist_release.c.key == key).values(**values))


def save_preview(connection: Connection, key: str, *, version: str, archive: str, effect: Mapping[str, Any]) -> None:
    """Keep what a release would change."""
    set_release(connection, key, version=version, archive=archive, preview=json.dumps(effect), previewed=now())


def built_from(connection: Connection, archive: str) -> str | None:
    """Return the data version of the index that a preview built from an archive, or None."""
    query = select(checklist_release.c.version).where(
        checklist_release.c.archive == archive, checklist_release.c.version.is_not(None)
    )
    return connection.execute(query).scalars().first()
