"""The waiting list: who is granted how many DOIs in a round. Points first; a bounded share corrects the balance.

1. Priority lane (what the balance lanes leave, 80 % by default): the ready list by (points, date), each as many as it
   needs up to the cap, until the first that does not fit.
2. Balance lanes, one a dimension (discipline, country, size): datasets of categories that stand under `fair_share` of
   their target share, up to that share. The category that earlier rounds served least comes first; among equals points
   and date decide.
3. What is left goes on by points and date.

Everything that the balance lanes compare is fixed once the priority lane is done. That way a dataset which moves up
changes nothing but its own place, and cannot lose by it. Datasets of one institution with equal points, date and
categories count as one, the cap holds for the institution, and the size is the institution's: splitting gains nothing.

Pure functions over plain data. States of applications are `desk`; reading the list and storing grants is `rounds`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import floor, sqrt
from typing import Any

from dissco_platform.errors import UsageError

PRIORITY, REST = "priority", "rest"
DIMENSIONS = ("discipline", "country", "size")
History = Mapping[str, Mapping[str, int]]
"""DOIs granted in earlier rounds: dimension → category → number."""

_ROUNDING = 1e-9  # shares are decimal fractions: 0.06 of 20,000,000 is 1,200,000, not one less


@dataclass(frozen=True)
class Parameters:
    """The published settings of the waiting list; they are part of every result."""

    lanes: Mapping[str, float] = field(default_factory=lambda: {"discipline": 0.10, "country": 0.06, "size": 0.04})
    cap: float = 0.25
    """Largest share of a round for one dataset, and for one institution."""
    fair_share: float = 0.8
    """A category is under-represented below this part of its target share."""
    min_tranche: int = 5_000
    """A grant smaller than this waits for the next round, unless it completes the dataset."""
    growth_reserve: int = 0
    """DOIs of the year kept for new records of datasets that are active already."""
    small: int = 50_000
    medium: int = 1_000_000
    """Largest institution of the size classes S and M, in DOIs."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.lanes) - set(DIMENSIONS))
        if unknown:
            raise UsageError(f"The waiting list has no lane '{unknown[0]}'; lanes are {', '.join(DIMENSIONS)}.")
        shares = [*self.lanes.values(), sum(self.lanes.values()), self.cap, self.fair_share]
        if not all(0 <= share <= 1 for share in shares) or not self.cap:
            raise UsageError(
                "Shares of the waiting list (lanes and their sum, cap, fair_share) lie between 0 and 1, the cap above 0."
            )
        if min(self.min_tranche, self.growth_reserve, self.small) < 0 or self.medium < self.small:
            raise UsageError("min_tranche, growth_reserve, small and medium are numbers of DOIs, small up to medium.")

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "lanes": dict(self.lanes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Parameters":
        """Return parameters from plain data; what is not named keeps its default.

        Raises:
            UsageError: a name is unknown or a value out of range.
        """
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown:
            raise UsageError(
                f"The waiting list has no parameter '{unknown[0]}'; there are {', '.join(cls.__dataclass_fields__)}."
            )
        try:
            return cls(**data)
        except TypeError as error:
            raise UsageError(f"A parameter of the waiting list has a wrong type: {error}.") from error


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
) -> Plan:
    """Share out `quota` DOIs of one round.

    Deterministic: the same candidates in any order, quota, parameters and history give the same plan.
    """
    return _Round(candidates, max(0, quota), parameters or Parameters(), history or {}).run()


class _Round:
    def __init__(self, candidates: Sequence[Candidate], quota: int, parameters: Parameters, history: History) -> None:
        self.quota, self.parameters, self.history = quota, parameters, history
        self.listed = in_order(candidates)
        self.sizes = self._sizes()
        self.units = self._units()
        self.cap = _share(parameters.cap, quota)
        self.institution_left = dict.fromkeys({unit.institution for unit in self.units}, self.cap)
        self.given: list[tuple[_Unit, int, str, str]] = []
        self.room = {name: _share(part, quota) for name, part in parameters.lanes.items()}
        self.targets = {name: self._targets(name) for name in DIMENSIONS}

    def run(self) -> Plan:
        """Fill the lanes one after the other."""
        left = self._priority_lane(self.quota - sum(self.room.values()))
        # Standing after the priority lane decides all balance lanes; see the module's first lines.
        standing = {name: self._standing(name) for name in DIMENSIONS}
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
                units[alike] = _Unit([found], key, self._categories(found), found.demand, owner)
            else:
                unit.members.append(found)
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
            category = self._categories(found)[dimension]
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
                break
            room -= self._give(unit, room, PRIORITY, self._by_points(unit))
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
        for unit in sorted(eligible, key=lambda unit: (standing[unit.categories[dimension] or ""][2], unit.key)):
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
