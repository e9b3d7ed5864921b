"""Which runs to ask for: one a dataset, never two at once, not sooner than a failure allows, at most so many a tick.

Pure but for reading Dagster's runs: everything follows from what is stale now and from which runs there are, so a tick
that was killed, a lost cursor or a second daemon changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES, DagsterRunStatus
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX, PARTITION_NAME_TAG, PRIORITY_TAG

from dissco_platform.sensors.standing import Standing

CAUSE_TAG = "cause"
TARGET_TAG = f"{HIDDEN_TAG_PREFIX}dissco_target"  # a digest: not for people
TRIGGER_TAG = "trigger"
# What `deploy/production/dagster.yaml` limits per publisher's server, and which workers take a run.
HOST_TAG = "dissco/host"
QUEUE_TAG = "dagster-celery/queue"
# Runs of datasets of this size take hours and gigabytes: they go to workers of their own and delay nobody.
LARGE_QUEUE = "large"
LARGE_RECORDS = 2_000_000

# A run that says nothing for longer has lost its process (a command that was killed); Dagster itself never ends it.
LONGEST_RUN = timedelta(hours=24)


@dataclass(frozen=True)
class Policy:
    """How eagerly runs are asked for."""

    at_once: int = 25  # requests a tick
    in_flight: int = 100  # runs queued or going on
    attempts: int = 8  # failed runs towards one target before a person has to look: three and a half days
    first_pause: timedelta = timedelta(minutes=5)
    factor: int = 4
    longest_pause: timedelta = timedelta(hours=24)

    def pause(self, attempts: int) -> timedelta:
        """Return how long to wait after so many runs towards one target."""
        longer: int = self.factor ** min(max(attempts - 1, 0), 10)
        return min(self.first_pause * longer, self.longest_pause)


@dataclass(frozen=True)
class History:
    """Finished runs towards one target."""

    failed: int = 0
    succeeded: int = 0
    ended: float = 0.0  # the last one's end, seconds since the epoch


@dataclass(frozen=True)
class Choice:
    """What a tick asks for, and why the other stale datasets wait (slug → reason)."""

    requests: list[dg.RunRequest]
    waiting: dict[str, str]
    given_up: dict[str, str]


def choose(
    standings: Sequence[Standing],
    in_flight: Collection[str],
    histories: Mapping[str, History],
    moment: datetime,
    policy: Policy,
    *,
    trigger: str = "reconciler",
) -> Choice:
    """Return the runs to ask for now.

    Args:
        standings: where the datasets stand.
        in_flight: datasets with a run queued or going on.
        histories: finished runs by target.
        moment: now, with its time zone.
        policy: limits and pauses.
        trigger: who asks, for the run's tag.
    """
    waiting: dict[str, str] = {}
    given_up: dict[str, str] = {}
    ready: list[tuple[int, int, Standing]] = []
    for standing in standings:
        slug, history = standing.slug, histories.get(standing.target, History())
        if standing.error is not None:
            given_up[slug] = standing.error
        elif not standing.plan.causes:
            continue
        elif slug in in_flight:
            waiting[slug] = "a run is in flight"
        elif history.failed >= policy.attempts:
            given_up[slug] = f"given up after {history.failed} failed runs"
        else:
            # A target that was reached and is asked for again is slowed down as well: two sides may disagree for ever.
            # Only DOIs that wait for the service's rate limit come back as often as they like.
            drains = set(standing.plan.causes) == {"registered_dois"} and not history.failed
            due = history.ended + policy.pause(1 if drains else history.failed or history.succeeded).total_seconds()
            if history.ended and moment.timestamp() < due:
                again = datetime.fromtimestamp(due, moment.tzinfo)
                waiting[slug] = f"attempt {history.failed + history.succeeded + 1} from {again:%Y-%m-%d %H:%M}"
            else:
                ready.append((-priority(standing), history.failed, standing))
    ready.sort(key=lambda item: (item[0], item[1], item[2].slug))
    room = max(0, min(policy.at_once, policy.in_flight - len(in_flight)))
    for _, _, standing in ready[room:]:
        waiting[standing.slug] = "its turn comes in a later tick"
    requests = [
        request(standing, histories.get(standing.target, History()), trigger) for _, _, standing in ready[:room]
    ]
    return Choice(requests, waiting, given_up)


def request(standing: Standing, history: History, trigger: str) -> dg.RunRequest:
    """Return the run that brings a dataset up to date: what is stale and all below it."""
    attempt = history.failed + history.succeeded
    return dg.RunRequest(
        run_key=f"{standing.slug}:{standing.target[:16]}:{standing.position[:16]}:{attempt}",
        partition_key=standing.slug,
        asset_selection=[dg.AssetKey(asset) for asset in standing.plan.selection],
        tags={
            CAUSE_TAG: standing.plan.cause[:500],
            TARGET_TAG: standing.target,
            TRIGGER_TAG: trigger,
            PRIORITY_TAG: str(priority(standing)),
            **place_tags(standing, standing.plan.selection),
        },
    )


def place_tags(standing: Standing, selection: Collection[str]) -> dict[str, str]:
    """Return the tags by which a production layout decides where a run goes, and how many ask one server at once."""
    tags = {}
    if "raw_archive" in selection and (host := urlsplit(standing.dataset.source).hostname):
        tags[HOST_TAG] = host
    parsed = standing.found.get("parsed_records")
    if parsed is not None and parsed.number("records") >= LARGE_RECORDS:
        tags[QUEUE_TAG] = LARGE_QUEUE
    return tags


def priority(standing: Standing) -> int:
    """Return the run's place in the queue: what concerns one dataset goes before what concerns them all."""
    causes = standing.plan.causes.values()
    if any(cause.startswith(("never made", "upstream", "source")) for cause in causes):
        return 2
    if all(cause.startswith(("col ", "catalogue_of_life ", "code ")) for cause in causes):
        return 0
    return 1


def datasets_in_flight(instance: dg.DagsterInstance, moment: datetime) -> set[str]:
    """Return the datasets with a run queued or going on."""
    records = instance.get_run_records(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    oldest = moment - LONGEST_RUN
    return {
        slug
        for record in records
        if (slug := record.dagster_run.tags.get(PARTITION_NAME_TAG))
        and (record.dagster_run.status == DagsterRunStatus.QUEUED or record.update_timestamp > oldest)
    }


def other_runs_in_flight(instance: dg.DagsterInstance, run_id: str, moment: datetime) -> bool:
    """Return whether any run but this one is queued or going on."""
    records = instance.get_run_records(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    oldest = moment - LONGEST_RUN
    return any(
        record.dagster_run.run_id != run_id
        and (record.dagster_run.status == DagsterRunStatus.QUEUED or record.update_timestamp > oldest)
        for record in records
    )


def run_histories(instance: dg.DagsterInstance, targets: Sequence[str]) -> dict[str, History]:
    """Return the finished runs towards each target, in one query."""
    if not targets:
        return {}
    records = instance.get_run_records(
        dg.RunsFilter(tags={TARGET_TAG: list(targets)}, statuses=list(FINISHED_STATUSES))
    )
    histories: dict[str, History] = {}
    for record in records:
        target = record.dagster_run.tags[TARGET_TAG]
        before = histories.get(target, History())
        success = record.dagster_run.status == DagsterRunStatus.SUCCESS
        ended = record.end_time or record.update_timestamp.timestamp()
        histories[target] = History(before.failed + (not success), before.succeeded + success, max(before.ended, ended))
    return histories
