"""The content version of a dataset's identities and versions: what a publication reports, cheap where little changed.

It is a sum over the states of all objects, whatever their order (`provenance.ContentVersion`). All states are read once when a
publication begins; what it then touches is taken from the sum as it was and added as it is. Objects that it makes are added
from what is written of them (`parts`), those that wait for a DOI from the registry.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from sqlalchemy import Connection

from dissco_platform.identity.parts import PartWriter
from dissco_platform.identity.recognition import Recognised
from dissco_platform.identity.records import FRESH, NO_SUFFIX, Numbers
from dissco_platform.identity.resolve import state_fingerprints
from dissco_platform.provenance import ContentVersion
from dissco_platform.registry import objects

_MOSTLY = 0.3  # share of the objects from which on all states are read again


class DatasetVersion:
    """Used inside the transaction that commits: `before` its first change, `after` its last."""

    def __init__(
        self,
        connection: Connection,
        slug: str,
        found: Sequence[Recognised],
        writer: PartWriter,
        completed: bool,
    ) -> None:
        """Find out which objects are touched; `completed`: some that waited for a DOI get one."""
        self.connection, self.slug, self.found, self._fresh = connection, slug, found, writer.fresh
        made = sum(int(one.records.flagged(FRESH).sum()) for one in found)
        known = sum(one.records.id.size + one.missing.size for one in found) - made
        rewritten = writer.written.height - sum(writer.fresh.count(one.kind) for one in found)
        self._from_scratch = completed or rewritten > _MOSTLY * known
        written = [] if self._from_scratch or not rewritten else [_known(frame) for frame in writer.written]
        self._touched = [np.zeros(0, np.int64) if self._from_scratch else _touched(one, written) for one in found]

    def before(self) -> None:
        """Take away the states that will change."""
        if self._from_scratch:
            return
        for one, touched in zip(self.found, self._touched, strict=True):
            for frame in self._states(one.kind, touched):
                one.states.remove(one.kind, state_fingerprints(frame))

    def after(self) -> str:
        """Return the version of the state as it is now."""
        total = ContentVersion()
        for one, touched in zip(self.found, self._touched, strict=True):
            if self._from_scratch:
                for frame in objects.current_states(self.connection, self.slug, one.kind):
                    total.add(one.kind, state_fingerprints(frame))
            else:
                waiting = one.records.id[one.records.flagged(FRESH) & (one.records.suffix == NO_SUFFIX)]
                for frame in self._states(one.kind, np.concatenate([touched, waiting])):
                    one.states.add(one.kind, state_fingerprints(frame))
                one.states.include(self._fresh.only(one.kind))
                total.join(one.states)
        return total.hexdigest()

    def _states(self, kind: str, ids: Numbers) -> list[pl.DataFrame]:
        return list(objects.states_of(self.connection, self.slug, kind, pl.Series(ids, dtype=pl.Int64)))


def _known(written: pl.DataFrame) -> Numbers:
    return written.filter(~pl.col("fresh"))["id"].to_numpy()


def _touched(one: Recognised, written: list[Numbers]) -> Numbers:
    ids = [
        *written,
        one.missing,
        one.back,
        one.renamed["id"].to_numpy(),
        one.moved["id"].to_numpy(),
    ]
    return pl.Series(np.concatenate(ids)).unique().to_numpy()
