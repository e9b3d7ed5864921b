"""The upstream sensor: looks at the sources that are due, and records each look where people and the reconciler see it.

It starts no runs: it writes down that a source differs from the archive we hold, and the reconciler asks for the run. So
a look is lost neither by a stopped daemon nor by a failed run. How a look is made is in `looking`.
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from dissco_platform.assets.recording import Recorded
from dissco_platform.http import Validators
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset, list_datasets
from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import applied
from dissco_platform.registry.objects import count_missed
from dissco_platform.registry.watch import Watch, set_checked, set_watches, watches
from dissco_platform.resources import DatasetStoreResource, HttpClientResource, RegistryResource
from dissco_platform.sensors.feeds import feed_of
from dissco_platform.sensors.looking import WEEK, Held, Look, Pace, look_round
from dissco_platform.sensors.notifying import Notice, Notifier
from dissco_platform.sensors.standing import read_recorded
from dissco_platform.store import DatasetStore

PACE = Pace()
LOOKS_A_TICK = 500
TOLD_AFTER = 3  # failed looks in a row: seven hours; most servers are back by then
_MINUTES_A_DAY = 24 * 60


def due_sources(registry: Registry, instance: dg.DagsterInstance, store: DatasetStore, moment: datetime) -> list[Held]:
    """Return the active datasets whose look is due, the longest overdue first.

    A source that was never fetched is not looked at: the reconciler asks for its first run anyway.
    """
    with registry.read() as connection:
        listed = {dataset.slug: dataset for dataset in list_datasets(connection) if dataset.state == "active"}
        known = watches(connection)
    now = _time(moment)
    due = [
        (known.get(slug, Watch(slug)), dataset)
        for slug, dataset in listed.items()
        if (watch := known.get(slug)) is None or watch.due is None or watch.due <= now
    ]
    raw = {
        slug: assets["raw_archive"]
        for slug, assets in read_recorded(instance, registry, {dataset.slug for _, dataset in due}).items()
        if "raw_archive" in assets
    }
    due = [
        (watch, dataset)
        for watch, dataset in due
        if dataset.slug in raw
        and raw[dataset.slug].text("source") == dataset.source
        and store.has_blob(raw[dataset.slug].data_version)
    ]
    due.sort(key=lambda pair: (pair[0].due or "", pair[1].slug))
    with registry.read() as connection:
        strangers = applied(connection)
    return [
        _held(dataset, watch, raw[dataset.slug], dataset.slug not in strangers) for watch, dataset in due[:LOOKS_A_TICK]
    ]


def _held(dataset: Dataset, watch: Watch, raw: Recorded, trusted: bool) -> Held:
    """Return what we hold; what an earlier look remembered counts only beside the archive that it looked at."""
    remembered = watch.against == raw.storage_id
    validators = Validators(raw.text("etag"), raw.text("last_modified"))
    if remembered and (watch.etag or watch.last_modified):
        validators = Validators(watch.etag, watch.last_modified)
    return Held(
        dataset.slug,
        dataset.source,
        raw.storage_id,
        raw.data_version,
        validators,
        watch.feed if remembered else None,
        watch.looks_failed,
        trusted,
    )


def record_looks(registry: Registry, looks: Sequence[Look], sources: dict[str, str], moment: datetime) -> None:
    """Write down what looks came to and when the next ones are due."""
    with registry.write() as connection:
        known = watches(connection)
        checked = {dataset.slug: dataset for dataset in list_datasets(connection)}
        rows: list[dict[str, Any]] = []
        marks: list[dict[str, Any]] = []
        for look in looks:
            before, dataset = known.get(look.slug, Watch(look.slug)), checked[look.slug]
            failed = look.changed is None
            same = before.against == look.against
            changed = (before.changed if same else None) if failed else (look.evidence if look.changed else None)
            news = changed is not None and not (same and before.changed == changed)
            if look.changed is False and _is_harvest(dataset, look, moment):
                count_missed(connection, look.slug)
            rows.append(
                {
                    "dataset": look.slug,
                    "due": _time(next_look(look, sources[look.slug], moment)),
                    "looks_failed": look.looks_failed,
                    "against": look.against,
                    "etag": look.validators.etag,
                    "last_modified": look.validators.last_modified,
                    "feed": look.feed,
                    "changed": changed,
                    "changed_since": _time(moment) if news else before.changed_since,
                }
            )
            marks.append(
                {
                    "dataset": look.slug,
                    "checked": dataset.checked if failed else _time(moment),
                    "checked_by": dataset.checked_by if failed else look.evidence[:32],
                    "failed": _time(moment) if failed else None,
                    "failure": look.error,
                }
            )
        set_watches(connection, rows)
        set_checked(connection, marks)


def _is_harvest(dataset: Dataset, look: Look, moment: datetime) -> bool:
    """Say whether an unchanged look is one more complete harvest without the specimens that are missing.

    What was published last is then what the source publishes. Looks are daily and harvests are counted by the week:
    only the first look of a calendar week counts, so that specimens are not given up after three days.
    """
    published = dataset.summary.get("made_from", {}).get("archive")
    before = datetime.fromisoformat(dataset.checked).isocalendar()[:2] if dataset.checked else None
    return published == look.sha256 and before != moment.astimezone(UTC).isocalendar()[:2]


def next_look(look: Look, source: str, moment: datetime) -> datetime:
    """Return when a source is looked at next: after its interval, at the minute of the day that is its own.

    Sources of one feed share their minute, so that one request serves them all; others spread over day and week.
    """
    after = moment + look.every
    if look.changed is None:
        return after
    if look.every < WEEK:
        minute = _hash(feed_of(source) or source) % _MINUTES_A_DAY
        midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
        own = midnight + timedelta(minutes=minute)
        return own if own > moment + look.every / 2 else own + timedelta(days=1)
    # Never later than a week; up to a day sooner, so that datasets enrolled together drift apart.
    return after - timedelta(minutes=_hash(source + look.slug) % _MINUTES_A_DAY)


def observation(look: Look, source: str) -> dg.AssetObservation:
    """Return the event that shows a look on the dataset's partition of `raw_archive`."""
    metadata: dict[str, Any] = {
        "source": source,
        "signal": look.evidence,
        "changed": "unknown" if look.changed is None else ("yes" if look.changed else "no"),
        "milliseconds": round(look.seconds * 1000),
    }
    if look.error:
        metadata |= {"failure": look.error, "failures_in_a_row": look.looks_failed}
    return dg.AssetObservation("raw_archive", partition=look.slug, metadata=metadata, description=_sentence(look))


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the sources that are due (weekly at latest, spread over the week): feed version, conditional "
    "request, checksums. Every look is an observation of raw_archive; a change is left to the reconciler.",
)
def upstream(
    context: dg.SensorEvaluationContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    http_client: HttpClientResource,
    notifier: Notifier,
) -> dg.SensorResult:
    """Look at the sources that are due."""
    began = time.monotonic()
    files = store.store()
    with registry.opened() as known:
        due = due_sources(known, context.instance, files, datetime.now(UTC))
        sources = {held.slug: held.source for held in due}
        looks = look_round(http_client.client(), files, due, PACE) if due else []
        record_looks(known, looks, sources, datetime.now(UTC))
    changed = sum(bool(look.changed) for look in looks)
    failed = sum(look.changed is None for look in looks)
    said = f"{len(looks)} of {len(due)} due sources looked at in {time.monotonic() - began:.1f} s"
    for look in looks:
        if look.error:
            context.log.warning(f"{look.slug}: {look.error}")
    notifier.notify_all(
        [_notice(look, notifier) for look in looks if look.looks_failed == TOLD_AFTER], context.log.warning
    )
    return dg.SensorResult(
        skip_reason=dg.SkipReason(f"{said}: {changed} changed, {failed} out of reach" if due else "no look is due"),
        asset_events=[observation(look, sources[look.slug]) for look in looks],
        cursor=f"{said} until {_time(datetime.now(UTC))}",
    )


def _notice(look: Look, notifier: Notifier) -> Notice:
    said = f"{look.error or 'it does not answer'}; {look.looks_failed} looks in a row"
    link = notifier.dataset_link("raw_archive", look.slug)
    return Notice("source out of reach", look.slug, now(), said, link=link)


def _sentence(look: Look) -> str:
    if look.changed is None:
        return look.error or "out of reach"
    return f"changed ({look.evidence})" if look.changed else f"unchanged ({look.evidence})"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
