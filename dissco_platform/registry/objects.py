"""Statements about digital objects (specimens, media) and their versions: reads as frames, writes of deltas."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, delete, func, insert, select, update

from dissco_platform.registry.bulk import fetch_frame, insert_frame, lines, staged, update_frame
from dissco_platform.registry.tables import batch, dataset, digital_object, outbox, quota, vanished, version

_SUFFIXES = 500  # values in one IN (…)
_IDS = 100_000  # objects that are looked up by their ids at once

_CURRENT_SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    "identity_key": pl.String,
    "owner": pl.String,
    "suffix": pl.String,
    "state": pl.String,
    "was_doi_only": pl.Boolean,
    "version": pl.Int64,
    "old_hash": pl.String,
    "old_visible": pl.String,
    "created": pl.String,
    "missed": pl.Int64,
}


def _current_query() -> Select[Any]:
    o = digital_object.c
    return select(
        o.id,
        o.identity_key,
        o.dataset,
        o.suffix,
        o.state,
        o.doi_only,
        o.version,
        o.content_hash,
        o.visible_hash,
        o.created,
        o.missed,
    )


def current_objects(connection: Connection, dataset: str, kind: str) -> pl.DataFrame:
    """Return every object of a dataset: `id, identity_key, owner, suffix, state, …` (see `_CURRENT_SCHEMA`)."""
    query = _current_query().where(digital_object.c.dataset == dataset, digital_object.c.kind == kind)
    return fetch_frame(connection, query, _CURRENT_SCHEMA)


# What tells one state of a dataset from another, with the object's id.
STATE_SCHEMA: dict[str, Any] = {
    name: _CURRENT_SCHEMA[name]
    for name in ("id", "identity_key", "suffix", "state", "was_doi_only", "version", "old_hash")
}
_STATE_COLUMNS = ("id", "identity_key", "suffix", "state", "doi_only", "version", "content_hash")


def current_states(connection: Connection, dataset: str, kind: str) -> Iterator[pl.DataFrame]:
    """Yield every object of a dataset in frames of bounded size.

    Columns: `id, identity_key, suffix, state, was_doi_only, version, old_hash`, as in `current_objects`; what is not there
    yet is empty text.
    """
    return lines(connection, digital_object, _STATE_COLUMNS, {"dataset": dataset, "kind": kind}, STATE_SCHEMA)


def states_of(connection: Connection, dataset: str, kind: str, ids: pl.Series) -> Iterator[pl.DataFrame]:
    """Yield the same of those objects of a dataset that have one of the ids."""
    query = select(*(digital_object.c[name] for name in _STATE_COLUMNS)).where(
        digital_object.c.dataset == dataset, digital_object.c.kind == kind
    )
    for frame in _with_ids(connection, query, ids, STATE_SCHEMA):
        yield frame.with_columns(pl.col(pl.String).fill_null(""))


def objects_with_ids(connection: Connection, ids: pl.Series) -> Iterator[pl.DataFrame]:
    """Yield the objects that have one of the ids, in frames of bounded size; columns as `current_objects`."""
    return _with_ids(connection, _current_query(), ids, _CURRENT_SCHEMA)


def _with_ids(
    connection: Connection, query: Select[Any], ids: pl.Series, schema: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    for start in range(0, ids.len(), _IDS):
        wanted = ids.slice(start, _IDS).sort().alias("id").to_frame()
        with staged(connection, wanted, digital_object, "id") as table:
            # A join would have the planner choose, and SQLite's goes through all objects for a few.
            found = fetch_frame(connection, query.where(digital_object.c.id.in_(select(table.c.id))), schema)
        yield found


def count_of(connection: Connection, dataset: str, kind: str) -> int:
    """Return how many objects of a kind a dataset has."""
    query = select(func.count()).where(digital_object.c.dataset == dataset, digital_object.c.kind == kind)
    return int(connection.execute(query).scalar_one())


def any_elsewhere(connection: Connection, slug: str, kind: str) -> bool:
    """Say whether another dataset has objects of a kind."""
    o = digital_object.c
    there = select(o.id).where(o.dataset == dataset.c.slug, o.kind == kind).exists()
    return connection.execute(select(dataset.c.slug).where(dataset.c.slug != slug, there).limit(1)).first() is not None


def objects_by_key(connection: Connection, kind: str, keys: pl.Series) -> pl.DataFrame:
    """Return the objects that have one of the identity keys, whatever their dataset; same columns."""
    with _wanted(connection, keys, "identity_key") as wanted:
        query = (
            _current_query()
            .join(wanted, wanted.c.identity_key == digital_object.c.identity_key)
            .where(digital_object.c.kind == kind)
        )
        return fetch_frame(connection, query, _CURRENT_SCHEMA)


def taken_suffixes(connection: Connection, suffixes: pl.Series) -> pl.Series:
    """Return those of the given suffixes that some object already has."""
    if last_id(connection, digital_object) <= suffixes.len():  # fewer objects than questions: these are asked of them
        query = select(digital_object.c.suffix).where(digital_object.c.suffix.is_not(None))
        there = fetch_frame(connection, query, {"suffix": pl.String()})["suffix"]
        return there.filter(there.is_in(suffixes.implode()))
    with _wanted(connection, suffixes, "suffix") as wanted:
        query = select(digital_object.c.suffix).join(wanted, wanted.c.suffix == digital_object.c.suffix)
        return fetch_frame(connection, query, {"suffix": pl.String()})["suffix"]


def objects_by_suffix(connection: Connection, suffixes: pl.Series) -> pl.DataFrame:
    """Return the specimens that have one of the suffixes, whatever their dataset; columns as `current_objects`."""
    with _wanted(connection, suffixes, "suffix") as wanted:
        query = (
            _current_query()
            .join(wanted, wanted.c.suffix == digital_object.c.suffix)
            .where(digital_object.c.kind == "specimen", digital_object.c.version > 0)
        )
        return fetch_frame(connection, query, _CURRENT_SCHEMA)


def any_published(connection: Connection, datasets: Sequence[str]) -> bool:
    """Say whether one of the datasets has a published object."""
    query = select(digital_object.c.id).where(digital_object.c.dataset.in_(datasets), digital_object.c.version > 0)
    return connection.execute(query.limit(1)).first() is not None


def any_objects(connection: Connection, slug: str) -> bool:
    """Say whether a dataset has an object, published or not."""
    query = select(digital_object.c.id).where(digital_object.c.dataset == slug)
    return connection.execute(query.limit(1)).first() is not None


def count_with_doi(connection: Connection, slug: str) -> int:
    """Return how many objects of a dataset have a DOI: specimens and media."""
    query = select(func.count()).where(digital_object.c.dataset == slug, digital_object.c.suffix.is_not(None))
    return int(connection.execute(query).scalar_one())


def _wanted(connection: Connection, values: pl.Series, column: str) -> AbstractContextManager[Table]:
    """Return a temporary table of values: a look-up of a million keys is one statement and not a thousand.

    They are sorted, so that neighbours in the index are read one after the other.
    """
    return staged(connection, values.drop_nulls().unique().sort().alias(column).to_frame(), digital_object)


def next_id(connection: Connection, table: Table) -> int:
    """Return the first free id of a table inside a write transaction (PostgreSQL: the table is locked for writers)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
    return last_id(connection, table) + 1


