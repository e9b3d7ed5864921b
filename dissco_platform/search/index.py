"""Brings the index up to date with what is published: reads only the parts that came since, replaces only their entries.

A part holds exactly the versions of one publication, so the newest batch that was read is all that has to be remembered
of a dataset. Reading a part twice changes nothing; a kill between two parts loses nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq
from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from dissco_platform.registry import Registry
from dissco_platform.registry.engine import connect, now
from dissco_platform.registry.tables import batch, dataset, digital_object
from dissco_platform.search import tables
from dissco_platform.search.summary import CELL, RANKS, SEPARATOR, UNKNOWN, Summary, summarise, summarise_closed
from dissco_platform.search.summary import medium as medium_summary
from dissco_platform.search.tables import cell, entry, identifier, label, medium, progress, state, taxon
from dissco_platform.store import DatasetStore

CHUNK = 5_000
_VALUES = 500  # values in one IN (…)

Told = Callable[[str, int], None]


@dataclass(frozen=True)
class Indexed:
    """What an update did: batches read, entries put in (new or changed) and taken out, entries of the dataset now."""

    batches: int
    replaced: int
    removed: int
    entries: int


def open_index(url: str) -> Registry:
    """Open the index at a SQLAlchemy URL for writing, making it where it is absent or of another schema.

    Raises:
        RegistryError: the database cannot be used.
    """
    database = Registry(connect(url))
    with database.write() as connection:
        tables.create(connection)
    return database


def behind(index: Registry, registry: Registry) -> list[str]:
    """Return the datasets that have publications which the index does not know."""
    with registry.read() as connection:
        query = (
            select(batch.c.dataset, func.max(batch.c.id))
            .join(dataset, dataset.c.slug == batch.c.dataset)
            .group_by(batch.c.dataset)
        )
        newest = {row[0]: row[1] for row in connection.execute(query)}
    return sorted(slug for slug, number in newest.items() if _known(index, registry, slug) < number)


def _known(index: Registry, registry: Registry, slug: str) -> int:
    """Return the newest batch of a dataset that was read; 0 for none, or none of this registry's."""
    with index.read() as connection:
        query = select(progress.c.batch, progress.c.path).where(progress.c.dataset == slug)
        found = connection.execute(query).first()
    if found is None:
        return 0
    with registry.read() as connection:
        path = connection.execute(select(batch.c.path).where(batch.c.id == found.batch)).scalar()
    return int(found.batch) if path == found.path else 0


def update_index(
    index: Registry,
    registry: Registry,
    store: DatasetStore,
    slug: str,
    *,
    told: Told | None = None,
) -> Indexed:
    """Index what was published of a dataset since it was last indexed.

    Args:
        index: from `open_index`.
        registry: where versions and batches are.
        store: where the parts are.
        slug: the dataset.
        told: called with a step's name and a count.
    """
    known = _known(index, registry, slug)
    if not known:
        forget(index, slug)
    with registry.read() as connection:
        query = (
            select(batch.c.id, batch.c.path, batch.c.made_from)
            .where(batch.c.dataset == slug, batch.c.id > known)
            .order_by(batch.c.id)
        )
        parts = list(connection.execute(query))
        title = connection.execute(select(dataset.c.title).where(dataset.c.slug == slug)).scalar()
    replaced = removed = 0
    matched = _Matches(store, slug)
    for number, path, made_from in parts:
        if path.endswith("-media.parquet"):
            for media, ended in _media(registry, store, slug, path):
                with index.write() as connection:
                    _replace_media(connection, slug, media, ended)
                if told:
                    told("media indexed", len(media))
        else:
            matched.of(orjson.loads(made_from).get("build"))
            for rows, gone in _part(registry, store, slug, path, matched):
                with index.write() as connection:
                    _replace(connection, slug, rows, gone, title)
                replaced, removed = replaced + len(rows), removed + len(gone)
                if told:
                    told("specimens indexed", replaced)
        with index.write() as connection:
            _advance(connection, slug, number, path)
    if parts and index.is_sqlite:
        with index.write() as connection:
            connection.exec_driver_sql("PRAGMA optimize")
    with index.read() as connection:
        entries = connection.execute(select(progress.c.entries).where(progress.c.dataset == slug)).scalar() or 0
    return Indexed(len(parts), replaced, removed, entries)


