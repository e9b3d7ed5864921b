"""Puts together what is written of each record that gets a new version: its object, number, links, cause, visible content."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from dissco_platform.errors import RegistryError
from dissco_platform.identity import minting
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.linking import Links
from dissco_platform.identity.records import (
    DOI_ONLY,
    FRESH,
    LINKED,
    NO_SUFFIX,
    PUBLISHED,
    RETURNED,
    Numbers,
    Records,
)
from dissco_platform.registry import Registry, objects


@dataclass(frozen=True)
class Causes:
    """Why versions come to be: `general` names the inputs that differ from the last publication's.

    `renamed` and `moved`: ids of objects that got another identifier, or came from another dataset.
    """

    general: str
    renamed: Numbers
    moved: Numbers


def to_write(records: Records, *, documents: bool = False) -> Numbers:
    """Return the numbers of the records that get a new version, or of those of them that have a document."""
    wanted = records.has(*PUBLISHED) & (records.suffix != NO_SUFFIX)
    if documents:
        wanted &= ~records.flagged(DOI_ONLY)
    return np.flatnonzero(wanted).astype(np.uint32)  # half of the room: they are there for all records at once


def pages(
    registry: Registry, records: Records, incoming: Incoming, links: Links, causes: Causes, created: str
) -> Iterator[pl.DataFrame]:
    """Yield what is written, a page of the build at a time.

    Columns: those of `Incoming.whole`, `id, suffix, version` (the new one), `created` (of the object), `old_visible`,
    `fresh` (this publication makes the object), `cause`, `links`.

    Args:
        registry: knows the objects that were there before.
        records: all of one kind.
        incoming: their table.
        links: of the other kind.
        causes: of new versions.
        created: when the objects were made that this publication made.
    """
    for read in incoming.whole(to_write(records)):
        rows = read[ROW].to_numpy()
        number = pl.Series("number", records.suffix[rows])
        page = read.with_columns(
            pl.Series("id", records.id[rows]),
            minting.suffix_of(pl.lit(number)),
            version=pl.lit(1, pl.Int64),
            created=pl.lit(created),
            old_visible=pl.lit(""),
            fresh=pl.Series((records.flags[rows] & FRESH) != 0),
        )
        is_known = (records.flags[rows] & FRESH) == 0
        whole = _with_present(registry, page, is_known, causes.renamed) if is_known.any() else page
        yield (
            whole.with_columns(_cause(whole, records.outcome[rows], causes))
            .join(links.of(rows), on=ROW, how="left", maintain_order="left")
            .with_columns(pl.col("links").fill_null(pl.lit([], pl.List(pl.String))))
        )


def _with_present(registry: Registry, page: pl.DataFrame, is_known: Numbers, renamed: Numbers) -> pl.DataFrame:
    """Put in what the registry knows of the objects that were there before.

    Raises:
        RegistryError: they are not what they were when they were recognised.
    """
    ids = page["id"].filter(pl.Series(is_known))
    with registry.read() as connection:
        present = pl.concat(list(objects.objects_with_ids(connection, ids)))
    # Recognised by a hash; here the keys themselves are there.
    both = page.select("id", came="identity_key").join(present, on="id")
    is_same = both.filter(
        (pl.col("came") == pl.col("identity_key")) | pl.Series(np.isin(both["id"].to_numpy(), renamed))
    )
    if is_same.height != ids.len():
        raise RegistryError("Another process changed this dataset's objects meanwhile; nothing was changed, run again.")
    known = present.select(
        "id",
        (pl.col("version") + 1).alias("_version"),
        pl.col("created").alias("_created"),
        pl.col("old_visible").alias("_visible"),
    )
    return (
        page.join(known, on="id", how="left", maintain_order="left")
        .with_columns(
            version=pl.coalesce("_version", "version"),
            created=pl.coalesce("_created", "created"),
            old_visible=pl.coalesce("_visible", "old_visible"),
        )
        .drop("_version", "_created", "_visible")
    )


def _cause(page: pl.DataFrame, outcome: Numbers, causes: Causes) -> pl.Expr:
    ids = page["id"].to_numpy()
    parts = [pl.when(pl.Series(outcome == RETURNED)).then(pl.lit("returned")).otherwise(pl.lit(causes.general))]
    for name, affected in (("identifier", causes.renamed), ("dataset", causes.moved)):
        if affected.size:
            parts.append(pl.when(pl.Series(np.isin(ids, affected))).then(pl.lit(name)))
    return (
        pl.when(pl.col("version") == 1)
        .then(pl.lit("new"))
        .when(pl.Series(outcome == LINKED))
        .then(pl.lit("linked"))
        .otherwise(pl.concat_str(parts, separator=",", ignore_nulls=True))
        .alias("cause")
    )
