"""Statements on what datasets are held to: an earlier mapping or release of the checklist, by whom and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import pin

MAPPING, CHECKLIST = "mapping", "checklist"


@dataclass(frozen=True)
class Pin:
    """A row of the `pin` table: `version` is the asset's data version, `facts` a mapping's version by kind of archive."""

    dataset: str
    what: str
    version: str
    label: str
    facts: dict[str, str] = field(default_factory=dict)
    since: str = ""
    by: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """What people read of it, for example `mapping 3f2a91bc since 2026-11-02 (anna: values of sex were lost)`."""
        why = f"{self.by}: {self.reason}" if self.reason else self.by
        return f"{self.what} {self.label} since {self.since[:10]} ({why})"


@dataclass(frozen=True)
class Pins:
    """What one dataset is held to; None: what is newest holds."""

    mapping: Pin | None = None
    checklist: Pin | None = None

    @property
    def text(self) -> str:
        """Both in one line, empty where nothing is pinned."""
        return "; ".join(found.text for found in (self.mapping, self.checklist) if found is not None)


NO_PINS = Pins()


def all_pins(connection: Connection) -> dict[str, Pins]:
    """Return the pins of every dataset that has any, by slug."""
    return _gathered(connection, select(pin))


def pins_of(connection: Connection, slug: str) -> Pins:
    """Return the pins of one dataset."""
    return _gathered(connection, select(pin).where(pin.c.dataset == slug)).get(slug, NO_PINS)


def set_pin(
    connection: Connection,
    slug: str,
    what: str,
    *,
    version: str,
    label: str,
    by: str,
    facts: Mapping[str, str] | None = None,
    reason: str = "",
) -> Pin:
    """Hold a dataset to a version, in the place of an earlier pin, and return the pin."""
    drop_pin(connection, slug, what)
    made = Pin(slug, what, version, label, dict(facts or {}), now(), by[:128], reason)
    connection.execute(insert(pin).values(**{**vars(made), "facts": json.dumps(made.facts)}))
    return made


def drop_pin(connection: Connection, slug: str, what: str) -> bool:
    """Let what is newest hold again; return whether there was a pin."""
    return connection.execute(delete(pin).where(pin.c.dataset == slug, pin.c.what == what)).rowcount > 0


def pinned_versions(connection: Connection, what: str) -> dict[str, str]:
    """Return the pinned data version of every dataset that has such a pin."""
    rows = connection.execute(select(pin.c.dataset, pin.c.version).where(pin.c.what == what))
    return {slug: version for slug, version in rows}  # noqa: C416 (rows are no pairs for a type checker)


def _gathered(connection: Connection, query: object) -> dict[str, Pins]:
    found: dict[str, dict[str, Pin]] = {}
    for row in connection.execute(query):  # type: ignore[call-overload]
        values = dict(row._mapping)
        made = Pin(**{**values, "facts": json.loads(values["facts"])})
        found.setdefault(made.dataset, {})[made.what] = made
    return {slug: Pins(**pinned) for slug, pinned in found.items()}
