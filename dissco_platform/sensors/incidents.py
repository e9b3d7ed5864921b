"""Failed runs of datasets: the failing step's own sentence goes to the registry and to a notifier.

The registry shows it (dataset overview, command line) until the dataset is up to date again; a notifier tells people at once.
"""

from collections.abc import Sequence

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from dissco_platform.registry.datasets import list_datasets
from dissco_platform.registry.engine import now
from dissco_platform.registry.watch import set_watch
from dissco_platform.resources import RegistryResource
from dissco_platform.sensors.notifying import Notice, Notifier
from dissco_platform.sensors.requesting import CAUSE_TAG


def sentence(events: Sequence[dg.DagsterEvent]) -> tuple[str, str] | None:
    """Return the step and the sentence of the first failure among a run's events, or None."""
    for event in events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return event.step_key or "", str(failure.user_failure_data.description)
        if failure.error is not None:
            error = failure.error.cause or failure.error
            return event.step_key or "", f"unexpected error, a defect of this software: {error.message.strip()}"
    return None


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes the sentence of a failed run beside its dataset and tells the notifier.",
)
def incidents(context: dg.RunFailureSensorContext, registry: RegistryResource, notifier: Notifier) -> None:
    """Record one failed run."""
    run = context.dagster_run
    slug = run.tags.get(PARTITION_NAME_TAG)
    if slug is None:
        return
    step, said = sentence(context.get_step_failure_events()) or (
        "",
        context.failure_event.message or "the run ended before its first step",
    )
    notice = Notice(
        "failed run",
        slug,
        now(),
        said,
        run_id=run.run_id,
        step=step,
        cause=run.tags.get(CAUSE_TAG, ""),
        link=notifier.run_link(run.run_id),
    )
    with registry.opened() as known, known.write() as connection:
        if any(dataset.slug == slug for dataset in list_datasets(connection)):
            set_watch(connection, slug, run_failed=notice.time, run_id=run.run_id, run_failure=said)
    notifier.notify_all([notice], context.log.warning)
