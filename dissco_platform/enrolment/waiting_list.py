"""The waiting list: who is granted how many DOIs in a round. Points first; a bounded share corrects the balance.

1. Priority lane (what the balance lanes leave, 80 % by default): the ready list by (points, date), each as many as it
   needs up to the cap, until the first that does not fit.
2. Balance lanes, one a dimension (discipline, country, size): datasets of categories that stand under `fair_share` of
   their target share, up to that share. The category that earlier rounds served least comes first; among equals points
   and date decide.
3. What is left goes on by points and date.

Everything that the balance lanes compare is fixed once the priority lane is done. That way a dataset which moves up
changes nothing but its own place; the one that does not fit into the lane is assured what it would have got behind it.
Datasets of one institution with equal points, date and categories count as one, the cap holds for the institution, and
the size is the institution's: splitting gains nothing.

Pure functions over plain data. States of applications are `desk`; reading the list and storing grants is `rounds`.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from math import floor, sqrt
from typing import Any

from dissco_platform.enrolment.parameters import DIMENSIONS, Parameters

PRIORITY, REST = "priority", "rest"
History = Mapping[str, Mapping[str, int]]
"""DOIs granted in earlier rounds: dimension → category → number."""

_PLACES = 20
_ROUNDING = 1e-9  # shares are decimal fractions: 0.06 of 20,000,000 is 1,200,000, not one less


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application as the waiting list sees it. `demand`: DOIs it still needs; `granted`: those it was granted before."""

    id: str
    score: int
    registered: str
    demand: int
    institution: str | None = None
    discipline: str | None = None
    country: str | None = None
    granted: int = 0
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """DOIs granted to one application through one lane (`priority`, `balance:<dimension>`, `rest`), and why."""

    id: str
    count: int
    lane: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The result of a round: grants in the order in which they were given, positions, and what stood how."""

    quota: int
    grants: tuple[Grant, ...]
    positions: Mapping[str, int]
    representation: Mapping[str, Mapping[str, Mapping[str, float]]]
    held_back: Mapping[str, int]
    """Grants under the smallest tranche, left for the next round."""

    def totals(self) -> dict[str, int]:
        """Return the DOIs granted by application."""
        found: dict[str, int] = {}
        for grant in self.grants:
            found[grant.id] = found.get(grant.id, 0) + grant.count
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "quota": self.quota,
            "granted": sum(grant.count for grant in self.grants),
            "grants": [asdict(grant) for grant in self.grants],
            "positions": dict(self.positions),
            "representation": {name: dict(found) for name, found in self.representation.items()},
            "held_back": dict(self.held_back),
        }


@dataclass(slots=True)
class _Unit:
    """Datasets of one institution that nothing but their names tells apart."""

    members: list[Candidate]
    key: tuple[int, str, str]
    categories: dict[str, str | None]
    need: int
    left: int
    institution: str


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the list by points, then date of registration, then identifier."""
    return sorted(candidates, key=lambda found: (-found.score, found.registered, found.id))


def size_class(total: int, parameters: Parameters) -> str:
    """Return the size class (S, M, L) of an institution with so many DOIs granted and waiting."""
    return "S" if total <= parameters.small else "M" if total <= parameters.medium else "L"


def plan(
    candidates: Sequence[Candidate],
    quota: int,
    parameters: Parameters | None = None,
    history: History | None = None,
    *,
    estimate: bool = False,
) -> Plan:
    """Share out `quota` DOIs of one round.

    An `estimate` leaves out the comparison that protects the dataset at the edge of the priority lane (at most 20 more
    plans): it is for simulations of many rounds.

    Deterministic: the same candidates in any order, quota, parameters and history give the same plan.
    """
    made = _Round(candidates, max(0, quota), parameters or Parameters(), history or {})
    found = made.run()
    if estimate or made.edge is None or not made.edge.left:
        return found
    # The one dataset that does not fit into the priority lane must not regret its place: it gets at least what it would
    # have got a few places further back, at the cost of the balance lanes.
    edge, due = made.edge, made.granted_to(made.edge.key)
    for place in made.places_behind(edge):
        behind = made.again()
        behind.move(edge.key, place)
        behind.run()
        if behind.granted_to(edge.key) > due:
            due, made = behind.granted_to(edge.key), behind
    if not made.moved:
        return found
    assured = made.again()
    assured.move(edge.key, None)
    assured.assured = due
    return assured.run()


