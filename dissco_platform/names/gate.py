"""Is a new release of the checklist fit to take the place of the one in use? Relative to it, never absolute.

Why: a release of October 2023 shipped 1.2 million temporary identifiers; every link made from it would have been lost.
Building and opening an index is in `backbone.py` and `index.py`; when to switch is the caller's affair.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from dissco_platform.errors import ChecklistError
from dissco_platform.names.index import Backbone
from dissco_platform.names.words import hash64

MAX_TEMPORARY_RISE: Final = 0.01
"""Share of identifiers of a temporary shape may rise by one percentage point."""

MAX_VANISHED: Final = 0.05
"""Share of the identifiers in use that may be gone."""

MAX_MOVE: Final = 0.20
"""How far the number of usages (all; accepted; synonyms) may move either way."""

COUNTED: Final = ("accepted", "synonym")


@dataclass(frozen=True)
class GateReport:
    """What the gate found: problems (refusals, in words) and figures."""

    problems: list[str] = field(default_factory=list)
    temporary_ids: float = 0.0
    vanished: float = 0.0
    moves: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Return whether the release may be used."""
        return not self.problems


def examine_release(new: Backbone, previous: Backbone | None, used_ids: Iterable[str] = ()) -> GateReport:
    """Compare a release with the one in use; `used_ids` are the usage ids that published specimens carry.

    Without a previous release there is nothing to compare with, and only an empty release is refused.
    """
    problems = [] if new.info.usages else ["the release has no usages"]
    used = sorted(set(used_ids))
    vanished = 1 - _present(new, used) / len(used) if used else 0.0
    if vanished > MAX_VANISHED:
        problems.append(f"{vanished:.1%} of the {len(used)} ids in use are gone (at most {MAX_VANISHED:.0%})")
    moves: dict[str, float] = {}
    if previous is not None:
        rise = new.info.temporary_ids - previous.info.temporary_ids
        if rise > MAX_TEMPORARY_RISE:
            problems.append(
                f"the share of temporary ids rose from {previous.info.temporary_ids:.1%} to {new.info.temporary_ids:.1%}"
            )
        pairs = {"usages": (previous.info.usages, new.info.usages)}
        for status in COUNTED:
            pairs[status] = (previous.info.by_status.get(status, 0), new.info.by_status.get(status, 0))
        for what, (before, after) in pairs.items():
            moves[what] = after / before - 1 if before else 0.0
            if abs(moves[what]) > MAX_MOVE:
                problems.append(f"the number of {what} moved from {before} to {after} ({moves[what]:+.0%})")
    return GateReport(problems, new.info.temporary_ids, vanished, moves)


def require_fit(new: Backbone, previous: Backbone | None, used_ids: Iterable[str] = ()) -> GateReport:
    """Return the report of a release that passes; ChecklistError, with every problem, for one that does not."""
    report = examine_release(new, previous, used_ids)
    if not report.passed:
        raise ChecklistError(
            f"the checklist {new.info.release} is refused: {'; '.join(report.problems)};"
            " keep the release in use, or look at the new one and accept it by hand"
        )
    return report


def _present(backbone: Backbone, ids: list[str]) -> int:
    hashes = pl.DataFrame({"id": ids}, schema={"id": pl.String}).select(hash64(pl.col("id"))).to_series()
    return backbone.identifiers.find(hashes)["place"].n_unique()
