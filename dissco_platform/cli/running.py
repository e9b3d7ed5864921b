"""Runs the chain for one dataset in this process and sums up what it did. The commands are `run` and `demo`."""

import getpass
import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX, USER_TAG

from dissco_platform.assets.partitions import DEPENDENCIES, datasets
from dissco_platform.assets.recording import latest
from dissco_platform.cli import defects
from dissco_platform.cli.house import House
from dissco_platform.definitions import build_definitions
from dissco_platform.enrolment.follow_up import observe
from dissco_platform.errors import RunFailedError
from dissco_platform.registry.datasets import get_dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import applied
from dissco_platform.registry.objects import count_objects
from dissco_platform.registry.outbox import process_lives
from dissco_platform.registry.watch import set_watch
from dissco_platform.sensors.jobs import selection_of, tags_of
from dissco_platform.sensors.reconcile import Plan, look_upstream, plan
from dissco_platform.sensors.requesting import TRIGGER_TAG

Step = Callable[[str], None]

# A run's events are in Dagster's instance; on the terminal only our own progress lines are wanted.
_QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

# Which process executes a run of the command line.
PROCESS_TAG = f"{HIDDEN_TAG_PREFIX}dissco_process"


def run_dataset(house: House, slug: str, *, told: Step | None = None) -> dict[str, Any]:
    """Bring one dataset up to date: exactly what is stale is made; return the summary.

    Raises:
        UsageError: there is no such dataset or no checklist.
        RunFailedError: a step failed; the message is its own.
    """
    began = time.monotonic()
    with house.registry.read() as connection:
        dataset = get_dataset(connection, slug)
    house.instance.add_dynamic_partitions(str(datasets.name), [slug])
    try:
        upstream = look_upstream(house.instance, house.registry, house.store, house.http, dataset)
    except Exception as error:
        with house.registry.write() as connection:
            update_dataset(connection, slug, failed=now(), failure=str(error))
        raise
    wanted = plan(
        house.instance,
        house.registry,
        house.store,
        house.settings.mappings,
        dataset,
        upstream,
        house.settings.tombstone_after,
        house.settings.quota,
    )
    if wanted.selection:
        materialize(house, slug, wanted.selection, {"cause": wanted.cause[:500]}, told)
    with house.registry.write() as connection:
        if slug in applied(connection):
            observe(connection, slug, house.settings.doi_prefix)
    return summary(house, slug, wanted, time.monotonic() - began)


