"""Is a new release of the checklist fit to take the place of the one in use? Relative to it, never absolute.

Why: a release of October 2023 shipped 1.2 million temporary identifiers; every link made from it would have been lost.
Building and opening an index is in `backbone.py` and `index.py`; when to switch is the caller's affair.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from dissco_platform.errors import ChecklistError
from dissco_platform.names.index import Backbone, BackboneInfo
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


MIN_SHARED: Final = 0.5
"""Share of the present identifiers that another edition of the same checklist keeps at the least."""

_SAMPLE: Final = 10_000


def same_checklist(new: Backbone, present: Backbone) -> bool:
    """Return whether one index is another edition of what the other holds, so that the two may be measured by each other.

    Titles change with editors and editions; so any of what is steadier counts too: the alias or key without its edition
    (`COL25.3` and `COL26.1`), the DOI's concept, or most of the identifiers being the same.
    """
    one, two = new.info, present.info
    if any(a and a == b for a, b in zip(_marks(one), _marks(two), strict=True)):
        return True
    ids = present.usages["id"]
    sample = ids.gather_every(max(1, ids.len() // _SAMPLE)).drop_nulls().to_list()
    return bool(sample) and _present(new, sample) / len(sample) >= MIN_SHARED


def _marks(info: BackboneInfo) -> tuple[str, str, str]:
    """Return what of a checklist's metadata stays the same over its editions; blank where there is nothing."""
    letters = re.match(r"[^\W\d_]+", info.key.casefold())
    alias = letters[0] if letters else info.key
    # versions of one data set have one DOI but for what follows the last hyphen
    doi = re.sub(r"-[^-/]*$", "", info.doi.casefold())
    title = " ".join(re.findall(r"[^\W\d_]+", info.title.casefold()))
    return alias, doi, title


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
