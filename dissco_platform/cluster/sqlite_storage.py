"""Dagster's SQLite storage with connections that are kept: what one machine uses.

Dagster's own makes an engine, opens a file and closes it for every event, some four hundred times a run; the last to close
writes the log of changes back into the file and waits for the disk. Kept open, and without waiting for the disk after every
event, a run of a small dataset takes a fifth less CPU. A process that is killed loses nothing; after a power failure the
events of the last moments may be missing, and the steps that they told of look again at their inputs. Files are those of
Dagster's own storage: both may be used on one folder.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

FILES_KEPT = 8
"""Open files of a process at most, for the event logs of its latest runs and their index."""


class KeptSqliteStorage(DagsterSqliteStorage):
    """`DagsterSqliteStorage` whose connections are kept until it is disposed of."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        self._run_storage: _Runs = _Runs.from_local(_runs_directory(base_dir))
        self._event_log_storage: _EventLog = _EventLog(_event_logs_directory(base_dir))
        self._schedule_storage: _Schedules = _Schedules.from_local(_schedule_directory(base_dir))  # type: ignore[assignment]
        self._run_storage.and_dispose = self._schedule_storage.dispose  # which an instance forgets
        self._inst_data = inst_data
        DagsterStorage.__init__(self)  # type: ignore[no-untyped-call,arg-type]

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, str]
    ) -> "KeptSqliteStorage":
        """Build it from `dagster.yaml`."""
        return cls.from_local(inst_data=inst_data, **config_value)


class _EventLog(SqliteEventLogStorage):
    """Event logs, a file for each run and one for what is asked across runs; one thread at a time uses them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = _kept(self.conn_string_for_shard(shard))
            if len(self._engines) > FILES_KEPT:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and touch the run's file: who watches a run in the browser is told by its time of change."""
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    def wipe(self) -> None:
        """Remove all events."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Give connections back."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class _KeptConnection:
    """What the storages of runs and schedules, each one file, have alike."""

    _engine: Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        if self._engine is None:
            self._engine = _kept(self._conn_string)  # type: ignore[attr-defined]
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Give the connection back."""
        if self._engine is not None:
            self._engine.dispose()


class _Runs(_KeptConnection, SqliteRunStorage):
    """Runs; `and_dispose` is called when these are disposed of."""

    and_dispose: Callable[[], None]

    def dispose(self) -> None:
        """Give the connection back."""
        super().dispose()
        self.and_dispose()


class _Schedules(_KeptConnection, SqliteScheduleStorage):
    """Schedules and sensors."""


def _kept(address: str) -> Engine:
    # More than one connection only while several threads ask at the same time.
    engine = create_engine(address, pool_size=1, max_overflow=-1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