def forget(index: Registry, slug: str) -> None:
    """Take a dataset out of the index, so that it is indexed anew."""
    with index.write() as connection:
        members = select(entry.c.id).join(cell, cell.c.id == entry.c.cell).where(cell.c.dataset == slug)
        ids = [row[0] for row in connection.execute(members)]
        generation = _raise_generation(connection)
        for start in range(0, len(ids), CHUNK):
            _remove(connection, ids[start : start + CHUNK], generation)
        connection.execute(delete(medium).where(medium.c.dataset == slug))
        connection.execute(delete(progress).where(progress.c.dataset == slug))


class _Matches:
    """How names were matched and what MIDS misses, as the build of a publication knows while it is in the store."""

    def __init__(self, store: DatasetStore, slug: str) -> None:
        self._store, self._slug, self._build = store, slug, ""
        self._frame: pl.DataFrame | None = None

    def of(self, build: str | None) -> None:
        """Turn to a build."""
        if build == self._build:
            return
        self._build, self._frame = build or "", None
        if build and self._store.has("digital_specimens", self._slug, build):
            path = self._store.path("digital_specimens", self._slug, build) / "specimens.parquet"
            self._frame = pl.read_parquet(path, columns=["normalisedPhysicalSpecimenID", "match_type", "mids_missing"])

    def among(self, keys: list[str]) -> dict[str, tuple[str | None, list[str]]]:
        """Return (match type, what the next MIDS level needs) by identity key."""
        if self._frame is None:
            return {}
        wanted = pl.Series(keys, dtype=pl.String).implode()
        found = self._frame.filter(pl.col("normalisedPhysicalSpecimenID").is_in(wanted))
        return {key: (match, missing or []) for key, match, missing in found.iter_rows()}


@dataclass(slots=True)
class _Row:
    id: int
    suffix: str
    version: int
    modified: str
    summary: Summary


def _part(
    registry: Registry, store: DatasetStore, slug: str, path: str, matched: _Matches
) -> Iterator[tuple[list[_Row], list[int]]]:
    """Yield the entries of a part that are current, and the ids of objects that are no longer to be found."""
    file = pq.ParquetFile(store.part(slug, path))
    for group in file.iter_batches(batch_size=CHUNK, columns=["suffix", "version", "document", "payload"]):
        frame = pl.from_arrow(group)
        assert isinstance(frame, pl.DataFrame)
        objects = _objects(registry, frame["suffix"].to_list())
        matches = matched.among([known["identity_key"] for known in objects.values()])
        rows, gone = [], []
        # A loop: summaries are read out of nested documents, of which a publication has only those that changed.
        for suffix, version, document, payload in frame.iter_rows():
            known = objects.get(suffix)
            if known is None or known["version"] != version or known["kind"] != "specimen":
                continue  # a newer part has it
            if known["state"] == "tombstoned":
                gone.append(known["id"])
                continue
            summary = (
                summarise(orjson.loads(document), slug, *matches.get(known["identity_key"], (None, ())))
                if document is not None
                else summarise_closed(orjson.loads(payload), slug)
            )
            rows.append(_Row(known["id"], suffix, version, known["modified"], summary))
        yield rows, gone


def _media(
    registry: Registry, store: DatasetStore, slug: str, path: str
) -> Iterator[tuple[dict[str, dict[str, str | None]], list[str]]]:
    """Yield the media of a part that are current, by suffix, and those that are no longer to be shown."""
    file = pq.ParquetFile(store.part(slug, path))
    for group in file.iter_batches(batch_size=CHUNK, columns=["suffix", "version", "document"]):
        frame = pl.from_arrow(group)
        assert isinstance(frame, pl.DataFrame)
        objects = _objects(registry, frame["suffix"].to_list())
        media, ended = {}, []
        for suffix, version, document in frame.iter_rows():
            known = objects.get(suffix)
            if known is None or known["version"] != version:
                continue
            if known["state"] == "tombstoned" or document is None:
                ended.append(suffix)
            else:
                media[suffix] = medium_summary(orjson.loads(document))
        yield media, ended


