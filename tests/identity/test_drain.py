"""The outbox is drained into a real sandbox over HTTP, whatever the sandbox does."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
from sqlalchemy import select, update

from dissco_platform.errors import DoiServiceError, RegistryError
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient, Patience
from dissco_platform.identity.datacite.drain import DrainReport, drain
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry, outbox
from dissco_platform.registry.bulk import insert_frame
from dissco_platform.registry.datasets import Dataset, get_setting
from dissco_platform.registry.tables import digital_object, setting
from dissco_platform.sandbox import RunningSandbox, running_sandbox
from tests.identity.museum import SPECIMEN, Museum, edition

PATIENCE = Patience(connect=2, read=2, attempts=2, base=0.01, longest=0.05, pause=0.2)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "sandbox.sqlite") as running:
        yield running


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    return Museum(registry, enrol("moths"), tmp_path)


def send(museum: Museum, sandbox: RunningSandbox, password: str = "sandbox", seconds: float = 60) -> DrainReport:
    account = DataCiteAccount(sandbox.url, "DISSCO.SANDBOX", password, "10.5555")
    client = DataCiteClient(account, concurrency=4, patience=PATIENCE)
    return drain(museum.registry, museum.store, client, dataset=museum.slug, seconds=seconds)


def at_datacite(sandbox: RunningSandbox) -> list[dict[str, object]]:
    page = httpx.get(f"{sandbox.url}/dois", params={"page[size]": 1000}, auth=("DISSCO.SANDBOX", "sandbox")).json()
    return [{"doi": entry["id"], **entry["attributes"]} for entry in page["data"]]


def states(museum: Museum) -> set[str]:
    with museum.registry.read() as connection:
        return set(connection.execute(select(digital_object.c.doi_state)).scalars())


def test_what_is_queued_is_registered_and_findable(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(*range(30)))
    report = send(museum, sandbox)
    assert (report.written, report.failed, report.remaining) == (30, 0, 0)
    records = at_datacite(sandbox)
    assert {record["state"] for record in records} == {"findable"}
    assert states(museum) == {"registered"}
    assert verify(museum.registry, museum.store, "10.5555", at_datacite=records) == []
    assert send(museum, sandbox).written == 0


def test_only_a_visible_change_is_told(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1, 2))
    send(museum, sandbox)
    museum.publish(edition(1, 2, n1="another place"))
    assert send(museum, sandbox).written == 0
    records = edition(1, 2, n1="another place")
    records.documents[SPECIMEN.format(2)]["ods:specimenName"] = "Parus ater Linnaeus, 1758"
    museum.publish(records)
    assert send(museum, sandbox).written == 1
    titles = [record["titles"] for record in at_datacite(sandbox)]
    assert [{"title": "Parus ater Linnaeus, 1758"}] in titles


def test_faults_of_the_service_lose_and_double_nothing(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(*range(60)))
    rates = {"error_500": 0.1, "error_502": 0.1, "reset": 0.05, "dropped": 0.05}
    answer = httpx.put(f"{sandbox.url}/sandbox/faults", json={"rates": rates, "seed": 7})
    if answer.status_code != 200:
        rates = {"error_500": 0.2}
        answer = httpx.put(f"{sandbox.url}/sandbox/faults", json={"rates": rates, "seed": 7})
    assert answer.status_code == 200, answer.text
    for _ in range(20):
        if send(museum, sandbox, seconds=20).remaining == 0:
            break
    httpx.delete(f"{sandbox.url}/sandbox/faults")
    records = at_datacite(sandbox)
    assert len(records) == 60
    assert states(museum) == {"registered"}
    assert verify(museum.registry, museum.store, "10.5555", at_datacite=records) == []


def test_a_wrong_password_stops_everything_and_loses_nothing(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1, 2))
    with pytest.raises(DoiServiceError, match="refused the credentials"):
        send(museum, sandbox, password="wrong")
    assert send(museum, sandbox).written == 2


def test_a_lease_that_ran_out_is_taken_over(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1, 2))
    with museum.registry.write() as connection:
        assert len(outbox.lease(connection, "killed", 10)) == 2
        assert outbox.lease(connection, "other", 10) == []
    assert send(museum, sandbox, seconds=0.2).written == 0
    with museum.registry.write() as connection:
        connection.execute(update(outbox.outbox).values(leased_until=0.0))
    assert send(museum, sandbox).written == 2


def test_a_newer_version_queued_meanwhile_is_not_lost(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1))
    with museum.registry.write() as connection:
        sent = outbox.lease(connection, "slow", 10)
    records = edition(1)
    records.documents[SPECIMEN.format(1)]["ods:specimenName"] = "Parus ater Linnaeus, 1758"
    museum.publish(records)
    with museum.registry.write() as connection:
        outbox.settle_registered(connection, sent)
        assert outbox.waiting(connection)[0] == 1
    assert send(museum, sandbox).written == 1
    assert at_datacite(sandbox)[0]["titles"] == [{"title": "Parus ater Linnaeus, 1758"}]


def test_the_lease_of_a_killed_process_of_this_machine_is_taken_over_at_once(
    museum: Museum, sandbox: RunningSandbox
) -> None:
    museum.publish(edition(1, 2))
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    host = outbox.owner_name().partition(":")[0]
    with museum.registry.write() as connection:
        assert len(outbox.lease(connection, f"{host}:{int(dead.stdout)}:killed", 10)) == 2
    assert send(museum, sandbox, seconds=5).written == 2


def test_what_the_handle_system_does_not_resolve_is_put_again(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1))
    httpx.put(f"{sandbox.url}/sandbox/faults", json={"rates": {"unregistered": 1}}).raise_for_status()
    report = send(museum, sandbox, seconds=0.2)
    assert (report.written, report.failed, report.remaining) == (0, 0, 1)
    with museum.registry.write() as connection:
        connection.execute(update(outbox.outbox).values(attempts=5, not_before=0.0))
    assert send(museum, sandbox, seconds=5).failed == 1
    with museum.registry.write() as connection:
        (letter,) = outbox.dead_letters(connection)
        assert "does not resolve" in (letter.error or "")
        outbox.retry_dead(connection)
    httpx.delete(f"{sandbox.url}/sandbox/faults")
    assert send(museum, sandbox).written == 1


def test_an_account_that_is_refused_everything_stops_the_drain(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(*range(60)))
    account = DataCiteAccount(sandbox.url, "DISSCO.SANDBOX", "sandbox", "10.9999")  # a prefix that is another's
    client = DataCiteClient(account, concurrency=4, patience=PATIENCE)
    report = drain(museum.registry, museum.store, client, dataset=museum.slug, seconds=60)
    assert report.stopped and 20 <= report.failed < 30 and report.remaining == 60 - report.failed


def test_differences_of_state_and_address_are_found(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(1, 2))
    send(museum, sandbox)
    records = at_datacite(sandbox)

    def found(changed: dict[str, object]) -> list[str]:
        compared = [{**records[0], **changed}, *records[1:]]
        findings = verify(
            museum.registry, museum.store, "10.5555", at_datacite=compared, landing_page="https://specimens.example"
        )
        return [finding.code for finding in findings]

    assert found({}) == []
    assert found({"state": "registered"}) == ["state_differs"]
    assert found({"url": "https://elsewhere.example"}) == ["url_differs"]


def test_nothing_is_sent_after_the_time_is_up(museum: Museum, sandbox: RunningSandbox) -> None:
    museum.publish(edition(*range(40)))
    httpx.put(f"{sandbox.url}/sandbox/faults", json={"latency_seconds": 0.2}).raise_for_status()
    report = send(museum, sandbox, seconds=0.5)
    httpx.delete(f"{sandbox.url}/sandbox/faults")
    assert 0 < report.written < 40 and report.remaining == 40 - report.written
    assert send(museum, sandbox).written == report.remaining  # what was leased and not sent is free at once


def test_the_lease_of_a_drain_that_ended_while_the_database_was_away_is_taken_over_at_once(
    museum: Museum, sandbox: RunningSandbox
) -> None:
    museum.publish(edition(1, 2))
    owner = outbox.owner_name()
    with museum.registry.write() as connection:
        assert len(outbox.lease(connection, owner, 10)) == 2
        outbox.reclaim(connection)
        assert outbox.lease(connection, "another", 10) == []  # its owner may be sending them
    outbox.retire(owner)
    assert send(museum, sandbox, seconds=5).written == 2


def test_what_the_drivers_own_bulk_says_is_told_in_a_sentence(museum: Museum) -> None:
    frame = pl.DataFrame({"name": ["twice", "twice"], "value": ["a", "b"]})
    with pytest.raises(RegistryError, match="cannot be used"), museum.registry.write() as connection:
        insert_frame(connection, setting, frame)
    with museum.registry.read() as connection:
        assert get_setting(connection, "twice") is None
