"""Reserves DOIs for what is new: one transaction that gives suffixes, spends quota and inserts the objects.

A run that is killed afterwards finds its reservations by their identity keys and goes on; nothing is minted twice.
Deriving a suffix is `minting`.
"""

from datetime import UTC, datetime

import polars as pl
from sqlalchemy import Connection

from dissco_platform.enrolment.allowance import allowance
from dissco_platform.identity import minting
from dissco_platform.identity.parts import Rules
from dissco_platform.identity.resolve import NEW, Resolution
from dissco_platform.registry import Registry, objects
from dissco_platform.registry.datasets import Dataset, setting_once
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import digital_object


def reserve(
    registry: Registry,
    dataset: Dataset,
    specimens: Resolution,
    media: Resolution,
    rules: Rules,
) -> tuple[Resolution, Resolution]:
    """Reserve DOIs for what is new, as far as quota and grants go; return the resolutions with suffixes filled in."""
    wants = pl.col("suffix").is_null() & (pl.col("outcome") == NEW)
    if not specimens.rows.filter(wants).height and not media.rows.filter(wants).height:
        return specimens, media
    created = now()
    with registry.write() as connection:
        key = setting_once(connection, minting.KEY_SETTING, minting.new_key())
    # Derived before the transaction, which keeps everybody else from writing.
    ordered = _suffixed(_by_priority(specimens.rows.filter(wants), media.rows.filter(wants)), key)
    with registry.write() as connection:
        year = datetime.now(UTC).year
        room = allowance(connection, dataset.slug, rules.yearly_quota, year)
        fits = pl.lit(True) if room is None else pl.int_range(pl.len()) < room
        ordered = ordered.with_columns(granted=fits)
        # Written where there is no quota as well: grants are compared with what was minted.
        objects.use_quota(connection, year, dataset.slug, int(ordered["granted"].sum()))
        minted = _free_suffixes(connection, ordered.filter("granted"), key)
        waiting = ordered.filter(~pl.col("granted")).with_columns(
            suffix=pl.lit(None, pl.String), attempt=pl.lit(0, pl.Int64)
        )
        rows = pl.concat([minted, waiting.select(minted.columns)])
        fresh = rows.filter(pl.col("id").is_null())
        first = objects.next_id(connection, digital_object)
        fresh = fresh.with_columns(id=pl.int_range(first, first + pl.len(), dtype=pl.Int64), created=pl.lit(created))
        state = pl.when(pl.col("suffix").is_null()).then(pl.lit("waiting_quota")).otherwise(pl.lit("active"))
        fresh, known = (
            part.with_columns(state.alias("state")) for part in (fresh, rows.filter(pl.col("id").is_not_null()))
        )
        objects.insert_rows(
            connection,
            digital_object,
            fresh.select(
                "id",
                "kind",
                pl.lit(dataset.slug).alias("dataset"),
                "identity_key",
                "suffix",
                "attempt",
                "state",
                "doi_only",
                pl.lit(0).alias("version"),
                pl.lit("").alias("content_hash"),
                pl.lit("").alias("visible_hash"),
                pl.lit("none").alias("doi_state"),
                "created",
                pl.col("created").alias("modified"),
                pl.lit(0).alias("missed"),
            ),
        )
        objects.update_objects(
            connection, known.filter(pl.col("suffix").is_not_null()).select("id", "suffix", "attempt", "state")
        )
    filled = pl.concat([fresh.select(known.columns), known])
    return _fill(specimens, filled), _fill(media, filled)


def _by_priority(specimens: pl.DataFrame, media: pl.DataFrame) -> pl.DataFrame:
    """Order what wants a DOI: types, then specimens with images, then the rest; each followed by its media."""
    rank = (
        pl.when(pl.col("is_marked_as_type").fill_null(False))
        .then(0)
        .when(pl.col("targets").list.len() > 0)
        .then(1)
        .otherwise(2)
    )
    columns = ["kind", "id", "identity_key", "doi_only", "created"]
    ranked = specimens.with_columns(rank.alias("rank"), kind=pl.lit("specimen")).sort("rank", "identity_key")
    ranked = ranked.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64) * 2)
    first_use = (
        ranked.select("place", pl.col("targets").alias("identity_key"))
        .explode("identity_key", empty_as_null=False)
        .group_by("identity_key")
        .agg(pl.col("place").min() + 1)
    )
    own_media = media.with_columns(kind=pl.lit("media")).join(first_use, on="identity_key", how="left")
    last = 2 * ranked.height + 1
    own_media = own_media.with_columns(pl.col("place").fill_null(last))
    return pl.concat([ranked.select(*columns, "place"), own_media.select(*columns, "place")]).sort(
        "place", "identity_key"
    )


def _suffixed(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Add the suffix of each key's first attempt."""
    rows = rows.with_columns(attempt=pl.lit(0, pl.Int64))
    return rows.with_columns(_suffix(key))


def _suffix(key: str) -> pl.Expr:
    return minting.suffixes(pl.col("kind"), pl.col("identity_key"), pl.col("attempt"), key).alias("suffix")


def _free_suffixes(connection: Connection, rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Give each row the first suffix of its key that is free, probing again on collisions."""
    done: list[pl.DataFrame] = []
    given = pl.Series("suffix", [], dtype=pl.String)
    while True:
        taken = pl.concat([objects.taken_suffixes(connection, rows["suffix"]), given])
        collides = pl.col("suffix").is_in(taken.implode()) | pl.col("suffix").is_duplicated()
        free = rows.filter(~collides)
        done.append(free)
        given = pl.concat([given, free["suffix"]])
        rows = rows.filter(collides).with_columns(pl.col("attempt") + 1).with_columns(_suffix(key))
        if not rows.height:
            return pl.concat(done)


def _fill(state: Resolution, minted: pl.DataFrame) -> Resolution:
    mine = minted.filter(pl.col("kind") == state.kind).select(
        "identity_key", new_id="id", new_suffix="suffix", new_state="state", new_created="created"
    )
    rows = state.rows.join(mine, on="identity_key", how="left", maintain_order="left").with_columns(
        pl.coalesce("id", "new_id").alias("id"),
        pl.coalesce("suffix", "new_suffix").alias("suffix"),
        pl.coalesce("new_state", "state").alias("state"),
        pl.coalesce("created", "new_created").alias("created"),
        pl.col("version").fill_null(0),
        pl.col("missed").fill_null(0),
    )
    return Resolution(state.kind, rows.drop("new_id", "new_suffix", "new_state", "new_created"), state.missing)
