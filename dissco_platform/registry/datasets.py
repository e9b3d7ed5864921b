"""Statements about enrolled datasets and the registry's own settings."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dissco_platform.errors import UsageError
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import dataset, setting

STATES = ("active", "paused", "removed")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Dataset:
    """An enrolled dataset: a row of the `dataset` table."""

    slug: str
    source: str
    organisation_id: str
    organisation_name: str | None
    source_system_id: str
    doi_only: bool
    state: str
    created: str
    title: str | None
    checked: str | None
    checked_by: str | None
    failed: str | None
    failure: str | None
    decided: str | None
    latest: str | None

    @property
    def summary(self) -> dict[str, Any]:
        """The latest publication's summary, empty before the first."""
        return dict(json.loads(self.latest)) if self.latest else {}

    @property
    def waiting(self) -> int:
        """DOIs that the latest publication left waiting for quota or a grant."""
        return int(self.summary.get("waiting", 0))


def check_slug(slug: str) -> str:
    """Return the slug if it can name a dataset.

    Raises:
        UsageError: it has other characters than a–z, 0–9 and inner hyphens, or more than 63.
    """
    if not _SLUG.fullmatch(slug):
        raise UsageError(
            f"'{slug}' cannot name a dataset: use up to 63 lower-case letters, digits and hyphens, "
            "for example naturalis-ascidians."
        )
    return slug


def add_dataset(
    connection: Connection,
    *,
    slug: str,
    source: str,
    organisation_id: str,
    organisation_name: str | None,
    source_system_id: str,
    doi_only: bool,
) -> None:
    """Insert a dataset.

    Raises:
        UsageError: the slug is taken.
    """
    if connection.execute(select(dataset.c.slug).where(dataset.c.slug == slug)).first():
        raise UsageError(f"A dataset '{slug}' exists already; see `dissco dataset show {slug}`.")
    connection.execute(
        insert(dataset).values(
            slug=check_slug(slug),
            source=source,
            organisation_id=organisation_id,
            organisation_name=organisation_name,
            source_system_id=source_system_id,
            doi_only=doi_only,
            state="active",
            created=now(),
        )
    )


def get_dataset(connection: Connection, slug: str) -> Dataset:
    """Return one dataset.

    Raises:
        UsageError: there is none of that name.
    """
    found = find_dataset(connection, slug)
    if found is None:
        known = [found.slug for found in list_datasets(connection)]
        listed = ", ".join(known[:10]) + (" …" if len(known) > 10 else "") if known else "none yet"
        raise UsageError(f"There is no dataset '{slug}'. Enrolled: {listed}. Add one with `dissco dataset add`.")
    return found


def find_dataset(connection: Connection, slug: str) -> Dataset | None:
    """Return one dataset, or None."""
    row = connection.execute(select(dataset).where(dataset.c.slug == slug)).first()
    return Dataset(**row._mapping) if row is not None else None


def list_datasets(connection: Connection) -> list[Dataset]:
    """Return all datasets by slug."""
    return [Dataset(**row._mapping) for row in connection.execute(select(dataset).order_by(dataset.c.slug))]


def chosen_datasets(connection: Connection, slugs: Collection[str]) -> set[str]:
    """Return the datasets that were named, or all where none was.

    Raises:
        UsageError: there is none of a name.
    """
    if not slugs:
        return {found.slug for found in list_datasets(connection)}
    return {get_dataset(connection, slug).slug for slug in slugs}


def update_dataset(connection: Connection, slug: str, **values: object) -> None:
    """Set columns of one dataset."""
    connection.execute(update(dataset).where(dataset.c.slug == slug).values(**values))


def set_state(connection: Connection, slug: str, state: str) -> None:
    """Let automation run a dataset (`active`), leave it alone (`paused`), or end it (`removed`).

    Raises:
        UsageError: there is no such dataset or state.
    """
    if state not in STATES:
        raise UsageError(f"'{state}' is no state of a dataset: {', '.join(STATES)}.")
    get_dataset(connection, slug)
    update_dataset(connection, slug, state=state)


def set_latest(connection: Connection, slug: str, summary: Mapping[str, object]) -> None:
    """Record the summary of the latest publication."""
    update_dataset(connection, slug, latest=json.dumps(summary))


def get_setting(connection: Connection, name: str) -> str | None:
    """Return a setting that lives with the registry (the minting key, the checklist in use), or None."""
    return connection.execute(select(setting.c.value).where(setting.c.name == name)).scalar()


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Write such a setting."""
    if get_setting(connection, name) is None:
        connection.execute(insert(setting).values(name=name, value=value))
    else:
        connection.execute(update(setting).where(setting.c.name == name).values(value=value))


def setting_once(connection: Connection, name: str, value: str) -> str:
    """Return the setting, writing `value` if it was never set: the first writer wins for ever."""
    found = get_setting(connection, name)
    if found is not None:
        return found
    connection.execute(insert(setting).values(name=name, value=value))
    return value
