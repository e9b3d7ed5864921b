"""One publication: content of a build becomes versions of digital objects, and DataCite's share of it is queued.

In order, so that a kill at any point loses and doubles nothing:

1. `resolve`: what is new, changed, missing;
2. mint: one transaction reserves DOIs (and quota) for what is new; a repeated run finds them again by their key;
3. write: stamped documents and DataCite payloads go into part files of the store, which nobody refers to yet;
4. commit: one transaction adds the parts, makes the versions current and queues the outbox.

Registering with DataCite follows in `datacite.drain`. What `specimens.parquet` and `media.parquet` hold is defined by
`opends.build`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from sqlalchemy import Connection

from dissco_platform.errors import RegistryError
from dissco_platform.identity.parts import PartWriter, Rules
from dissco_platform.identity.reserve import reserve
from dissco_platform.identity.resolve import HELD, NEW, PUBLISHED, Resolution, resolve
from dissco_platform.identity.tombstones import VanishingRules, due
from dissco_platform.provenance import ContentVersion, fingerprint
from dissco_platform.registry import Registry, objects, vanished
from dissco_platform.registry.datasets import Dataset, get_dataset, set_latest
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import version
from dissco_platform.store import DatasetStore

Progress = Callable[[str, int], None]

# Which input's change makes which cause; the keys are those of `made_from`.
CAUSES = {"archive": "source", "release": "names", "mapping": "mapping", "code": "code"}

# Columns of a build that DataCite's record of an object shows.
VISIBLE = (
    "normalisedPhysicalSpecimenID",
    "catalogNumber",
    "physicalSpecimenID",
    "specimen_name",
    "licence",
    "topicDiscipline",
    "topicDomain",
    "topicCategory",
    "accessURI",
    "media_type",
    "format",
    "rights_holder",
)


@dataclass
class PublishReport:
    """Counts of one publication; `data_version` is the content version of the dataset's identities and versions."""

    data_version: str = ""
    specimens: int = 0
    doi_only: int = 0
    held: int = 0
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
    specimens = _incoming(build / "specimens.parquet", "normalisedPhysicalSpecimenID", "media_keys")
    media = _incoming(build / "media.parquet", None, "specimen_ids", organisation=dataset.organisation_id)
    media_key = pl.concat_str([pl.lit(dataset.organisation_id + " "), pl.element()])
    specimens = specimens.with_columns(pl.col("targets").list.eval(media_key))

    with registry.read() as connection:
        specimen_state = _resolve(connection, dataset, "specimen", specimens)
        held_keys = specimen_state.rows.filter(pl.col("outcome") == HELD)["identity_key"]
        media = _without_held(media, held_keys)
        media_state = _resolve(connection, dataset, "media", media)

    specimen_state, media_state = reserve(registry, dataset, specimen_state, media_state, rules)
    suffixes = {
        "specimen": specimen_state.rows.select("identity_key", "suffix"),
        "media": media_state.rows.select("identity_key", "suffix"),
    }

    moment = now()
    cause = _cause(dataset, made_from)
    writer = PartWriter(store, rules, dataset, moment, progress)
    for state, other in ((specimen_state, "media"), (media_state, "specimen")):
        changed = state.rows.filter(pl.col("outcome").is_in(PUBLISHED) & pl.col("suffix").is_not_null())
        writer.write(state.kind, _with_links(changed, suffixes[other]))
    report = _report(specimen_state, media_state)
    harvested = dataset.summary.get("made_from", {}).get("archive") != made_from.get("archive")
    with registry.read() as connection:
        ending = _ending(connection, dataset, specimen_state, media_state, harvested, rules.vanishing, report)
    for kind, rows in ending.items():
        writer.write_tombstones(kind, rows)
    writer.keep()
    with registry.write() as connection:
        _commit(connection, dataset, specimen_state, media_state, writer, moment, cause, made_from, harvested, report)
        report.data_version = _data_version(connection, dataset.slug)
        summary: dict[str, Any] = {
            "made_from": made_from,
            "published": moment,
            "data_version": report.data_version,
            # What may be minted once there is quota or a grant for it; automation compares it with the allowance.
            "waiting": _waiting(specimen_state) + _waiting(media_state),
        }
        set_latest(connection, dataset.slug, {**dataset.summary, **summary})
    return report


def _incoming(path: Path, key: str | None, targets: str, organisation: str = "") -> pl.DataFrame:
    """Read a build's table; `identity_key` and `targets` (keys of linked objects) get their common names."""
    frame = pl.read_parquet(path)
    identity = pl.col(key) if key else pl.concat_str([pl.lit(organisation + " "), pl.col("media_key")])
    frame = frame.with_columns(
        identity.alias("identity_key"), pl.col(targets).alias("targets"), pl.col("content_hash").alias("document_hash")
    )
    # What an object shows of its links is part of its content: a medium that a second specimen uses has changed.
    # A DOI-only object has no document; what DataCite shows of it is all that can change.
    links = pl.col("targets").list.sort().list.join("\x1e")
    visible = fingerprint([pl.col(name) for name in VISIBLE if name in frame.columns] + [links])
    linked = pl.when("doi_only").then(visible).otherwise(fingerprint(["content_hash", links]))
    return frame.with_columns(linked.alias("content_hash"))


def _resolve(connection: Connection, dataset: Dataset, kind: str, incoming: pl.DataFrame) -> Resolution:
    own = objects.current_objects(connection, dataset.slug, kind)
    strangers = incoming.join(own.select("identity_key"), on="identity_key", how="anti")["identity_key"]
    return resolve(kind, incoming, own, objects.objects_by_key(connection, kind, strangers))


