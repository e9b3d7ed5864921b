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

import numpy as np
import polars as pl

from dissco_platform.identity.records import (
    CHANGED,
    DOI_ONLY,
    ENDED,
    NEW,
    RETURNED,
    TOMBSTONED,
    UNCHANGED,
    VERSIONED,
    Known,
    Numbers,
)
from dissco_platform.provenance import fingerprint
from dissco_platform.registry.objects import STATE_SCHEMA


def outcomes(known: Known, places: Numbers, content: Numbers, doi_only: Numbers, ended: Numbers) -> Numbers:
    """Return the outcome of records that are known objects of the dataset.

    Args:
        known: the objects.
        places: where the object of each record is.
        content: hash of the content hash of each record.
        doi_only: whether each record is DOI only.
        ended: ids of objects that a person ended.
    """
    flags = known.flags[places]
    was_doi_only = (flags & DOI_ONLY) != 0
    outcome = np.full(places.size, UNCHANGED, np.uint8)
    outcome[(known.content[places] != content) | (was_doi_only != doi_only)] = CHANGED
    outcome[(flags & TOMBSTONED) != 0] = RETURNED
    outcome[(flags & VERSIONED) == 0] = NEW
    if ended.size:
        outcome[np.isin(known.id[places], ended)] = ENDED
    return outcome


def state_fingerprints(frame: pl.DataFrame) -> pl.Series:
    """Return a fingerprint of each object's state (`objects.current_states`); its id is no part of it."""
    return frame.select(fingerprint([name for name in STATE_SCHEMA if name != "id"]).alias("f"))["f"]


def new_fingerprints(written: pl.DataFrame) -> pl.Series:
    """Return the same of objects that are made with their first version, before they are (`parts.WRITTEN`)."""
    return state_fingerprints(
        written.with_columns(pl.col("doi_only").alias("was_doi_only"), old_hash="content_hash", state=pl.lit("active"))
    )
