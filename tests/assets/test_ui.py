"""The chain in Dagster's web interface, seen by a headless browser."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dissco_platform.assets.partitions import GROUPS
from tests.house import EXAMPLES, ORGANISATION, CommandLine

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@dataclass
class Interface:
    """`dissco ui` that is running: the address that it printed, its process, its state's folder."""

    address: str
    process: subprocess.Popen[bytes]
    home: Path

    def others(self) -> list[int]:
        """Return the processes that it started and that are still there."""
        mark = f"DISSCO_HOME={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != self.process.pid:
                    found.append(int(folder.name))
        return found


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    """Run the zoological sample, then `dissco ui`, until it has printed its address."""
    dissco = CommandLine(tmp_path_factory.mktemp("ui") / "home")
    dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
    source = str(EXAMPLES / "week1" / "zoology.zip")
    dissco("dataset", "add", "zoology", "--source", source, "--organisation", ORGANISATION)
    dissco("run", "zoology")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = dissco.home / "ui.log"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from dissco_platform.cli import main; main()", "ui", "--port", str(port)],
            env={**os.environ, "DISSCO_HOME": str(dissco.home), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            if f"Dagster: {address}" in said.read_text():
                break
            assert process.poll() is None, said.read_text()
            time.sleep(1)
        assert httpx.get(f"{address}/server_info", timeout=10).status_code == 200
        yield Interface(address, process, dissco.home)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_the_chain_is_there_with_its_counts_checks_and_problems(interface: Interface) -> None:
    from playwright.sync_api import sync_playwright

    address = interface.address
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{address}/assets/registered_dois?partition=zoology&view=partitions")
        # Dagster's invitation lies over the page whenever it comes.
        invitation = page.get_by_text("Skip", exact=True)
        page.add_locator_handler(invitation, invitation.click)
        page.get_by_text("zoology").first.wait_for(timeout=60_000)
        page.get_by_text("Materialized").first.wait_for(timeout=60_000)
        page.goto(f"{address}/asset-groups")
        for group in dict.fromkeys(GROUPS.values()):
            page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)
        for asset in ("raw_archive", "parsed_records", "taxon_harmonised", "mapping", "digital_specimens"):
            page.goto(f"{address}/assets/{asset}?view=partitions&partition=zoology")
            page.get_by_text("Materialized", exact=True).first.wait_for(timeout=60_000)
        page.get_by_text("carried_over").first.wait_for(timeout=60_000)
        page.get_by_text("Show Markdown").first.click()  # the ten worst problems, before all figures
        page.get_by_text("record set aside: duplicate_identifier").wait_for(timeout=60_000)
        page.goto(f"{address}/assets/digital_specimens")
        page.get_by_text("in GitHub").first.wait_for(timeout=60_000)  # links to the code
        page.goto(f"{address}/assets/dataset_overview")  # reported by the reconciler's first tick
        page.get_by_text("up to date").first.wait_for(timeout=120_000)
        page.goto(f"{address}/automation")
        for sensor in ("upstream", "reconciler", "incidents", "checklist_releases", "weekly"):
            page.get_by_text(sensor, exact=True).first.wait_for(timeout=60_000)
        page.goto(f"{address}/assets/digital_specimens?view=checks")
        page.get_by_text("records_accounted_for").first.wait_for(timeout=60_000)
        browser.close()


def test_a_port_in_use_is_said_in_a_sentence(interface: Interface) -> None:
    port = interface.address.rsplit(":", 1)[1]
    said = CommandLine(interface.home).refuses("ui", "--port", port)
    assert f"127.0.0.1:{port} cannot be used" in said and "--port" in said


def test_it_ends_with_all_that_it_started_when_it_is_asked_to(interface: Interface) -> None:
    assert interface.others()
    interface.process.terminate()
    assert interface.process.wait(90) == 0
    assert interface.others() == []