def _replace_media(
    connection: Connection, slug: str, media: dict[str, dict[str, str | None]], ended: list[str]
) -> None:
    _raise_generation(connection)
    gone = [{"b_suffix": suffix} for suffix in (*media, *ended)]
    if gone:
        connection.execute(delete(medium).where(medium.c.suffix == bindparam("b_suffix")), gone)
    if media:
        rows = [{"suffix": suffix, "dataset": slug, **values} for suffix, values in media.items()]
        connection.execute(insert(medium), rows)


def _objects(registry: Registry, suffixes: Sequence[str]) -> dict[str, Any]:
    o = digital_object.c
    found: dict[str, Any] = {}
    with registry.read() as connection:
        for start in range(0, len(suffixes), _VALUES):
            query = select(o.id, o.kind, o.suffix, o.identity_key, o.version, o.state, o.modified).where(
                o.suffix.in_(suffixes[start : start + _VALUES])
            )
            found.update({row.suffix: row._mapping for row in connection.execute(query)})
    return found


def _replace(connection: Connection, slug: str, rows: list[_Row], gone: list[int], title: str | None) -> None:
    """Put entries in place of what the index held of the same objects."""
    generation = _raise_generation(connection)
    _remove(connection, [*(row.id for row in rows), *gone], generation)
    if not rows:
        return
    cells = _cells(connection, [row.summary.cell for row in rows], generation)
    taxa = _taxa(connection, {row.summary.taxon for row in rows})
    connection.execute(
        insert(entry),
        [
            {
                "id": row.id,
                "suffix": row.suffix,
                "version": row.version,
                "modified": row.modified,
                "cell": cells[row.summary.cell],
                "taxon": taxa[row.summary.taxon],
                "name": row.summary.name,
                "catalog_number": row.summary.catalog_number,
                "first_day": row.summary.first_day,
                "last_day": row.summary.last_day,
                "latitude": row.summary.latitude,
                "longitude": row.summary.longitude,
                "card": orjson.dumps(row.summary.card).decode(),
            }
            for row in rows
        ],
    )
    named = [
        {"value": value, "entry": row.id} for row in rows for value in {row.suffix.lower(), *row.summary.identifiers}
    ]
    connection.execute(insert(identifier), named)
    written = [{"id": row.id, "words": row.summary.words} for row in rows]
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("INSERT INTO search_words (id, words) VALUES (:id, to_tsvector('simple', :words))"), written
        )
    else:
        connection.execute(text("INSERT INTO search_words (rowid, words) VALUES (:id, :words)"), written)
        places = [
            {"id": row.id, "y": row.summary.latitude, "x": row.summary.longitude}
            for row in rows
            if row.summary.latitude is not None
        ]
        if places:
            connection.execute(text("INSERT INTO search_place VALUES (:id, :y, :y, :x, :x)"), places)
    found = {pair: name for row in rows for pair, name in row.summary.labels.items()}
    if title:
        found["dataset", slug] = title[:250]
    _label(connection, found)


def _remove(connection: Connection, ids: list[int], generation: int) -> None:
    if not ids:
        return
    held: list[tuple[int, int]] = []
    for start in range(0, len(ids), _VALUES):
        query = select(entry.c.id, entry.c.cell).where(entry.c.id.in_(ids[start : start + _VALUES]))
        held += [(row[0], row[1]) for row in connection.execute(query)]
    if not held:
        return
    keys = [{"b_id": one} for one, _ in held]
    connection.execute(delete(identifier).where(identifier.c.entry == bindparam("b_id")), keys)
    if connection.dialect.name == "postgresql":
        connection.execute(text("DELETE FROM search_words WHERE id = :b_id"), keys)
    else:
        connection.execute(text("DELETE FROM search_words WHERE rowid = :b_id"), keys)
        connection.execute(text("DELETE FROM search_place WHERE id = :b_id"), keys)
    connection.execute(delete(entry).where(entry.c.id == bindparam("b_id")), keys)
    fewer: dict[int, int] = {}
    for _, number in held:
        fewer[number] = fewer.get(number, 0) - 1
    _count(connection, fewer, generation)


