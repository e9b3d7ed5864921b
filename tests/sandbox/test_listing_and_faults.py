"""Lists, faults on demand, counters, and how a sandbox starts."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dissco_platform.errors import DoiServiceError
from dissco_platform.sandbox import FaultPlan, RunningSandbox, running_sandbox
from dissco_platform.sandbox.faults import KINDS, Faults
from tests.sandbox.conftest import body

Complete = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A sandbox with 60 findable DOIs and one draft."""
    with (
        running_sandbox(tmp_path_factory.mktemp("filled") / "sandbox.sqlite") as running,
        httpx.Client(base_url=running.url, auth=("DISSCO.SANDBOX", "sandbox"), trust_env=False) as client,
    ):
        attributes = {
            "url": "https://example.org/a",
            "creators": [{"name": "Museum"}],
            "titles": [{"title": "t"}],
            "publisher": "DiSSCo",
            "publicationYear": 2026,
            "types": {"resourceTypeGeneral": "Dataset"},
            "event": "publish",
        }
        for number in range(60):
            client.put(f"/dois/10.5555/N{number:02d}", json=body(attributes))
        client.put("/dois/10.5555/DRAFT", json=body({"titles": [{"title": "d"}]}))
        yield client


def test_a_cursor_walks_over_everything_once(filled: httpx.Client) -> None:
    found: list[str] = []
    path: str | None = "/dois?client-id=dissco.sandbox&page[size]=7&page[cursor]=1&sort=created"
    while path:
        page = filled.get(path).json()
        found += [entry["id"] for entry in page["data"]]
        following = page["links"].get("next")
        path = f"/dois?{urlsplit(following).query}" if following else None
    assert found == [f"10.5555/n{number:02d}" for number in range(60)] + ["10.5555/draft"]


def test_numbered_pages_and_totals(filled: httpx.Client) -> None:
    page = filled.get("/dois?page[size]=25&page[number]=3").json()
    assert len(page["data"]) == 11
    assert (page["meta"]["total"], page["meta"]["totalPages"], page["meta"]["page"]) == (61, 3, 3)
    assert "next" not in page["links"]
    assert {(state["id"], state["count"]) for state in page["meta"]["states"]} == {("findable", 60), ("draft", 1)}
    assert "states" not in filled.get("/dois?disable-facets=true").json()["meta"]
    assert filled.get("/dois?page[size]=1000&page[number]=11").status_code == 400


def test_the_newest_come_first_unless_asked_otherwise(filled: httpx.Client) -> None:
    assert filled.get("/dois?page[size]=1").json()["data"][0]["id"] == "10.5555/draft"
    assert filled.get("/dois?page[size]=1&sort=name").json()["data"][0]["id"] == "10.5555/draft"
    assert filled.get("/dois?page[size]=1&sort=-name").json()["data"][0]["id"] == "10.5555/n59"


def test_filters_and_fields(filled: httpx.Client) -> None:
    page = filled.get("/dois?ids=10.5555/N01,10.5555/n02,10.5555/none&fields[dois]=doi,state").json()
    assert {entry["id"] for entry in page["data"]} == {"10.5555/n01", "10.5555/n02"}
    assert all(set(entry["attributes"]) == {"doi", "state"} for entry in page["data"])
    assert filled.get("/dois?client-id=other").json()["meta"]["total"] == 0
    assert filled.get("/dois?prefix=10.5555&state=draft").json()["meta"]["total"] == 1
    assert httpx.get(f"{str(filled.base_url).rstrip('/')}/dois", trust_env=False).json()["meta"]["total"] == 60


def test_odd_cursors_are_400(filled: httpx.Client) -> None:
    assert filled.get("/dois?page[cursor]=@@@").status_code == 400
    assert filled.get("/dois?page[cursor]=1&random=true").status_code == 400


def test_accounts_and_prefixes_can_be_read(filled: httpx.Client) -> None:
    repository = filled.get("/repositories/dissco.sandbox").json()["data"]
    assert repository["relationships"]["prefixes"]["data"] == [{"id": "10.5555", "type": "prefixes"}]
    assert filled.get("/prefixes/10.5555").status_code == 200
    assert filled.get("/prefixes/10.1").status_code == 404
    assert len(filled.get("/dois/random?prefix=10.5555&size=3").json()["dois"]) == 3
    assert filled.get("/works").status_code == 410
    assert filled.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("rate_limited", 429),
        ("rate_limited_403", 403),
        ("error_500", 500),
        ("error_502", 502),
        ("error_503", 503),
        ("conflict", 409),
    ],
)
def test_faults_that_answer_instead_of_writing(
    service: httpx.Client, doi: str, complete: Complete, kind: str, status: int
) -> None:
    service.put("/sandbox/faults", json={"rates": {kind: 1}})
    assert service.put(f"/dois/{doi}", json=body(complete())).status_code == status
    assert service.get(f"/dois/{doi}").status_code == 404


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("reset", False),
        ("dropped", True),
        ("truncated", True),
        ("timeout", False),
        ("timeout_after_write", True),
        ("error_504", True),
    ],
)
def test_faults_that_leave_the_client_in_doubt(
    service: httpx.Client, doi: str, complete: Complete, kind: str, done: bool
) -> None:
    service.put("/sandbox/faults", json={"rates": {kind: 1}, "hang_seconds": 0.1})
    with contextlib.suppress(httpx.TransportError):
        assert service.put(f"/dois/{doi}", json=body(complete())).status_code == 504
    assert service.get(f"/dois/{doi}").status_code == (200 if done else 404)


