"""The reconciler: a sensor that asks for the runs that are missing, and reports where every dataset stands."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dissco_platform.assets.partitions import datasets
from dissco_platform.errors import UsageError
from dissco_platform.identity.tombstones import VanishingRules
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.registry.engine import now
from dissco_platform.registry.watch import set_watches
from dissco_platform.resources import DatasetStoreResource, DoiService, MappingFiles, RegistryResource
from dissco_platform.sensors.jobs import bring_up_to_date
from dissco_platform.sensors.notifying import Notice, Notifier
from dissco_platform.sensors.overview import changed_overview, newly_asking, overview_event, overview_rows
from dissco_platform.sensors.requesting import Choice, Policy, choose, datasets_in_flight, run_histories
from dissco_platform.sensors.standing import Standing, read_standings
from dissco_platform.store import DatasetStore

POLICY = Policy()


@dataclass(frozen=True)
class Tick:
    """What one look over the whole house found and asks for."""

    standings: list[Standing]
    in_flight: set[str]
    choice: Choice


def reconcile(
    instance: dg.DagsterInstance,
    registry: Registry,
    store: DatasetStore,
    mappings: Path,
    *,
    moment: datetime | None = None,
    policy: Policy = POLICY,
    tombstone_after: int = VanishingRules.after,
    yearly_quota: int | None = None,
) -> Tick:
    """Compare everything and return the runs to ask for; failures that were made good are forgotten.

    Raises:
        UsageError: no checklist is in use.
    """
    moment = moment or datetime.now(UTC)
    # Runs in flight are read first: one that ends meanwhile is seen as ended with what it recorded, or still in flight.
    in_flight = datasets_in_flight(instance, moment)
    standings = read_standings(
        instance, registry, store, mappings, tombstone_after=tombstone_after, yearly_quota=yearly_quota
    )
    targets = [standing.target for standing in standings if standing.plan.causes and standing.slug not in in_flight]
    choice = choose(standings, in_flight, run_histories(instance, targets), moment, policy)
    mended = [
        standing
        for standing in standings
        if standing.watch.run_failure and not standing.plan.causes and not standing.error
    ]
    if mended:
        with registry.write() as connection:
            gone = {"run_failed": None, "run_id": None, "run_failure": None}
            set_watches(connection, [{"dataset": standing.slug, **gone} for standing in mended])
    return Tick(standings, in_flight, choice)


@dg.sensor(
    job=bring_up_to_date,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Compares what every dataset was made from with what holds now, and asks for one run a dataset of exactly "
    "what is out of date. Stateless: nothing is lost by a failed run, a stopped daemon or a reset cursor.",
)
def reconciler(
    context: dg.SensorEvaluationContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    mapping_files: MappingFiles,
    doi_service: DoiService,
    notifier: Notifier,
) -> dg.SensorResult | dg.SkipReason:
    """Ask for the runs that are missing."""
    began, moment = time.monotonic(), datetime.now(UTC)
    with registry.opened() as known:
        try:
            tick = reconcile(
                context.instance,
                known,
                store.store(),
                mapping_files.path(),
                moment=moment,
                tombstone_after=doi_service.tombstone_after,
                yearly_quota=doi_service.yearly_quota,
            )
        except UsageError as error:
            return dg.SkipReason(str(error))
        with known.read() as connection:
            others = [dataset for dataset in list_datasets(connection) if dataset.state != "active"]
    rows = overview_rows(tick.standings, others, tick.choice, tick.in_flight)
    cursor = changed_overview(context.cursor, rows, moment)
    notices = [
        Notice(
            "needs a person",
            row["dataset"],
            now(),
            ": ".join(filter(None, (row["cause"], row["failure"]))),
            link=notifier.dataset_link("raw_archive", row["dataset"]),
        )
        for row in newly_asking(context.cursor, rows)
    ]
    notifier.notify_all(notices, context.log.warning)
    partitions = set(context.instance.get_dynamic_partitions(str(datasets.name)))
    fresh = [standing.slug for standing in tick.standings if standing.slug not in partitions]
    if fresh:
        # Not as a request of the result: Dagster 1.13 checks a run's partition before it has added it.
        context.instance.add_dynamic_partitions(str(datasets.name), fresh)
    choice = tick.choice
    for slug, reason in [*choice.given_up.items(), *choice.waiting.items()]:
        context.log.info(f"{slug}: {reason}")
    return dg.SensorResult(
        run_requests=choice.requests,
        skip_reason=None if choice.requests else dg.SkipReason(_summary(tick)),
        asset_events=[overview_event(rows, time.monotonic() - began)] if cursor else [],
        cursor=cursor or context.cursor,
    )


def _summary(tick: Tick) -> str:
    stale = sum(bool(standing.plan.causes) for standing in tick.standings)
    return (
        f"{len(tick.standings)} datasets: {len(tick.standings) - stale} up to date, {stale} stale "
        f"({len(tick.choice.waiting)} wait, {len(tick.choice.given_up)} need a person)"
    )
