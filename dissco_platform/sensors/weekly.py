"""The weekly schedule: the net below the sensors. Every active dataset that is not known to be up to date gets one run.

Known to be up to date: nothing is stale, and its source was looked at within the week. Such a dataset costs no run. One
that automation gave up, whose source was out of reach, or that no sensor looked at, is tried once more.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from dissco_platform.assets.partitions import UNPARTITIONED, below, datasets
from dissco_platform.errors import UsageError
from dissco_platform.resources import DatasetStoreResource, DoiService, MappingFiles, RegistryResource
from dissco_platform.sensors.jobs import bring_up_to_date
from dissco_platform.sensors.looking import WEEK
from dissco_platform.sensors.requesting import CAUSE_TAG, TARGET_TAG, TRIGGER_TAG, datasets_in_flight, place_tags
from dissco_platform.sensors.standing import Standing, read_standings

_WHOLE_CHAIN = sorted(below({"raw_archive", "mapping"}) - UNPARTITIONED)
# A look that is due within the hour is as good as one that was made.
_GRACE = timedelta(hours=1)


def weekly_requests(standings: list[Standing], in_flight: set[str], moment: datetime) -> list[dg.RunRequest]:
    """Return one run for each dataset that is not known to be up to date."""
    year, week, _ = moment.isocalendar()
    requests = []
    for standing in standings:
        looked = standing.dataset.checked
        seen = looked is not None and datetime.fromisoformat(looked) > moment - WEEK - _GRACE
        if standing.slug in in_flight or standing.error or (seen and not standing.plan.causes):
            continue
        causes = [standing.plan.cause] if standing.plan.causes else []
        if not seen:
            causes.append(f"source not seen since {looked or 'ever'}")
        selection = standing.plan.selection if seen else _WHOLE_CHAIN
        requests.append(
            dg.RunRequest(
                run_key=f"weekly-{year}-{week:02}-{standing.slug}",
                partition_key=standing.slug,
                asset_selection=[dg.AssetKey(asset) for asset in selection],
                tags={
                    CAUSE_TAG: "; ".join(causes)[:500],
                    TARGET_TAG: standing.target,
                    TRIGGER_TAG: "weekly",
                    PRIORITY_TAG: "-1",  # whatever else was asked for goes first
                    **place_tags(standing, selection),
                },
            )
        )
    return requests


@dg.schedule(
    job=bring_up_to_date,
    cron_schedule="0 2 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sundays, 02:00 UTC: one run for every active dataset that is not known to be up to date, each on its own, "
    "so that a failure of one delays no other. Datasets seen unchanged within the week cost nothing.",
)
def weekly(
    context: dg.ScheduleEvaluationContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    mapping_files: MappingFiles,
    doi_service: DoiService,
) -> list[dg.RunRequest] | dg.SkipReason:
    """Ask for the week's runs."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    with registry.opened() as known:
        try:
            in_flight = datasets_in_flight(context.instance, moment)
            standings = read_standings(
                context.instance,
                known,
                store.store(),
                mapping_files.path(),
                tombstone_after=doi_service.tombstone_after,
                yearly_quota=doi_service.yearly_quota,
            )
        except UsageError as error:
            return dg.SkipReason(str(error))
    context.instance.add_dynamic_partitions(str(datasets.name), [standing.slug for standing in standings])
    requests = weekly_requests(standings, in_flight, moment)
    return requests or dg.SkipReason(f"all {len(standings)} datasets were seen within the week and are up to date")
