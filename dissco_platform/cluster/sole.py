"""At most one daemon for one instance: two would fight over schedules, sensors and the run queue.

Dagster notices a second daemon and goes on (it logs an error). Here the second one is refused. The lock is PostgreSQL's
(advisory, held by one connection) where the registry is there, else a locked file beside the instance.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from dissco_platform.errors import UsageError
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_setting, set_setting
from dissco_platform.registry.engine import now

_LOCK = 4615664  # next to the one that migrations take
_HOLDER = "daemon"

Held = Callable[[], bool]


@contextmanager
def sole_daemon(registry: Registry, instance_folder: Path) -> Iterator[Held]:
    """Hold the lock for the length of the block; yield a function that says whether it is still held.

    Raises:
        UsageError: another daemon has it; the message says where that one is.
    """
    with _file(registry, instance_folder) if registry.is_sqlite else _advisory(registry) as held:
        with registry.write() as connection:
            set_setting(connection, _HOLDER, f"process {os.getpid()} on {socket.gethostname()} since {now()}")
        yield held


@contextmanager
def _file(registry: Registry, folder: Path) -> Iterator[Held]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "daemon.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _refused(registry) from error
        yield lambda: True


@contextmanager
def _advisory(registry: Registry) -> Iterator[Held]:
    connection = registry.engine.connect()
    try:
        if not _take(connection):
            raise _refused(registry)

        def held() -> bool:
            nonlocal connection
            try:
                connection.execute(text("SELECT 1"))
                connection.rollback()
            except Exception:  # the database went away: so did the lock; it is taken again unless somebody was faster
                connection.invalidate()
                connection.close()
                try:
                    connection = registry.engine.connect()
                    return _take(connection)
                except Exception:
                    return True  # still away: nobody else can have it
            return True

        yield held
    finally:
        with contextlib.suppress(Exception):  # where the database is away, the lock is gone as well
            # given back before the session ends: the server ends it a moment later, and the next daemon comes at once
            connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
            connection.rollback()
        connection.invalidate()  # what is left would be held on by the pool
        connection.close()


def _take(connection: Connection) -> bool:
    taken = bool(connection.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})")).scalar())
    connection.rollback()  # a session's lock outlives its transactions
    return taken


def _refused(registry: Registry) -> UsageError:
    with registry.read() as connection:
        holder = get_setting(connection, _HOLDER) or "another process"
    return UsageError(
        f"A daemon runs for this instance already ({holder}): two would start everything twice. Stop that one first."
    )
