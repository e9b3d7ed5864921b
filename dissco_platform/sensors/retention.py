"""Which versions in the store nothing needs any more: the retention sweep.

Kept are, of each stage and dataset, the version that its latest materialisation names, the newest others up to the number that
`DISSCO_KEEP_VERSIONS` says, and the documents that kept tables refer to. Downloads and published documents are never swept:
the first are what everything can be made from again, the second are what DOIs lead to. Of checklists, the indexes kept are that
in use, those that datasets are pinned to or have their names from, that of the release previewed last, and the newest others.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from dissco_platform.assets.pinned import CHECKLIST
from dissco_platform.assets.recording import Recorded, latest
from dissco_platform.registry.datasets import chosen_datasets
from dissco_platform.registry.pins import CHECKLIST as CHECKLIST_PIN
from dissco_platform.registry.pins import MAPPING, pinned_versions
from dissco_platform.registry.releases import noticed_releases
from dissco_platform.resources import DatasetStoreResource, RegistryResource
from dissco_platform.sensors.requesting import datasets_in_flight, other_runs_in_flight
from dissco_platform.sensors.standing import read_recorded
from dissco_platform.store import DatasetStore

_STAGES = ("parsed_records", "taxon_harmonised", "mapping", "digital_specimens")
# Resolved mappings are small, and what one can be rolled back to.
MAPPINGS_KEPT = 50
_TABLES_WITH_BATCHES = ("specimens.parquet", "media.parquet")


class SweepConfig(dg.Config):
    """How much to keep, and of what."""

    datasets: list[str] = Field(default_factory=list, description="Datasets to sweep (default: all)")
    keep: int | None = Field(None, ge=1, description="Versions of each table (default: DISSCO_KEEP_VERSIONS)")
    dry_run: bool = Field(False, description="Only count what would go")


class Retention(dg.ConfigurableResource[Any]):
    """The house's own answer to how much is kept."""

    keep_versions: int


def sweep_dataset(
    store: DatasetStore,
    slug: str,
    current: Mapping[str, Recorded],
    keep: int,
    *,
    dry_run: bool = False,
    pinned_mapping: str | None = None,
) -> dict[str, list[str]]:
    """Remove what nothing needs of one dataset; return the removed versions by stage. No run of it may be in flight."""
    removed = {}
    for stage in _STAGES:
        if stage not in current:  # never finished: what is there belongs to a run that a person may still look at
            continue
        newest = max(keep, MAPPINGS_KEPT) if stage == "mapping" else keep
        kept = {current[stage].data_version, *(version.name for version in store.versions(stage, slug)[:newest])}
        if stage == "mapping" and pinned_mapping is not None:
            kept.add(pinned_mapping)
        removed[stage] = _remove(store, stage, slug, kept, dry_run=dry_run)
    if "digital_specimens" in current:
        gone = set(removed["digital_specimens"])
        left = [version.name for version in store.versions("digital_specimens", slug) if version.name not in gone]
        batches = _batches(store.path("digital_specimens", slug, name) for name in left)
        removed["documents"] = _remove(store, "documents", slug, batches, dry_run=dry_run)
    return {stage: versions for stage, versions in removed.items() if versions}


def _remove(store: DatasetStore, stage: str, slug: str, kept: Collection[str], *, dry_run: bool) -> list[str]:
    if not dry_run:
        return store.sweep(stage, slug, set(kept))
    return sorted({version.name for version in store.versions(stage, slug)} - set(kept))


def _batches(versions: Iterable[Path]) -> set[str]:
    """Return the builds whose documents the tables of these versions refer to."""
    found: set[str] = set()
    for version in versions:
        for name in _TABLES_WITH_BATCHES:
            if (version / name).exists():
                found |= set(pl.scan_parquet(version / name).select("batch").unique().collect()["batch"].to_list())
    return found


def checklists_needed(
    in_use: Recorded | None, recorded: Iterable[Mapping[str, Recorded]], others: Iterable[str | None]
) -> set[str]:
    """Return the versions of the checklist's index that are in use, that datasets have their names from, and `others`."""
    harmonised = (current["taxon_harmonised"] for current in recorded if "taxon_harmonised" in current)
    named = {made.made_from.get("catalogue_of_life") for made in harmonised}
    return {version for version in (in_use and in_use.data_version, *named, *others) if version}


@dg.op(
    description="Removes versions of intermediate tables that nothing needs any more; datasets with a run are left out."
)
def sweep_store(
    context: dg.OpExecutionContext,
    config: SweepConfig,
    registry: RegistryResource,
    store: DatasetStoreResource,
    retention: Retention,
) -> None:
    """Sweep all datasets."""
    files = store.store()
    total = 0
    with registry.opened() as known:
        with known.read() as connection:
            slugs = chosen_datasets(connection, config.datasets)
            pinned = pinned_versions(connection, MAPPING)
            held = [*pinned_versions(connection, CHECKLIST_PIN).values()]
            previewed = next((one.version for one in noticed_releases(connection) if one.version), None)
        recorded = read_recorded(context.instance, known, slugs)
    for slug, current in sorted(recorded.items()):
        if slug in datasets_in_flight(context.instance, datetime.now(UTC)):
            context.log.info(f"{slug} has a run in flight: left as it is")
            continue
        removed = sweep_dataset(
            files,
            slug,
            current,
            config.keep or retention.keep_versions,
            dry_run=config.dry_run,
            pinned_mapping=pinned.get(slug),
        )
        total += sum(map(len, removed.values()))
        for stage, versions in removed.items():
            context.log.info(f"{slug}: {len(versions)} of {stage}{' would go' if config.dry_run else ''}")
    if config.datasets:  # who names datasets means no checklist
        context.log.debug("checklists are left as they are")
    elif other_runs_in_flight(context.instance, context.run_id, datetime.now(UTC)):
        context.log.info("a run that may build or read a checklist is in flight: checklists are left as they are")
    else:
        in_use = latest(context.instance, "catalogue_of_life", None)
        needed = checklists_needed(in_use, recorded.values(), [*held, previewed])
        newest = files.versions("catalogue_of_life", CHECKLIST)[: config.keep or retention.keep_versions]
        needed |= {version.name for version in newest}
        gone = _remove(files, "catalogue_of_life", CHECKLIST, needed, dry_run=config.dry_run)
        total += len(gone)
        context.log.info(f"checklists: {len(gone)} indexes{' would go' if config.dry_run else ''}")
    context.add_output_metadata({"versions_removed": 0 if config.dry_run else total, "versions_found": total})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Remove versions of intermediate tables that nothing needs any more (`dry_run` only counts them). Downloads and "
    "published documents stay.",
)
def retention_sweep() -> None:
    """Sweep the store."""
    sweep_store()
