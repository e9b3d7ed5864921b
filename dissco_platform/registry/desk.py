"""Statements of the enrolment desk: work that waits for a worker, staff, the audit log. Meaning is `enrolment`'s."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import dumps, next_number
from dissco_platform.registry.outbox import owner_name, process_lives
from dissco_platform.registry.tables import audit, desk_job, staff

# After so many attempts that their process did not live to end, a job is given up: something in it kills workers.
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Job:
    """Work that was asked for: `check` (an application's trial load) or `round` (an allocation round)."""

    id: int
    kind: str
    application: str | None
    inputs: Mapping[str, Any]
    requested: str
    requested_by: str
    state: str
    started: str | None
    finished: str | None
    attempts: int
    progress: str | None
    error: str | None


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "inputs": json.loads(row["inputs"])})


def add_job(
    connection: Connection,
    kind: str,
    *,
    by: str,
    application: str | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Job:
    """Queue work; where the same is queued or going on already, that is returned and nothing added."""
    j = desk_job.c
    same = j.application == application if application is not None else j.application.is_(None)
    row = connection.execute(
        select(desk_job).where(j.kind == kind, same, j.state.in_(("queued", "running"))).order_by(j.id)
    ).first()
    if row is None:
        number = next_number(connection, desk_job)
        values = {"id": number, "kind": kind, "application": application, "inputs": dumps(inputs or {})}
        connection.execute(
            insert(desk_job).values(**values, requested=now(), requested_by=by, state="queued", attempts=0)
        )
        row = connection.execute(select(desk_job).where(j.id == number)).one()
    return _job(row._mapping)


def get_job(connection: Connection, number: int) -> Job | None:
    """Return a job, or None."""
    row = connection.execute(select(desk_job).where(desk_job.c.id == number)).first()
    return _job(row._mapping) if row else None


def latest_job(connection: Connection, kind: str, application: str | None = None) -> Job | None:
    """Return the latest job of a kind (for an application), or None."""
    j = desk_job.c
    query = select(desk_job).where(j.kind == kind).order_by(j.id.desc()).limit(1)
    if application is not None:
        query = query.where(j.application == application)
    row = connection.execute(query).first()
    return _job(row._mapping) if row else None


def recent_jobs(connection: Connection, limit: int = 20) -> list[Job]:
    """Return the latest jobs, newest first."""
    query = select(desk_job).order_by(desk_job.c.id.desc()).limit(limit)
    return [_job(row._mapping) for row in connection.execute(query)]


def open_jobs(connection: Connection) -> list[Job]:
    """Return the jobs that wait or are worked on, oldest first; those whose process died wait again."""
    j = desk_job.c
    query = select(desk_job).where(j.state.in_(("queued", "running"))).order_by(j.id)
    return [_job(row._mapping) for row in connection.execute(query)]


def claim_job(connection: Connection, kinds: Sequence[str]) -> Job | None:
    """Take the oldest job of some kinds that waits, or None. What a process that died left behind waits again, or is given up."""
    j = desk_job.c
    for row in connection.execute(select(j.id, j.owner, j.attempts).where(j.state == "running")).all():
        if _is_dead(row.owner):
            spent = row.attempts >= MOST_ATTEMPTS
            ended = {"state": "failed", "finished": now(), "error": "The work was broken off every time it was tried."}
            connection.execute(
                update(desk_job)
                .where(j.id == row.id)
                .values(**(ended if spent else {"state": "queued", "owner": None}))
            )
    query = select(desk_job).where(j.state == "queued", j.kind.in_(kinds)).order_by(j.id).limit(1)
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    found = connection.execute(query).first()
    if found is None:
        return None
    values = {
        "state": "running",
        "owner": owner_name(),
        "started": now(),
        "attempts": found.attempts + 1,
        "progress": None,
    }
    connection.execute(update(desk_job).where(j.id == found.id).values(**values))
    return get_job(connection, found.id)


def _is_dead(owner: str | None) -> bool:
    """Say whether a job's process is gone; a process of another machine is believed to live until its host says else."""
    host, _, rest = (owner or "").partition(":")
    pid = rest.partition(":")[0]
    return not owner or (host == socket.gethostname()[:30] and pid.isdigit() and not process_lives(int(pid)))


def note_progress(connection: Connection, number: int, progress: str) -> None:
    """Say how far a job is."""
    connection.execute(update(desk_job).where(desk_job.c.id == number).values(progress=progress[:200]))


def finish_job(connection: Connection, number: int, error: str | None = None) -> None:
    """End a job."""
    values = {"state": "failed" if error else "done", "finished": now(), "error": error}
    connection.execute(update(desk_job).where(desk_job.c.id == number).values(**values))


def add_audit(
    connection: Connection, *, actor: str, action: str, subject: str, reason: str = "", details: object = None
) -> None:
    """Append to the audit log."""
    values = {"time": now(), "actor": actor, "action": action, "subject": subject, "reason": reason}
    connection.execute(insert(audit).values(id=next_number(connection, audit), details=dumps(details or {}), **values))


def list_audit(connection: Connection, *, before: int | None = None, limit: int = 100) -> Sequence[RowMapping]:
    """Return entries of the audit log, newest first, those with a lower number than `before`."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [row._mapping for row in connection.execute(query)]


@dataclass(frozen=True)
class Person:
    """A member of staff: `reader` sees, `officer` decides on applications, `manager` does all."""

    name: str
    role: str
    token_hash: str | None
    subject: str | None
    created: str
    revoked: str | None


def find_person(
    connection: Connection, *, name: str | None = None, token_hash: str | None = None, subject: str | None = None
) -> Person | None:
    """Return a member of staff by one of the three, or None."""
    s = staff.c
    wanted = s.name == name if name else s.token_hash == token_hash if token_hash else s.subject == subject
    row = connection.execute(select(staff).where(wanted)).first() if name or token_hash or subject else None
    return Person(**row._mapping) if row else None


def list_people(connection: Connection) -> list[Person]:
    """Return all members of staff by name."""
    return [Person(**row._mapping) for row in connection.execute(select(staff).order_by(staff.c.name))]


def save_person(connection: Connection, name: str, **values: str | None) -> None:
    """Add a member of staff, or change their columns."""
    if not connection.execute(update(staff).where(staff.c.name == name).values(**values)).rowcount:
        connection.execute(insert(staff).values(name=name, created=now(), **values))
