"""Answers questions: how many, how many of each facet's value, which. The same in SQLite and PostgreSQL.

Cells (see `cells`) are kept in memory and renewed by what changed. Conditions on facets are masks over cells; conditions
that need specimens (words, dates, place, identifiers, taxa below the order) are one statement that counts by cell. Either
way every count is exact, and no statement counts facet by facet.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
import polars as pl
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    func,
    literal_column,
    select,
    tuple_,
)

from dissco_platform.registry import Registry
from dissco_platform.search.cells import Cells, Codes, all_of
from dissco_platform.search.conditions import row_conditions, row_key, taxon_below
from dissco_platform.search.query import Question
from dissco_platform.search.summary import FACETS, GROUP_DEPTH, RANKS, SEPARATOR
from dissco_platform.search.tables import SCHEMA, cell, entry, label, medium, state, taxon

SHOWN_VALUES: Final = 12
EXPORTED: Final = 5_000
_CACHED: Final = 64
# Below this share of all entries, a page is gathered from its cells and sorted; above, the sorted index is walked.
_WALK_SHARE: Final = 0.02


# What an entry shows where its document says nothing.
_CARD: Final[dict[str, Any]] = dict.fromkeys(
    ("verbatim", "family", "collector", "date", "country", "locality", "institution", "type_status", "mids", "match",
     "doi_only")
) | {"media": [], "media_count": 0, "mids_missing": []}  # fmt: skip
_COLUMNS: Final = (
    "id", "suffix", "version", "modified", "name", "catalog_number", "latitude", "longitude", "card"
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A page of entries: each `{id, suffix, version, name, catalog_number, modified, …card}`; `cursor` leads on."""

    total: int
    entries: list[dict[str, Any]]
    cursor: str | None


@dataclass(frozen=True)
class Counted:
    """Counts of a question: `facets` has (value, label, count) by falling count; null is what has no value.

    A facet's own selection does not narrow its counts. `taxa`: (path, name, count) one rank below the chosen taxon.
    """

    total: int
    facets: dict[str, list[tuple[str | None, str, int]]] = field(default_factory=dict)
    taxa: list[tuple[str, str, int]] = field(default_factory=list)