def test_a_write_that_the_handle_system_did_not_take_is_not_registered(
    service: httpx.Client, doi: str, complete: Complete
) -> None:
    service.put("/sandbox/faults", json={"rates": {"unregistered": 1}})
    first = service.put(f"/dois/{doi}", json=body(complete())).json()["data"]["attributes"]
    assert (first["state"], first["registered"]) == ("findable", None)
    service.delete("/sandbox/faults")
    assert service.put(f"/dois/{doi}", json=body(complete())).json()["data"]["attributes"]["registered"]


def test_a_rate_limit_counts_writes_only(service: httpx.Client, doi: str, complete: Complete) -> None:
    service.put("/sandbox/faults", json={"rate_limit": 2, "window_seconds": 60})
    statuses = [service.put(f"/dois/{doi}", json=body(complete())).status_code for _ in range(3)]
    assert statuses == [201, 200, 429]
    assert service.get(f"/dois/{doi}").status_code == 200


def test_counters_tell_requests_answers_and_the_busiest_window(
    service: httpx.Client, doi: str, complete: Complete
) -> None:
    service.delete("/sandbox/counters")
    for _ in range(3):
        service.put(f"/dois/{doi}", json=body(complete()))
    counters = service.get("/sandbox/counters").json()
    assert counters["requests"] == {"PUT": 3}
    assert counters["statuses"] == {"201": 1, "200": 2}
    assert counters["peak"]["requests"] == 3


@pytest.mark.parametrize(
    "plan", [[], {"rates": {"boom": 1}}, {"rates": {"reset": 2}}, {"rates": {"reset": 0.7, "dropped": 0.7}}, {"sed": 1}]
)
def test_a_fault_plan_that_makes_no_sense_is_400(service: httpx.Client, plan: object) -> None:
    assert service.put("/sandbox/faults", json=plan).status_code == 400


def test_the_same_seed_draws_the_same_faults() -> None:
    plan = FaultPlan(rates=dict.fromkeys(KINDS, 1 / 26), seed=7)
    one, two = Faults(plan), Faults(plan)
    drawn = [one.draw("PUT", float(number)) for number in range(1000)]
    assert drawn == [two.draw("PUT", float(number)) for number in range(1000)]
    assert 400 < sum(kind is not None for kind in drawn) < 600


def test_a_second_sandbox_over_the_same_file_is_refused_in_one_sentence(
    tmp_path: Path,
) -> None:
    with (
        running_sandbox(tmp_path / "sandbox.sqlite"),
        pytest.raises(DoiServiceError, match="Another sandbox is using"),
        running_sandbox(tmp_path / "sandbox.sqlite"),
    ):
        pass


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite").write_text("no database at all, but long enough to be looked at " * 10)
    with pytest.raises(DoiServiceError, match="cannot use"), running_sandbox(tmp_path / "sandbox.sqlite"):
        pass


def test_a_taken_port_is_refused_in_one_sentence(sandbox: RunningSandbox, tmp_path: Path) -> None:
    port = urlsplit(sandbox.url).port
    with (
        pytest.raises(DoiServiceError, match="choose another port"),
        running_sandbox(tmp_path / "sandbox.sqlite", port=port or 0),
    ):
        pass


def test_the_process_ends_with_its_standard_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dissco_platform.sandbox", "--port=0", f"--database={tmp_path / 's.sqlite'}"]
    with subprocess.Popen(
        [*command, "--end-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert set(json.loads(process.stdout.readline())) >= {"url", "port", "prefix", "repository"}
        process.stdin.close()
        assert process.wait(15) == 0


def test_the_password_is_not_in_the_process_list(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox.sqlite", password="hush-hush") as running:
        assert "hush-hush" not in " ".join(str(part) for part in running.process.args)  # type: ignore[union-attr]
        path = f"{running.url}/dois/10.5555/A"
        answer = httpx.put(path, json=body({"doi": "x"}), auth=("DISSCO.SANDBOX", "hush-hush"), trust_env=False)
        assert answer.status_code == 201


def test_a_list_that_lags_behind_does_not_show_new_writes(service: httpx.Client, doi: str, complete: Complete) -> None:
    service.put("/sandbox/faults", json={"index_lag_seconds": 60})
    service.put(f"/dois/{doi}", json=body(complete()))
    assert service.get(f"/dois?ids={doi}").json()["meta"]["total"] == 0
    assert service.get(f"/dois/{doi}").status_code == 200
    service.delete("/sandbox/faults")
    assert service.get(f"/dois?ids={doi}").json()["meta"]["total"] == 1
