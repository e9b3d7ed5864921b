"""Statements about applications, their events, allocation rounds and letters. What they mean is `enrolment`'s business."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, insert, select, update

from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import (
    allocation_grant,
    allocation_round,
    application,
    application_event,
    digital_object,
    notification,
    quota,
)


def dumps(value: object) -> str:
    """Return JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def next_number(connection: Connection, table: Table) -> int:
    """Return the first free number of a table inside a write transaction.

    PostgreSQL: others who number this table wait. It is no lock of the table, which would ask for the right to change it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(table.name))))
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


def loads(text: str) -> Any:
    """Return what `dumps` wrote."""
    return json.loads(text)


def events_of(connection: Connection, slug: str) -> list[RowMapping]:
    """Return an application's events, oldest first."""
    query = select(application_event).where(application_event.c.application == slug).order_by(application_event.c.id)
    return [row._mapping for row in connection.execute(query)]


def find_application(connection: Connection, slug: str) -> RowMapping | None:
    """Return an application's row, or None."""
    row = connection.execute(select(application).where(application.c.slug == slug)).first()
    return row._mapping if row else None


def applied(connection: Connection) -> set[str]:
    """Return the datasets that strangers applied for: their addresses are not trusted as an operator's are."""
    return set(connection.execute(select(application.c.slug)).scalars())


def list_applications(connection: Connection) -> list[RowMapping]:
    """Return all applications by date of pre-registration."""
    query = select(application).order_by(application.c.registered, application.c.slug)
    return [row._mapping for row in connection.execute(query)]


def save_application(connection: Connection, values: Mapping[str, str]) -> None:
    """Write an application's present state: `slug, state, registered, body`."""
    state = {name: value for name, value in values.items() if name != "slug"}
    found = connection.execute(update(application).where(application.c.slug == values["slug"]).values(**state))
    if not found.rowcount:
        connection.execute(insert(application).values(**values))


def add_event(connection: Connection, values: Mapping[str, object]) -> int:
    """Append an event of an application; return its number."""
    number = next_number(connection, application_event)
    connection.execute(insert(application_event).values(id=number, **values))
    return number


def add_round(
    connection: Connection,
    *,
    actor: str,
    year: int,
    inputs: Mapping[str, Any],
    inputs_hash: str,
    result: Mapping[str, Any],
    grants: Iterable[Mapping[str, object]],
) -> int:
    """Insert an allocation round with its grants (`application, lane, count, reason, categories`); return its number."""
    number = next_number(connection, allocation_round)
    connection.execute(
        insert(allocation_round).values(
            id=number,
            time=now(),
            actor=actor,
            year=year,
            inputs=dumps(inputs),
            inputs_hash=inputs_hash,
            result=dumps(result),
        )
    )
    rows = [{"round_id": number, **grant} for grant in grants]
    if rows:
        connection.execute(insert(allocation_grant), rows)
    return number


def list_rounds(connection: Connection) -> list[RowMapping]:
    """Return all allocation rounds, oldest first."""
    return [row._mapping for row in connection.execute(select(allocation_round).order_by(allocation_round.c.id))]


def grants_of(connection: Connection, slug: str) -> list[RowMapping]:
    """Return an application's grants, oldest first: `round_id, lane, count, reason, time`."""
    query = (
        select(
            allocation_grant.c.round_id,
            allocation_grant.c.lane,
            allocation_grant.c["count"],
            allocation_grant.c.reason,
            allocation_round.c.time,
        )
        .join(allocation_round, allocation_round.c.id == allocation_grant.c.round_id)
        .where(allocation_grant.c.application == slug)
        .order_by(allocation_grant.c.round_id, allocation_grant.c.lane)
    )
    return [row._mapping for row in connection.execute(query)]


