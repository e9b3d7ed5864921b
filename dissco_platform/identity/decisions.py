"""What people decide about identities, and how it is carried out: held records, withdrawals, merges, transfers.

Everything here is one transaction and makes the dataset due for its next publication, which brings the documents into
line. Nothing is deleted: an ended object keeps its versions, a renamed one the identifiers that it had. When a record is
held is `recognition` and `questions`.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from dissco_platform.errors import UsageError
from dissco_platform.identity.committing import add_parts, commit_versions
from dissco_platform.identity.parts import PartWriter, Rules
from dissco_platform.identity.publications import Publications, Published
from dissco_platform.identity.questions import CLAIMED_TWICE, MAY_BE_NEW
from dissco_platform.registry import Registry, decisions, objects
from dissco_platform.registry.datasets import Dataset, get_dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import digital_object
from dissco_platform.store import DatasetStore


def accept(connection: Connection, dataset: Dataset, record: decisions.HeldRecord) -> str:
    """Take a held record for the object that it may be: the DOI stays, its identifier becomes the record's.

    An object of another dataset comes into this one. Returns the DOI's suffix.

    Raises:
        UsageError: nothing says which object it is, or two records claim it.
    """
    if record.object_id is None or record.reason == CLAIMED_TWICE:
        raise UsageError(
            f"{record.identity_key} cannot be accepted ({record.message}): have it mended in the source, or refuse it."
        )
    row = connection.execute(select(digital_object).where(digital_object.c.id == record.object_id)).one()
    if row.identity_key != record.identity_key:
        renamed = pl.DataFrame({"id": [row.id], "old_key": [row.identity_key], "identity_key": [record.identity_key]})
        decisions.rename(connection, "specimen", renamed)
    if row.dataset != dataset.slug:
        decisions.move_objects(connection, pl.Series([row.id], dtype=pl.Int64), dataset.slug)
    decisions.drop_held(connection, dataset.slug, record.identity_key)
    decisions.mark_decided(connection, dataset.slug, row.dataset)
    return str(row.suffix)


def refuse(connection: Connection, dataset: Dataset, record: decisions.HeldRecord, who: str) -> None:
    """Say that a held record is a specimen of its own: the next publication gives it a DOI.

    Raises:
        UsageError: its identifier is another specimen's, which no two can have.
    """
    if record.reason not in MAY_BE_NEW:
        raise UsageError(
            f"{record.identity_key} cannot be a specimen of its own ({record.message}): have its identifier mended in "
            "the source, or accept it as the specimen that has it."
        )
    decisions.decide_new(connection, dataset.slug, record.identity_key, who)
    decisions.drop_held(connection, dataset.slug, record.identity_key)
    decisions.mark_decided(connection, dataset.slug)


@dataclass(frozen=True)
class Curator:
    """A person who may end objects: `who` is recorded with every decision."""

    registry: Registry
    store: DatasetStore
    publications: Publications
    rules: Rules
    who: str

    def withdraw(self, doi: str, reason: str) -> int:
        """End a specimen or medium on request; return the number of its tombstone's version.

        It does not return when its source goes on publishing it; `restore` takes that back.

        Raises:
            UsageError: there is none, it is not published, or it was ended before.
        """
        return self._end(self._living(doi), "withdrawn", reason, None)

    def merge(self, doi: str, into: str, reason: str | None = None) -> int:
        """End a duplicate in favour of the object that remains; its DOI stays findable and leads there.

        Raises:
            UsageError: one of them is not there, they are the same, of different kinds, or the remaining one was ended.
        """
        duplicate, remaining = self._living(doi), self._living(into)
        if duplicate.suffix == remaining.suffix:
            raise UsageError(f"{doi} cannot be merged into itself.")
        if duplicate.kind != remaining.kind:
            raise UsageError(f"{doi} is a {duplicate.kind} and {into} a {remaining.kind}: only like can be merged.")
        if remaining.is_tombstone:
            raise UsageError(f"{into} is a tombstone; name the object that remains.")
        said = reason or f"This is a duplicate of {remaining.url}."
        return self._end(duplicate, "merged", said, remaining)

    def restore(self, doi: str) -> None:
        """Take a withdrawal or merge back: the next publication revives the object if its source publishes it.

        Raises:
            UsageError: nobody ended it.
        """
        found = self.publications.get(doi)
        with self.registry.write() as connection:
            row = objects.find_object(connection, found.suffix)
            if row is None or not decisions.revive(connection, row["id"]):
                raise UsageError(f"{doi} was neither withdrawn nor merged; there is nothing to take back.")
            decisions.mark_decided(connection, row["dataset"])

    def _living(self, doi: str) -> Published:
        found = self.publications.get(doi)
        found.version()  # says so if it is reserved only
        with self.registry.read() as connection:
            row = objects.find_object(connection, found.suffix)
            ended = decisions.ending_of(connection, row["id"]) if row else None
        if ended:
            raise UsageError(f"{doi} was {ended['kind']} on {ended['time'][:10]} by {ended['who']} already.")
        return found

    def _end(self, found: Published, kind: str, reason: str, into: Published | None) -> int:
        moment = now()
        dataset = found.dataset
        writer = PartWriter(self.store, self.rules, dataset, moment, None)
        with self.registry.read() as connection:
            row = objects.find_object(connection, found.suffix)
            assert row is not None
            last = objects.where_current(connection, digital_object.c.id == row["id"])
        current = pl.DataFrame(
            [
                {
                    "id": row["id"],
                    "suffix": row["suffix"],
                    "version": row["version"],
                    "old_hash": row["content_hash"],
                    "old_visible": row["visible_hash"],
                    "was_doi_only": bool(row["doi_only"]),
                    "missed": row["missed"],
                }
            ]
        )
        writer.write_tombstones(
            found.kind,
            current.join(last.select("suffix", "folder", "path"), on="suffix"),
            kind,
            reason,
            into.suffix if into else None,
        )
        writer.keep()
        with self.registry.write() as connection:
            present = objects.find_object(connection, found.suffix)
            other = objects.find_object(connection, into.suffix) if into else None
            if present is None or present["version"] != row["version"]:
                raise UsageError(f"{found.doi} was published while it was being ended; try again.")
            decisions.end(connection, row["id"], kind, reason, self.who, other["id"] if other else None)
            parts = add_parts(connection, dataset.slug, writer, moment, {"reason": reason, "by": self.who})
            commit_versions(connection, dataset.slug, writer, parts, moment)
            decisions.mark_decided(connection, dataset.slug)
        return int(row["version"]) + 1


def transfer(connection: Connection, old: str, new: str, handle: str) -> dict[str, Any]:
    """Make a dataset the successor of another: it takes over its source system id and all of its objects.

    The old dataset is removed and gets `handle` in its place, which no identifier is scoped by.

    Raises:
        UsageError: they are one, of different organisations, or the successor has objects of its own.
    """
    before, after = get_dataset(connection, old), get_dataset(connection, new)
    if old == new:
        raise UsageError(f"{old} cannot succeed itself.")
    if before.organisation_id != after.organisation_id:
        raise UsageError(f"{old} and {new} are of different organisations; edit the one that is wrong first.")
    if objects.any_objects(connection, new):
        raise UsageError(f"{new} has objects of its own already; a successor takes over before its first run.")
    update_dataset(connection, old, source_system_id=handle, state="removed")  # first: no two may have the same
    update_dataset(connection, new, source_system_id=before.source_system_id)
    count = decisions.move_all(connection, old, new)
    decisions.mark_decided(connection, old, new)
    return {"source_system": before.source_system_id, "objects": count}
