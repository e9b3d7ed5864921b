"""The sandbox's own SQLite file: records, activities, counts of writes.

Writes are committed in groups by one thread: whatever arrives while a commit runs goes into the next one, and nobody is
answered before the commit that holds his write, so an acknowledged write outlives the process. What a write means is
`records.py`.
"""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import orjson

from dissco_platform.errors import DoiServiceError
from dissco_platform.sandbox.records import Attributes, Record

_LOCK_SECONDS: Final = 5.0  # a predecessor that was just killed may need a moment to let go of the file
_KEPT_GROUPS: Final = 100
_SCHEMA: Final = """
create table if not exists dois (
    id integer primary key,
    doi text not null unique,
    client text not null,
    state text not null,
    attributes blob not null,
    created text not null,
    updated text not null,
    registered text,
    published text,
    version integer not null
);
create index if not exists dois_by_creation on dois (created, id);
create table if not exists activities (
    id integer primary key,
    doi text not null,
    version integer not null,
    at text not null,
    changes blob not null
);
create index if not exists activities_of_doi on activities (doi, version);
create table if not exists counts (name text primary key, n integer not null) without rowid;
"""
_COLUMNS: Final = "doi, client, state, attributes, created, updated, registered, published, version"
_UPSERT: Final = f"""
insert into dois ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (doi) do update set state = excluded.state, attributes = excluded.attributes, updated = excluded.updated,
    registered = excluded.registered, published = excluded.published, version = excluded.version
"""
_ACTIVITY: Final = "insert into activities (doi, version, at, changes) values (?, ?, ?, ?)"
_COUNT: Final = "insert into counts (name, n) values (?, ?) on conflict (name) do update set n = n + excluded.n"

_Write = tuple[Record | None, str, Attributes, str, asyncio.Future[None]]


