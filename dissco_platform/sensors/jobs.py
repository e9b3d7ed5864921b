"""Jobs for people and for automation: the parts of the chain that are run together, for one, several or all datasets."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field
from sqlalchemy import Connection

from dissco_platform.assets.partitions import DEPENDENCIES, UNPARTITIONED, below
from dissco_platform.assets.recording import FORCE_TAG
from dissco_platform.identity.datacite.pace import WINDOW_SECONDS
from dissco_platform.registry.datasets import chosen_datasets
from dissco_platform.registry.outbox import dead_letters
from dissco_platform.registry.watch import queued_dois
from dissco_platform.resources import DatasetStoreResource, DoiService, RegistryResource
from dissco_platform.sensors.retention import retention_sweep

# Whatever drains the outbox apart from a dataset's own run; give the pool a limit of 1 where several machines run jobs.
DATACITE_POOL = "datacite"

_CHAIN = [asset for asset in DEPENDENCIES if asset not in UNPARTITIONED]

# Job → the assets of a dataset that it makes, and what it is for.
CHAIN_JOBS: dict[str, tuple[set[str], str]] = {
    "bring_up_to_date": (
        set(_CHAIN),
        "The whole chain. The reconciler and the weekly schedule start it with exactly the assets that are out of date; "
        "started by hand, steps whose inputs are unchanged do no work.",
    ),
    "harvest": ({"raw_archive", "parsed_records"}, "Fetch the archive if it changed, and read it."),
    "reharmonise": (
        below({"taxon_harmonised"}),
        "Match names with the checklist in use again, and all that follows. No work where nothing changed.",
    ),
    "remap": (
        below({"mapping"}),
        "Resolve the mapping again, and all that follows from a change. No work where nothing changed.",
    ),
    "reregister": ({"registered_dois"}, "Publish what was built, and tell DataCite what it does not know."),
    "full_rebuild": (
        set(_CHAIN),
        "Everything anew from the source, whatever is recorded: download, read, match, render, compare. For doubts about "
        "what is there. Specimens whose content comes out the same get no new version.",
    ),
}


def selection_of(job: str) -> list[str]:
    """Return the assets that a job of the chain makes, in the chain's order."""
    return [asset for asset in _CHAIN if asset in CHAIN_JOBS[job][0]]


def tags_of(job: str) -> dict[str, str]:
    """Return the tags that a job gives to its runs."""
    return {FORCE_TAG: "true"} if job == "full_rebuild" else {}


def _job(name: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*selection_of(name)),
        description=f"{CHAIN_JOBS[name][1]} For one, several or all datasets: Materialize → partitions.",
        tags=tags_of(name),
        executor_def=dg.in_process_executor,
    )


bring_up_to_date = _job("bring_up_to_date")
preview_release = dg.define_asset_job(
    "preview_release",
    selection=["next_checklist"],
    description="Build a noticed release of the checklist beside the one in use, and show what it would change. Changes nothing.",
    executor_def=dg.in_process_executor,
)
adopt_release = dg.define_asset_job(
    "adopt_release",
    selection=["catalogue_of_life"],
    description="Take a release of the checklist into use (`release` in the configuration). Names of every dataset that is "
    "not pinned are then out of date, and the reconciler brings them up to date.",
    executor_def=dg.in_process_executor,
)


class DrainConfig(dg.Config):
    """Whose DOIs."""

    datasets: list[str] = Field(default_factory=list, description="Datasets whose DOIs are registered (default: all)")


@dg.op(
    pool=DATACITE_POOL,
    description="Sends what the outbox holds (of the named datasets, or of all) to the DOI service, within its rate limit.",
)
def drain_outbox(
    context: dg.OpExecutionContext,
    config: DrainConfig,
    registry: RegistryResource,
    store: DatasetStoreResource,
    doi_service: DoiService,
) -> None:
    """Tell DataCite what is queued; each dataset's totals are observations of its `registered_dois`."""
    with registry.opened() as known, doi_service.running() as service:
        service.check()
        with known.read() as connection:
            chosen: list[str | None] = (
                [*sorted(chosen_datasets(connection, config.datasets))] if config.datasets else [None]
            )
            before = queued_dois(connection, time.time())
        written = sum(service.drain(known, store.store(), slug, lambda what, count: None).written for slug in chosen)
        with known.read() as connection:
            after = queued_dois(connection, time.time())
            for slug in sorted(before):
                context.log_event(_observation(connection, slug, before[slug][0], after, service.limit))
    context.log.info(f"{written} DOIs written")
    context.add_output_metadata({"written": written})


def _observation(
    connection: Connection, slug: str, queued: int, after: Mapping[str, tuple[int, bool]], limit: int | None
) -> dg.AssetObservation:
    """Return how far the DOIs of a dataset are, and when the last one will be sent at the configured pace."""
    waiting = after.get(slug, (0, False))[0]
    metadata: dict[str, int | str | dg.MetadataValue] = {
        "dois_sent": queued - waiting,
        "dois_waiting": waiting,
        "dois_refused": len(dead_letters(connection, slug)),
    }
    everything = sum(count for count, _ in after.values())
    if limit and waiting:
        end = datetime.now(UTC) + timedelta(seconds=everything / limit * WINDOW_SECONDS)
        metadata["expected_end"] = dg.MetadataValue.timestamp(end.timestamp())
    return dg.AssetObservation("registered_dois", partition=slug, metadata=metadata)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Register the DOIs that wait (of all datasets, or those that the configuration names); nothing else is run.",
)
def drain_dois() -> None:
    """Drain the outbox."""
    drain_outbox()


JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
    bring_up_to_date,
    *(_job(name) for name in CHAIN_JOBS if name != "bring_up_to_date"),
    drain_dois,
    preview_release,
    adopt_release,
    retention_sweep,
]