class Finder:
    """Asks an index. Safe to share between threads."""

    def __init__(self, index: Registry) -> None:
        """Ask a database that `index.open_index` made; a read-only connection is enough."""
        self.index = index
        self._cells = Cells.none()
        self._lock = threading.Lock()
        self._weights: OrderedDict[tuple[object, ...], pl.DataFrame] = OrderedDict()

    @property
    def generation(self) -> int:
        """Which state the index is in; -1 where there is none. Reads nothing else."""
        with self.index.read() as connection:
            return _generation(connection)

    def count(self, asked: Question, *, values: int | None = SHOWN_VALUES) -> Counted:
        """Return all counts of a question.

        Args:
            asked: the question.
            values: how many values of each facet at most (those that are asked for are always there); None: all.
        """
        with self.index.read() as connection:
            cells = self._renewed(connection)
            frame = self._weighted(connection, cells, asked)
            masks = cells.masks(asked)
            everything = all_of(masks.values())
            narrowed = frame.filter(everything)
            facets = {}
            for facet in FACETS:
                rest = (
                    frame.filter(all_of(mask for name, mask in masks.items() if name != facet))
                    if facet in masks
                    else narrowed
                )
                facets[facet] = _shown(cells.codes, facet, rest, asked.facets.get(facet, ()), values, cells.labels)
            return Counted(int(narrowed["weight"].sum()), facets, self._taxa(connection, cells, frame, masks, asked))

    def total(self, asked: Question) -> int:
        """Return how many entries answer a question."""
        with self.index.read() as connection:
            cells = self._renewed(connection)
            frame = self._weighted(connection, cells, asked)
            return int(frame.filter(all_of(cells.masks(asked).values()))["weight"].sum())

    def find(self, asked: Question, *, total: int | None = None) -> Found:
        """Return a page of entries, in the question's order, behind its `after`."""
        with self.index.read() as connection:
            cells = self._renewed(connection)
            if total is None:
                frame = self._weighted(connection, cells, asked)
                total = int(frame.filter(all_of(cells.masks(asked).values()))["weight"].sum())
            if not total:
                return Found(0, [], None)
            walk = total >= cells.total * _WALK_SHARE
            rows = [
                dict(zip(_COLUMNS, row, strict=True))
                for row in connection.execute(_page(connection, asked, cells, walk))
            ]
        more = len(rows) > asked.size
        rows = rows[: asked.size]
        cursor = asked.cursor(rows[-1][asked.sort], rows[-1]["id"]) if more else None
        return Found(total, [{**_CARD, **orjson.loads(row.pop("card")), **row} for row in rows], cursor)

    def every(self, asked: Question, size: int = EXPORTED) -> Iterator[list[tuple[str, str | None, str]]]:
        """Yield all entries that answer a question, in parts: (suffix, catalogue number, name), oldest first."""
        last = -1
        while True:
            with self.index.read() as connection:
                cells = self._renewed(connection)
                e = entry.c
                query = select(e.id, e.suffix, e.catalog_number, e.name).where(
                    e.id > last, *row_conditions(connection, asked)
                )
                if narrowed := cells.conditions(asked):
                    query = query.where(e.cell.in_(select(cell.c.id).where(*narrowed)))
                rows = [tuple(row) for row in connection.execute(query.order_by(e.id).limit(size))]
            if rows:
                yield [(suffix, number, name) for _, suffix, number, name in rows]
            if len(rows) < size:
                return
            last = rows[-1][0]

    def card(self, suffix: str) -> dict[str, Any]:
        """Return what lists show of one specimen, with its `name`; empty where it is not in the index."""
        with self.index.read() as connection:
            if _generation(connection) < 0:
                return {}
            found = connection.execute(select(entry.c.name, entry.c.card).where(entry.c.suffix == suffix)).first()
        return {**orjson.loads(found.card), "name": found.name} if found else {}

    def media(self, suffixes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what lists show of media, by suffix: `address, type, format, title, licence`."""
        if not suffixes:
            return {}
        with self.index.read() as connection:
            if _generation(connection) < 0:
                return {}
            rows = connection.execute(select(medium).where(medium.c.suffix.in_(suffixes)))
            return {row.suffix: dict(row._mapping) for row in rows}

    def labelled(self, facet: str, value: str) -> str:
        """Return how a facet's value is called."""
        with self.index.read() as connection:
            if _generation(connection) < 0:
                return value
            query = select(label.c.label).where(label.c.facet == facet, label.c.value == value)
            return connection.execute(query).scalar() or value

    def suggest(self, facet: str, beginning: str, size: int = 10) -> list[tuple[str, str, int]]:
        """Return a facet's values whose label or value begins so: (value, label, count) by falling count."""
        wanted = beginning.casefold()
        found = self.count(Question(), values=None).facets[facet]
        return [
            (value, name, count)
            for value, name, count in found
            if value is not None and (name.casefold().startswith(wanted) or value.casefold().startswith(wanted))
        ][:size]

    def _renewed(self, connection: Connection) -> Cells:
        generation = _generation(connection)
        if self._cells.generation == generation:
            return self._cells
        with self._lock:
            known = self._cells
            if known.generation == generation:
                return known
            if generation < known.generation:  # made anew meanwhile
                known = Cells.none()
            self._cells = known
            if generation >= 0:
                self._cells = known.renewed(connection, generation)
                self._weights.clear()
            return self._cells

    def _weighted(self, connection: Connection, cells: Cells, asked: Question) -> pl.DataFrame:
        """Return the cells with `weight`: how many of their entries meet the conditions that need specimens."""
        conditions = row_conditions(connection, asked)
        if not conditions:
            return cells.frame.with_columns(weight="entries")
        key = (cells.generation, *row_key(asked))
        with self._lock:
            found = self._weights.get(key)
        if found is None:
            query = select(entry.c.cell, func.count()).where(*conditions).group_by(entry.c.cell)
            rows = [tuple(row) for row in connection.execute(query)]
            counted = pl.DataFrame(rows, schema={"id": pl.Int64, "weight": pl.Int64}, orient="row")
            found = cells.frame.join(counted, on="id", how="inner")
            with self._lock:
                self._weights[key] = found
                while len(self._weights) > _CACHED:
                    self._weights.popitem(last=False)
        return found

    def _taxa(
        self, connection: Connection, cells: Cells, frame: pl.DataFrame, masks: dict[str, pl.Expr], asked: Question
    ) -> list[tuple[str, str, int]]:
        """Return the taxa one rank below the chosen one."""
        chosen = asked.taxon.split(SEPARATOR) if asked.taxon else []
        depth = len(chosen)
        if depth >= len(RANKS):
            return []
        if depth < GROUP_DEPTH:
            column = f"group_{depth + 1}"
            counted = frame.filter(all_of(masks.values())).group_by(column).agg(pl.col("weight").sum()).drop_nulls()
            texts = cells.codes.texts[column]
            below = {texts[number]: count for number, count in counted.iter_rows()}
        else:
            members = select(taxon.c.id).where(taxon_below(taxon.c.path, asked.taxon))
            pairs = (
                select(entry.c.taxon, entry.c.cell, func.count())
                .where(entry.c.taxon.in_(members), *row_conditions(connection, replace(asked, taxon="")))
                .group_by(entry.c.taxon, entry.c.cell)
            )
            rows = [tuple(row) for row in connection.execute(pairs)]
            counted = pl.DataFrame(rows, schema={"taxon": pl.Int64, "id": pl.Int64, "n": pl.Int64}, orient="row")
            allowed = cells.frame.filter(all_of(masks.values())).select("id")
            summed = counted.join(allowed, on="id", how="semi").group_by("taxon").agg(pl.col("n").sum())
            query = select(taxon.c.id, taxon.c.path).where(taxon_below(taxon.c.path, asked.taxon))
            paths = dict(connection.execute(query).all())
            below = {}
            for number, count in summed.iter_rows():
                parts = paths[number].split(SEPARATOR)
                if len(parts) > depth:
                    path = SEPARATOR.join(parts[: depth + 1])
                    below[path] = below.get(path, 0) + count
        listed = sorted(below.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(path, path.rpartition(SEPARATOR)[2], int(count)) for path, count in listed if count]


def _generation(connection: Connection) -> int:
    values = dict(connection.execute(select(state.c.name, state.c.value)).all())
    return int(values["generation"]) if values.get("schema") == SCHEMA else -1


def _shown(
    codes: Codes,
    facet: str,
    frame: pl.DataFrame,
    asked: tuple[str, ...],
    most: int | None,
    labels: dict[tuple[str, str], str],
) -> list[tuple[str | None, str, int]]:
    texts = codes.texts[facet]
    counted = [
        (None if number is None else texts[number], int(count))
        for number, count in frame.group_by(facet).agg(pl.col("weight").sum()).iter_rows()
        if count
    ]
    counted.sort(key=lambda pair: (-pair[1], pair[0] or ""))
    rows = [(value, labels.get((facet, value), value) if value else "", count) for value, count in counted]
    if most is None:
        return rows
    chosen = [row for row in rows[most:] if row[0] in asked]
    return rows[:most] + chosen


def _page(connection: Connection, asked: Question, cells: Cells, walk: bool) -> Select[Any]:
    """Return the statement of a page.

    SQLite is told which way to go: a unary plus keeps a column's index out of consideration.
    """
    sqlite = connection.dialect.name == "sqlite"
    e = entry.c

    def plain(name: str, hidden: bool) -> ColumnElement[Any]:
        return literal_column(f"+search_entry.{name}") if sqlite and hidden else e[name]

    query = select(*(e[name] for name in _COLUMNS)).where(*row_conditions(connection, asked))
    narrowed = cells.conditions(asked)
    if narrowed:
        query = query.where(plain("cell", walk).in_(select(cell.c.id).where(*narrowed)))
    if asked.after is not None:
        here = tuple_(plain(asked.sort, not walk), plain("id", not walk))
        there = tuple_(*asked.after)
        query = query.where(here > there if asked.sort == "name" else here < there)
    order = [plain(asked.sort, not walk), plain("id", not walk)]
    if asked.sort == "modified":
        order = [column.desc() for column in order]
    return query.order_by(*order).limit(asked.size + 1)