def run_job(house: House, name: str, slugs: Sequence[str], *, told: Step | None = None) -> None:
    """Run a job that is not of the chain (`drain_dois`, `retention_sweep`) for the named datasets, or for all.

    Raises:
        RunFailedError: it failed.
    """
    job = build_definitions(house.settings).resolve_job_def(name)
    (step,) = (node.name for node in job.nodes)
    config = {**_QUIET, "ops": {step: {"config": {"datasets": list(slugs)}}}}
    result = job.execute_in_process(
        run_config=config,
        instance=house.instance,
        tags=_by_hand(),
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailedError(_first_failure(result, house.settings.home))


def run_part(house: House, slug: str, job: str, *, told: Step | None = None) -> dict[str, Any]:
    """Run a job of the chain for one dataset, whatever is out of date; steps whose inputs are unchanged do no work.

    Raises:
        UsageError: there is no such dataset.
        RunFailedError: a step failed.
    """
    began = time.monotonic()
    with house.registry.read() as connection:
        get_dataset(connection, slug)
    house.instance.add_dynamic_partitions(str(datasets.name), [slug])
    wanted = Plan(slug, dict.fromkeys(selection_of(job), f"job {job}"))
    materialize(house, slug, selection_of(job), {"cause": f"job {job}", **tags_of(job)}, told)
    found = {asset: latest(house.instance, asset, slug) for asset in selection_of(job)}
    if latest(house.instance, "registered_dois", slug) is None:
        return {"dataset": slug, "ran": list(found), "causes": wanted.causes}
    return summary(house, slug, wanted, time.monotonic() - began, ran=list(found))


def make_preview(house: House, release: str, *, told: Step | None = None) -> None:
    """Build a noticed release of the checklist beside the one in use, and keep what it would change."""
    config = {"ops": {"next_checklist": {"config": {"release": release}}}}
    materialize(house, None, ["next_checklist"], {"cause": f"preview of {release}"}, told, config)


def make_checklist(
    house: House, source: str, *, release: str = "", by: str = "", accept: bool = False, told: Step | None = None
) -> dict[str, Any]:
    """Build the name index of a checklist (a source, or a noticed release) and put it into use; return what it is."""
    began = time.monotonic()
    materialize(
        house,
        None,
        ["catalogue_of_life"],
        {"cause": f"checklist {release or source}"},
        told,
        {
            "ops": {
                "catalogue_of_life": {
                    "config": {"source": source, "release": release, "accept": accept, "adopted_by": by}
                }
            }
        },
    )
    made = latest(house.instance, "catalogue_of_life", None)
    assert made is not None
    return {
        "source": made.text("source"),
        "title": made.text("title"),
        "release": made.text("release"),
        "doi": made.text("doi"),
        "licence": made.text("licence"),
        "names": made.number("names"),
        "by_status": made.json("by_status"),
        "warnings": _listed(made.metadata.get("warnings")),
        "reused": bool(made.metadata["reused"].value),
        "data_version": made.data_version,
        "seconds": round(time.monotonic() - began, 1),
    }


def summary(house: House, slug: str, wanted: Plan, seconds: float, ran: Collection[str] = ()) -> dict[str, Any]:
    """Return what a run came to: the latest materialisations' counts, and the dataset's totals."""
    found = {asset: latest(house.instance, asset, slug) for asset in DEPENDENCIES}
    parsed, built = found["parsed_records"], found["digital_specimens"]
    names, published = found["taxon_harmonised"], found["registered_dois"]
    assert parsed and built and names and published
    rejects: dict[str, int] = dict(parsed.json("rejects_by_reason"))
    for reason, count in built.json("rejects_by_reason").items():
        rejects[reason] = rejects.get(reason, 0) + int(count)
    ran = set(ran or wanted.selection)
    specimens = published.number("specimens")
    with house.registry.read() as connection:
        counted = count_objects(connection, slug)
    states = {
        state: sum(n for (_, _, doi_state, _), n in counted.items() if doi_state == state)
        for state in ("registered", "pending", "failed")
    }
    fresh = "registered_dois" in ran and not published.metadata["reused"].value
    all_specimens = specimens + published.number("doi_only")
    return {
        "dataset": slug,
        "ran": [asset for asset in DEPENDENCIES if asset in ran],
        "causes": wanted.causes,
        "records": parsed.number("records") + parsed.number("rejects"),
        "rejects": rejects,
        "extension_rejects": parsed.json("extension_rejects_by_reason"),
        "matches": built.json("match_types"),
        "specimens": specimens,
        "doi_only": published.number("doi_only"),
        "doi_only_reasons": built.json("doi_only_reasons"),
        "held": published.number("held"),
        "waiting_quota": published.number("waiting_quota"),
        "media": published.number("media"),
        "mids": built.json("mids"),
        "versions": {
            "new": published.number("versions_new") if fresh else 0,
            "changed": published.number("versions_changed") if fresh else 0,
            "unchanged": published.number("versions_unchanged") if fresh else all_specimens,
            "missing": sum(
                n for (kind, state, _, _), n in counted.items() if kind == "specimen" and state == "missing"
            ),
            "tombstoned": sum(
                n for (kind, state, _, _), n in counted.items() if kind == "specimen" and state == "tombstoned"
            ),
        },
        "dois": {**states, "written": published.number("dois_written") if fresh else 0},
        "seconds": round(seconds, 1),
    }


def materialize(
    house: House,
    slug: str | None,
    selection: list[str],
    tags: dict[str, str],
    told: Step | None,
    run_config: dict[str, Any] | None = None,
) -> None:
    """Execute assets in this process.

    Raises:
        RunFailedError: a step failed.
    """
    _bury_killed_runs(house.instance)
    job = build_definitions(house.settings).resolve_implicit_global_asset_job_def()
    watcher = _Watcher(told)
    progress = logging.getLogger("dissco.progress")
    progress.addHandler(watcher)
    progress.setLevel(logging.INFO)
    progress.propagate = False
    try:
        result = job.execute_in_process(
            run_config={**_QUIET, **(run_config or {})},
            instance=house.instance,
            partition_key=slug,
            asset_selection=[dg.AssetKey(asset) for asset in selection],
            tags={**tags, **_by_hand()},
            raise_on_error=False,
        )
    finally:
        progress.removeHandler(watcher)
    said = None if result.success else _first_failure(result, house.settings.home)
    if slug is not None:  # what people see in `dissco status` and in the overview, as for a run of the daemon
        failed = now() if said else None
        with house.registry.write() as connection:
            set_watch(connection, slug, run_failed=failed, run_id=result.run_id if said else None, run_failure=said)
    if said:
        raise RunFailedError(said)


def _by_hand() -> dict[str, str]:
    """Return the tags of a run that a person started here: who, and in which process."""
    process = f"{socket.gethostname()}:{os.getpid()}"
    return {TRIGGER_TAG: "command line", USER_TAG: getpass.getuser(), PROCESS_TAG: process}


def _bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark the runs of killed commands of this machine as failed: nobody else would, and they would seem to run for ever."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(filters=started):
        host, _, pid = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and pid.isdigit() and not process_lives(int(pid)):
            instance.report_run_failed(run, "Its process was killed; the next run goes on from what was committed.")


def _first_failure(result: dg.ExecuteInProcessResult, home: Path) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return str(failure.user_failure_data.description)
            if failure.error is not None and failure.error.cls_name == "DagsterExecutionInterruptedError":
                raise KeyboardInterrupt
            if failure.error is not None:
                cause = failure.error.cause or failure.error
                log = defects.write_log(home, f"run {result.run_id}\n{failure.error.to_string()}")
                return defects.sentence(event.step_key or "A step", cause.message, log)
    return f"Run {result.run_id} failed before its first step; see `dagster debug export {result.run_id}`."


class _Watcher(logging.Handler):
    def __init__(self, told: Step | None) -> None:
        super().__init__()
        self.told = told

    def emit(self, record: logging.LogRecord) -> None:
        if self.told is not None:
            self.told(record.getMessage())


def _listed(value: dg.MetadataValue[Any] | None) -> list[str]:
    return [str(item) for item in value.value] if value is not None and value.value else []
