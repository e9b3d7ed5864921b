"""A question's conditions on specimens as statements: words, dates, place, identifiers, deep taxa; SQLite and PostgreSQL.

Conditions on facets are masks over cells and stand in `find.py`.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, column, false, literal_column, or_, select, table, text

from dissco_platform.search.query import EXISTENCE, Question, Words
from dissco_platform.search.summary import GROUP_DEPTH, RANKS, SEPARATOR
from dissco_platform.search.tables import DEEP_RANKS, entry, identifier, taxon

_place = table("search_place", *(column(name) for name in ("id", "south", "north", "west", "east")))


def is_of_cells(name: str) -> bool:
    """Say whether cells tell what an existence filter asks for."""
    return EXISTENCE[name] not in DEEP_RANKS


def row_key(asked: Question) -> tuple[object, ...]:
    """Return what the conditions on specimens depend on: questions alike in it may share their counts."""
    return (
        asked.words,
        asked.taxon if asked.taxon.count(SEPARATOR) >= GROUP_DEPTH else "",
        tuple(sorted((rank, name) for rank, name in asked.ranks.items() if RANKS.index(rank) >= GROUP_DEPTH)),
        asked.days,
        asked.box,
        asked.identifiers,
        tuple(sorted((name, wanted) for name, wanted in asked.exists.items() if not is_of_cells(name))),
    )


def row_conditions(connection: Connection, asked: Question) -> list[ColumnElement[bool]]:
    """Return the conditions that need specimens."""
    postgresql = connection.dialect.name == "postgresql"
    conditions: list[ColumnElement[bool]] = []
    if asked.text:
        words = asked.words
        conditions.append(_matching(words, postgresql) if words else false())
    if asked.taxon.count(SEPARATOR) >= GROUP_DEPTH:
        conditions.append(entry.c.taxon.in_(select(taxon.c.id).where(taxon_below(taxon.c.path, asked.taxon))))
    for rank, name in asked.ranks.items():
        if rank in DEEP_RANKS:
            conditions.append(entry.c.taxon.in_(select(taxon.c.id).where(taxon.c[rank] == name)))
    first, last = asked.days
    if first is not None:
        conditions.append(entry.c.last_day >= first)
    if last is not None:
        conditions.append(entry.c.first_day <= last)
    if asked.box:
        conditions.append(_within(asked.box, postgresql))
    if asked.identifiers:
        conditions.append(entry.c.id.in_(select(identifier.c.entry).where(identifier.c.value.in_(asked.identifiers))))
    for name, wanted in asked.exists.items():
        if not is_of_cells(name):
            known = select(taxon.c.id).where(taxon.c[EXISTENCE[name]].is_not(None))
            conditions.append(entry.c.taxon.in_(known) if wanted else entry.c.taxon.not_in(known))
    return conditions


def taxon_below(path: Any, chosen: str) -> ColumnElement[bool]:
    """Return the condition on the paths of a taxon and of all below it (the separator's successor ends them)."""
    end = chr(ord(SEPARATOR) + 1)
    return or_(path == chosen, and_(path >= chosen + SEPARATOR, path < chosen + end))


def _matching(words: Words, postgresql: bool) -> ColumnElement[bool]:
    """Return the full-text condition. Words are letters and digits alone, so neither language can be spoken with them."""
    if postgresql:
        parts = [
            *("(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in words.all),
            *(f"'{word}':*" for word in words.beginnings),
            *("!(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in words.none),
        ]
        found = text("SELECT id FROM search_words WHERE words @@ to_tsquery('simple', :words)")
        return entry.c.id.in_(found.bindparams(words=" & ".join(parts)).columns(entry.c.id))
    wanted = [
        *('"' + " ".join(phrase) + '"' for phrase in words.all),
        *(f'"{word}"*' for word in words.beginnings),
    ]
    unwanted = ['"' + " ".join(phrase) + '"' for phrase in words.none]
    found = text("SELECT rowid FROM search_words WHERE search_words MATCH :words")
    if not wanted:
        return entry.c.id.not_in(found.bindparams(words=" OR ".join(unwanted)).columns(entry.c.id))
    match = " AND ".join(wanted)
    if unwanted:
        match = f"({match}) NOT ({' OR '.join(unwanted)})"
    return entry.c.id.in_(found.bindparams(words=match).columns(entry.c.id))


def _within(box: tuple[float, float, float, float], postgresql: bool) -> ColumnElement[bool]:
    west, south, east, north = box
    if west > east:
        return or_(_within((west, south, 180.0, north), postgresql), _within((-180.0, south, east, north), postgresql))
    exact = and_(entry.c.latitude.between(south, north), entry.c.longitude.between(west, east))
    if postgresql:
        corners = f"box(point({west!r}, {south!r}), point({east!r}, {north!r}))"
        return and_(literal_column(f"point(longitude, latitude) <@ {corners}"), exact)
    # The R*Tree keeps 32-bit numbers, rounded outwards: what it finds is looked at exactly.
    p = _place.c
    found = select(p.id).where(p.south <= north, p.north >= south, p.west <= east, p.east >= west)
    return and_(entry.c.id.in_(found), exact)
