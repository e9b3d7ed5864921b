"""The index's tables, for SQLite and PostgreSQL. Made here and nowhere else: the index has no migrations.

A specimen is one `entry`. Entries that share all values of `summary.CELL` share a `cell`, which knows how many they
are: counts of facets read cells, never specimens. When `SCHEMA` is raised, an index of another schema is made anew.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
)

from dissco_platform.search.summary import CELL, GROUP_DEPTH, RANKS

SCHEMA: Final = "1"

# Ranks that cells do not tell.
DEEP_RANKS: Final = RANKS[GROUP_DEPTH:]

metadata = MetaData()

# Compared by code points in both databases, so that both list in the same order.
_Sorted = Text().with_variant(Text(collation="C"), "postgresql")

state = Table(
    "search_state",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

# How far each dataset is indexed: the newest batch of the registry that was read, and what the whole came from.
progress = Table(
    "search_progress",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("path", Text, nullable=False),  # of that batch's part: another registry has another
    Column("entries", Integer, nullable=False),
    Column("updated", String(24), nullable=False),
)

cell = Table(
    "search_cell",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(32), nullable=False, unique=True),  # fingerprint of the values
    Column("entries", Integer, nullable=False),
    Column("generation", Integer, nullable=False, index=True),  # of the index when `entries` last changed
    *(Column(name, _Sorted) for name in CELL),
)

taxon = Table(
    "search_taxon",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("path", _Sorted, nullable=False, unique=True),
    *(Column(rank, _Sorted, index=True) for rank in DEEP_RANKS),
)

entry = Table(
    "search_entry",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("suffix", String(11), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("modified", String(24), nullable=False),
    Column("cell", Integer, nullable=False),
    Column("taxon", Integer, nullable=False),
    Column("name", _Sorted, nullable=False),
    Column("catalog_number", Text),
    Column("first_day", Integer),
    Column("last_day", Integer),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("card", Text, nullable=False),  # JSON
    # Each index carries what its use needs, so that a walk along it touches no rows of the table.
    Index("ix_search_entry_name", "name", "id", "cell"),
    Index("ix_search_entry_modified", "modified", "id", "cell"),
    Index("ix_search_entry_cell", "cell", "name", "id"),
    Index("ix_search_entry_taxon", "taxon", "cell"),
    Index("ix_search_entry_days", "first_day", "last_day", "cell"),
)

identifier = Table(
    "search_identifier",
    metadata,
    Column("value", Text, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Index("ix_search_identifier_entry", "entry"),
    sqlite_with_rowid=False,
)

label = Table(
    "search_label",
    metadata,
    Column("facet", String(32), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("label", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Published media: what a specimen's page and a list of results show of them without reading their documents.
medium = Table(
    "search_medium",
    metadata,
    Column("suffix", String(11), primary_key=True),
    Column("dataset", String(64), nullable=False),
    Column("address", Text),
    Column("type", Text),
    Column("format", Text),
    Column("title", Text),
    Column("licence", Text),
    sqlite_with_rowid=False,
)

_SQLITE = (
    "CREATE VIRTUAL TABLE search_words USING fts5(words, tokenize='unicode61 remove_diacritics 0')",
    "CREATE VIRTUAL TABLE search_place USING rtree(id, south, north, west, east)",
)
_POSTGRESQL = (
    "CREATE TABLE search_words (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
    "CREATE INDEX ix_search_words ON search_words USING gin (words)",
    "CREATE INDEX ix_search_entry_place ON search_entry USING gist (point(longitude, latitude))",
)


def create(connection: Connection) -> bool:
    """Make the tables where they are absent or of another schema; say whether they were made."""
    if schema_of(connection) == SCHEMA:
        return False
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4615664)")
        if schema_of(connection) == SCHEMA:
            return False
    for name in ("search_words", "search_place"):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    metadata.drop_all(connection)
    metadata.create_all(connection)
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)
    connection.execute(state.insert(), [{"name": "schema", "value": SCHEMA}, {"name": "generation", "value": "0"}])
    return True


def schema_of(connection: Connection) -> str | None:
    """Return the schema of the index in a database, None where there is none."""
    if not inspect(connection).has_table("search_state"):
        return None
    return connection.execute(select(state.c.value).where(state.c.name == "schema")).scalar()
