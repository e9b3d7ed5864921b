"""Work that was asked for on the web: done once, by whoever is there, and not lost with a process or a restart."""

import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dissco_platform.cli.desk_worker import work_off
from dissco_platform.cli.house import House
from dissco_platform.definitions import build_definitions
from dissco_platform.enrolment import desk as domain
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry import desk as jobs
from dissco_platform.settings import load_settings
from tests.enrolment.conftest import Served
from tests.enrolment.test_requirements import HEADER, _row

ROR = "https://ror.org/0566bfb96"


@pytest.fixture
def asked(tmp_path: Path, served: Served, archive, monkeypatch: pytest.MonkeyPatch) -> Registry:  # type: ignore[no-untyped-def]
    """A registry in which a trial load of a small dataset was asked for."""
    archive(served.folder / "moths.zip", "\n".join([HEADER, _row(1), _row(2)]) + "\n")
    monkeypatch.setenv("DISSCO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DISSCO_TRUSTED_HOSTS", served.host)
    registry = open_registry(f"sqlite:///{tmp_path / 'home' / 'registry.sqlite'}")
    form = {"source": f"{served.url}/moths.zip", "organisation": ROR, "contact": "a@b.example"}
    with registry.write() as connection:
        domain.submit(connection, "moths", form, actor="applicant")
        domain.act(connection, "moths", "confirm", actor="applicant")
        jobs.add_job(connection, "check", by="applicant", application="moths")
    yield registry
    registry.close()


def _work(*, watch: bool = False) -> list[str | None]:
    with House() as house:
        return [job.error for job in work_off(house, watch=watch, run=False)]


def test_a_request_outlives_the_worker_that_was_killed_over_it(asked: Registry) -> None:
    with asked.write() as connection:
        dead = subprocess.Popen([sys.executable, "-c", "pass"])
        dead.wait()
        job = jobs.claim_job(connection, ("check",))
        assert job is not None and job.state == "running"
        owner = f"{socket.gethostname()[:30]}:{dead.pid}:x"
        connection.exec_driver_sql("UPDATE desk_job SET owner = ?", (owner,))
    assert _work() == [None]
    with asked.read() as connection:
        found = jobs.latest_job(connection, "check", "moths")
        assert found is not None and (found.state, found.attempts, found.error) == ("done", 2, None)
        assert domain.get(connection, "moths").state == "checked"
        checks = [event for event in domain.history(connection, "moths") if event.action == "check"]
    assert len(checks) == 1


def test_work_that_kills_every_worker_is_given_up(asked: Registry) -> None:
    for _ in range(jobs.MOST_ATTEMPTS):
        with asked.write() as connection:
            assert jobs.claim_job(connection, ("check",)) is not None
            connection.exec_driver_sql("UPDATE desk_job SET owner = NULL")
    with asked.write() as connection:
        assert jobs.claim_job(connection, ("check",)) is None
        found = jobs.latest_job(connection, "check", "moths")
    assert found is not None and found.state == "failed" and "broken off" in str(found.error)


def test_two_workers_do_not_do_the_same(asked: Registry) -> None:
    with asked.write() as connection:
        assert jobs.claim_job(connection, ("check",)) is not None
        assert jobs.claim_job(connection, ("check",)) is None, "its process, which is this one, lives"


def test_dagsters_sensor_makes_runs_of_requests(asked: Registry, tmp_path: Path) -> None:
    settings = load_settings()
    house = build_definitions(settings)
    with asked.write() as connection:
        jobs.add_job(connection, "round", by="anna", inputs={"again": False})
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance, resources=house.resources)
        request = house.resolve_sensor_def("desk_requests")(context)
        assert isinstance(request, dg.RunRequest)
        assert house.resolve_job_def("desk_work").execute_in_process(instance=instance).success
        context = dg.build_sensor_context(instance=instance, resources=house.resources)
        assert isinstance(house.resolve_sensor_def("desk_requests")(context), dg.SkipReason)
        context = dg.build_sensor_context(instance=instance, resources=house.resources)
        (wanted,) = house.resolve_sensor_def("desk_rounds")(context).run_requests
        job = house.resolve_job_def("allocation_round")
        assert job.execute_in_process(instance=instance, run_config=wanted.run_config).success
    with asked.read() as connection:
        assert domain.get(connection, "moths").state == "checked"
        assert jobs.open_jobs(connection) == []
        made = jobs.latest_job(connection, "round")
    assert made is not None and (made.state, made.requested_by) == ("done", "anna")


def test_the_watching_worker_ends_with_who_started_it(asked: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([7, 7, 1])  # asked at the start and each time there is nothing to do
    monkeypatch.setattr("dissco_platform.cli.desk_worker.signal.signal", lambda *_: None)  # this process is pytest's
    monkeypatch.setattr("os.getppid", lambda: next(parents))
    monkeypatch.setattr("dissco_platform.cli.desk_worker.SECONDS", 0.0)
    assert _work(watch=True) == [None]
    assert next(parents, None) is None, "it waited as long as its parent lived"