class Storage:
    """Records by DOI, with group commit. Lives on one event loop; use one process per file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(path.name + ".lock").open("a")
        self._take_lock(path)
        try:
            self._writer = _connect(path)
            self._writer.executescript(_SCHEMA)
            self._reader = _connect(path)
            self._reader.execute("pragma query_only = on")
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise DoiServiceError(
                f"The sandbox cannot use {path} as its database ({error}): name another file or remove it."
            ) from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-writer")
        self._pending: dict[str, Record | None] = {}
        self._queue: list[_Write] = []
        self._flusher: asyncio.Task[None] | None = None
        self._groups: dict[tuple[object, ...], list[tuple[Any, int]]] = {}

    def get(self, doi: str) -> Record | None:
        """Return the record of a lower-case DOI as of the latest write, acknowledged or not."""
        if doi in self._pending:
            return self._pending[doi]
        row = self._reader.execute(f"select {_COLUMNS} from dois where doi = ?", (doi,)).fetchone()
        return None if row is None else _record(row)

    async def save(self, record: Record, changes: Attributes, count: str) -> None:
        """Store a record; returns when it is committed. `count` names the counter that goes up by one."""
        await self._enqueue(record, record.doi, changes, count)

    async def delete(self, doi: str) -> None:
        """Forget a draft; returns when that is committed."""
        await self._enqueue(None, doi, {}, "deleted")

    async def count(self, name: str) -> None:
        """Count a write that changed nothing."""
        await self._enqueue(None, "", {}, name)

    def activities(self, doi: str) -> list[tuple[int, str, Attributes]]:
        """Return (version, time, changes) of every committed change of a DOI, newest first; its creation is none."""
        rows = self._reader.execute(
            "select version, at, changes from activities where doi = ? order by version desc", (doi,)
        )
        return [(version, at, orjson.loads(changes)) for version, at, changes in rows]

    def select(self, where: str, parameters: Sequence[object], tail: str = "") -> list[tuple[int, Record]]:
        """Return (row id, record) of the committed records that fit an SQL condition of ours."""
        rows = self._reader.execute(f"select id, {_COLUMNS} from dois where {where} {tail}", tuple(parameters))
        return [(row[0], _record(row[1:])) for row in rows]

    def group(self, expression: str, where: str, parameters: Sequence[object]) -> list[tuple[Any, int]]:
        """Return (value, number of committed records) of an SQL expression of ours, kept until the next write."""
        key = (expression, where, *parameters)
        if key not in self._groups:
            if len(self._groups) >= _KEPT_GROUPS:
                self._groups.clear()
            self._groups[key] = self._reader.execute(
                f"select {expression}, count(*) from dois where {where} group by 1 order by 2 desc", tuple(parameters)
            ).fetchall()
        return self._groups[key]

    def counts(self) -> dict[str, int]:
        """Return the counters of acknowledged writes since the file was made, and the number of DOIs."""
        counts = dict(self._reader.execute("select name, n from counts").fetchall())
        (dois,) = self._reader.execute("select count(*) from dois").fetchone()
        return {"dois": dois, **{name: counts.get(name, 0) for name in ("created", "updated", "unchanged", "deleted")}}

    async def close(self) -> None:
        """Commit what is queued and let go of the file."""
        if self._flusher is not None:
            await self._flusher
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()
        self._lock.close()

    def _take_lock(self, path: Path) -> None:
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if time.monotonic() > until:
                    self._lock.close()
                    raise DoiServiceError(
                        f"Another sandbox is using {path}: stop it, talk to that one, or name another file."
                    ) from error
                time.sleep(0.05)
            else:
                return

    async def _enqueue(self, record: Record | None, doi: str, changes: Attributes, count: str) -> None:
        done = asyncio.get_running_loop().create_future()
        self._queue.append((record, doi, changes, count, done))
        if doi:
            self._pending[doi] = record
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # requests that are already parsed join the first group
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                await loop.run_in_executor(self._thread, self._commit, batch)
            except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:  # nobody may wait for ever
                failure: Exception | None = DoiServiceError(f"The sandbox could not store a write: {error}.")
            else:
                failure = None
            self._groups.clear()
            for record, doi, _, _, done in batch:
                if doi and self._pending.get(doi) is record:
                    self._pending.pop(doi, None)
                if done.done():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure)
        self._flusher = None

    def _commit(self, batch: list[_Write]) -> None:
        counts: dict[str, int] = {}
        self._writer.execute("begin immediate")
        try:
            for record, doi, changes, count, _ in batch:
                counts[count] = counts.get(count, 0) + 1
                if record is not None:
                    self._writer.execute(_UPSERT, _row(record))
                    if record.version > 1:  # the creation is what is left when the changes are taken back
                        self._writer.execute(_ACTIVITY, (doi, record.version, record.updated, orjson.dumps(changes)))
                elif doi:
                    self._writer.execute("delete from dois where doi = ?", (doi,))
                    self._writer.execute("delete from activities where doi = ?", (doi,))
            self._writer.executemany(_COUNT, counts.items())
        except BaseException:
            self._writer.execute("rollback")
            raise
        self._writer.execute("commit")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("pragma journal_mode = wal")
    # What is committed survives the death of the process; a power cut may take the last writes, which a sandbox can
    # bear: waiting for the disk with every group halves its throughput.
    connection.execute("pragma synchronous = normal")
    connection.execute("pragma wal_autocheckpoint = 8000")
    connection.execute("pragma cache_size = -65536")
    return connection


def _row(record: Record) -> tuple[object, ...]:
    return (
        record.doi,
        record.client,
        record.state,
        orjson.dumps(record.attributes),
        record.created,
        record.updated,
        record.registered,
        record.published,
        record.version,
    )


def _record(row: Sequence[Any]) -> Record:
    doi, client, state, attributes, created, updated, registered, published, version = row
    return Record(doi, client, state, orjson.loads(attributes), created, updated, registered, published, version)
