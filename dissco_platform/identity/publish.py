"""One publication: content of a build becomes versions of digital objects, and DataCite's share of it is queued.

In order, so that a kill at any point loses and doubles nothing:

1. `recognition` and `resolve`: which specimen is which; what is new, changed, missing;
2. mint: one transaction reserves DOIs (and quota) for what is new; a repeated run finds them again by their key;
3. write: stamped documents and DataCite payloads go into part files of the store, which nobody refers to yet;
4. commit: one transaction adds the parts, makes the versions current and queues the outbox.

What is read of the build when is `incoming`; registering with DataCite follows in `datacite.drain`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection

from dissco_platform.errors import RegistryError
from dissco_platform.identity.committing import commit_versions
from dissco_platform.identity.incoming import Incoming
from dissco_platform.identity.parts import PartWriter, Rules
from dissco_platform.identity.recognition import OTHER_DATASET, Recognised, alike, recognise
from dissco_platform.identity.reserve import reserve
from dissco_platform.identity.resolve import (
    CHANGED,
    ENDED,
    HELD,
    NEW,
    PUBLISHED,
    RETURNED,
    SHARED,
    UNCHANGED,
    Resolution,
    resolve,
)
from dissco_platform.identity.tombstones import VanishingRules, due
from dissco_platform.provenance import ContentVersion, fingerprint
from dissco_platform.registry import Registry, decisions, objects, vanished
from dissco_platform.registry.datasets import Dataset, get_dataset, set_latest, update_dataset
from dissco_platform.registry.engine import now
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
    tables = {
        "specimen": Incoming(
            build / "specimens.parquet", "normalisedPhysicalSpecimenID", "media_keys", prefix=rules.prefix
        ),
        "media": Incoming(
            build / "media.parquet",
            "media_key",
            "specimen_ids",
            prefix=rules.prefix,
            organisation=dataset.organisation_id,
        ),
    }
    specimens, media = (table.rows() for table in tables.values())
    media_key = pl.concat_str([pl.lit(dataset.organisation_id + " "), pl.element()])
    specimens = specimens.with_columns(pl.col("targets").list.eval(media_key))

    def documents(batch: str) -> Path:
        return store.path("documents", dataset.slug, batch)

    with registry.read() as connection:
        known = recognise(connection, store, dataset, "specimen", specimens, rules.prefix, documents)
        ended = decisions.ended(connection, dataset.slug)
        specimen_state = _resolve("specimen", specimens, known, ended["id"])
        apart = specimen_state.rows.filter(pl.col("outcome").is_in([HELD, ENDED]))["identity_key"]
        media = _without(media, apart)
        known_media = recognise(connection, store, dataset, "media", media, rules.prefix, documents)
        media_state = _resolve("media", media, known_media, ended["id"])
        used = decisions.used_elsewhere(connection, dataset.slug)
        since = dataset.summary.get("published", "")
        renamed = decisions.renamed_since(connection, dataset.slug, since)
    media_state = replace(media_state, missing=media_state.missing.filter(~pl.col("id").is_in(used.implode())))

    del specimens, media  # a million wide rows; the resolutions hold what goes on
    specimen_state, media_state = reserve(registry, dataset, specimen_state, media_state, rules)
    moment = now()
    context = _Publication(dataset, made_from, moment, known, known_media, renamed)
    lately = ended.filter(pl.col("time") > since)["id"]
    specimen_state, media_state = (
        context.judged(state, other, lately)
        for state, other in ((specimen_state, media_state), (media_state, specimen_state))
    )
    writer = PartWriter(store, rules, dataset, moment, progress)
    for state, other in ((specimen_state, media_state), (media_state, specimen_state)):
        changed = state.rows.filter(pl.col("outcome").is_in(PUBLISHED) & pl.col("suffix").is_not_null())
        linked = other.rows.filter(~pl.col("outcome").is_in([HELD, ENDED])).select("identity_key", "suffix")
        writer.write(state.kind, _with_links(changed, linked), tables[state.kind].shown)
    report = _report(specimen_state, media_state)
    with registry.read() as connection:
        ending = _ending(connection, context, specimen_state, media_state, rules.vanishing, report)
    for kind, rows in ending.items():
        writer.write_tombstones(kind, rows)
    writer.keep()
    with registry.write() as connection:
        _commit(connection, context, specimen_state, media_state, writer, report)
        report.data_version = _data_version(connection, dataset.slug)
        summary: dict[str, Any] = {
            "made_from": made_from,
            "published": moment,
            "data_version": report.data_version,
            # What may be minted once there is quota or a grant for it; automation compares it with the allowance.
            "waiting": _waiting(specimen_state) + _waiting(media_state),
            "build": build.name,
        }
        set_latest(connection, dataset.slug, {**dataset.summary, **summary})
    return report


@dataclass(frozen=True)
class _Publication:
    """What one publication is of, and what was recognised in it."""

    dataset: Dataset
    made_from: dict[str, str]
    moment: str
    specimens: Recognised
    media: Recognised
    renamed: pl.Series  # objects that a person renamed since the last publication

    @property
    def harvested(self) -> bool:
        """Whether the source published something else than at the last publication."""
        return bool(self.dataset.summary.get("made_from", {}).get("archive") != self.made_from.get("archive"))

    @property
    def cause(self) -> str:
        """Which inputs differ from the last publication's."""
        before = self.dataset.summary.get("made_from", {})
        causes = [cause for name, cause in CAUSES.items() if before and before.get(name) != self.made_from.get(name)]
        return ",".join(causes) or "source"

    def judged(self, state: Resolution, other: Resolution, lately_ended: pl.Series) -> Resolution:
        """Add the `cause` of each new version; what links to an object that came or went is changed as well.

        A hash tells which objects are linked, not whether they have a DOI: a DOI may be granted after the quota of
        another year came, an object may be ended or revived by a person.
        """
        fresh = (pl.col("outcome").is_in([NEW, RETURNED]) & pl.col("suffix").is_not_null()) | pl.col("id").is_in(
            lately_ended.implode()
        )
        targets = other.rows.filter(fresh).select("identity_key")
        candidates = state.rows.filter(pl.col("outcome") == UNCHANGED).select("id", "targets")
        linking = (
            candidates.explode("targets", empty_as_null=False).join(
                targets, left_on="targets", right_on="identity_key", how="semi"
            )["id"]
            if targets.height and candidates.height
            else candidates["id"].clear()
        )
        known = self.specimens if state.kind == "specimen" else self.media
        is_linking = pl.col("id").is_in(linking.implode())
        more = [
            pl.when(pl.col("id").is_in(ids.implode())).then(pl.lit(cause))
            for ids, cause in (
                (pl.concat([known.renamed["id"], self.renamed]), "identifier"),
                (known.moved["id"], "dataset"),
            )
        ]
        rows = state.rows.with_columns(
            pl.when(is_linking).then(pl.lit(CHANGED)).otherwise("outcome").alias("outcome"),
            pl.when(pl.col("version") == 0)
            .then(pl.lit("new"))
            .when(is_linking)
            .then(pl.lit("linked"))
            .otherwise(
                pl.concat_str(
                    pl.when(pl.col("outcome") == RETURNED).then(pl.lit("returned")).otherwise(pl.lit(self.cause)),
                    *more,
                    separator=",",
                    ignore_nulls=True,
                )
            )
            .alias("cause"),
        )
        return replace(state, rows=rows)


