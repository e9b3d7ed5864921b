"""Makes written parts the current versions of their objects, in the caller's transaction, and queues the outbox.

The parts lie in the store already; nobody reads them before this is committed. What is written and why is `publish` (a
whole dataset) and `decisions` (one object).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson
import polars as pl
from sqlalchemy import Connection

from dissco_platform.identity.parts import PartWriter
from dissco_platform.identity.spool import Spool
from dissco_platform.registry import objects
from dissco_platform.registry.tables import version

ENDINGS = ("vanished", "withdrawn", "merged")
TOMBSTONE_LANE, NEW_LANE, UPDATE_LANE = 0, 1, 2


_ROWS_AT_ONCE = 200_000


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
    connection: Connection, dataset: str, writer: PartWriter, moment: str, made_from: Mapping[str, str]
) -> Committed:
    """Add the writer's parts and versions, make them current, and queue what DataCite shows of them."""
    origin = orjson.dumps(dict(made_from), option=orjson.OPT_SORT_KEYS).decode()
    ids = objects.add_batches(connection, dataset, writer.paths, moment, origin)
    committed = Committed()
    for written in _together(writer.written, ids):
        _commit(connection, dataset, written, moment, committed)
    return committed


def _together(spool: Spool, ids: Mapping[str, int]) -> Iterator[pl.DataFrame]:
    """Yield what was written, many parts at a time, in the order of the tables.

    That takes half of the time of rows that come as the parts hold them.
    """
    waiting: list[pl.DataFrame] = []
    height = 0

    def joined() -> pl.DataFrame:
        return (
            pl.concat(waiting)
            .with_columns(
                pl.col("path").replace_strict(ids, return_dtype=pl.Int64, default=None).alias("batch_id"),
                pl.col("cause").is_in(ENDINGS).alias("tombstone"),
            )
            .sort("id")
        )

    for frame in spool:
        waiting.append(frame)
        height += frame.height
        if height >= _ROWS_AT_ONCE:
            yield joined()
            waiting, height = [], 0
    if waiting:
        yield joined()


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
    changes = written.select(
        "id",
        "version",
        "content_hash",
        "visible_hash",
        "doi_only",
        pl.lit(moment).alias("modified"),
        pl.when("tombstone").then(pl.lit("tombstoned")).otherwise(pl.lit("active")).alias("state"),
        pl.lit(0).alias("missed"),
    )
    # Each object is updated once: of a million new ones a second pass would be half of the work.
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
