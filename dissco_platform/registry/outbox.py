"""Statements of the transactional outbox: leasing queued rows, settling them. Sending is `identity.datacite.drain`."""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, update

from dissco_platform.registry.tables import batch, digital_object, ending, outbox

LEASE_SECONDS = 600.0
LANES = (0, 1, 2)


@dataclass(frozen=True)
class Leased:
    """One DOI whose record has to be sent: the payload is in the batch at `path` of `dataset`, which published it.

    `ending` is how a person ended the object (withdrawn, merged), if one did.
    """

    object_id: int
    dataset: str
    suffix: str
    version: int
    path: str
    lane: int
    attempts: int
    ending: str | None = None


def lease(connection: Connection, owner: str, limit: int, dataset: str | None = None) -> list[Leased]:
    """Take up to `limit` rows that are due: tombstones, then new DOIs, then updates.

    A lease that ran out (its process was killed) is taken over: the write is repeated, which DataCite answers alike.
    """
    moment = time.time()
    rows: list[Leased] = []
    for lane in LANES:
        query = (
            select(
                outbox.c.object_id,
                batch.c.dataset,
                digital_object.c.suffix,
                outbox.c.version,
                batch.c.path,
                outbox.c.lane,
                outbox.c.attempts,
                ending.c.kind,
            )
            .join(digital_object, digital_object.c.id == outbox.c.object_id)
            .join(batch, batch.c.id == outbox.c.batch_id)
            .outerjoin(ending, ending.c.object_id == outbox.c.object_id)
            .where(outbox.c.state == "queued", outbox.c.lane == lane)
            .where(outbox.c.not_before <= moment, outbox.c.leased_until <= moment)
            # Both indexes of the table end in this order: a million queued rows are not sorted for a few hundred.
            .order_by(outbox.c.batch_id, outbox.c.object_id)
            .limit(limit - len(rows))
        )
        if dataset is not None:
            query = query.where(outbox.c.dataset == dataset)
        if connection.dialect.name == "postgresql":
            query = query.with_for_update(skip_locked=True, of=outbox)
        rows += [Leased(*row) for row in connection.execute(query)]
        if len(rows) == limit:
            break
    if rows:
        connection.execute(
            update(outbox)
            .where(outbox.c.object_id == bindparam("b_id"))
            .values(leased_until=moment + LEASE_SECONDS, leased_by=owner),
            [{"b_id": row.object_id} for row in rows],
        )
    return rows


_at_work: set[str] = set()  # owners in this process that may still send


def owner_name() -> str:
    """Return a name for leases, by which a later process can tell that their owner is dead; `retire` it when done."""
    name = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    _at_work.add(name)
    return name


def retire(owner: str) -> None:
    """Note that an owner sends nothing more, whether or not its leases could be given back."""
    _at_work.discard(owner)


def reclaim(connection: Connection) -> None:
    """Give back the leases of owners on this machine that are gone; those of other machines run out by time.

    Gone are those of killed processes, and those of this process that ended while the database was away.
    """
    owners = connection.execute(
        select(outbox.c.leased_by).where(outbox.c.leased_until > time.time()).distinct()
    ).scalars()
    for owner in list(owners):
        host, _, rest = str(owner).partition(":")
        pid = rest.partition(":")[0]
        if host != socket.gethostname()[:30] or not pid.isdigit():
            continue
        if not process_lives(int(pid)) or (int(pid) == os.getpid() and owner not in _at_work):
            release(connection, str(owner))


def settle_registered(connection: Connection, rows: Sequence[Leased]) -> None:
    """Record acknowledged writes: the row goes, unless a newer version was queued meanwhile."""
    _settle(connection, rows, "registered")
    connection.execute(
        delete(outbox).where(outbox.c.object_id == bindparam("b_id"), outbox.c.version == bindparam("b_version")),
        [{"b_id": row.object_id, "b_version": row.version} for row in rows],
    )