def _resolve(kind: str, incoming: pl.DataFrame, known: Recognised, ended: pl.Series) -> Resolution:
    return resolve(kind, incoming, known.own, known.foreign, known.held["identity_key"], ended)


def _without(media: pl.DataFrame, apart: pl.Series) -> pl.DataFrame:
    """Leave out what is used by specimens alone that are held or ended."""
    if apart.is_empty():
        return media
    targets = pl.col("targets").list.set_difference(pl.lit(apart.implode()))
    return media.with_columns(targets.alias("targets")).filter(pl.col("targets").list.len() > 0)


def _with_links(rows: pl.DataFrame, linked: pl.DataFrame) -> pl.DataFrame:
    """Add `links`: the suffixes of the linked objects that have one, in the source's order."""
    if not rows.height:
        return rows.with_columns(links=pl.lit(None, pl.List(pl.String)))
    links = (
        rows.select("identity_key", pl.col("targets"))
        .explode("targets", empty_as_null=False)
        .join(linked, left_on="targets", right_on="identity_key", how="inner", maintain_order="left")
        .filter(pl.col("suffix").is_not_null())
        .group_by("identity_key", maintain_order=True)
        .agg(pl.col("suffix").alias("links"))
    )
    return rows.join(links, on="identity_key", how="left", maintain_order="left").with_columns(
        pl.col("links").fill_null([])
    )


