"""What happened to each object since the last publication: new, changed, unchanged, returned, held, missing.

Compares columns only; nothing is written here. The rules:

* a key that no object has is new; so is one that was minted but never published (its process was killed);
* a key that belongs to another dataset's specimen is held for a person to look at: never overwritten, never doubled;
  a medium of the same organisation may be shared and is linked, not owned;
* a record that `recognition` could not place is held as well;
* an object that a person ended stays ended, whatever its source publishes;
* an object whose content hash or openness differs is changed; one that was tombstoned returns with a new version;
* an object of the dataset that does not come any more is missing.
"""

from dataclasses import dataclass

import polars as pl

# Outcomes of `Resolution.rows["outcome"]`.
NEW, CHANGED, UNCHANGED, RETURNED, HELD, SHARED, ENDED = (
    "new", "changed", "unchanged", "returned", "held", "shared", "ended",
)  # fmt: skip
PUBLISHED = (NEW, CHANGED, RETURNED)


@dataclass(frozen=True)
class Resolution:
    """`rows`: every incoming key with its object (if any) and `outcome`; `missing`: objects that did not come."""

    kind: str
    rows: pl.DataFrame
    missing: pl.DataFrame

    def count(self, *outcomes: str) -> int:
        """Return how many rows have one of the outcomes."""
        return self.rows.filter(pl.col("outcome").is_in(outcomes)).height


def resolve(
    kind: str,
    incoming: pl.DataFrame,
    own: pl.DataFrame,
    foreign: pl.DataFrame,
    held: pl.Series | None = None,
    ended: pl.Series | None = None,
) -> Resolution:
    """Compare what came with what is known.

    Args:
        kind: `specimen` or `media`.
        incoming: unique `identity_key`, `content_hash`, `doi_only`, and whatever else shall be carried along.
        own: the dataset's objects, as `registry.objects.current_objects` gives them.
        foreign: objects of other datasets that have one of the incoming keys, same columns.
        held: identity keys that a person has to look at first.
        ended: ids of objects that a person ended.
    """
    held = pl.Series(dtype=pl.String) if held is None else held
    ended = pl.Series(dtype=pl.Int64) if ended is None else ended
    known = pl.concat([own, foreign])
    joined = incoming.join(known, on="identity_key", how="left", maintain_order="left")
    elsewhere = pl.col("id").is_in(foreign["id"].implode()) & pl.col("id").is_not_null()
    outcome = (
        pl.when(pl.col("identity_key").is_in(held.implode()))
        .then(pl.lit(HELD))
        .when(pl.col("id").is_null())
        .then(pl.lit(NEW))
        .when(elsewhere)
        .then(pl.lit(SHARED if kind == "media" else HELD))
        .when(pl.col("id").is_in(ended.implode()))
        .then(pl.lit(ENDED))
        .when(pl.col("version") == 0)
        .then(pl.lit(NEW))
        .when(pl.col("state") == "tombstoned")
        .then(pl.lit(RETURNED))
        .when((pl.col("content_hash") != pl.col("old_hash")) | (pl.col("doi_only") != pl.col("was_doi_only")))
        .then(pl.lit(CHANGED))
        .otherwise(pl.lit(UNCHANGED))
    )
    missing = own.filter(pl.col("state").is_in(["active", "missing"]) & (pl.col("version") > 0)).join(
        incoming.select("identity_key"), on="identity_key", how="anti"
    )
    return Resolution(kind, joined.with_columns(outcome.alias("outcome")), missing)