class _Round:
    def __init__(self, candidates: Sequence[Candidate], quota: int, parameters: Parameters, history: History) -> None:
        self.quota, self.parameters, self.history = quota, parameters, history
        self.listed = in_order(candidates)
        self.sizes = self._sizes()
        self.categories = {found.id: self._categories(found) for found in self.listed}
        self.units = self._units()
        self.cap = _share(parameters.cap, quota)
        self.institution_left = dict.fromkeys({unit.institution for unit in self.units}, self.cap)
        self.given: list[tuple[_Unit, int, str, str]] = []
        self.room = {name: _share(part, quota) for name, part in parameters.lanes.items()}
        self.targets = {name: self._targets(name) for name in DIMENSIONS}
        self.edge: _Unit | None = None
        self.moved = False
        self.assured = 0
        """DOIs that the dataset at the edge of the priority lane gets before the balance lanes."""

    def again(self) -> "_Round":
        """Return the same round before anything was given."""
        fresh = copy(self)
        fresh.units = sorted(
            (
                _Unit(unit.members, unit.key, unit.categories, unit.need, unit.need, unit.institution)
                for unit in self.units
            ),
            key=lambda unit: unit.key,
        )
        fresh.institution_left = dict.fromkeys(self.institution_left, self.cap)
        fresh.given, fresh.edge, fresh.moved, fresh.assured = [], None, False, 0
        fresh.room = {name: _share(part, self.quota) for name, part in self.parameters.lanes.items()}
        return fresh

    def granted_to(self, key: tuple[int, str, str]) -> int:
        """Return what a unit got."""
        return sum(count for unit, count, _, _ in self.given if unit.key == key)

    def places_behind(self, edge: _Unit) -> list[int]:
        """Return the places behind the edge at which a unit still stands before what does not fit, and the one after."""
        room = self.quota - sum(_share(part, self.quota) for part in self.parameters.lanes.values())
        left = dict.fromkeys(self.institution_left, self.cap)
        places = []
        reached = False
        for place, unit in enumerate(self.units):
            if unit is edge:
                reached = True
                continue
            wanted = min(unit.need, left[unit.institution])
            if reached:
                places.append(place)
            if wanted > room or len(places) >= _PLACES:
                break
            room -= wanted
            left[unit.institution] -= wanted
        return places

    def move(self, key: tuple[int, str, str], place: int | None) -> None:
        """Put a unit at a place of the list; None: where it belongs."""
        self.moved = place is not None
        if place is not None:
            (unit,) = (unit for unit in self.units if unit.key == key)
            self.units.remove(unit)
            self.units.insert(place, unit)

    def run(self) -> Plan:
        """Fill the lanes one after the other."""
        left = self._priority_lane(self.quota - sum(self.room.values()))
        # Standing after the priority lane decides all balance lanes; see the module's first lines.
        standing = {name: self._standing(name) for name in DIMENSIONS}
        left = self._assure(left)
        unused = sum(self._balance_lane(name, room, standing[name]) for name, room in self.room.items())
        self._rest(left, unused)
        grants, held_back = self._grants()
        return Plan(
            self.quota,
            grants,
            {found.id: place for place, found in enumerate(self.listed, start=1)},
            {
                name: {
                    category: {"target_share": target / ((self._before(name) + self.quota) or 1), "stands_at": stands}
                    for category, (target, stands, _) in sorted(found.items())
                }
                for name, found in standing.items()
            },
            held_back,
        )

    def _sizes(self) -> dict[str, str]:
        totals: dict[str, int] = {}
        for found in self.listed:
            owner = found.institution or found.id
            totals[owner] = totals.get(owner, 0) + found.demand + found.granted
        return {owner: size_class(total, self.parameters) for owner, total in totals.items()}

    def _categories(self, found: Candidate) -> dict[str, str | None]:
        return {
            "discipline": found.discipline,
            "country": found.country,
            "size": self.sizes[found.institution or found.id],
        }

    def _units(self) -> list[_Unit]:
        units: dict[tuple[object, ...], _Unit] = {}
        for found in self.listed:
            if not found.ready or found.demand <= 0:
                continue
            owner = found.institution or found.id
            alike = (owner, found.score, found.registered, found.discipline, found.country)
            unit = units.get(alike)
            if unit is None:
                key = (-found.score, found.registered, found.id)
                units[alike] = _Unit([found], key, self.categories[found.id], found.demand, found.demand, owner)
            else:
                unit.members.append(found)
                unit.need += found.demand
                unit.left += found.demand
        return sorted(units.values(), key=lambda unit: unit.key)

    def _before(self, dimension: str) -> int:
        return sum(self.history.get(dimension, {}).values())

    def _targets(self, dimension: str) -> dict[str, float]:
        """Return each category's target number: shares go by square roots, so that large strata do not drown small ones."""
        weights: dict[str, int] = {
            category: count for category, count in self.history.get(dimension, {}).items() if count > 0
        }
        for found in self.listed:
            category = self.categories[found.id][dimension]
            if category is not None and found.demand > 0:
                weights[category] = weights.get(category, 0) + found.demand
        total = sum(sqrt(weights[category]) for category in sorted(weights))
        everything = self._before(dimension) + self.quota
        return {category: sqrt(weight) / total * everything for category, weight in weights.items()}

    def _standing(self, dimension: str) -> dict[str, tuple[float, float, float]]:
        """Return for each category: target number, part of it reached, part reached before this round."""
        before = self.history.get(dimension, {})
        earlier = self._before(dimension)
        reached = dict(before)
        for unit, count, _, _ in self.given:
            category = unit.categories[dimension]
            if category is not None:
                reached[category] = reached.get(category, 0) + count
        return {
            category: (
                target,
                reached.get(category, 0) / target if target else 1.0,
                before.get(category, 0) * (earlier + self.quota) / (target * earlier) if earlier and target else 0.0,
            )
            for category, target in self.targets[dimension].items()
        }

    def _give(self, unit: _Unit, room: int, lane: str, reason: str) -> int:
        count = min(unit.left, self.institution_left[unit.institution], room)
        if count > 0:
            unit.left -= count
            self.institution_left[unit.institution] -= count
            self.given.append((unit, count, lane, reason))
        return max(0, count)

    def _priority_lane(self, room: int) -> int:
        for unit in self.units:
            if min(unit.left, self.institution_left[unit.institution]) > room:
                self.edge = unit
                break
            room -= self._give(unit, room, PRIORITY, self._by_points(unit))
        return room

    def _assure(self, room: int) -> int:
        """Give the dataset at the edge what it is due; what the priority lane lacks comes from the balance lanes."""
        if self.edge is None or not self.assured:
            return room
        room -= self._give(self.edge, self.assured, PRIORITY, self._by_points(self.edge))
        for name in reversed(list(self.room)):
            taken = min(self.room[name], max(0, -room))
            self.room[name] -= taken
            room += taken
        return room

    def _balance_lane(self, dimension: str, room: int, standing: Mapping[str, tuple[float, float, float]]) -> int:
        fair = self.parameters.fair_share
        gaps = {
            category: floor(target * (fair - stands) + _ROUNDING)
            for category, (target, stands, _) in standing.items()
            if stands < fair
        }
        eligible = [unit for unit in self.units if unit.left > 0 and gaps.get(unit.categories[dimension] or "", 0) > 0]
        everything = (self._before(dimension) + self.quota) or 1
        for unit in sorted(
            eligible, key=lambda unit: standing[unit.categories[dimension] or ""][2]
        ):  # stable: then by points
            if room <= 0:
                break
            category = unit.categories[dimension] or ""
            target, stands, _ = standing[category]
            count = self._give(
                unit,
                min(room, gaps[category]),
                f"balance:{dimension}",
                f"{dimension} {category} stood at {stands:.0%} of its target share ({target / everything:.1%} of all "
                f"DOIs); of the datasets there that were waiting, this one is next by points ({-unit.key[0]}) and date "
                f"({unit.key[1][:10]})",
            )
            gaps[category] -= count
            room -= count
        return room

    def _rest(self, left: int, unused: int) -> None:
        """Go on by points: first with what the priority lane kept for the dataset that did not fit, then with the rest."""
        for lane, amount in ((PRIORITY, left), (REST, unused)):
            room = amount
            for unit in self.units:
                if room <= 0:
                    break
                room -= self._give(unit, room, lane, self._by_points(unit))

    def _by_points(self, unit: _Unit) -> str:
        why = f"next by points ({-unit.key[0]}) and date of pre-registration ({unit.key[1][:10]})"
        whole = min(unit.left, self.institution_left[unit.institution])
        return f"{why}; the cap of {self.parameters.cap:.0%} a round applies" if whole < unit.left else why

    def _grants(self) -> tuple[tuple[Grant, ...], dict[str, int]]:
        """Hand what units got to their members, and hold back what is too little to begin with."""
        needs = {found.id: found.demand for unit in self.units for found in unit.members}
        totals: dict[tuple[int, str, str], int] = {}
        for unit, count, _, _ in self.given:
            totals[unit.key] = totals.get(unit.key, 0) + count
        # Where the cap itself is smaller, a grant up to the cap is not too little.
        least = min(self.parameters.min_tranche, self.cap)
        grants: dict[tuple[str, str], Grant] = {}
        held_back: dict[str, int] = {}
        for unit, given, lane, reason in self.given:
            crumb = unit.left > 0 and totals[unit.key] < least
            count = given
            for member in unit.members:
                part = min(count, needs[member.id])
                if part <= 0:
                    continue
                needs[member.id] -= part
                count -= part
                if crumb:
                    held_back[member.id] = held_back.get(member.id, 0) + part
                    continue
                earlier = grants.get((member.id, lane))
                grants[member.id, lane] = Grant(member.id, part + (earlier.count if earlier else 0), lane, reason)
        return tuple(grants.values()), held_back


def _share(part: float, whole: int) -> int:
    return floor(part * whole + _ROUNDING)
