"""How many DOIs a dataset may still get: a grant is a cap at minting, and what was granted is kept for its dataset.

* A dataset that was applied for gets what its rounds granted.
* Once its grants cover what the last check found it to need, it may grow beyond them without asking: by `growth_share` of
  what was granted, at least by `growth_least` DOIs. What is beyond that waits, makes the application need more, and is
  granted by a round with the application's points and date (`follow_up`).
* A dataset that an operator added without an application has no cap of its own.
* Growth, and datasets without an application, get only what is left of the year after all that was granted and is not
  minted yet. So nobody's grant is used up by another.

The rounds themselves are `rounds`; the ledger of what was minted is written where DOIs are entered (`identity.reserve`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from dissco_platform.enrolment.parameters import PARAMETERS_SETTING, Parameters
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import get_setting
from dissco_platform.registry.objects import quota_used

# States in which DOIs that were granted are still to be minted; an active dataset has had all that it could use.
_UNDER_WAY = ("granted", "loading")


@dataclass(frozen=True)
class _Standing:
    granted: int
    minted: int
    needed: int
    state: str

    @property
    def open(self) -> int:
        """DOIs that were granted and not minted."""
        return max(0, self.granted - self.minted)

    def growth(self, parameters: Parameters) -> int:
        """DOIs beyond the grants that are free to mint."""
        if self.granted < self.needed:
            return 0
        most = max(int(parameters.growth_share * self.granted), parameters.growth_least)
        return max(0, most - max(0, self.minted - self.granted))


@dataclass(frozen=True)
class Allowances:
    """What every dataset may still get, read once; `of` answers for one."""

    standings: Mapping[str, _Standing]
    left: int | None
    """DOIs that are left of the year, None: no limit."""
    parameters: Parameters

    def promised(self) -> int:
        """Return the DOIs that were granted, are not minted, and are kept for their datasets."""
        return sum(found.open for found in self.standings.values() if found.state in _UNDER_WAY)

    def grown(self) -> int:
        """Return the DOIs that datasets were minted beyond their grants."""
        return sum(max(0, found.minted - found.granted) for found in self.standings.values())

    def of(self, slug: str) -> int | None:
        """Return how many DOIs a dataset may still get; None: as many as it likes."""
        free = None if self.left is None else max(0, self.left - self.promised())
        found = self.standings.get(slug)
        if found is None:
            return free
        growth = found.growth(self.parameters)
        wanted = found.open + (growth if free is None else min(growth, free))
        return wanted if self.left is None else max(0, min(wanted, self.left))


def allowances(connection: Connection, *, yearly_quota: int | None, year: int) -> Allowances:
    """Read what datasets may still get in a year of so many DOIs (None: no limit)."""
    granted, minted = statements.granted_by_application(connection), statements.minted_by_dataset(connection)
    standings = {}
    for row in statements.list_applications(connection):
        slug = row["slug"]
        if slug not in granted:
            continue
        body: dict[str, Any] = json.loads(row["body"])
        state = body["paused_from"] if row["state"] == "paused" else row["state"]
        needed = int((body["facts"] or {}).get("dois_needed") or 0)
        standings[slug] = (
            _Standing(0, 0, 1, state)
            if state in {"withdrawn", "declined"}
            else _Standing(granted[slug], minted.get(slug, 0), needed, state)
        )
    left = None if yearly_quota is None else max(0, yearly_quota - quota_used(connection, year))
    return Allowances(standings, left, read_parameters(connection))


def allowance(connection: Connection, slug: str, yearly_quota: int | None, year: int) -> int | None:
    """Return how many DOIs a dataset may still get; None: as many as it likes."""
    return allowances(connection, yearly_quota=yearly_quota, year=year).of(slug)


def read_parameters(connection: Connection) -> Parameters:
    """Return the waiting list's settings."""
    stored = get_setting(connection, PARAMETERS_SETTING)
    return Parameters.from_json(json.loads(stored)) if stored else Parameters()


def mintable(connection: Connection, waiting: Mapping[str, int], yearly_quota: int | None) -> dict[str, int]:
    """Return for datasets whose last publication left DOIs waiting how many of those may be minted now, if any.

    Args:
        connection: of the registry.
        waiting: dataset → DOIs that waited (`waiting` of its summary).
        yearly_quota: DOIs of a year; None: no limit.
    """
    waiting = {slug: count for slug, count in waiting.items() if count > 0}
    if not waiting:
        return {}
    known = allowances(connection, yearly_quota=yearly_quota, year=datetime.now(UTC).year)
    found = {}
    for slug, count in waiting.items():
        room = known.of(slug)
        fits = count if room is None else min(count, room)
        if fits:
            found[slug] = fits
    return found
