"""Frames in and out of the database in bulk: what a million rows need and SQLAlchemy's row by row does not give.

SQLite takes tuples through its driver's `executemany`, PostgreSQL a COPY and, to update, a temporary table and one
statement; look-ups go through a temporary table in both. Which rows are written is decided in the modules beside.
"""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, MetaData, Select, Table, Text, update

_CHUNK = 100_000
_ANALYZED_FROM = 1_000
_numbers = itertools.count()


def fetch_frame(connection: Connection, query: Select[Any], schema: dict[str, Any]) -> pl.DataFrame:
    """Return a query's rows as a frame with the given schema (columns in the query's order)."""
    parts = list(frames(connection, query, schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def frames(connection: Connection, query: Select[Any], schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield a query's rows as frames of bounded size."""
    result = connection.execute(query)
    # The driver's own rows: SQLAlchemy's cost more than the query. SQLite gives booleans as numbers.
    numbers: dict[str, Any] = {
        name: pl.Int64 for name, kind in schema.items() if kind == pl.Boolean and _is_sqlite(connection)
    }
    kinds = pl.Schema(schema)
    while rows := result.cursor.fetchmany(_CHUNK):
        yield pl.DataFrame(rows, schema={**schema, **numbers}, orient="row").cast(kinds)
    result.close()


def insert_frame(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert a frame whose columns are the table's; columns that it does not have are null."""
    names = ", ".join(frame.columns)
    cursor: Any = connection.connection.cursor()
    for rows in frame.iter_slices(_CHUNK):
        if _is_sqlite(connection):
            marks = ", ".join("?" * frame.width)
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows.iter_rows())
        else:
            # An empty string is quoted, a null is not: CSV as PostgreSQL reads it.
            text = rows.write_csv(include_header=False, quote_style="non_numeric")
            cursor.copy_expert(f"COPY {table.name} ({names}) FROM STDIN WITH (FORMAT csv)", io.StringIO(text))
    cursor.close()


@contextmanager
def staged(connection: Connection, frame: pl.DataFrame, like: Table, key: str | None = None) -> Iterator[Table]:
    """Yield a temporary table that holds the frame: columns typed as those of `like`, `key` the primary key, if any.

    Columns that `like` does not have are text. After an error it goes with the transaction.
    """
    columns = [
        Column(name, like.c[name].type if name in like.c else Text(), primary_key=name == key, autoincrement=False)
        for name in frame.columns
    ]
    table = Table(f"staged_{next(_numbers)}", MetaData(), *columns, prefixes=["TEMPORARY"])
    table.create(connection)
    insert_frame(connection, table, frame)
    if not _is_sqlite(connection) and frame.height > _ANALYZED_FROM:
        connection.exec_driver_sql(f"ANALYZE {table.name}")
    yield table
    table.drop(connection)


def update_frame(connection: Connection, table: Table, frame: pl.DataFrame, key: str) -> None:
    """Set the frame's columns on the rows of a table that its `key` column names."""
    if not frame.height:
        return
    frame = frame.sort(key)  # neighbours in the table follow each other: a page is changed once
    if _is_sqlite(connection):
        names = [name for name in frame.columns if name != key]
        cursor: Any = connection.connection.cursor()
        sets = ", ".join(f"{name} = ?" for name in names)
        for rows in frame.select(*names, key).iter_slices(_CHUNK):
            cursor.executemany(f"UPDATE {table.name} SET {sets} WHERE {key} = ?", rows.iter_rows())
        cursor.close()
    else:
        with staged(connection, frame, table, key) as changed:
            values = {name: changed.c[name] for name in frame.columns if name != key}
            connection.execute(update(table).where(table.c[key] == changed.c[key]).values(values))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
