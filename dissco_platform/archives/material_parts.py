"""Materials of a data package that are parts of others, and where rows that hang on a part or on an event belong.

A part (`isPartOfMaterialEntityID`) without a registration number or DOI of its own is told within its whole, whose number
it shares; one that has its own is a record like any other (openDS, SpecimenPart: what has a registration number gets a
Digital Specimen). Rows that hang on a part go to its whole's record and say in PART which part they are about. Ages hang
on an event and so on all materials collected then, or on the one material that they name as dated.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from dissco_platform.archives.contents import id_hash
from dissco_platform.archives.extensions import CORE_ID
from dissco_platform.archives.tables import PART

WHOLE = "verbatim:isPartOfMaterialEntityID"
COLLECTED = "verbatim:collectionEvent_fk"
DERIVED = "verbatim:derivationEvent_fk"
DATED = "chrono:materialDatedID"
READ = ("dwc:materialEntityID", WHOLE, "dwc:catalogNumber", "dwc:digitalSpecimenID", COLLECTED)
"""Columns of the materials that `understood` reads, beside their keys."""
DEPTH = 32
"""Doublings of the way up from a part to its record: more than any chain has that is no circle."""


@dataclass(frozen=True)
class Materials:
    """`parts`: `key` (hash of a part's key or identifier), `id` (its key), `record` (its whole's key), `apart` (whether it
    was collected at another event than its whole). `events`: `key` (hash of an event's key), `id` (of a material collected
    then). `names`: `key` (hash of a material's identifier), `id`."""

    parts: pl.DataFrame
    events: pl.DataFrame
    names: pl.DataFrame
    count: int

    def without_parts(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that are records of their own."""
        return records.with_columns(id_hash(CORE_ID).alias("__at")).join(
            self.parts, left_on="__at", right_on="key", how="anti", maintain_order="left"
        ).drop("__at")  # fmt: skip

    def only_parts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the parts, each with its record as core id, and in DERIVED (a column of `rows`) the event that was its own."""
        frame = self._joined(rows).filter(pl.col("record").is_not_null())
        event = pl.col(DERIVED)
        if COLLECTED in frame.columns:
            event = pl.coalesce(event, pl.when("apart").then(pl.col(COLLECTED)))
        return frame.with_columns(pl.col("record").alias(CORE_ID), event.alias(DERIVED)).select(rows.columns)

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows that hang on a part with the part's record as core id and the part in PART."""
        frame = self._joined(rows)
        return frame.with_columns(pl.coalesce("record", CORE_ID).alias(CORE_ID), pl.col("id").alias(PART)).select(
            rows.columns
        )

    def dated(self, ages: pl.DataFrame) -> pl.DataFrame:
        """Return ages, whose core id is an event, hung on the material that they date or on all that was collected then.

        An age of neither keeps the event as core id, and is set aside as a row without a record.
        """
        at = ages.with_columns(id_hash(CORE_ID).alias("__event"))
        dated = id_hash(DATED) if DATED in ages.columns else pl.lit(None, dtype=pl.UInt64)
        at = at.with_columns(dated.alias("__dated")).join(
            self.names.rename({"id": "__named"}), left_on="__dated", right_on="key", how="left", maintain_order="left"
        )
        at = at.with_columns(pl.when(pl.col("__named").is_null()).then(pl.col("__event")).alias("__event")).join(
            self.events.rename({"id": "__collected"}), left_on="__event", right_on="key", how="left",
            maintain_order="left_right",
        )  # fmt: skip
        return at.with_columns(pl.coalesce("__named", "__collected", CORE_ID).alias(CORE_ID)).select(ages.columns)

    def _joined(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(id_hash(CORE_ID).alias("__at")).join(
            self.parts, left_on="__at", right_on="key", how="left", maintain_order="left"
        )


def understood(frames: Iterable[pl.DataFrame]) -> Materials:
    """Understand which materials are parts.

    Args:
        frames: all materials: CORE_ID and the columns of READ (nulls where a file has none).
    """
    read = [
        frame.select(
            pl.col(CORE_ID).alias("id"), id_hash(CORE_ID).alias("own"), id_hash(READ[0]).alias("other"),
            id_hash(WHOLE).alias("whole"), id_hash("dwc:catalogNumber").alias("number"),
            pl.col("dwc:digitalSpecimenID").is_not_null().alias("doi"), id_hash(COLLECTED).alias("event"),
        )
        for frame in frames
    ]  # fmt: skip
    empty = pl.DataFrame(
        schema={"id": pl.String, "own": pl.UInt64, "other": pl.UInt64, "whole": pl.UInt64, "number": pl.UInt64,
                "doi": pl.Boolean, "event": pl.UInt64}
    )  # fmt: skip
    table = (
        pl.concat([empty, *read]).filter(pl.col("own").is_not_null()).unique("own", keep="first", maintain_order=True)
    )
    names = pl.concat([table.select(pl.col(name).alias("key"), "own", "id") for name in ("own", "other")])
    names = names.drop_nulls("key").unique("key", keep="first", maintain_order=True)
    wholes = _wholes(table, names)
    parts = wholes.join(table.select("own", "other"), on="own").select(
        pl.concat_list("own", "other").alias("key"), "id", "record", "apart"
    )
    parts = parts.explode("key").drop_nulls("key").unique("key", keep="first", maintain_order=True)
    events = table.select(pl.col("event").alias("key"), "id").drop_nulls()
    return Materials(parts, events, names.select("key", "id"), wholes.height)


def _wholes(table: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return `own`, `id`, `record`, `apart` of each part; what leads round in a circle is no part."""
    facts = table.select(
        "own",
        pl.col("number").alias("whole_number"),
        pl.col("event").alias("whole_event"),
        pl.col("id").alias("whole_id"),
    )
    found = (
        table.drop_nulls("whole")
        .join(names.select(pl.col("key").alias("whole"), pl.col("own").alias("up")), on="whole", how="inner")
        .join(facts, left_on="up", right_on="own", how="inner")
        .filter(
            (pl.col("up") != pl.col("own"))
            & ~pl.col("doi")
            & (pl.col("number").is_null() | (pl.col("number") == pl.col("whole_number")))
        )
    )
    ways = found.select("own", "up")
    for _ in range(DEPTH):
        longer = ways.join(ways.rename({"own": "up", "up": "top"}), on="up", how="left", maintain_order="left")
        if not longer["top"].count():
            break
        ways = longer.select("own", pl.coalesce("top", "up").alias("up"))
    ways = ways.join(found.select(pl.col("own").alias("up")), on="up", how="anti")  # a top that is a part: a circle
    tops = ways.join(facts.select("own", "whole_id"), left_on="up", right_on="own", how="inner")
    return found.join(tops.select("own", pl.col("whole_id").alias("record")), on="own", how="inner").select(
        "own", "id", "record", pl.col("event").ne_missing(pl.col("whole_event")).alias("apart")
    )
