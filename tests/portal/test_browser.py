"""The pages in a browser: no serious fault of accessibility, no refused content, the image viewer, keyboard."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from dissco_platform.portal.app import create_portal
from dissco_platform.settings import Settings

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    """Yield the address of a portal in a thread."""
    server = uvicorn.Server(uvicorn.Config(create_portal(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def test_no_serious_fault_of_accessibility_and_nothing_refused(
    browser: Any, address: str, dois: dict[str, str]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    pages = ["/", "/search?q=quercus", "/datasets", "/datasets/museum", "/api", f"/{dois['M0']}", f"/{dois['M0']}/diff",
             f"/{dois['M0']}/versions", f"/{dois['M9']}", f"/{dois['H-attribute']}", "/nothing"]  # fmt: skip
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        for path in pages:
            page.goto(address + path)
            faults = [
                (fault["id"], [node["html"][:120] for node in fault["nodes"][:2]])
                for fault in axe.Axe().run(page).response["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            assert not faults, (scheme, width, path, faults)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (width, path)
        context.close()


def test_hostile_pages_run_nothing(browser: Any, address: str, dois: dict[str, str]) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    for name, doi in dois.items():
        page.goto(f"{address}/{doi}")
        page.mouse.move(200, 300)
        assert page.locator("h1").count() == 1, name
    assert said == []


def test_the_keyboard_reaches_the_content_first(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"


def test_differences_fit_a_phone(browser: Any, address: str, dois: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{address}/{dois['M0']}/diff?from=1&to=2")
    assert page.locator("table.stacked tbody tr").count() > 0
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(box => box.scrollWidth <= box.clientWidth)")