def _commit(
    connection: Connection,
    context: _Publication,
    specimens: Resolution,
    media: Resolution,
    writer: PartWriter,
    report: PublishReport,
) -> None:
    dataset = context.dataset
    present = get_dataset(connection, dataset.slug)
    if (present.latest, present.decided) != (dataset.latest, dataset.decided):
        raise RegistryError(
            f"Another process published {dataset.slug} while this one was working; nothing was changed, run again."
        )
    for kind, known in (("specimen", context.specimens), ("media", context.media)):
        decisions.rename(connection, kind, known.renamed)
        if known.moved.height:
            decisions.move_objects(connection, known.moved["id"], dataset.slug)
            decisions.mark_decided(connection, *known.moved["owner"].unique())
    written = commit_versions(connection, dataset.slug, writer, context.moment, context.made_from)
    report.queued = written.queued
    report.tombstoned = written.tombstoned
    vanished.record(connection, dataset.slug, report.missing, report.unconfirmed)
    for state in (specimens, media):
        objects.update_objects(
            connection,
            state.missing.join(written.versions, on="id", how="anti").select(
                "id", pl.lit("missing").alias("state"), (pl.col("missed") + int(context.harvested)).alias("missed")
            ),
        )
        back = state.rows.filter((pl.col("state") == "missing") & ~pl.col("outcome").is_in([*PUBLISHED, HELD]))
        objects.update_objects(
            connection, back.select("id", pl.lit("active").alias("state"), pl.lit(0).alias("missed"))
        )
    shared = media.rows.filter(pl.col("outcome") == SHARED)["id"]
    decisions.replace_uses(connection, dataset.slug, shared)
    of_others = specimens.rows.filter((pl.col("outcome") == HELD) & pl.col("owner").is_not_null()).select(
        "identity_key",
        pl.lit(OTHER_DATASET).alias("reason"),
        pl.concat_str("identity_key", pl.lit(" is a specimen of the dataset "), "owner", pl.lit(" already.")).alias(
            "message"
        ),
        pl.col("id").alias("object_id"),
    )
    decisions.replace_held(connection, dataset.slug, pl.concat([of_others, context.specimens.held]))
    fresh = specimens.rows.filter(pl.col("outcome") == NEW).select("id", "identity_key")
    pairs = alike(connection, dataset, fresh)
    decisions.note_likenesses(connection, pairs)
    report.alike = pairs.height
    update_dataset(connection, dataset.slug, decided=None)


def _ending(
    connection: Connection,
    context: _Publication,
    specimens: Resolution,
    media: Resolution,
    rules: VanishingRules,
    report: PublishReport,
) -> dict[str, pl.DataFrame]:
    """Return the missing objects that become tombstones now, by kind, with the part that holds their last version.

    None while too many specimens are missing for it to be believed without an operator's word; none of those that a
    held record may be.
    """
    dataset, missing = context.dataset, specimens.missing.height
    if (
        rules.is_mass(missing, specimens.rows.height + missing)
        and vanished.confirmed(connection, dataset.slug) < missing
    ):
        report.unconfirmed = missing
        return {}
    ending = {}
    for state in (specimens, media):
        rows = due(state.missing, context.harvested, rules)
        rows = rows.filter(~pl.col("id").is_in(context.specimens.questioned.implode()))
        if rows.height:
            parts = objects.current_batches(connection, dataset.slug, state.kind).select("suffix", "folder", "path")
            ending[state.kind] = rows.join(parts, on="suffix", how="inner")
    return ending


def _waiting(state: Resolution) -> int:
    return state.rows.filter(pl.col("suffix").is_null() & (pl.col("outcome") == NEW)).height


def _report(specimens: Resolution, media: Resolution) -> PublishReport:
    apart = pl.col("outcome").is_in([HELD, ENDED])
    has_doi = specimens.rows.filter(pl.col("suffix").is_not_null() & ~apart)
    published = media.rows.filter(pl.col("suffix").is_not_null() & ~apart)
    return PublishReport(
        specimens=has_doi.filter(~pl.col("doi_only")).height,
        doi_only=has_doi.filter("doi_only").height,
        records=specimens.rows.height,
        held=specimens.count(HELD),
        ended=specimens.count(ENDED),
        waiting_quota=specimens.rows.filter(pl.col("suffix").is_null() & ~apart).height,
        media=published.height,
        new=has_doi.filter(pl.col("outcome") == NEW).height,
        changed=has_doi.filter(pl.col("outcome").is_in(["changed", "returned"])).height,
        unchanged=has_doi.filter(pl.col("outcome") == "unchanged").height,
        missing=specimens.missing.height,
        media_versions={
            "new": published.filter(pl.col("outcome") == NEW).height,
            "changed": published.filter(pl.col("outcome").is_in(["changed", "returned"])).height,
            "unchanged": published.filter(pl.col("outcome").is_in(["unchanged", "shared"])).height,
            "missing": media.missing.height,
        },
    )


def _data_version(connection: Connection, slug: str) -> str:
    content = ContentVersion()
    for kind in ("specimen", "media"):
        for current in objects.current_states(connection, slug, kind):
            content.add(kind, current.select(fingerprint(current.columns).alias("f"))["f"])
    return content.hexdigest()
