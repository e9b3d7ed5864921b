"""Statements on what automation knows of datasets: due looks, what was seen, failed runs, and copies of recorded versions.

When a look is due and what it compares is `sensors.upstream`'s business; what follows from it is `sensors.reconcile`'s.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import dataset, mapping_version, outbox, recorded, watch


@dataclass(frozen=True)
class Watch:
    """A row of the `watch` table; see there."""

    dataset: str
    due: str | None = None
    looks_failed: int = 0
    against: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    feed: str | None = None
    changed: str | None = None
    changed_since: str | None = None
    run_failed: str | None = None
    run_id: str | None = None
    run_failure: str | None = None
    cleared: str | None = None


@dataclass(frozen=True)
class Copied:
    """A row of the `recorded` table: what one materialisation recorded."""

    asset: str
    dataset: str
    storage_id: int
    data_version: str
    made_from: Mapping[str, str]
    facts: Mapping[str, Any]
    timestamp: float
    run_id: str


def watches(connection: Connection) -> dict[str, Watch]:
    """Return what is known of every dataset that was ever watched, by slug."""
    return {row.dataset: Watch(**row._mapping) for row in connection.execute(select(watch))}


def get_watch(connection: Connection, slug: str) -> Watch:
    """Return what is known of one dataset."""
    row = connection.execute(select(watch).where(watch.c.dataset == slug)).first()
    return Watch(**row._mapping) if row is not None else Watch(slug)


def set_watch(connection: Connection, slug: str, **values: object) -> None:
    """Set columns of one dataset's row."""
    if connection.execute(update(watch).where(watch.c.dataset == slug).values(**values)).rowcount == 0:
        connection.execute(insert(watch).values(dataset=slug, **{"looks_failed": 0, **values}))


def set_watches(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Set the same columns of many datasets; each row has `dataset` and those columns."""
    if not rows:
        return
    slugs = {str(row["dataset"]) for row in rows}
    known = set(connection.execute(select(watch.c.dataset)).scalars())
    if fresh := sorted(slugs - known):
        connection.execute(insert(watch), [{"dataset": slug, "looks_failed": 0} for slug in fresh])
    columns = [name for name in rows[0] if name != "dataset"]
    connection.execute(
        update(watch)
        .where(watch.c.dataset == bindparam("b_dataset"))
        .values({name: bindparam(f"b_{name}") for name in columns}),
        [{f"b_{name}": value for name, value in row.items()} for row in rows],
    )


def set_checked(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Record looks at sources: each row has `dataset`, `checked`, `checked_by`, `failed`, `failure`."""
    if rows:
        columns = ("checked", "checked_by", "failed", "failure")
        connection.execute(
            update(dataset)
            .where(dataset.c.slug == bindparam("b_dataset"))
            .values({name: bindparam(f"b_{name}") for name in columns}),
            [{f"b_{name}": value for name, value in row.items()} for row in rows],
        )


def try_again(connection: Connection, slug: str) -> None:
    """Forget failures: the source is looked at and a run asked for at the next tick, however often both failed."""
    set_watch(
        connection, slug, cleared=now(), due=now(), looks_failed=0, run_failed=None, run_id=None, run_failure=None
    )


def queued_dois(connection: Connection, moment: float) -> dict[str, tuple[int, bool]]:
    """Return for each dataset with queued DOIs how many there are, and whether one may be sent at `moment` (epoch)."""
    query = (
        select(outbox.c.dataset, func.count(), func.min(outbox.c.not_before))
        .where(outbox.c.state == "queued")
        .group_by(outbox.c.dataset)
    )
    return {slug: (int(count), due <= moment) for slug, count, due in connection.execute(query)}


def copies(connection: Connection, instance: str) -> list[Copied]:
    """Return the copies of one Dagster instance's records."""
    columns = [recorded.c[name] for name in Copied.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(recorded.c.instance == instance))
    return [
        Copied(asset, slug, storage_id, version, orjson.loads(made_from), orjson.loads(facts), timestamp, run_id)
        for asset, slug, storage_id, version, made_from, facts, timestamp, run_id in rows
    ]


def save_copies(connection: Connection, instance: str, rows: Iterable[Copied]) -> None:
    """Write copies, in the place of older ones."""
    values = [
        {
            "instance": instance,
            "asset": row.asset,
            "dataset": row.dataset,
            "storage_id": row.storage_id,
            "data_version": row.data_version,
            "made_from": json.dumps(dict(row.made_from)),
            "facts": json.dumps(dict(row.facts)),
            "timestamp": row.timestamp,
            "run_id": row.run_id,
        }
        for row in rows
    ]
    if not values:
        return
    connection.execute(
        delete(recorded).where(
            recorded.c.instance == instance,
            recorded.c.asset == bindparam("b_asset"),
            recorded.c.dataset == bindparam("b_dataset"),
        ),
        [{"b_asset": row["asset"], "b_dataset": row["dataset"]} for row in values],
    )
    connection.execute(insert(recorded), values)


def mapping_versions(connection: Connection) -> dict[str, str]:
    """Return the known versions of resolved mappings, by the digest of what they are resolved from."""
    rows = connection.execute(select(mapping_version.c.digest, mapping_version.c.version))
    return {digest: version for digest, version in rows}  # noqa: C416 (rows are no pairs for a type checker)


def save_mapping_versions(connection: Connection, found: Mapping[str, str], keep: Iterable[str]) -> None:
    """Add versions, and drop those whose digest is not in `keep`: their files are gone."""
    wanted, known = set(keep), mapping_versions(connection)
    if gone := set(known) - wanted:
        connection.execute(
            delete(mapping_version).where(mapping_version.c.digest == bindparam("b_digest")),
            [{"b_digest": digest} for digest in gone],
        )
    fresh = {digest: version for digest, version in found.items() if digest not in known}
    if fresh:
        connection.execute(
            insert(mapping_version), [{"digest": digest, "version": version} for digest, version in fresh.items()]
        )
