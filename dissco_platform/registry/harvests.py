"""Statements about harvests: what each publication of a dataset came to, kept for good for its page and its institution.

A body is JSON: `made_from` (versions), `source`, `kind`, `columns` (parsed table → columns), `counts` (records, specimens,
doi_only, media, held, waiting_quota, new, changed, unchanged, missing, tombstoned), `rejects`, `extension_rejects`,
`media_rejects`, `doi_only_reasons`, `match_types`, `mids`, `disciplines` (value → count), `examples` (reason → list of
file, line, message, raw) and `checks` (name, passed, severity, description).
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from dissco_platform.registry.tables import harvest


def record_harvest(connection: Connection, dataset: str, published: str, body: Mapping[str, Any]) -> None:
    """Keep what a publication came to; a second word about the same publication replaces the first."""
    connection.execute(delete(harvest).where(harvest.c.dataset == dataset, harvest.c.published == published))
    connection.execute(insert(harvest).values(dataset=dataset, published=published, body=json.dumps(body)))


def harvests_of(connection: Connection, dataset: str, limit: int = 60) -> list[dict[str, Any]]:
    """Return a dataset's latest harvests, newest first: `published` and the body's entries."""
    query = (
        select(harvest.c.published, harvest.c.body)
        .where(harvest.c.dataset == dataset)
        .order_by(harvest.c.published.desc())
        .limit(limit)
    )
    return [{"published": row.published, **json.loads(row.body)} for row in connection.execute(query)]


def columns_at(connection: Connection, dataset: str, records: str) -> dict[str, list[str]] | None:
    """Return the columns of each parsed table in a version of the parsed records; None where no harvest tells."""
    for found in harvests_of(connection, dataset):
        if found.get("made_from", {}).get("records") == records and found.get("columns"):
            return dict(found["columns"])
    return None
