"""Handles on the registry that may do little: what strangers reach writes to enrolment's tables alone.

`RIGHTS` is the one list. On SQLite an authorizer of the connection refuses everything else when a statement is prepared;
on PostgreSQL it is a role of its own, whose statements `grants` writes (`dissco registry grants`).
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import event

from dissco_platform.registry.engine import Registry, connect

READ, ADD, CHANGE = "SELECT", "INSERT", "UPDATE"

_ENROLMENT: dict[str, tuple[str, ...]] = {
    "application": (READ, ADD, CHANGE),
    "application_event": (READ, ADD),
    "notification": (READ, ADD),
    "desk_job": (READ, ADD),
    "dataset": (READ,),
    "audit": (READ, ADD),
}
RIGHTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # Applicants' pages: an application and what happens to it.
    "desk": _ENROLMENT,
    # Staff's pages: also who they are, rounds as they were, and the few switches of a dataset that people decide on.
    "staff": {
        **_ENROLMENT,
        "dataset": (READ, CHANGE),
        "staff": (READ, CHANGE),
        "allocation_round": (READ,),
        "allocation_grant": (READ,),
        "setting": (READ,),
        "quota": (READ,),
        "vanished": (READ, CHANGE),
        "outbox": (READ, CHANGE),
        "digital_object": (READ, CHANGE),
        "batch": (READ,),
        "watch": (READ,),
    },
}

_FREE = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_SAVEPOINT,
}
_VERBS = {sqlite3.SQLITE_READ: READ, sqlite3.SQLITE_INSERT: ADD, sqlite3.SQLITE_UPDATE: CHANGE}


def open_limited(url: str, role: str) -> Registry:
    """Open a registry whose schema is up to date with the rights of a role of `RIGHTS`.

    On PostgreSQL `url` names that role's own login; what it may do is the database's business.

    Raises:
        RegistryError: the address is malformed.
    """
    engine = connect(url)
    if engine.dialect.name == "sqlite":
        authorizer = _authorizer(RIGHTS[role])

        @event.listens_for(engine, "connect")
        def _limit(connection: sqlite3.Connection, _: object) -> None:
            connection.set_authorizer(authorizer)

    return Registry(engine)


def grants(role: str, login: str) -> list[str]:
    """Return the PostgreSQL statements that give a login the rights of a role, and no others."""
    quoted = '"' + login.replace('"', '""') + '"'
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted};",
        f"GRANT USAGE ON SCHEMA public TO {quoted};",
        *(f"GRANT {', '.join(verbs)} ON {table} TO {quoted};" for table, verbs in RIGHTS[role].items()),
    ]


def _authorizer(rights: Mapping[str, tuple[str, ...]]) -> Callable[..., int]:
    def decide(action: int, first: str | None, *_: Any) -> int:
        if action in _FREE:
            return sqlite3.SQLITE_OK
        verb = _VERBS.get(action)
        # A statement that reads no column of a table (`count(*)`) still names it.
        return sqlite3.SQLITE_OK if verb in rights.get(first or "", ()) else sqlite3.SQLITE_DENY

    return decide
