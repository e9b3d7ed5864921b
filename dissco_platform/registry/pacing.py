"""Statements of a pace that several processes share: slots in time at which one request each may be sent.

One row a service. Times are the database's where it has a clock of its own (PostgreSQL), since machines may disagree.
"""

import time

from sqlalchemy import Connection, insert, select, text, update

from dissco_platform.registry.tables import pace


def clock(connection: Connection) -> float:
    """Return the time that all processes agree on: seconds since the epoch."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return time.time()


def take_slots(connection: Connection, service: str, count: int, spacing: float) -> tuple[float, float]:
    """Take the next slots of a service; return (present time, time of the first), the others follow by `spacing`."""
    following = _locked(connection, service)
    moment = clock(connection)
    first = max(following, moment)
    connection.execute(update(pace).where(pace.c.service == service).values(next=first + count * spacing))
    return moment, first


def hold(connection: Connection, service: str, seconds: float) -> None:
    """Let no slot begin for so many seconds, in any process."""
    following = _locked(connection, service)
    until = clock(connection) + seconds
    if until > following:
        connection.execute(update(pace).where(pace.c.service == service).values(next=until))


def _locked(connection: Connection, service: str) -> float:
    """Return when the next slot is, with the row locked (a write transaction of SQLite locks everything)."""
    query = select(pace.c.next).where(pace.c.service == service)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:service))"), {"service": service})
    found = connection.execute(query).scalar()
    if found is None:
        connection.execute(insert(pace).values(service=service, next=0.0))
        return 0.0
    return float(found)