def last_id(connection: Connection, table: Table) -> int:
    """Return the largest id of a table, 0 where it is empty."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())


def insert_rows(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert a frame whose columns are the table's."""
    insert_frame(connection, table, frame)


def update_objects(connection: Connection, frame: pl.DataFrame) -> None:
    """Set the frame's columns on the objects named by its `id` column."""
    update_frame(connection, digital_object, frame, "id")


def set_missing(connection: Connection, ids: pl.Series, more: int) -> None:
    """Note that objects are missing, for so many more complete harvests."""
    _set_presence(connection, ids, {"state": "missing", "missed": digital_object.c.missed + more})


def set_present(connection: Connection, ids: pl.Series) -> None:
    """Note that objects that were missing are there again."""
    _set_presence(connection, ids, {"state": "active", "missed": 0})


def _set_presence(connection: Connection, ids: pl.Series, values: dict[str, Any]) -> None:
    for start in range(0, ids.len(), _IDS):
        chosen = ids.slice(start, _IDS).sort().alias("id").to_frame()
        with staged(connection, chosen, digital_object, "id") as table:
            connection.execute(
                update(digital_object).where(digital_object.c.id.in_(select(table.c.id))).values(**values)
            )


def add_batches(
    connection: Connection, dataset: str, paths: Sequence[str], created: str, made_from: str
) -> dict[str, int]:
    """Insert batch rows; return {path: id}."""
    first = next_id(connection, batch)
    rows = [
        {"id": first + index, "dataset": dataset, "path": path, "created": created, "made_from": made_from}
        for index, path in enumerate(paths)
    ]
    if rows:
        connection.execute(insert(batch), rows)
    return {row["path"]: row["id"] for row in rows}  # type: ignore[misc]


