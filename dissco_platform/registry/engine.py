"""Opens a registry: connections, pragmas, schema at the right version. Statements are in the modules beside."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from dissco_platform.errors import RegistryError

BUSY_SECONDS = 300  # the publication of ten million specimens holds the lock for two minutes while it commits
_MIGRATIONS = Path(__file__).parent / "migrations"


def now() -> str:
    """Return the time in the registry's form: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Registry:
    """One database of identities. Use `read()` and `write()`; each is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for reading: one consistent view."""
        with _explained(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection whose changes are committed together, or not at all.

        SQLite takes its one write lock at once (BEGIN IMMEDIATE), so that two writers wait for each other instead of
        failing half-way.
        """
        with (
            _explained(self.engine),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def open_registry(url: str, *, migrate: bool = True) -> Registry:
    """Open the registry at a SQLAlchemy URL, creating or upgrading its schema unless `migrate` says not to.

    Raises:
        RegistryError: the address is malformed, unreachable, or its schema is not this software's.
    """
    engine = connect(url)
    with _explained(engine):
        if migrate:
            upgrade(engine)
        elif (behind := revisions(engine))[0] != behind[1]:
            raise RegistryError(
                f"The registry {_shown(engine)} is at schema {behind[0] or 'none'} and this software needs {behind[1]}: "
                "run `dissco registry migrate`."
            )
    return Registry(engine)


def connect(url: str) -> Engine:
    """Return an engine for a SQLAlchemy URL; what is there is not looked at.

    Raises:
        RegistryError: the address is malformed.
    """
    parsed = _parsed(url)
    if parsed.drivername.startswith("sqlite"):
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(parsed, pool_size=4, max_overflow=4, pool_pre_ping=True)
    return engine


def revisions(engine: Engine) -> tuple[str | None, str]:
    """Return the schema's revision (None: an empty database) and the one that this software needs."""
    with engine.connect() as connection:
        return _revision(connection), _known_revisions()[-1]


def _known_revisions() -> list[str]:
    return sorted(path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def open_read_only(url: str) -> Registry:
    """Open an existing registry so that the database itself refuses every write: for pages that strangers ask for.

    Raises:
        RegistryError: the address is malformed or unreachable.
    """
    parsed = _parsed(url)
    if parsed.drivername.startswith("sqlite"):
        engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "connect", _refuse_writes)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        read_only = {"options": "-c default_transaction_read_only=on"}
        engine = create_engine(parsed, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=read_only)
    return Registry(engine)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RegistryError(f"DISSCO_REGISTRY is not a database address: {error}") from error
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")  # SQLAlchemy 2.1 would take psycopg 3
    return parsed


def _refuse_writes(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def upgrade(engine: Engine) -> None:
    """Bring the schema to this software's version; a second process waits for the first."""
    current, wanted = revisions(engine)
    if current == wanted:
        return
    if current is not None and current not in _known_revisions():
        raise RegistryError(
            f"The database {_shown(engine)} was written by a newer version of this software, or by another program "
            f"(schema {current}): install that version, or give the registry a database of its own."
        )
    from alembic import command  # takes half a second to import, and is needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4615663)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Return the schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions are begun explicitly, see Registry.write
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise RegistryError(
            f"The registry {_shown(engine)} cannot be used ({error.orig}); check that it is reachable and not locked."
        ) from error
    except SQLAlchemyError as error:
        raise RegistryError(f"The registry {_shown(engine)} refused a statement ({error}).") from error
    except engine.dialect.loaded_dbapi.Error as error:  # of `bulk`, which speaks with the driver itself
        raise RegistryError(
            f"The registry {_shown(engine)} cannot be used ({error}); check that it is reachable and not full."
        ) from error
