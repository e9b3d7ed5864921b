"""One publication: content of a build becomes versions of digital objects, and DataCite's share of it is queued.

In order, so that a kill at any point loses and doubles nothing:

1. `recognition` and `resolve`: which specimen is which; what is new, changed, missing;
2. reserve: DOIs for what is new, which follow from its keys; nothing is written, and a repeated run comes to the same;
3. write: stamped documents and DataCite payloads go into part files of the store, which nobody refers to yet;
4. commit: one transaction takes the quota, adds objects, parts and versions, makes these current and queues the outbox.

What is read of the build when is `incoming`; registering with DataCite follows in `datacite.drain`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection

from dissco_platform.errors import RegistryError
from dissco_platform.identity.committing import OvertakenError, add_parts, commit_versions
from dissco_platform.identity.dataset_version import DatasetVersion
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.linking import Links, note_linking
from dissco_platform.identity.parts import PartWriter, Rules
from dissco_platform.identity.recognition import Circumstances, Recognised, alike, recognise
from dissco_platform.identity.records import (
    APART,
    CHANGED,
    DOI_ONLY,
    ENDED,
    HELD,
    LINKED,
    NEW,
    NO_SUFFIX,
    RETURNED,
    SHARED,
    UNCHANGED,
    Numbers,
    Records,
    draw_seed,
)
from dissco_platform.identity.reserve import Reserved, Wanting, reserve
from dissco_platform.identity.tombstones import VanishingRules, due
from dissco_platform.identity.writing import Causes, pages, to_write
from dissco_platform.registry import Registry, decisions, objects, vanished
from dissco_platform.registry.datasets import Dataset, get_dataset, set_latest, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.side_by_side import ahead
from dissco_platform.store import DatasetStore

Progress = Callable[[str, int], None]

# Which input's change makes which cause; the keys are those of `made_from`.
CAUSES = {"archive": "source", "release": "names", "mapping": "mapping", "code": "code"}


@dataclass
class PublishReport:
    """Counts of one publication; `data_version` is the content version of the dataset's identities and versions.

    `records` = `specimens` + `doi_only` + `held` + `ended` (withdrawn or merged) + `waiting_quota`. `alike`: new
    specimens whose local identifier another dataset of the organisation has as well.
    """

    data_version: str = ""
    specimens: int = 0
    doi_only: int = 0
    records: int = 0
    held: int = 0
    ended: int = 0
    alike: int = 0
    waiting_quota: int = 0
    media: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    missing: int = 0
    tombstoned: int = 0
    unconfirmed: int = 0
    media_versions: dict[str, int] = field(default_factory=dict)
    queued: int = 0


def publish(
    registry: Registry,
    dataset: Dataset,
    build: Path,
    store: DatasetStore,
    *,
    rules: Rules,
    made_from: dict[str, str],
    progress: Progress | None = None,
) -> PublishReport:
    """Publish a build of `opends.build.build_specimens`.

    Where another process takes a key, a DOI or the quota meanwhile, all is done a second time, with what is there then.

    Args:
        registry: where identities and versions are kept.
        dataset: the dataset, as the registry knows it.
        build: folder with `specimens.parquet` and `media.parquet`.
        store: holds the documents of builds, by the name in the `batch` column; new published parts are added to it.
        rules: prefix, quota and what DataCite is told.
        made_from: versions of `archive`, `release`, `mapping`, `code`.
        progress: called with a step's name and a count.

    Raises:
        RegistryError: another process published the dataset meanwhile.
    """
    try:
        return _published(registry, dataset, build, store, rules, made_from, progress)
    except OvertakenError:
        return _published(registry, dataset, build, store, rules, made_from, progress)


def _published(
    registry: Registry,
    dataset: Dataset,
    build: Path,
    store: DatasetStore,
    rules: Rules,
    made_from: dict[str, str],
    progress: Progress | None,
) -> PublishReport:
    seed = draw_seed()
    specimen_table = Incoming(
        build / "specimens.parquet",
        "normalisedPhysicalSpecimenID",
        "media_keys",
        rules.prefix,
        target_organisation=dataset.organisation_id,
        seed=seed,
    )
    media_table = Incoming(
        build / "media.parquet",
        "media_key",
        "specimen_ids",
        rules.prefix,
        organisation=dataset.organisation_id,
        seed=seed,
    )
    since = dataset.summary.get("published", "")
    with registry.read() as connection:
        ended = decisions.ended(connection, dataset.slug)
        given = Circumstances(
            connection=connection,
            store=store,
            dataset=dataset,
            prefix=rules.prefix,
            documents=lambda batch: store.path("documents", dataset.slug, batch),
            ended=ended["id"].to_numpy(),
            folder=store.new_parts(dataset.slug),
            seed=seed,
        )
        specimens = recognise(given, "specimen", specimen_table)
        apart = np.sort(specimens.records.key[specimens.records.has(HELD, ENDED)])
        media = recognise(given, "media", media_table, apart)
        used = decisions.used_elsewhere(connection, dataset.slug)
        renamed = decisions.renamed_since(connection, dataset.slug, since)
    media.missing = media.missing[~np.isin(media.missing, used.to_numpy())]
    for found in (specimens, media):
        found.forget_known()
    reserved = reserve(
        registry,
        dataset,
        Wanting("specimen", specimens.records, specimen_table),
        Wanting("media", media.records, media_table),
        rules.yearly_quota,
    )
    lately = ended.filter(pl.col("time") > since)["id"].to_numpy()
    note_linking(specimens.records, specimen_table, media.records, lately)
    note_linking(media.records, media_table, specimens.records, lately)
    moment = now()
    run = _Publication(dataset, made_from, moment, specimens, media, specimen_table, media_table, reserved)
    writer = PartWriter(store, rules, dataset, moment, progress)
    for found, table, other in ((specimens, specimen_table, media), (media, media_table, specimens)):
        links = Links(other.records, table, to_write(found.records))
        causes = run.causes(found, renamed)
        writer.write(
            found.kind,
            ahead(pages(registry, found.records, table, links, causes, reserved.created)),
            table.addresses(to_write(found.records, documents=True)),
        )
    report = _report(specimens, media)
    with registry.read() as connection:
        for kind, ending in _ending(connection, run, rules.vanishing, report):
            writer.write_tombstones(kind, ending)
    writer.keep()
    try:
        with registry.write() as connection:
            report.data_version = _commit(connection, run, writer, report)
            summary: dict[str, Any] = {
                "made_from": made_from,
                "published": moment,
                "data_version": report.data_version,
                # What may be minted once there is quota or a grant for it; automation compares it with the allowance.
                "waiting": _waiting(specimens.records) + _waiting(media.records),
                "build": build.name,
            }
            set_latest(connection, dataset.slug, {**dataset.summary, **summary})
    except OvertakenError:
        writer.discard()
        raise
    return report


@dataclass(frozen=True)
class _Publication:
    """What one publication is of, and what was recognised in it."""

    dataset: Dataset
    made_from: dict[str, str]
    moment: str
    specimens: Recognised
    media: Recognised
    specimen_table: Incoming
    media_table: Incoming
    reserved: Reserved

    @property
    def both(self) -> tuple[Recognised, Recognised]:
        """Specimens and media."""
        return self.specimens, self.media

    @property
    def harvested(self) -> bool:
        """Whether the source published something else than at the last publication."""
        return bool(self.dataset.summary.get("made_from", {}).get("archive") != self.made_from.get("archive"))

    def causes(self, found: Recognised, renamed: pl.Series) -> Causes:
        """Return why versions come to be; `renamed`: ids that a person renamed since the last publication."""
        before = self.dataset.summary.get("made_from", {})
        causes = [cause for name, cause in CAUSES.items() if before and before.get(name) != self.made_from.get(name)]
        return Causes(
            ",".join(causes) or "source",
            np.concatenate([found.renamed["id"].to_numpy(), renamed.to_numpy()]),
            found.moved["id"].to_numpy(),
        )


def _commit(connection: Connection, run: _Publication, writer: PartWriter, report: PublishReport) -> str:
    """Make all that was prepared the present state; return the content version of the dataset."""
    dataset = run.dataset
    present = get_dataset(connection, dataset.slug)
    if (present.latest, present.decided) != (dataset.latest, dataset.decided):
        raise RegistryError(
            f"Another process published {dataset.slug} while this one was working; nothing was changed, run again."
        )
    # First of all, since on PostgreSQL these two lock their tables: whoever commits takes the locks in this order.
    parts = add_parts(connection, dataset.slug, writer, run.moment, run.made_from)
    minted = run.reserved.enter(connection)
    version = DatasetVersion(connection, dataset.slug, run.both, writer, run.reserved.completed)
    version.before()
    for found in run.both:
        decisions.rename(connection, found.kind, found.renamed)
        if found.moved.height:
            decisions.move_objects(connection, found.moved["id"], dataset.slug)
            decisions.mark_decided(connection, *found.moved["owner"].unique())
    written = commit_versions(connection, dataset.slug, writer, parts, run.moment, minted)
    report.queued = written.queued
    report.tombstoned = written.tombstoned
    vanished.record(connection, dataset.slug, report.missing, report.unconfirmed)
    tombstones = pl.concat([pl.Series([], dtype=pl.Int64), *written.tombstones]).to_numpy()
    for found in run.both:
        missing = found.missing[~np.isin(found.missing, tombstones)] if tombstones.size else found.missing
        objects.set_missing(connection, pl.Series(missing), int(run.harvested))
        objects.set_present(connection, pl.Series(found.back))
    media = run.media.records
    decisions.replace_uses(connection, dataset.slug, pl.Series(media.id[media.has(SHARED)]))
    decisions.replace_held(connection, dataset.slug, run.specimens.held)
    for pairs in alike(connection, dataset, _fresh(run)):
        decisions.note_likenesses(connection, pairs)
        report.alike += pairs.height
    update_dataset(connection, dataset.slug, decided=None)
    return version.after()


def _fresh(run: _Publication) -> Iterator[pl.DataFrame]:
    """Yield `id, identity_key` of the new specimens."""
    records = run.specimens.records
    for page in run.specimen_table.keys(np.flatnonzero(records.has(NEW))):
        yield page.select(pl.Series("id", records.id[page[ROW].to_numpy()]), "identity_key")


def _ending(
    connection: Connection, run: _Publication, rules: VanishingRules, report: PublishReport
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the missing objects that become tombstones now, by kind, with the part that holds their last version.

    None while too many specimens are missing for it to be believed without an operator's word; none of those that a
    held record may be.
    """
    missing = report.missing
    if rules.is_mass(missing, report.records + missing) and vanished.confirmed(connection, run.dataset.slug) < missing:
        report.unconfirmed = missing
        return
    questioned = run.specimens.questioned
    for found in run.both:
        for frame in objects.objects_with_ids(connection, pl.Series(found.missing)):
            rows = due(frame, run.harvested, rules)
            rows = rows.filter(~pl.Series(np.isin(rows["id"].to_numpy(), questioned)))
            for parts in objects.current_parts_of(connection, rows["id"]):
                yield found.kind, rows.join(parts.drop("suffix"), on="id", how="inner")