def replace_outbox(connection: Connection, frame: pl.DataFrame) -> None:
    """Queue what DataCite has to be told; a row that is queued already is replaced by the newer payload.

    The lease of a row in flight goes with it: its sender finds another version when it returns and leaves the row be.
    """
    if not frame.height:
        return
    rows = frame.select(
        pl.col("id").alias("object_id"), "dataset", "lane", "version", "batch_id", "visible_hash"
    ).with_columns(state=pl.lit("queued"), attempts=pl.lit(0), not_before=pl.lit(0.0), leased_until=pl.lit(0.0))
    queued_before = rows.filter(pl.col("version") > 1).select("object_id")  # a first version cannot have been
    if queued_before.height:
        with staged(connection, queued_before, outbox, "object_id") as replaced:
            connection.execute(delete(outbox).where(outbox.c.object_id.in_(select(replaced.c.object_id))))
    # The table then grows at its end, and its indexes at one place for each part.
    insert_frame(connection, outbox, rows.sort("object_id"))


def newest_suffixes(connection: Connection, dataset: str, count: int) -> list[str]:
    """Return the DOI suffixes of the specimens of a dataset that came last and are registered."""
    query = (
        select(digital_object.c.suffix)
        .where(
            digital_object.c.dataset == dataset,
            digital_object.c.kind == "specimen",
            digital_object.c.doi_state == "registered",
        )
        .order_by(digital_object.c.id.desc())
        .limit(count)
    )
    return list(connection.execute(query).scalars())


def quota_used(connection: Connection, year: int) -> int:
    """Return how many DOIs were minted in a year, over all datasets."""
    return int(
        connection.execute(select(func.coalesce(func.sum(quota.c.used), 0)).where(quota.c.year == year)).scalar_one()
    )


def use_quota(connection: Connection, year: int, dataset: str, count: int) -> None:
    """Add to the ledger of a dataset."""
    found = connection.execute(
        update(quota).where(quota.c.year == year, quota.c.dataset == dataset).values(used=quota.c.used + count)
    )
    if not found.rowcount:
        connection.execute(insert(quota).values(year=year, dataset=dataset, used=count))


def find_object(connection: Connection, suffix: str) -> RowMapping | None:
    """Return the object with a DOI suffix (compared in upper case), or None."""
    row = connection.execute(select(digital_object).where(digital_object.c.suffix == suffix.upper())).first()
    return row._mapping if row else None


def versions_of(connection: Connection, object_id: int) -> list[RowMapping]:
    """Return an object's versions, oldest first: `version, dataset, path, content_hash, created, cause, made_from`.

    `dataset` names the folder of `path`: where the version was published, which the object may have left since.
    """
    query = (
        select(
            version.c.version,
            batch.c.dataset,
            batch.c.path,
            version.c.content_hash,
            version.c.created,
            version.c.cause,
            batch.c.made_from,
        )
        .join(batch, batch.c.id == version.c.batch_id)
        .where(version.c.object_id == object_id)
        .order_by(version.c.version)
    )
    return [row._mapping for row in connection.execute(query)]


def current_parts_of(connection: Connection, ids: pl.Series) -> Iterator[pl.DataFrame]:
    """Yield where the current versions of the objects with the given ids lie: `id, suffix, folder, path`."""
    query = (
        select(digital_object.c.id, digital_object.c.suffix, batch.c.dataset, batch.c.path)
        .join(version, (version.c.object_id == digital_object.c.id) & (version.c.version == digital_object.c.version))
        .join(batch, batch.c.id == version.c.batch_id)
    )
    return _with_ids(
        connection, query, ids, {"id": pl.Int64, "suffix": pl.String, "folder": pl.String, "path": pl.String}
    )


def current_batches(connection: Connection, dataset: str, kind: str) -> pl.DataFrame:
    """Return where each object's current version lies, sorted by path and suffix.

    Columns `identity_key, suffix, version, folder, path`; `folder` is the dataset that published the version. Objects
    that are tombstoned or wait for a DOI are left out.
    """
    return where_current(
        connection,
        digital_object.c.dataset == dataset,
        digital_object.c.kind == kind,
        digital_object.c.state.in_(("active", "missing")),
    )


