"""Statements about what people decide on identities: held records, former keys, endings, transfers, likenesses.

A decision is carried out by the next publication of its dataset, which `dataset.decided` makes due. What a decision
means is `identity.decisions` and `identity.recognition`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, insert, select, update

from dissco_platform.registry.bulk import fetch_frame, insert_frame, staged, update_frame
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import (
    dataset,
    decision,
    digital_object,
    ending,
    former_key,
    held,
    likeness,
    media_use,
    outbox,
    vanished,
)


@dataclass(frozen=True)
class HeldRecord:
    """A record that a person has to look at; `object_id` and `doi_suffix` are of the object that it may be."""

    identity_key: str
    reason: str
    message: str
    since: str
    object_id: int | None
    doi_suffix: str | None


def held_records(connection: Connection, slug: str) -> list[HeldRecord]:
    """Return a dataset's held records, by identity key."""
    query = (
        select(
            held.c.identity_key, held.c.reason, held.c.message, held.c.since, held.c.object_id, digital_object.c.suffix
        )
        .outerjoin(digital_object, digital_object.c.id == held.c.object_id)
        .where(held.c.dataset == slug)
        .order_by(held.c.identity_key)
    )
    return [HeldRecord(*row) for row in connection.execute(query)]


def replace_held(connection: Connection, slug: str, frames: Iterable[pl.DataFrame]) -> None:
    """Make `identity_key, reason, message, object_id` the dataset's held records; those held before keep their date."""
    schema: dict[str, Any] = {"identity_key": pl.String, "since": pl.String}
    query = select(held.c.identity_key, held.c.since).where(held.c.dataset == slug)
    before = fetch_frame(connection, query, schema)
    if before.height:
        connection.execute(delete(held).where(held.c.dataset == slug))
    for rows in frames:
        insert_frame(
            connection,
            held,
            rows.select("identity_key", "reason", "message", "object_id")
            .join(before, on="identity_key", how="left", maintain_order="left")
            .with_columns(pl.col("since").fill_null(now()), dataset=pl.lit(slug)),
        )


def drop_held(connection: Connection, slug: str, key: str) -> None:
    """Take a record off the list: it was decided on."""
    connection.execute(delete(held).where(held.c.dataset == slug, held.c.identity_key == key))


def mark_decided(connection: Connection, *slugs: str) -> None:
    """Make datasets due for publication, and let a publication that is under way fail instead of overwriting."""
    connection.execute(update(dataset).where(dataset.c.slug.in_(slugs)).values(decided=now()))


def decide_new(connection: Connection, slug: str, key: str, who: str) -> None:
    """Record that a held record is a specimen of its own."""
    connection.execute(delete(decision).where(decision.c.dataset == slug, decision.c.identity_key == key))
    connection.execute(insert(decision).values(dataset=slug, identity_key=key, verdict="new", who=who, time=now()))


def decided_new(connection: Connection, slug: str) -> pl.Series:
    """Return the identity keys that a person said are specimens of their own."""
    query = select(decision.c.identity_key).where(decision.c.dataset == slug, decision.c.verdict == "new")
    return fetch_frame(connection, query, {"identity_key": pl.String})["identity_key"]


def rename(connection: Connection, kind: str, renamed: pl.DataFrame) -> None:
    """Give objects another identity key and keep the one they had: `id, old_key, identity_key`."""
    if renamed.is_empty():
        return
    taken = pl.concat([renamed["old_key"], renamed["identity_key"]]).unique().alias("identity_key").to_frame()
    with staged(connection, taken, former_key) as keys:
        connection.execute(
            delete(former_key).where(
                former_key.c.kind == kind, former_key.c.identity_key.in_(select(keys.c.identity_key))
            )
        )
    insert_frame(
        connection,
        former_key,
        renamed.select(
            pl.lit(kind).alias("kind"),
            pl.col("old_key").alias("identity_key"),
            pl.col("id").alias("object_id"),
            pl.lit(now()).alias("until"),
        ),
    )
    # In two steps, since two objects may have changed places.
    between = renamed.select("id", pl.concat_str(pl.lit("renamed "), "id").alias("identity_key"))
    update_frame(connection, digital_object, between, "id")
    update_frame(connection, digital_object, renamed.select("id", "identity_key"), "id")


def former_objects(connection: Connection, kind: str, keys: pl.Series) -> pl.DataFrame:
    """Return which of the keys an object had before: `identity_key, former_id`."""
    schema: dict[str, Any] = {"identity_key": pl.String, "former_id": pl.Int64}
    if connection.execute(select(former_key.c.object_id).limit(1)).first() is None:
        return pl.DataFrame(schema=schema)
    with staged(connection, keys.unique().alias("identity_key").to_frame(), digital_object) as wanted:
        query = (
            select(former_key.c.identity_key, former_key.c.object_id)
            .join(wanted, wanted.c.identity_key == former_key.c.identity_key)
            .where(former_key.c.kind == kind)
        )
        return fetch_frame(connection, query, schema)


def former_keys_of(connection: Connection, object_id: int) -> list[tuple[str, str]]:
    """Return the keys that an object had before, each with the time until which it had it."""
    query = select(former_key.c.identity_key, former_key.c.until).where(former_key.c.object_id == object_id)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(former_key.c.until))]


