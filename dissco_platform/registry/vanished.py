"""Statements about mass disappearances: how many specimens are missing, and whether an operator believes it."""

from sqlalchemy import Connection, delete, insert, select, update

from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import vanished


def record(connection: Connection, dataset: str, missing: int, unconfirmed: int) -> None:
    """Note that so many missing specimens wait for a confirmation; a dataset where none are missing is forgotten."""
    if not missing:
        connection.execute(delete(vanished).where(vanished.c.dataset == dataset))
    elif unconfirmed:
        connection.execute(delete(vanished).where(vanished.c.dataset == dataset))
        connection.execute(insert(vanished).values(dataset=dataset, missing=unconfirmed, since=now(), confirmed=0))


def confirmed(connection: Connection, dataset: str) -> int:
    """Return how many missing specimens an operator has confirmed."""
    return int(connection.execute(select(vanished.c.confirmed).where(vanished.c.dataset == dataset)).scalar() or 0)


def waiting(connection: Connection) -> dict[str, int]:
    """Return the datasets that wait for a confirmation, with the number of their missing specimens."""
    query = select(vanished.c.dataset, vanished.c.missing).where(vanished.c.confirmed < vanished.c.missing)
    return {row.dataset: row.missing for row in connection.execute(query)}


def confirm(connection: Connection, dataset: str, who: str) -> int:
    """Confirm that what is missing is gone; return how many specimens that are (0: nothing waits)."""
    missing = waiting(connection).get(dataset, 0)
    connection.execute(
        update(vanished)
        .where(vanished.c.dataset == dataset)
        .values(confirmed=vanished.c.missing, confirmed_by=who, confirmed_at=now())
    )
    return missing