def _waiting(records: Records) -> int:
    return int((records.has(NEW) & (records.suffix == NO_SUFFIX)).sum())


def _report(specimens: Recognised, media: Recognised) -> PublishReport:
    of_specimens, of_media = specimens.records, media.records
    apart = of_specimens.has(*APART)
    has_doi = (of_specimens.suffix != NO_SUFFIX) & ~apart
    doi_only = of_specimens.flagged(DOI_ONLY)
    published = (of_media.suffix != NO_SUFFIX) & ~of_media.has(*APART)

    def count(records: Records, among: Numbers, *outcomes: int) -> int:
        return int((among & records.has(*outcomes)).sum())

    return PublishReport(
        specimens=int((has_doi & ~doi_only).sum()),
        doi_only=int((has_doi & doi_only).sum()),
        records=of_specimens.key.size,
        held=of_specimens.count(HELD),
        ended=of_specimens.count(ENDED),
        waiting_quota=int(((of_specimens.suffix == NO_SUFFIX) & ~apart).sum()),
        media=int(published.sum()),
        new=count(of_specimens, has_doi, NEW),
        changed=count(of_specimens, has_doi, CHANGED, RETURNED, LINKED),
        unchanged=count(of_specimens, has_doi, UNCHANGED),
        missing=int(specimens.missing.size),
        media_versions={
            "new": count(of_media, published, NEW),
            "changed": count(of_media, published, CHANGED, RETURNED, LINKED),
            "unchanged": count(of_media, published, UNCHANGED, SHARED),
            "missing": int(media.missing.size),
        },
    )
