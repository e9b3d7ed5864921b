"""Dagster's storage on one machine: connections are kept, files are those of Dagster's own storage."""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dissco_platform.cli.house import INSTANCE_TEMPLATE
from dissco_platform.cluster import sqlite_storage
from dissco_platform.cluster.sqlite_storage import FILES_KEPT


@dg.asset
def stone(context: dg.AssetExecutionContext) -> None:
    """Say much."""
    for number in range(40):
        context.log.info("stone %s", number)


def materialise(instance: dg.DagsterInstance) -> str:
    return dg.materialize([stone], instance=instance).run_id


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(INSTANCE_TEMPLATE.read_text())
    instance = dg.DagsterInstance.from_config(str(tmp_path))
    yield instance
    instance.dispose()


def open_files(folder: Path) -> list[str]:
    targets = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(entry.readlink()))
        except OSError:
            continue  # the listing's own
    return [target for target in targets if target.startswith(str(folder)) and target.endswith(".db")]


def test_an_event_opens_no_file(kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(kept.event_log_storage).__module__ == sqlite_storage.__name__
    opened = []
    prepare = sqlite_storage._prepare
    monkeypatch.setattr(sqlite_storage, "_prepare", lambda *given: (opened.append(1), prepare(*given))[1])
    run = materialise(kept)
    assert len(kept.all_logs(run)) > 40
    assert 0 < len(opened) < 10  # runs, index, this run; a second one while several threads ask


def test_files_of_many_runs_are_closed_and_read_again(kept: dg.DagsterInstance, tmp_path: Path) -> None:
    runs = [materialise(kept) for _ in range(FILES_KEPT + 2)]
    assert all(len(kept.all_logs(run)) > 40 for run in runs)
    history = [path for path in open_files(tmp_path) if "/history/runs/" in path]
    assert 0 < len(history) <= FILES_KEPT
    kept.dispose()
    assert open_files(tmp_path) == []
    assert len(kept.all_logs(runs[0])) > 40  # and it goes on


def test_dagsters_own_storage_reads_and_writes_the_same_files(kept: dg.DagsterInstance, tmp_path: Path) -> None:
    mine = materialise(kept)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: '{tmp_path}'\n")
    plain = dg.DagsterInstance.from_config(str(tmp_path / "plain"))
    assert len(plain.all_logs(mine)) == len(kept.all_logs(mine))
    theirs = materialise(plain)
    assert len(kept.all_logs(theirs)) == len(plain.all_logs(theirs))
    key = dg.AssetKey("stone")
    assert kept.get_latest_materialization_event(key).run_id == theirs  # type: ignore[union-attr]
    assert {run.run_id for run in kept.get_runs()} == {mine, theirs}
    plain.dispose()


def test_who_watches_a_run_is_told_of_its_events(kept: dg.DagsterInstance) -> None:
    told: list[str] = []
    done = threading.Event()

    def tell(event: dg.EventLogEntry, _: str) -> None:
        told.append(event.message)
        if "stone 39" in event.message:
            done.set()

    run = kept.create_run_for_job(dg.Definitions([stone]).resolve_implicit_global_asset_job_def())
    kept.event_log_storage.watch(run.run_id, None, tell)
    for number in range(40):
        kept.report_engine_event(f"stone {number}", run)
    assert done.wait(60)
    kept.event_log_storage.end_watch(run.run_id, tell)
    assert sum("stone" in message for message in told) >= 40


def test_all_events_can_be_wiped(kept: dg.DagsterInstance) -> None:
    run = materialise(kept)
    kept.event_log_storage.wipe()
    assert kept.all_logs(run) == []
    assert len(kept.all_logs(materialise(kept))) > 40