def _without_held(media: pl.DataFrame, held_keys: pl.Series) -> pl.DataFrame:
    if held_keys.is_empty():
        return media
    targets = pl.col("targets").list.set_difference(pl.lit(held_keys.implode()))
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


def _cause(dataset: Dataset, made_from: dict[str, str]) -> str:
    """Return the causes of this publication's changes: which inputs differ from the last one's."""
    before = dataset.summary.get("made_from", {})
    causes = [cause for name, cause in CAUSES.items() if before and before.get(name) != made_from.get(name)]
    return ",".join(causes) or "source"


def _commit(
    connection: Connection,
    dataset: Dataset,
    specimens: Resolution,
    media: Resolution,
    writer: PartWriter,
    moment: str,
    cause: str,
    made_from: dict[str, str],
    harvested: bool,
    report: PublishReport,
) -> None:
    latest = get_dataset(connection, dataset.slug).latest
    if latest != dataset.latest:
        raise RegistryError(
            f"Another process published {dataset.slug} while this one was working; nothing was changed, run again."
        )
    ids = objects.add_batches(
        connection, dataset.slug, writer.paths, moment, orjson.dumps(made_from, option=orjson.OPT_SORT_KEYS).decode()
    )
    written = writer.frame().with_columns(
        pl.col("path").replace_strict(ids, return_dtype=pl.Int64, default=None).alias("batch_id")
    )
    objects.insert_rows(
        connection,
        version,
        written.select(
            pl.col("id").alias("object_id"),
            "version",
            "batch_id",
            "content_hash",
            pl.lit(moment).alias("created"),
            pl.when("tombstone")
            .then(pl.lit("vanished"))
            .when(pl.col("version") == 1)
            .then(pl.lit("new"))
            .otherwise(pl.lit(cause))
            .alias("cause"),
        ),
    )
    visible = written.filter(pl.col("visible_hash") != pl.col("old_visible").fill_null(""))
    objects.update_objects(
        connection,
        written.select(
            "id",
            "version",
            "content_hash",
            "visible_hash",
            "doi_only",
            pl.lit(moment).alias("modified"),
            pl.when("tombstone").then(pl.lit("tombstoned")).otherwise(pl.lit("active")).alias("state"),
            pl.lit(0).alias("missed"),
        ),
    )
    objects.update_objects(
        connection, visible.filter(pl.col("version") == 1).select("id", pl.lit("pending").alias("doi_state"))
    )
    lane = pl.when("tombstone").then(0).when(pl.col("version") == 1).then(1).otherwise(2)
    objects.replace_outbox(connection, visible.with_columns(lane.alias("lane"), dataset=pl.lit(dataset.slug)))
    report.queued = visible.height
    report.tombstoned = written.filter("tombstone").height
    vanished.record(connection, dataset.slug, report.missing, report.unconfirmed)
    for state in (specimens, media):
        objects.update_objects(
            connection,
            state.missing.join(written, on="id", how="anti").select(
                "id", pl.lit("missing").alias("state"), (pl.col("missed") + int(harvested)).alias("missed")
            ),
        )
        back = state.rows.filter((pl.col("state") == "missing") & ~pl.col("outcome").is_in(PUBLISHED))
        objects.update_objects(
            connection, back.select("id", pl.lit("active").alias("state"), pl.lit(0).alias("missed"))
        )
    objects.replace_held(
        connection,
        dataset.slug,
        (
            {
                "dataset": dataset.slug,
                "identity_key": row["identity_key"],
                "reason": "identifier_of_another_dataset",
                "message": f"{row['identity_key']} is a specimen of the dataset {row['owner']} already.",
                "since": moment,
            }
            for row in specimens.rows.filter(pl.col("outcome") == HELD).select("identity_key", "owner").to_dicts()
        ),
    )


def _ending(
    connection: Connection,
    dataset: Dataset,
    specimens: Resolution,
    media: Resolution,
    harvested: bool,
    rules: VanishingRules,
    report: PublishReport,
) -> dict[str, pl.DataFrame]:
    """Return the missing objects that become tombstones now, by kind, with the part that holds their last version.

    None while too many specimens are missing for it to be believed without an operator's word.
    """
    missing = specimens.missing.height
    if (
        rules.is_mass(missing, specimens.rows.height + missing)
        and vanished.confirmed(connection, dataset.slug) < missing
    ):
        report.unconfirmed = missing
        return {}
    ending = {}
    for state in (specimens, media):
        rows = due(state.missing, harvested, rules)
        if rows.height:
            parts = objects.current_batches(connection, dataset.slug, state.kind).select("suffix", "path")
            ending[state.kind] = rows.join(parts, on="suffix", how="inner")
    return ending


def _waiting(state: Resolution) -> int:
    return state.rows.filter(pl.col("suffix").is_null() & (pl.col("outcome") == NEW)).height


def _report(specimens: Resolution, media: Resolution) -> PublishReport:
    has_doi = specimens.rows.filter(pl.col("suffix").is_not_null() & (pl.col("outcome") != HELD))
    published = media.rows.filter(pl.col("suffix").is_not_null())
    return PublishReport(
        specimens=has_doi.filter(~pl.col("doi_only")).height,
        doi_only=has_doi.filter("doi_only").height,
        held=specimens.count(HELD),
        waiting_quota=specimens.rows.filter(pl.col("suffix").is_null()).height,
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
        current = objects.current_objects(connection, slug, kind)
        if current.height:
            columns = ["identity_key", "suffix", "state", "was_doi_only", "version", "old_hash"]
            content.add(kind, current.select(fingerprint(columns).alias("f"))["f"])
    return content.hexdigest()
