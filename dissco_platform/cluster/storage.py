"""Dagster's PostgreSQL storage with pooled connections.

Dagster opens a connection for every query outside its web server (dagster#20325), several hundred a run. The web server's
own remedy is used in every process: one kept connection for each of the three storages, and a few more at busy moments;
each is checked before it is used, so that a restarted database is met without an error.

The tables are made by one process at a time: Dagster's own creation fails where several processes meet an empty database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import (
    create_pg_engine,
    get_token_provider_from_config,
    pg_url_from_config,
    retry_pg_connection_fn,
)
from sqlalchemy import Engine, NullPool, make_url

# For each of run, event log and schedule storage of a process: at most 1 + OVERFLOW connections.
OVERFLOW = 4
_RECYCLE_SECONDS = 3600
_TABLES_LOCK = 4615665


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose connections are kept; at most 3 × (1 + OVERFLOW) a process."""

    def __init__(self, postgres_url: str, **options: Any) -> None:
        with _alone(psycopg2_url(postgres_url), options.get("token_provider")):
            super().__init__(psycopg2_url(postgres_url), **options)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = create_pg_engine(
                storage.postgres_url,
                options.get("token_provider"),
                isolation_level="AUTOCOMMIT",
                pool_size=1,
                max_overflow=OVERFLOW,
                pool_recycle=_RECYCLE_SECONDS,
                pool_pre_ping=True,  # a restarted database must cost nobody a run
            )
            storage.dispose = _releasing(storage.dispose, storage._engine)  # type: ignore[method-assign]

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> "PooledPostgresStorage":
        """Build it from `dagster.yaml`."""
        return cls(
            pg_url_from_config(config_value),
            inst_data=inst_data,
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            token_provider=get_token_provider_from_config(config_value),
        )


@contextmanager
def _alone(url: str, token_provider: Any) -> Iterator[None]:
    """Hold the database's lock for making tables; a database that is away is asked again a few times, as Dagster does."""
    engine = create_pg_engine(url, token_provider, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with retry_pg_connection_fn(engine.connect) as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_TABLES_LOCK})")
        yield


def _releasing(dispose: Callable[[], None], engine: Engine) -> Callable[[], None]:
    """Return what gives a storage's connections back as well: with Dagster's own engine there are none to give."""

    def both() -> None:
        dispose()
        engine.dispose()

    return both


def psycopg2_url(url: str) -> str:
    """Name the driver that Dagster ships: SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3 (dagster#33958)."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed.render_as_string(hide_password=False)