def granted_in_year(connection: Connection, year: int) -> int:
    """Return how many DOIs the rounds of a year have granted."""
    query = (
        select(func.coalesce(func.sum(allocation_grant.c["count"]), 0))
        .join(allocation_round, allocation_round.c.id == allocation_grant.c.round_id)
        .where(allocation_round.c.year == year)
    )
    return int(connection.execute(query).scalar_one())


def granted_by_category(connection: Connection) -> dict[str, dict[str, int]]:
    """Return the DOIs of all rounds by dimension and category."""
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(select(allocation_grant.c.categories, allocation_grant.c["count"])):
        for dimension, category in json.loads(row.categories).items():
            if category is not None:
                counts = found.setdefault(dimension, {})
                counts[category] = counts.get(category, 0) + row[1]
    return found


def granted_by_application(connection: Connection) -> dict[str, int]:
    """Return how many DOIs each application was granted in all."""
    query = select(allocation_grant.c.application, func.sum(allocation_grant.c["count"])).group_by(
        allocation_grant.c.application
    )
    return {slug: int(count) for slug, count in connection.execute(query)}


def minted_by_dataset(connection: Connection) -> dict[str, int]:
    """Return how many DOIs were minted for each dataset in all years, from the quota's ledger."""
    query = select(quota.c.dataset, func.sum(quota.c.used)).group_by(quota.c.dataset)
    return {slug: int(count) for slug, count in connection.execute(query)}


def granted_total(connection: Connection, slug: str) -> int:
    """Return how many DOIs an application was granted in all."""
    query = select(func.coalesce(func.sum(allocation_grant.c["count"]), 0)).where(
        allocation_grant.c.application == slug
    )
    return int(connection.execute(query).scalar_one())


def registered_objects(connection: Connection, slug: str) -> tuple[int, int]:
    """Return of a dataset: DOIs minted, and DOIs registered at the DOI service."""
    o = digital_object.c
    minted = select(func.count()).where(o.dataset == slug, o.suffix.is_not(None))
    registered = select(func.count()).where(o.dataset == slug, o.doi_state == "registered")
    return int(connection.execute(minted).scalar_one()), int(connection.execute(registered).scalar_one())


def first_suffixes(connection: Connection, slug: str, limit: int) -> list[str]:
    """Return suffixes of specimens of a dataset whose DOI is registered, the first in its registry's order."""
    o = digital_object.c
    query = select(o.suffix).where(o.dataset == slug, o.kind == "specimen", o.doi_state == "registered")
    return list(connection.execute(query.order_by(o.id).limit(limit)).scalars())


def queue_notification(connection: Connection, values: Mapping[str, str]) -> bool:
    """Queue a letter (`key, application, event, recipient, subject, body`); False where its key was queued before."""
    if connection.execute(select(notification.c.key).where(notification.c.key == values["key"])).first():
        return False
    connection.execute(insert(notification).values(created=now(), attempts=0, **values))
    return True


def unsent_notifications(connection: Connection) -> list[RowMapping]:
    """Return the letters that were not sent yet, oldest first."""
    query = select(notification).where(notification.c.sent.is_(None)).order_by(notification.c.created)
    return [row._mapping for row in connection.execute(query)]


def notifications_of(connection: Connection, slug: str) -> list[RowMapping]:
    """Return an application's letters, oldest first."""
    query = select(notification).where(notification.c.application == slug).order_by(notification.c.created)
    return [row._mapping for row in connection.execute(query)]


def recipients_since(connection: Connection, letters: Iterable[str], moment: str) -> set[str]:
    """Return who was sent one of the letters after a moment."""
    query = select(notification.c.recipient).where(
        notification.c.event.in_(sorted(letters)), notification.c.sent > moment
    )
    return set(connection.execute(query).scalars())


def note_sent(connection: Connection, key: str, error: str | None) -> None:
    """Record that a letter was sent, or why it was not."""
    values: dict[str, Any] = {"attempts": notification.c.attempts + 1, "error": error}
    if error is None:
        values["sent"] = now()
    connection.execute(update(notification).where(notification.c.key == key).values(**values))