def _cells(
    connection: Connection, values: list[tuple[str | None, ...]], generation: int
) -> dict[tuple[str | None, ...], int]:
    """Return the number of each cell, making those that are new, and count the entries in."""
    more: dict[tuple[str | None, ...], int] = {}
    for value in values:
        more[value] = more.get(value, 0) + 1
    keys = {blake2b(orjson.dumps(value), digest_size=16).hexdigest(): value for value in more}
    known = _numbers(connection, cell.c.key, cell.c.id, list(keys))
    first = int(connection.execute(select(func.coalesce(func.max(cell.c.id), 0))).scalar_one()) + 1
    new = [key for key in keys if key not in known]
    if new:
        connection.execute(
            insert(cell),
            [
                {
                    "id": first + offset,
                    "key": key,
                    "entries": 0,
                    "generation": generation,
                    **dict(zip(CELL, keys[key], strict=True)),
                }
                for offset, key in enumerate(new)
            ],
        )
    known |= {key: first + offset for offset, key in enumerate(new)}
    numbers = {value: known[key] for key, value in keys.items()}
    _count(connection, {numbers[value]: count for value, count in more.items()}, generation)
    return numbers


def _count(connection: Connection, more: dict[int, int], generation: int) -> None:
    connection.execute(
        update(cell)
        .where(cell.c.id == bindparam("b_id"))
        .values(entries=cell.c.entries + bindparam("b_more"), generation=generation),
        [{"b_id": number, "b_more": count} for number, count in more.items()],
    )


def _taxa(connection: Connection, paths: set[str]) -> dict[str, int]:
    known = _numbers(connection, taxon.c.path, taxon.c.id, list(paths))
    new = sorted(paths - known.keys())
    if new:
        first = int(connection.execute(select(func.coalesce(func.max(taxon.c.id), 0))).scalar_one()) + 1
        made = {path: first + offset for offset, path in enumerate(new)}
        connection.execute(insert(taxon), [_taxon(number, path) for path, number in made.items()])
        known |= made
    return known


def _taxon(number: int, path: str) -> dict[str, Any]:
    parts = path.split(SEPARATOR)
    ranked = {
        rank: parts[depth] if depth < len(parts) and parts[depth] != UNKNOWN else None
        for depth, rank in enumerate(RANKS)
        if rank in tables.DEEP_RANKS
    }
    return {"id": number, "path": path, **ranked}


def _numbers(connection: Connection, key: Any, number: Any, wanted: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _VALUES):
        query = select(key, number).where(key.in_(wanted[start : start + _VALUES]))
        found.update(connection.execute(query).all())
    return found


def _label(connection: Connection, found: dict[tuple[str, str], str]) -> None:
    known = {
        (row.facet, row.value): row.label
        for facet in {facet for facet, _ in found}
        for row in connection.execute(select(label).where(label.c.facet == facet))
    }
    changed = {pair: name for pair, name in found.items() if known.get(pair) != name}
    for facet, value in changed:
        connection.execute(delete(label).where(label.c.facet == facet, label.c.value == value))
    if changed:
        rows = [{"facet": facet, "value": value, "label": name} for (facet, value), name in changed.items()]
        connection.execute(insert(label), rows)


def _advance(connection: Connection, slug: str, number: int, path: str) -> None:
    total = select(func.coalesce(func.sum(cell.c.entries), 0)).where(cell.c.dataset == slug)
    values = {"batch": number, "path": path, "entries": int(connection.execute(total).scalar_one()), "updated": now()}
    found = connection.execute(update(progress).where(progress.c.dataset == slug).values(**values))
    if not found.rowcount:
        connection.execute(insert(progress).values(dataset=slug, **values))


def _generation(connection: Connection) -> int:
    return int(connection.execute(select(state.c.value).where(state.c.name == "generation")).scalar_one())


def _raise_generation(connection: Connection) -> int:
    """Count one more change of the index; in PostgreSQL this row is also what makes writers wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT value FROM search_state WHERE name = 'generation' FOR UPDATE")
    generation = _generation(connection) + 1
    connection.execute(update(state).where(state.c.name == "generation").values(value=str(generation)))
    return generation
