"""Frames in and out of the database in bulk: what a million rows need and SQLAlchemy's row by row does not give.

SQLite takes statements of many rows each (half of the time of a statement a row: a table's checks are prepared once a
statement), PostgreSQL a COPY and, to update, a temporary table and one statement; look-ups go through a temporary table
in both. Which rows are written is decided in the modules beside.
"""

import functools
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import polars as pl
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, Select, Table, Text, select, update

_CHUNK = 100_000
_VALUES_AT_ONCE = 100_000  # that are there as objects of Python
_VARIABLES = 900  # of one statement of SQLite: the least that any build of it allows is 999
_ANALYZED_FROM = 1_000
_ALIKE = 1_000  # neighbours, on an average, that it is worth while to check once
_numbers = itertools.count()


def fetch_frame(connection: Connection, query: Select[Any], schema: dict[str, Any]) -> pl.DataFrame:
    """Return a query's rows as a frame with the given schema (columns in the query's order)."""
    parts = list(frames(connection, query, schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def frames(connection: Connection, query: Select[Any], schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield a query's rows as frames of bounded size."""
    # SQLite gives booleans as numbers.
    numbers: dict[str, Any] = {
        name: pl.Int64 for name, kind in schema.items() if kind == pl.Boolean and _is_sqlite(connection)
    }
    kinds = pl.Schema(schema)
    for rows in _chunks(connection, query):
        yield pl.DataFrame(rows, schema={**schema, **numbers}, orient="row").cast(kinds)


def lines(
    connection: Connection, table: Table, columns: Sequence[str], conditions: dict[str, Any], schema: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """Yield columns of the rows of a table that meet the conditions, as frames of bounded size; nulls count as empty.

    For text without control characters and for numbers. SQLite joins rows to text, which is read as CSV is: half of the
    time of a Python object a value.

    Args:
        connection: to the database.
        table: with a column `id`.
        columns: what to read, `id` first.
        conditions: the value that each of these columns must have.
        schema: name and type of what is yielded for each of `columns`.
    """
    if not _is_sqlite(connection):
        query = select(*(table.c[name] for name in columns)).where(
            *(table.c[name] == value for name, value in conditions.items())
        )
        for frame in frames(connection, query, schema):
            yield frame.with_columns(pl.col(pl.String).fill_null(""))
        return
    where = " AND ".join(f"{name} = ?" for name in conditions)
    # One function for the line: concatenation has SQLite make a value a column.
    line = f"printf('{chr(31).join(['%s'] * len(columns))}', {', '.join(columns)})"
    statement = (
        f"SELECT group_concat(line, char(30)), max(id) FROM (SELECT id, {line} AS line FROM {table.name} "
        f"WHERE {where} AND id > ? ORDER BY id LIMIT {_CHUNK})"
    )
    booleans = [name for name, kind in schema.items() if kind == pl.Boolean]
    read: dict[str, Any] = {**schema, **dict.fromkeys(booleans, pl.Int64)}
    cursor: Any = connection.connection.cursor()
    last = 0
    while True:
        text, last = cursor.execute(statement, [*conditions.values(), last]).fetchone()
        if text is None:
            break
        yield pl.read_csv(
            io.BytesIO(text.encode()), has_header=False, separator="\x1f", eol_char="\x1e", quote_char=None, schema=read
        ).with_columns(pl.col(pl.String).fill_null(""), pl.col(booleans).cast(pl.Boolean))
    cursor.close()


def _chunks(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    if _is_sqlite(connection):
        result = connection.execute(query)
        # The driver's own rows: SQLAlchemy's cost more than the query.
        while rows := result.cursor.fetchmany(_CHUNK):
            yield rows
        result.close()
    else:
        # A cursor of the server's: the driver would fetch all rows before it gives the first.
        streamed = connection.execute(query.execution_options(yield_per=_CHUNK))
        for part in streamed.partitions():
            yield [tuple(row) for row in part]


def insert_frame(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert a frame whose columns are the table's; columns that it does not have are null."""
    names = ", ".join(frame.columns)
    cursor: Any = connection.connection.cursor()
    for rows in frame.iter_slices(_CHUNK):
        if _is_sqlite(connection):
            _insert_checked_once(
                cursor, table, rows, lambda values: f"INSERT INTO {table.name} ({names}) VALUES {values}"
            )
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
        cursor: Any = connection.connection.cursor()
        sets = ", ".join(f"{name} = n.column{n + 1}" for n, name in enumerate(frame.columns) if name != key)
        number = frame.columns.index(key) + 1
        for rows in frame.iter_slices(_CHUNK):
            _execute_many(
                cursor,
                rows,
                lambda values: (
                    f"UPDATE {table.name} SET {sets} FROM (VALUES {values}) AS n WHERE {table.name}.{key} = n.column{number}"
                ),
            )
        cursor.close()
    else:
        with staged(connection, frame, table, key) as changed:
            values = {name: changed.c[name] for name in frame.columns if name != key}
            connection.execute(update(table).where(table.c[key] == changed.c[key]).values(values))


def _insert_checked_once(cursor: Any, table: Table, rows: pl.DataFrame, statement: Callable[[str], str]) -> None:
    """Insert rows into a table of SQLite; of neighbours that have alike what its checks look at, the first one answers for all.

    To compare the same words again for every row takes a quarter of the time of a digital object.
    """
    checks = " ".join(str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint))
    looked_at = sorted(set(re.findall(r"\w+", checks)) & set(table.columns.keys()))
    run = pl.struct(looked_at).rle_id() if looked_at and set(looked_at) <= set(rows.columns) else pl.int_range(pl.len())
    starts = rows.select(run.alias("run"))["run"].arg_unique().sort().to_list() if rows.height else []
    if len(starts) * _ALIKE > rows.height:
        _execute_many(cursor, rows, statement)
        return
    for start, end in pairwise([*starts, rows.height]):
        _execute_many(cursor, rows.slice(start, 1), statement)
        # Statements that were prepared before are prepared again.
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        try:
            _execute_many(cursor, rows.slice(start + 1, end - start - 1), statement)
        finally:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def _is_constant(column: pl.Series) -> bool:
    return bool(column.eq_missing(column[0]).all())


def _execute_many(cursor: Any, rows: pl.DataFrame, statement: Callable[[str], str]) -> None:
    """Execute a statement of SQLite on many rows at a time; what all rows have alike is bound once a statement.

    Args:
        cursor: of the driver.
        rows: the values.
        statement: gives the statement for the text of its VALUES, which has the frame's columns in their order.
    """
    if not rows.height:
        return
    alike = [name for name in rows.columns if _is_constant(rows[name])]
    alike = alike if len(alike) < rows.width else alike[1:]  # a statement needs something to count its rows by
    varying = [name for name in rows.columns if name not in alike]
    same = list(rows.select(alike).row(0)) if alike else []
    at_once = max((_VARIABLES - len(alike)) // len(varying), 1)
    shape = tuple(alike.index(name) + 1 if name in alike else 0 for name in rows.columns)

    def of(count: int) -> str:
        return statement(_values(shape, count))

    size = max(_VALUES_AT_ONCE // len(varying) // at_once, 1) * at_once
    for part in rows.select(varying).iter_slices(size):
        # Column by column: a tuple for each row would double the objects, and set off the collector of cycles.
        values: list[Any] = [None] * (part.height * part.width)
        for place, column in enumerate(part):
            values[place :: part.width] = column.to_list()
        width = at_once * len(varying)
        whole = len(values) // width * width
        if whole:
            cursor.executemany(
                of(at_once), ([*same, *values[start : start + width]] for start in range(0, whole, width))
            )
        if whole < len(values):
            cursor.execute(of((len(values) - whole) // len(varying)), [*same, *values[whole:]])


@functools.lru_cache(maxsize=64)
def _values(shape: tuple[int, ...], count: int) -> str:
    """Return the text of VALUES of so many rows: columns with a number are that variable, the others count on."""
    numbers = itertools.count(max(shape) + 1)
    return ", ".join("(" + ", ".join(f"?{number or next(numbers)}" for number in shape) + ")" for _ in range(count))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
