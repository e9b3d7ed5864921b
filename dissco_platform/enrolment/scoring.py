"""Points of an application: the programme's published criteria as one table. The order of the list is `waiting_list`.

Source: DiSSCo's pre-registration programme (enrolment criteria); Europe as the programme's prioritised facilities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Criterion:
    """One published criterion: the flag that meets it, its points, and the words for an applicant."""

    flag: str
    points: int
    met: str
    not_met: str


CRITERIA: tuple[Criterion, ...] = (
    Criterion("reason", 4, "a valid reason for high priority was accepted", "no reason for high priority was accepted"),
    Criterion("mou", 2, "the provider signed the memorandum of understanding", "no memorandum of understanding signed"),
    Criterion("partner", 2, "the provider is a paying partner", "the provider is no paying partner"),
    Criterion("europe", 1, "the facility is in Europe", "the facility is not in Europe"),
    Criterion("types", 1, "the dataset includes type specimens", "no type specimens were found"),
)
HIGHEST = sum(criterion.points for criterion in CRITERIA)

# ISO 3166-1 alpha-2 codes whose facilities count as European: members of the Council of Europe and of the European
# Economic Area, with those that CETAF counts (BY, VA, XK) and the territories with their own code.
_EUROPE = (
    "AD AL AM AT AX AZ BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GE GG GI GL GR HR HU IE IM IS IT JE LI LT LU LV MC "
    "MD ME MK MT NL NO PL PT RO RS SE SI SJ SK SM TR UA VA XK"
)
EUROPE = frozenset(_EUROPE.split())


@dataclass(frozen=True, slots=True)
class Score:
    """Points with the reasons for and against each."""

    points: int
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"points": self.points, "of": HIGHEST, "reasons": list(self.reasons)}


def score(flags: Mapping[str, bool]) -> Score:
    """Return the points for flags by name (`reason, mou, partner, europe, types`); an absent flag counts as not met.

    Example:
        >>> score({"mou": True, "europe": True}).points
        3
    """
    points, reasons = 0, []
    for criterion in CRITERIA:
        if flags.get(criterion.flag):
            points += criterion.points
            reasons.append(f"{criterion.points} of {criterion.points}: {criterion.met}")
        else:
            reasons.append(f"0 of {criterion.points}: {criterion.not_met}")
    return Score(points, tuple(reasons))


def is_european(country: str | None) -> bool:
    """Say whether a country (ISO 3166-1 alpha-2) counts as European."""
    return country is not None and country.upper() in EUROPE
