"""Makes written parts the current versions of their objects, in the caller's transaction, and queues the outbox.

The parts lie in the store already; nobody reads them before this is committed. What is written and why is `publish` (a
whole dataset) and `decisions` (one object).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from sqlalchemy import Connection

from dissco_platform.errors import RegistryError
from dissco_platform.identity.parts import PartWriter
from dissco_platform.identity.spool import Spool
from dissco_platform.registry import objects
from dissco_platform.registry.tables import digital_object, version
from dissco_platform.side_by_side import ahead

ENDINGS = ("vanished", "withdrawn", "merged")
TOMBSTONE_LANE, NEW_LANE, UPDATE_LANE = 0, 1, 2

_ROWS_AT_ONCE = 100_000  # two times: those that are entered, and those that are next
_PILE_IN_MEMORY = 2**20  # bytes


class OvertakenError(RegistryError):
    """Another process took an identity key, a suffix or the allowance meanwhile; a second attempt sees what it did."""


@dataclass(frozen=True)
class Minted:
    """Of the objects that a publication makes.

    `created`: when; `attempts`: `suffix, attempt` of those that did not get the first choice; `shift`: by how much ids are to be
    raised; `count`: how many have a first version.
    """

    created: str
    attempts: pl.DataFrame
    shift: int
    count: int


@dataclass
class Committed:
    """How many of the versions DataCite has to be told, and the ids of the objects that are tombstones from now on."""

    queued: int = 0
    tombstones: list[pl.Series] = field(default_factory=list)

    @property
    def tombstoned(self) -> int:
        """How many tombstones were written."""
        return sum(ids.len() for ids in self.tombstones)


def commit_versions(
    connection: Connection,
    dataset: str,
    writer: PartWriter,
    batches: Mapping[str, int],
    moment: str,
    minted: Minted | None = None,
) -> Committed:
    """Add the writer's versions and their new objects, make them current, and queue what DataCite shows of them.

    Args:
        connection: inside a transaction that writes.
        dataset: that publishes.
        writer: wrote the parts.
        batches: ids of the parts, as `add_parts` gave them.
        moment: of the publication.
        minted: what is known of the objects that it makes; None: it makes none.

    Raises:
        OvertakenError: another process took a key or a suffix.
    """
    committed, made = Committed(), 0
    # The database takes one processor alone: the other one puts the next rows in order.
    for frame in ahead(_in_order(writer.written, _ROWS_AT_ONCE, writer.folder)):
        written = frame.with_columns(
            pl.col("path").replace_strict(batches, return_dtype=pl.Int64, default=None).alias("batch_id"),
            pl.col("cause").is_in(ENDINGS).alias("tombstone"),
        )
        if minted is not None:
            if minted.shift:
                written = written.with_columns(pl.when("fresh").then(pl.col("id") + minted.shift).otherwise("id"))
            made += _insert(connection, dataset, written.filter("fresh"), moment, minted)
        _commit(connection, dataset, written, moment, committed)
    if minted is not None and made != minted.count:
        raise RegistryError(f"{minted.count} new objects were to be entered, {made} were written; nothing was changed.")
    return committed


def add_parts(
    connection: Connection, dataset: str, writer: PartWriter, moment: str, made_from: Mapping[str, str]
) -> dict[str, int]:
    """Name the writer's parts; return their ids. On PostgreSQL, committing transactions wait here for each other."""
    origin = orjson.dumps(dict(made_from), option=orjson.OPT_SORT_KEYS).decode()
    return objects.add_batches(connection, dataset, writer.paths, moment, origin)


def _in_order(spool: Spool, size: int, folder: Path) -> Iterator[pl.DataFrame]:
    """Yield what was written in the order of ids, some `size` rows at a time.

    Parts come in the order of their documents. Tables and the index of keys, which ids follow, then grow at their ends; rows that
    come as the parts hold them take twice the time.
    """
    if spool.height <= size:
        whole = spool.collected()
        if whole is not None:
            yield whole.sort("id")
        return
    ids = np.concatenate([frame["id"].to_numpy() for frame in spool.columns("id")])
    ids.sort()
    bounds = ids[size::size].copy()
    del ids
    piles = [Spool(folder, _PILE_IN_MEMORY) for _ in range(bounds.size + 1)]
    for frame in spool:
        places = pl.Series("pile", np.searchsorted(bounds, frame["id"].to_numpy(), "right"))
        for (place,), part in frame.with_columns(places).partition_by("pile", as_dict=True).items():
            piles[int(place)].append(part.drop("pile"))
    for pile in piles:
        whole = pile.collected()
        pile.close()
        if whole is not None:
            yield whole.sort("id")


def _insert(connection: Connection, dataset: str, fresh: pl.DataFrame, moment: str, minted: Minted) -> int:
    """Insert new objects as they are with their first version; return how many."""
    if not fresh.height:
        return 0
    fresh = fresh.join(minted.attempts, on="suffix", how="left", maintain_order="left")
    constant: dict[str, Any] = {
        "dataset": dataset,
        "state": "active",
        "doi_state": "pending",
        "created": minted.created,
        "modified": moment,
        "missed": 0,
    }
    try:
        objects.insert_rows(
            connection,
            digital_object,
            fresh.select(
                "id",
                "kind",
                "identity_key",
                "suffix",
                pl.col("attempt").fill_null(0),
                "doi_only",
                "version",
                "content_hash",
                "visible_hash",
                *(pl.lit(value).alias(name) for name, value in constant.items()),
            ),
        )
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        raise OvertakenError(
            f"Another process published objects of {dataset} meanwhile ({error}); nothing was changed, run again."
        ) from error
    return fresh.height


def _commit(connection: Connection, dataset: str, written: pl.DataFrame, moment: str, committed: Committed) -> None:
    objects.insert_rows(
        connection,
        version,
        written.select(
            pl.col("id").alias("object_id"),
            "version",
            "batch_id",
            "content_hash",
            pl.lit(moment).alias("created"),
            "cause",
        ),
    )
    changes = written.filter(~pl.col("fresh")).select(
        "id",
        "version",
        "content_hash",
        "visible_hash",
        "doi_only",
        pl.lit(moment).alias("modified"),
        pl.when("tombstone").then(pl.lit("tombstoned")).otherwise(pl.lit("active")).alias("state"),
        pl.lit(0).alias("missed"),
    )
    # Each object is written once: of a million new ones a second pass would be half of the work.
    first = changes.filter(pl.col("version") == 1).with_columns(doi_state=pl.lit("pending"))
    objects.update_objects(connection, first)
    objects.update_objects(connection, changes.filter(pl.col("version") > 1))
    visible = written.filter(pl.col("visible_hash") != pl.col("old_visible").fill_null(""))
    lane = pl.when("tombstone").then(TOMBSTONE_LANE).when(pl.col("version") == 1).then(NEW_LANE).otherwise(UPDATE_LANE)
    objects.replace_outbox(connection, visible.with_columns(lane.alias("lane"), dataset=pl.lit(dataset)))
    committed.queued += visible.height
    ended = written.filter("tombstone")["id"]
    if ended.len():
        committed.tombstones.append(ended)
