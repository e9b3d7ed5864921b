"""Jobs for people and for automation: the parts of the chain that are run together, for one, several or all datasets."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from dissco_platform.assets.partitions import DEPENDENCIES, UNPARTITIONED, below
from dissco_platform.resources import DatasetStoreResource, DoiService, RegistryResource
from dissco_platform.sensors.retention import retention_sweep

_CHAIN = [asset for asset in DEPENDENCIES if asset not in UNPARTITIONED]


def _job(name: str, assets: set[str], description: str) -> UnresolvedAssetJobDefinition:
    selection = [asset for asset in _CHAIN if asset in assets]
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*selection),
        description=description,
        executor_def=dg.in_process_executor,
    )


bring_up_to_date = _job(
    "bring_up_to_date",
    set(_CHAIN),
    "The whole chain. The reconciler and the weekly schedule start it with exactly the assets that are out of date; "
    "started by hand, steps whose inputs are unchanged do no work.",
)
harvest = _job("harvest", {"raw_archive", "parsed_records"}, "Fetch the archive if it changed, and read it.")
reharmonise = _job(
    "reharmonise", below({"taxon_harmonised"}), "Match names with the checklist in use again, and all that follows."
)
remap = _job("remap", below({"mapping"}), "Resolve the mapping again, and all that follows from a change.")
reregister = _job("reregister", {"registered_dois"}, "Publish what was built, and tell DataCite what it does not know.")

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


@dg.op(description="Sends what the outbox holds for all datasets to the DOI service, within its rate limit.")
def drain_outbox(
    context: dg.OpExecutionContext, registry: RegistryResource, store: DatasetStoreResource, doi_service: DoiService
) -> None:
    """Tell DataCite what is queued."""
    with registry.opened() as known, doi_service.running() as service:
        service.check()
        report = service.drain(known, store.store(), None, lambda what, count: None)
    context.log.info(f"{report.written} DOIs written")
    context.add_output_metadata({"written": report.written})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Register the DOIs that wait, of all datasets; nothing else is run.",
)
def drain_dois() -> None:
    """Drain the outbox."""
    drain_outbox()


JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
    bring_up_to_date,
    harvest,
    reharmonise,
    remap,
    reregister,
    drain_dois,
    preview_release,
    adopt_release,
    retention_sweep,
]
