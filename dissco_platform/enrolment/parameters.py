"""The published settings of the waiting list. What they do is `waiting_list`; where they are kept, `rounds`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dissco_platform.errors import UsageError

PARAMETERS_SETTING = "waiting_list"
"""Name of the registry's setting that holds them."""

DIMENSIONS = ("discipline", "country", "size")


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
    growth_share: float = 0.10
    growth_least: int = 1_000
    """New records that a fully granted dataset may add without asking: this share of its grants, at least so many DOIs."""
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
        if not 0 <= self.growth_share <= 1:
            raise UsageError("growth_share lies between 0 and 1.")
        if min(self.min_tranche, self.growth_reserve, self.growth_least, self.small) < 0 or self.medium < self.small:
            raise UsageError(
                "min_tranche, growth_reserve, growth_least, small and medium are numbers of DOIs, small up to medium."
            )

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