def end(connection: Connection, object_id: int, kind: str, reason: str, who: str, into_id: int | None) -> None:
    """Record that a person ended an object."""
    connection.execute(delete(ending).where(ending.c.object_id == object_id))
    connection.execute(
        insert(ending).values(object_id=object_id, kind=kind, into_id=into_id, reason=reason, who=who, time=now())
    )


def revive(connection: Connection, object_id: int) -> bool:
    """Take the ending of an object back; say whether there was one."""
    return bool(connection.execute(delete(ending).where(ending.c.object_id == object_id)).rowcount)


def ended(connection: Connection, slug: str) -> pl.DataFrame:
    """Return which of a dataset's objects a person ended, and when: `id, time`."""
    query = (
        select(ending.c.object_id, ending.c.time)
        .join(digital_object, digital_object.c.id == ending.c.object_id)
        .where(digital_object.c.dataset == slug)
    )
    return fetch_frame(connection, query, {"id": pl.Int64, "time": pl.String})


def ending_of(connection: Connection, object_id: int) -> dict[str, Any] | None:
    """Return how a person ended an object: `kind, into_id, reason, who, time`; None: nobody did."""
    row = connection.execute(select(ending).where(ending.c.object_id == object_id)).first()
    return dict(row._mapping) if row else None


def move_objects(connection: Connection, ids: pl.Series, slug: str) -> None:
    """Make objects those of another dataset; their published parts stay where they are."""
    with staged(connection, ids.alias("id").to_frame(), digital_object, "id") as moved:
        chosen = select(moved.c.id)
        connection.execute(update(digital_object).where(digital_object.c.id.in_(chosen)).values(dataset=slug))
        connection.execute(update(outbox).where(outbox.c.object_id.in_(chosen)).values(dataset=slug))


def move_all(connection: Connection, old: str, new: str) -> int:
    """Make all of a dataset's objects those of another, with what is queued and decided; return how many."""
    moved = connection.execute(update(digital_object).where(digital_object.c.dataset == old).values(dataset=new))
    for table in (outbox, media_use, decision):
        connection.execute(update(table).where(table.c.dataset == old).values(dataset=new))
    for table in (held, vanished):
        connection.execute(delete(table).where(table.c.dataset == old))
    return int(moved.rowcount)


def renamed_since(connection: Connection, slug: str, moment: str) -> pl.Series:
    """Return the ids of a dataset's objects that got another identity key after a moment."""
    query = (
        select(former_key.c.object_id)
        .join(digital_object, digital_object.c.id == former_key.c.object_id)
        .where(digital_object.c.dataset == slug, former_key.c.until > moment)
    )
    return fetch_frame(connection, query, {"id": pl.Int64})["id"]


def note_likenesses(connection: Connection, pairs: pl.DataFrame) -> None:
    """Add pairs `object_id, other_id` of specimens that may be one; those that are there already stay as they are."""
    if pairs.is_empty():
        return
    schema: dict[str, Any] = {"object_id": pl.Int64, "other_id": pl.Int64}
    with staged(connection, pairs.select("object_id").unique(), likeness, "object_id") as named:
        query = select(likeness.c.object_id, likeness.c.other_id).join(named, named.c.object_id == likeness.c.object_id)
        there = fetch_frame(connection, query, schema)
    fresh = pairs.select("object_id", "other_id").join(there, on=["object_id", "other_id"], how="anti")
    insert_frame(connection, likeness, fresh.with_columns(since=pl.lit(now())))


def likenesses(connection: Connection, slug: str) -> list[dict[str, str]]:
    """Return a dataset's pairs: `suffix, identity_key, other_suffix, other_key, other_dataset, since`.

    Those of which one was ended are left out.
    """
    one, two = digital_object.alias("one"), digital_object.alias("two")
    query = (
        select(
            one.c.suffix,
            one.c.identity_key,
            two.c.suffix.label("other_suffix"),
            two.c.identity_key.label("other_key"),
            two.c.dataset.label("other_dataset"),
            likeness.c.since,
        )
        .join(one, one.c.id == likeness.c.object_id)
        .join(two, two.c.id == likeness.c.other_id)
        .where(one.c.dataset == slug, one.c.state != "tombstoned", two.c.state != "tombstoned")
        .order_by(one.c.identity_key)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def used_elsewhere(connection: Connection, slug: str) -> pl.Series:
    """Return the ids of a dataset's media that other datasets use."""
    query = (
        select(media_use.c.object_id)
        .join(digital_object, digital_object.c.id == media_use.c.object_id)
        .where(digital_object.c.dataset == slug, media_use.c.dataset != slug)
    )
    return fetch_frame(connection, query, {"id": pl.Int64})["id"].unique()


def replace_uses(connection: Connection, slug: str, ids: pl.Series) -> None:
    """Make `ids` the media of other datasets that a dataset uses; only the difference is written."""
    query = select(media_use.c.object_id).where(media_use.c.dataset == slug)
    before = fetch_frame(connection, query, {"object_id": pl.Int64})
    now_used = ids.unique().alias("object_id").to_frame()
    gone = before.join(now_used, on="object_id", how="anti")
    if gone.height:
        with staged(connection, gone, media_use, "object_id") as dropped:
            connection.execute(
                delete(media_use).where(
                    media_use.c.dataset == slug, media_use.c.object_id.in_(select(dropped.c.object_id))
                )
            )
    insert_frame(
        connection, media_use, now_used.join(before, on="object_id", how="anti").with_columns(dataset=pl.lit(slug))
    )