def where_current(connection: Connection, *conditions: ColumnElement[bool]) -> pl.DataFrame:
    """Return where the current version of the objects that meet the conditions lies; columns as `current_batches`."""
    query = (
        select(
            digital_object.c.identity_key,
            digital_object.c.suffix,
            digital_object.c.version,
            batch.c.dataset,
            batch.c.path,
        )
        .join(
            version,
            (version.c.object_id == digital_object.c.id) & (version.c.version == digital_object.c.version),
        )
        .join(batch, batch.c.id == version.c.batch_id)
        .where(*conditions)
        .order_by(batch.c.path, digital_object.c.suffix)
    )
    schema: dict[str, Any] = {
        "identity_key": pl.String,
        "suffix": pl.String,
        "version": pl.Int64,
        "folder": pl.String,
        "path": pl.String,
    }
    return fetch_frame(connection, query, schema)


def current_parts(connection: Connection, suffixes: pl.Series) -> pl.DataFrame:
    """Return where the current version of each object lies: `suffix, version, folder, path`; unknown ones are left out."""
    schema: dict[str, Any] = {"suffix": pl.String, "version": pl.Int64, "folder": pl.String, "path": pl.String}
    found = []
    for start in range(0, suffixes.len(), _SUFFIXES):
        query = (
            select(digital_object.c.suffix, digital_object.c.version, batch.c.dataset, batch.c.path)
            .join(
                version, (version.c.object_id == digital_object.c.id) & (version.c.version == digital_object.c.version)
            )
            .join(batch, batch.c.id == version.c.batch_id)
            .where(digital_object.c.suffix.in_(suffixes.slice(start, _SUFFIXES).to_list()))
        )
        found.append(fetch_frame(connection, query, schema))
    return pl.concat(found) if found else pl.DataFrame(schema=schema)


def objects_after(connection: Connection, kind: str, after: str, limit: int) -> list[RowMapping]:
    """Return published objects of a kind behind a suffix, in the order of suffixes.

    Columns: `suffix, version, dataset, modified, doi_only, state`.
    """
    o = digital_object.c
    query = (
        select(o.suffix, o.version, o.dataset, o.modified, o.doi_only, o.state)
        .where(o.kind == kind, o.suffix > after, o.version > 0)
        .order_by(o.suffix)
        .limit(limit)
    )
    return [row._mapping for row in connection.execute(query)]


def count_missed(connection: Connection, dataset: str) -> None:
    """Count one more complete harvest without the objects that are missing: the source was looked at and is unchanged."""
    connection.execute(
        update(digital_object)
        .where(digital_object.c.dataset == dataset, digital_object.c.state == "missing")
        .values(missed=digital_object.c.missed + 1)
    )


def endings_due(connection: Connection, after: int) -> dict[str, int]:
    """Return the datasets that the next publication changes though nothing upstream did, and how many objects.

    Those are objects missing for more than `after` harvests (datasets that wait for a confirmation are left out), and
    one for what a person decided.
    """
    query = (
        select(digital_object.c.dataset, func.count())
        .outerjoin(vanished, vanished.c.dataset == digital_object.c.dataset)
        .where(digital_object.c.state == "missing", digital_object.c.missed > after)
        .where((vanished.c.dataset.is_(None)) | (vanished.c.confirmed >= vanished.c.missing))
        .group_by(digital_object.c.dataset)
    )
    due = {row[0]: row[1] for row in connection.execute(query)}
    for slug in connection.execute(select(dataset.c.slug).where(dataset.c.decided.is_not(None))).scalars():
        due[slug] = due.get(slug, 0) + 1
    return due


def count_objects(connection: Connection, dataset: str) -> dict[tuple[str, str, str, bool], int]:
    """Return how many objects a dataset has by (kind, state, doi_state, doi_only)."""
    o = digital_object.c
    query = (
        select(o.kind, o.state, o.doi_state, o.doi_only, func.count())
        .where(o.dataset == dataset)
        .group_by(o.kind, o.state, o.doi_state, o.doi_only)
    )
    return {(row[0], row[1], row[2], bool(row[3])): row[4] for row in connection.execute(query)}
