"""What tests of the desk on the web share: a client with the desk's forms, and a running portal with its worker."""

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from dissco_platform.enrolment import desk, staff
from dissco_platform.enrolment.links import links_of
from dissco_platform.portal.app import create_portal
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.engine import connect
from dissco_platform.settings import Settings
from tests.enrolment.conftest import Served, archive, served
from tests.identity.conftest import postgres

__all__ = ["archive", "postgres", "served"]

ROR = [
    ("0566bfb96", "Naturalis Biodiversity Center", "NL", "Leiden"),
    ("0443cwa12", "Tallinn University of Technology", "EE", "Tallinn"),
    ("05natt857", "National Museum of Natural History", "LU", "Luxembourg"),
    ("039zvsn29", "Natural History Museum", "GB", "London"),
]


def write_ror(path: Path) -> Path:
    path.write_text(
        json.dumps(
            [
                {
                    "id": f"https://ror.org/{code}",
                    "status": "active",
                    "names": [{"value": name, "types": ["ror_display"]}],
                    "locations": [{"geonames_details": {"country_code": country, "name": city}}],
                }
                for code, name, country, city in ROR
            ]
        )
    )
    return path


@dataclass
class Visitor:
    """A person with a browser that keeps cookies and fills in forms as they are on the page."""

    client: TestClient
    registry: Registry
    settings: Settings

    def get(self, address: str, status: int = 200) -> str:
        answer = self.client.get(address)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(
        self, address: str, fields: dict[str, Any] | None = None, *, page: str | None = None, status: int = 200
    ) -> str:
        """Send a form from `page` (default: the same address); redirects are followed."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get(page or address).text)
        assert found, "the page has no form"
        answer = self.client.post(address, data={"csrf": found[1], **(fields or {})})
        assert answer.status_code == status, answer.text
        return answer.text

    def link(self, slug: str) -> str:
        """Return the secret link of an application, as its letter has it."""
        with self.registry.read() as connection:
            found = desk.get(connection, slug).to_json()
        return links_of(self.settings).page(found).removeprefix(self.settings.landing_page)

    def sign_in(self, role: str = "manager", name: str = "anna") -> "Visitor":
        with self.registry.write() as connection:
            token = staff.add(connection, name, role, by="test")
        self.send("/staff/sign-in", {"token": token})
        return self


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """Return a function that gives a fresh browser on the same portal."""
    settings = Settings(
        home=tmp_path / "home", ror_dump=write_ror(tmp_path / "ror.json"), landing_page="http://testserver"
    )
    registry = open_registry(settings.registry_url)
    app = create_portal(settings)
    with TestClient(app) as first:
        used = []

        def fresh() -> Visitor:
            client = first if not used else TestClient(app)
            used.append(client)
            return Visitor(client, registry, settings)

        yield fresh
    registry.close()


_databases = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database, of both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.sqlite'}"
    server = str(request.getfixturevalue("postgres"))
    name = f"desk_{next(_databases)}"
    admin = connect(server)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def visitor(visit: Callable[[], Visitor]) -> Visitor:
    return visit()


FORM = {
    "title": "Moths of Leiden",
    "source": "https://ipt.example.org/moths.zip",
    "organisation": "https://ror.org/0566bfb96",
    "what": "full",
    "contact": "curator@example.org",
    "representative": "yes",
    "anyway": "yes",
    "do": "send",
}


@dataclass
class Running:
    """A portal as `dissco portal` serves it, its worker beside it."""

    base: str
    home: Path
    environment: dict[str, str]

    def dissco(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from dissco_platform.cli import main; main()", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def letters(self) -> list[Any]:
        import mailbox

        folder = self.home / "maildir"
        return list(mailbox.Maildir(folder)) if folder.is_dir() else []

    def letter(self, subject: str, seconds: float = 60) -> str:
        """Wait for a letter and return its text."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for found in self.letters():
                if subject in str(found["Subject"]):
                    return str(found.get_payload(decode=True).decode())
            time.sleep(0.3)
        raise AssertionError(f"no letter '{subject}' among {[str(found['Subject']) for found in self.letters()]}")


@pytest.fixture
def running(tmp_path: Path, served: Served) -> Iterator[Running]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DISSCO_HOME": str(tmp_path / "home"),
        "DISSCO_TRUSTED_HOSTS": served.host,
        "DISSCO_ROR_DUMP": str(write_ror(tmp_path / "ror.json")),
        "DISSCO_LANDING_PAGE": base,
    }
    code = "from dissco_platform.cli import main; main()"
    log = (tmp_path / "portal.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", code, "portal", "--port", str(port)], env=environment, stdout=log, stderr=log
    )
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None, (tmp_path / "portal.log").read_text()
            try:
                httpx.get(f"{base}/enrolment", timeout=5)
                break
            except httpx.HTTPError:
                assert time.monotonic() < until, (tmp_path / "portal.log").read_text()
                time.sleep(0.2)
        yield Running(base, tmp_path / "home", environment)
    finally:
        process.terminate()
        process.wait(30)
        log.close()
        said = (tmp_path / "portal.log").read_text()
    assert "Traceback" not in said, said
