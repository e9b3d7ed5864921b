"""What Dagster's instance needs on many machines, part by part."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest
from dagster._core.instance.ref import InstanceRef
from sqlalchemy import text

from dissco_platform.cluster.metrics import serve_metrics
from dissco_platform.cluster.sole import sole_daemon
from dissco_platform.cluster.storage import OVERFLOW, psycopg2_url
from dissco_platform.errors import RegistryError, UsageError
from dissco_platform.logs import json_handler
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.engine import connect, revisions
from tests.house import ORGANISATION
from tests.postgres import new_database, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.sqlite'}"
    return new_database(request.getfixturevalue("server"))


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    opened = open_registry(url)
    yield opened
    opened.close()


def test_a_second_daemon_is_refused_and_told_where_the_first_is(registry: Registry, url: str, tmp_path: Path) -> None:
    other = open_registry(url)
    with sole_daemon(registry, tmp_path) as held:
        assert held()
        with pytest.raises(UsageError) as refused, sole_daemon(other, tmp_path):
            pass
        assert f"A daemon runs for this instance already (process {os.getpid()} on " in str(refused.value)
    for one in [other, registry] * 20:  # whoever stops makes room at once
        with sole_daemon(one, tmp_path) as held:
            assert held()
    other.close()


def test_a_daemon_whose_database_was_away_takes_the_lock_again_or_gives_way(server: str, tmp_path: Path) -> None:
    url = new_database(server)
    one, other = open_registry(url), open_registry(url)

    def cut() -> None:
        with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            holders = "FROM pg_locks WHERE locktype = 'advisory' AND objid = 4615664"
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {holders}"))
            while connection.execute(text(f"SELECT count(*) {holders}")).scalar_one():
                time.sleep(0.01)

    with sole_daemon(one, tmp_path) as held:
        cut()
        assert held()  # nobody was faster
        cut()
        with sole_daemon(other, tmp_path):
            assert not held()
    one.close()
    other.close()


def test_a_killed_daemon_leaves_no_lock(url: str, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dissco_platform.cluster.sole import sole_daemon; "
        "from dissco_platform.registry import open_registry\n"
        f"with sole_daemon(open_registry({url!r}), Path({str(tmp_path)!r})):\n    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    registry = open_registry(url)
    until = time.monotonic() + 20
    while True:  # the database notices within moments that the connection is gone
        try:
            with sole_daemon(registry, tmp_path):
                break
        except UsageError:
            assert time.monotonic() < until
            time.sleep(0.1)
    registry.close()


def test_metrics_tell_what_is_there_and_whether_it_can_be_read(registry: Registry) -> None:
    with registry.write() as connection:
        add_dataset(
            connection,
            slug="moths",
            source="https://example.org/moths.zip",
            organisation_id=ORGANISATION,
            organisation_name=None,
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA",
            doi_only=False,
        )
    with dg.DagsterInstance.ephemeral() as instance, serve_metrics(registry, instance, "127.0.0.1", 0) as address:
        told = httpx.get(f"{address}/metrics").text
        assert "dissco_up 1.0" in told, httpx.get(f"{address}/healthz").text
        assert 'dissco_datasets{state="active"} 1.0' in told
        assert 'dissco_outbox{state="queued"} 0.0' in told
        assert 'dissco_runs{status="queued"} 0.0' in told
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.get(f"{address}/").status_code == 404


def test_a_database_that_is_away_makes_metrics_say_so(url: str) -> None:
    registry = open_registry(url)
    with registry.write() as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    with dg.DagsterInstance.ephemeral() as instance, serve_metrics(registry, instance, "127.0.0.1", 0) as address:
        told = httpx.get(f"{address}/metrics").text
        assert "dissco_up 0.0" in told
        assert "dissco_datasets{" not in told
        assert httpx.get(f"{address}/healthz").status_code == 503
    registry.close()


def test_dagsters_storage_keeps_its_connections_and_survives_their_loss(server: str, tmp_path: Path) -> None:
    url = new_database(server)
    (tmp_path / "dagster.yaml").write_text(
        "storage:\n  custom:\n    module: dissco_platform.cluster.storage\n    class: PooledPostgresStorage\n"
        f"    config:\n      postgres_url: '{url}'\n"
    )
    instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path)))
    for number in range(20):
        instance.add_dynamic_partitions("datasets", [f"museum-{number}"])
        instance.get_runs_count()
    watcher = Registry(connect(url))
    ours = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with watcher.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        count = connection.execute(text(f"SELECT count(*) {ours}")).scalar_one()
        assert 1 <= count <= 3 * (1 + OVERFLOW)
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {ours}"))
        assert len(instance.get_dynamic_partitions("datasets")) == 20
        instance.dispose()
        until = time.monotonic() + 20
        while connection.execute(
            text(f"SELECT count(*) {ours}")
        ).scalar_one():  # a server process takes a moment to end
            assert time.monotonic() < until
            time.sleep(0.05)
    watcher.close()


def test_processes_that_meet_an_empty_database_make_dagsters_tables_once(server: str) -> None:
    url = new_database(server)
    code = (
        "from dissco_platform.cluster.storage import PooledPostgresStorage\n"
        f"print('ready', flush=True); input(); PooledPostgresStorage({url!r})"
    )
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, told = process.communicate()
        assert process.returncode == 0, told
        assert "Retrying" not in told


def test_a_bare_postgresql_address_gets_the_driver_that_dagster_ships() -> None:
    assert psycopg2_url("postgresql://u:secret@db/dagster") == "postgresql+psycopg2://u:secret@db/dagster"
    assert psycopg2_url("postgresql+psycopg2://u:p@db/d") == "postgresql+psycopg2://u:p@db/d"


def test_a_registry_that_must_not_be_migrated_by_the_way_says_how_it_is(url: str) -> None:
    with pytest.raises(RegistryError, match=r"is at schema none and this software needs .*`dissco registry migrate`"):
        open_registry(url, migrate=False)
    open_registry(url).close()
    open_registry(url, migrate=False).close()
    engine = connect(url)
    before, wanted = revisions(engine)
    assert before == wanted
    engine.dispose()


def test_logs_are_lines_of_json_with_dataset_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("dissco.test")
    logger.addHandler(json_handler())
    logger.info("one\ntwo", extra={"dataset": "moths"})
    record = logger.makeRecord("dagster", logging.INFO, "f", 1, "long message", (), None)
    record.dagster_meta = {"orig_message": "short", "run_id": "r1", "job_tags": {"dagster/partition": "moths"}}
    logger.handle(record)
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["message"], first["dataset"]) == ("one\ntwo", "moths")
    assert (second["message"], second["dataset"], second["run"]) == ("short", "moths", "r1")


def test_a_workers_own_messages_are_lines_of_json_as_well(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(
        "run_launcher:\n  module: dagster_celery.launcher\n  class: CeleryRunLauncher\n"
        "  config:\n    broker: 'memory://'\n    backend: 'cache+memory://'\n"
    )
    code = (
        "import logging; from dissco_platform.cluster.worker import app; app.log.setup(loglevel='INFO')\n"
        "logging.getLogger('celery.worker').info('ready')"
    )
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path),
        "DISSCO_HOME": str(tmp_path),
        "DISSCO_LOG_FORMAT": "json",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    line = json.loads(done.stderr.splitlines()[-1])
    assert (line["logger"], line["message"]) == ("celery.worker", "ready")