def settle_dead(connection: Connection, rows: Sequence[tuple[Leased, str]]) -> None:
    """Set rows aside that DataCite refuses for good, with its words."""
    _settle(connection, [row for row, _ in rows], "failed")
    connection.execute(
        update(outbox)
        .where(outbox.c.object_id == bindparam("b_id"), outbox.c.version == bindparam("b_version"))
        .values(state="dead", error=bindparam("b_error"), leased_until=0.0, attempts=outbox.c.attempts + 1),
        [{"b_id": row.object_id, "b_version": row.version, "b_error": error} for row, error in rows],
    )


def postpone(connection: Connection, rows: Sequence[tuple[Leased, str, float]]) -> None:
    """Give rows back to be tried again after a number of seconds, with the reason."""
    moment = time.time()
    connection.execute(
        update(outbox)
        .where(outbox.c.object_id == bindparam("b_id"), outbox.c.version == bindparam("b_version"))
        .values(
            error=bindparam("b_error"),
            not_before=bindparam("b_not_before"),
            leased_until=0.0,
            attempts=outbox.c.attempts + 1,
        ),
        [
            {"b_id": row.object_id, "b_version": row.version, "b_error": error, "b_not_before": moment + seconds}
            for row, error, seconds in rows
        ],
    )


def release(connection: Connection, owner: str) -> None:
    """Give back every lease of an owner that will send nothing more."""
    connection.execute(update(outbox).where(outbox.c.leased_by == owner).values(leased_until=0.0, leased_by=None))


@dataclass(frozen=True)
class DeadLetter:
    """A DOI whose record DataCite refused for good."""

    object_id: int
    dataset: str
    suffix: str
    error: str | None


def dead_letters(connection: Connection, dataset: str | None = None) -> list[DeadLetter]:
    """Return the refused rows, of one dataset or of all."""
    query = (
        select(outbox.c.object_id, outbox.c.dataset, digital_object.c.suffix, outbox.c.error)
        .join(digital_object, digital_object.c.id == outbox.c.object_id)
        .where(outbox.c.state == "dead")
        .order_by(outbox.c.dataset, digital_object.c.suffix)
    )
    if dataset is not None:
        query = query.where(outbox.c.dataset == dataset)
    return [DeadLetter(*row) for row in connection.execute(query)]


def retry_dead(connection: Connection, dataset: str | None = None) -> int:
    """Queue refused rows again; return how many."""
    rows = dead_letters(connection, dataset)
    if rows:
        ids = [{"b_id": row.object_id} for row in rows]
        connection.execute(
            update(outbox)
            .where(outbox.c.object_id == bindparam("b_id"))
            .values(state="queued", attempts=0, not_before=0.0, error=None),
            ids,
        )
        connection.execute(
            update(digital_object).where(digital_object.c.id == bindparam("b_id")).values(doi_state="pending"), ids
        )
    return len(rows)


def doi_states(connection: Connection) -> dict[str, int]:
    """Return how many objects there are in each state of their DOI."""
    query = select(digital_object.c.doi_state, func.count()).group_by(digital_object.c.doi_state)
    return {row[0]: row[1] for row in connection.execute(query)}


def waiting(connection: Connection, dataset: str | None = None) -> tuple[int, float | None]:
    """Return how many rows are queued and when the next one is due (seconds since the epoch; None: none is)."""
    query = select(func.count(), func.min(outbox.c.not_before)).where(outbox.c.state == "queued")
    if dataset is not None:
        query = query.where(outbox.c.dataset == dataset)
    count, due = connection.execute(query).one()
    return int(count), due


def process_lives(pid: int) -> bool:
    """Say whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _settle(connection: Connection, rows: Sequence[Leased], state: str) -> None:
    connection.execute(
        update(digital_object).where(digital_object.c.id == bindparam("b_id")).values(doi_state=state),
        [{"b_id": row.object_id} for row in rows],
    )
