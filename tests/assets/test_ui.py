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

import httpx
import pytest

from dissco_platform.assets.partitions import GROUPS
from tests.house import EXAMPLES, ORGANISATION, CommandLine

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the zoological sample, then `dissco ui`; return the address of the web server."""
    dissco = CommandLine(tmp_path_factory.mktemp("ui") / "home")
    dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
    source = str(EXAMPLES / "week1" / "zoology.zip")
    dissco("dataset", "add", "zoology", "--source", source, "--organisation", ORGANISATION)
    dissco("run", "zoology")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from dissco_platform.cli import main; main()", "ui", "--port", str(port)],
        env={**os.environ, "DISSCO_HOME": str(dissco.home)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/server_info", timeout=2).status_code == 200:
                    break
            assert process.poll() is None, "the web interface ended before it answered"
            time.sleep(1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_the_chain_is_there_with_its_counts_and_checks(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{address}/assets/registered_dois?partition=zoology&view=partitions")
        with contextlib.suppress(Exception):
            page.get_by_text("Skip", exact=True).click(timeout=5_000)
        page.get_by_text("zoology").first.wait_for(timeout=60_000)
        page.get_by_text("Materialized").first.wait_for(timeout=60_000)
        page.goto(f"{address}/asset-groups")
        for group in dict.fromkeys(GROUPS.values()):
            page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)
        for asset in ("raw_archive", "parsed_records", "taxon_harmonised", "mapping", "digital_specimens"):
            page.goto(f"{address}/assets/{asset}?view=partitions&partition=zoology")
            page.get_by_text("Materialized", exact=True).first.wait_for(timeout=60_000)
        page.get_by_text("carried_over").first.wait_for(timeout=60_000)
        page.goto(f"{address}/assets/digital_specimens?view=checks")
        page.get_by_text("records_accounted_for").first.wait_for(timeout=60_000)
        browser.close()
