"""Which objects a specimen or medium is linked with: their DOIs for its document, and whether one came or went.

Records name what they are linked with by key; here are its hashes, see `records`.
"""

import numpy as np
import polars as pl

from dissco_platform.identity import minting
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.records import (
    APART,
    LINKED,
    NEW,
    NO_SUFFIX,
    RETURNED,
    UNCHANGED,
    Numbers,
    Records,
    check_unique,
    find,
)

_AT_ONCE = 500_000
_FEW = 10  # so many times fewer links than objects are looked up without putting all objects in order


class Links:
    """The DOIs of the objects of one kind, for the links of the other."""

    def __init__(self, records: Records, incoming: Incoming, rows: Numbers) -> None:
        """Prepare what the links of some records need.

        Args:
            records: of the kind that is linked with.
            incoming: the table of the kind that has the links.
            rows: numbers of the records whose links will be asked for.
        """
        self._incoming = incoming
        is_shown = (records.suffix != NO_SUFFIX) & ~records.has(*APART)
        if rows.size * _FEW < records.key.size:
            named = [page["target"].to_numpy() for page in incoming.targets(rows)]
            wanted = np.unique(np.concatenate(named)) if named else records.key[:0]
            for start in range(
                0, is_shown.size, _AT_ONCE
            ):  # what is made of all keys is four times as large as they are
                some = slice(start, start + _AT_ONCE)
                is_shown[some] &= find(wanted, records.key[some]) >= 0
        places = np.flatnonzero(is_shown)
        places = places[np.argsort(records.key[places])]
        self._key, self._suffix = records.key[places], records.suffix[places]
        check_unique(self._key)

    def of(self, rows: Numbers) -> pl.DataFrame:
        """Return `build_row, links` (suffixes in the source's order) of those records (ascending) that have links."""
        found = []
        for page in self._incoming.targets(rows):
            places = find(self._key, page["target"].to_numpy())
            there = places >= 0
            suffix = (
                pl.Series("number", self._suffix[places[there]]).to_frame().select(minting.suffix_of(pl.col("number")))
            )
            found.append(page.filter(pl.Series(there)).select(ROW).hstack(suffix.rename({"suffix": "links"})))
        schema = {ROW: pl.Int64(), "links": pl.String()}
        frame = pl.concat(found) if found else pl.DataFrame(schema=schema)
        return frame.group_by(ROW, maintain_order=True).agg("links")


def note_linking(records: Records, incoming: Incoming, other: Records, lately_ended: Numbers) -> None:
    """Give records that link to an object that came or went the outcome `LINKED`, if nothing else happened to them.

    A hash tells which objects are linked, not whether they have a DOI: a DOI may be granted after the quota of another year
    came, an object may be ended or revived by a person.

    Args:
        records: of one kind.
        incoming: their table.
        other: records of the other kind.
        lately_ended: ids of the objects that a person ended since the last publication.
    """
    is_fresh = other.has(NEW, RETURNED) & (other.suffix != NO_SUFFIX)
    if lately_ended.size:
        is_fresh |= np.isin(other.id, lately_ended)
    candidates = np.flatnonzero(records.has(UNCHANGED))
    if not candidates.size or not is_fresh.any():
        return
    fresh = np.sort(other.key[is_fresh])
    for page in incoming.targets(candidates):
        links = find(fresh, page["target"].to_numpy()) >= 0
        records.outcome[page[ROW].to_numpy()[links]] = LINKED
