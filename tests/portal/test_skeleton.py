"""The portal as a process and as an application: headers, errors, the read-only registry, the command."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from dissco_platform.errors import RegistryError
from dissco_platform.portal.app import create_portal
from dissco_platform.registry import open_registry
from dissco_platform.registry.datasets import set_setting
from dissco_platform.registry.engine import open_read_only
from dissco_platform.settings import Settings


@pytest.fixture
def client(tmp_path: Path):
    with TestClient(create_portal(Settings(home=tmp_path / "home"))) as client:
        yield client


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for address in ("/", "/static/portal.css", "/nothing/here/at/all", "/api/openapi.json"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_an_error_is_a_page_for_people_and_an_object_for_programs(client: TestClient) -> None:
    page = client.get("/nothing/here/at/all", headers={"accept": "text/html"})
    assert page.status_code == 404 and "<h1>Not Found</h1>" in page.text and "Skip to the content" in page.text
    answer = client.get("/nothing/here/at/all", headers={"accept": "application/json"})
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.json()["errors"][0]["status"] == "404"


def test_a_defect_is_told_without_its_traceback(tmp_path: Path) -> None:
    app = create_portal(Settings(home=tmp_path / "home"))

    @app.get("/defect")
    def defect() -> None:
        raise ZeroDivisionError("secret detail")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/defect")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text and re.search(r"the number [0-9a-f]{12}", answer.text)


def test_the_registry_of_the_pages_refuses_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    open_registry(url).close()
    registry = open_read_only(url)
    with pytest.raises(RegistryError, match="readonly"), registry.write() as connection:
        set_setting(connection, "name", "value")
    registry.close()


def test_the_command_prints_its_address_and_stops_cleanly(tmp_path: Path) -> None:
    for workers in ("1", "2"):
        process = subprocess.Popen(
            [sys.executable, "-c", "from dissco_platform.cli import main; main()", "portal", "--port", "0",
             "--workers", workers],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            assert found, process.stderr and process.stderr.read()
            assert httpx.get(found[0], timeout=60).status_code == 200
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "Traceback" not in err


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    import socket

    from tests.house import CommandLine

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "--port" in CommandLine(tmp_path / "home").refuses("portal", "--port", port)


def test_what_keeps_the_portal_alive_is_told_whether_the_registry_answers(client: TestClient) -> None:
    found = client.get("/healthz")
    assert (found.status_code, found.text, found.headers["cache-control"]) == (200, "ok\n", "no-store")
