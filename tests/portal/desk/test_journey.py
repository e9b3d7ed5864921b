"""The front door as people use it, in a browser: a provider from the form to the list, staff from verifying to the grant.

Pages have no script, so what works here works everywhere. Pictures of every page lie in `shots` below the test's folder.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.enrolment.conftest import Served
from tests.enrolment.test_proof import _without_identifiers
from tests.house import EXAMPLES
from tests.portal.desk.conftest import Running

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Person:
    """Somebody at a browser: looks at every page, and finds no serious barrier on it."""

    def __init__(self, browser: Browser, base: str, shots: Path, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(base_url=base, java_script_enabled=True, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.shots = shots
        shots.mkdir(exist_ok=True)

    def look(self, name: str) -> None:
        """Keep a picture; refuse serious barriers and pages wider than the screen."""
        from axe_playwright_python.sync_playwright import Axe

        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)
        found = Axe().run(self.page).response["violations"]
        serious = {
            entry["id"]: entry["nodes"][0]["html"] for entry in found if entry["impact"] in {"serious", "critical"}
        }
        assert not serious, (name, serious)
        wide, screen = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= screen, f"{name} is {wide} wide on a screen of {screen}"

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def enter(self) -> None:
        """Press Enter, and wait for the page that follows."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def tab_to(self, selector: str, *, back: bool = False) -> None:
        """Press Tab until an element has the focus, and see that it shows it."""
        for _ in range(90):
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                shown = self.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert shown != "none", f"{selector} does not show that it has the focus"
                return
        raise AssertionError(f"{selector} cannot be reached with the keyboard")

    def until(self, words: str, seconds: float = 90) -> None:
        """Load the page again until it says something."""
        for _ in range(int(seconds / 0.7)):
            if words in self.page.inner_text("main"):
                return
            self.page.wait_for_timeout(700)
            self.page.reload()
        raise AssertionError(f"'{words}' did not come: {self.page.inner_text('main')}")


def _pre_register(person: Person, title: str, source: str, institution: str, city: str) -> None:
    page = person.page
    page.goto("/enrolment")
    page.get_by_role("link", name="Pre-register a dataset").click()
    page.get_by_label("Its name", exact=True).fill(title)
    page.get_by_label("Address at which it is published").fill(source)
    person.press("Try it")
    expect(page.get_by_text("It can be opened from here.")).to_be_visible()
    page.get_by_label("Its ROR, or its name to look it up").fill(institution)
    person.press("Look up")
    page.get_by_label(re.compile(city)).check()
    page.get_by_label("Full digital specimens").check()
    page.get_by_label("Your e-mail address").fill("curator@example.org")
    page.get_by_label("I may speak for the institution in this matter.").check()
    person.press("Pre-register")
    expect(page.get_by_role("heading", name="Please look into your mail")).to_be_visible()


def _pre_register_by_keyboard(person: Person, title: str, source: str, institution: str) -> None:
    page = person.page
    page.goto("/enrolment")
    person.tab_to("a.skip")
    page.keyboard.press("Enter")
    person.tab_to("main a[href='/enrolment/apply'].button")
    person.enter()
    for field, text in (("#title", title), ("#source", source)):
        person.tab_to(field)
        page.keyboard.type(text)
    person.enter()
    # Enter sends the form; what is missing is told and the first of it has the focus.
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent yet.")
    assert page.evaluate("document.activeElement.name") == "organisation"
    page.keyboard.type(institution)
    person.tab_to("button[value=find]")
    person.enter()
    page.wait_for_selector("[name=organisation_choice]")
    page.keyboard.press("Space")  # the first institution that was found has the focus
    person.tab_to("#contact")
    page.keyboard.type("curator@example.org")
    person.tab_to("#representative")
    page.keyboard.press("Space")
    person.tab_to("#what-doi", back=True)  # from below, a group of choices is entered at its last
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Full digital specimens")).to_be_checked()
    person.tab_to("button[value=send]:not(.hidden)")
    person.enter()
    expect(page.get_by_role("heading", name="Please look into your mail")).to_be_visible()


def _confirm(person: Person, running: Running, slug: str) -> None:
    letter = running.letter(f"We have received your dataset {slug}")
    address = re.search(rf"{running.base}/enrolment/open/\S+", letter)
    assert address
    person.page.goto(address[0])
    assert "/open/" not in person.page.url, "the secret does not stay in the address bar"
    person.press("Yes, it is mine")
    expect(person.page.get_by_role("status")).to_contain_text("your address is confirmed")


def test_three_providers_and_the_staff_until_the_first_doi_resolves(
    running: Running, served: Served, shared: Path, browser: Browser, tmp_path: Path
) -> None:
    shutil.copyfile(shared / "data" / "dwca" / "naturalis-ascidians.zip", served.folder / "ascidians.zip")
    shutil.copyfile(shared / "data" / "abcd" / "taltech-efg-one-unit.xml", served.folder / "rocks.xml")
    fossils = shared / "data" / "dwca" / "luxembourg-fossils.zip"
    _without_identifiers(fossils, served.folder / "fossils.zip")
    running.dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
    provider = Person(browser, running.base, tmp_path / "shots")
    page = provider.page

    # --- as providers ---
    page.goto("/enrolment")
    provider.look("01-enrolment")
    page.goto("/enrolment/apply")
    provider.look("02-form")
    page.get_by_label("Its ROR, or its name to look it up").fill("museum natural")
    page.get_by_label("Address at which it is published").fill("http://127.0.0.1:9/private")
    provider.press("Pre-register")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent yet.")
    expect(page.get_by_label("Address at which it is published")).to_have_value("http://127.0.0.1:9/private")
    provider.look("03-form-with-errors")
    _pre_register(provider, "Ascidians", f"{served.url}/ascidians.zip", "naturalis", "Leiden")
    provider.look("04-sent")
    _confirm(provider, running, "ascidians")
    provider.look("05-confirmed")
    provider.until("meets the minimum requirements")
    provider.look("06-checked")
    page.get_by_role("link", name="Read the report").click()
    expect(page.get_by_text("The dataset meets the minimum requirements.")).to_be_visible()
    provider.look("07-report-good")

    _pre_register_by_keyboard(provider, "Rocks", f"{served.url}/rocks.xml", "tallinn tech")
    _confirm(provider, running, "rocks")
    provider.until("Something is to be mended")
    provider.look("08-by-nc")
    page.get_by_role("link", name="Read the report").click()
    expect(page.get_by_text("CC-BY-NC-4.0").first).to_be_visible()
    provider.look("09-report-by-nc")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a page").click()
    assert "CC-BY-NC-4.0" in Path(download.value.path()).read_text()
    page.go_back()
    page.goto("/enrolment/datasets/rocks")
    page.get_by_text("Address, choice or contact").click()
    page.get_by_label("DOIs only (any licence)").check()
    provider.press("Keep the changes")
    provider.until("meets the minimum requirements")

    _pre_register(provider, "Fossils", f"{served.url}/fossils.zip", "natural history", "Luxembourg")
    _confirm(provider, running, "fossils")
    provider.until("Something is to be mended")
    page.get_by_role("link", name="Read the report").click()
    expect(page.get_by_text("The dataset has no column for either.").first).to_be_visible()
    provider.look("10-report-without-identifiers")
    shutil.copyfile(fossils, served.folder / "fossils.zip")
    page.goto("/enrolment/datasets/fossils")
    provider.press("I have mended it: check again")
    provider.until("meets the minimum requirements")

    # --- as staff ---
    token = running.dissco("staff", "add", "anna", "--role", "manager").strip()
    anna = Person(browser, running.base, tmp_path / "shots")
    desk = anna.page
    desk.goto("/staff")
    anna.look("11-sign-in")
    desk.get_by_label("Your token").fill(token)
    anna.press("Sign in")
    anna.look("12-staff")
    for name in ("Naturalis Biodiversity Center (NL) - Tunicata", "TalTech geological collections", "Palaeontological"):
        desk.goto("/staff")
        desk.get_by_role("link", name=re.compile(re.escape(name))).click()
        if "Tunicata" in name:
            desk.get_by_label(re.compile("memorandum")).check()
            anna.look("13-staff-application")
        anna.press("Accept into the waiting list")
        expect(desk.get_by_role("status")).to_contain_text("Accepted into the waiting list.")
    page.goto("/enrolment/waiting-list")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Tunicata")
    assert "curator@example.org" not in page.content(), "no personal data"
    provider.look("14-waiting-list")
    desk.goto("/staff/round")
    anna.look("15-round")
    anna.press("Grant this round")

    # --- until the first DOI resolves ---
    page.goto("/enrolment/datasets/ascidians")
    provider.until("28 of 28 DOIs are registered", 120)
    provider.look("16-enrolled")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the list of DOIs").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "catalogNumber,occurrenceID,DOI" and len(lines) == 15
    doi = page.locator("ul.dois a").first
    where = doi.get_attribute("href")
    assert where and lines[1].rsplit("/", 1)[1]
    answer = page.request.get(where)
    assert answer.status == 200, where
    assert doi.inner_text() in running.letter("The first DOI of ascidians is live")
    page.goto("/enrolment/waiting-list")
    provider.look("17-after-the-round")
    desk.goto("/staff/log")
    expect(desk.get_by_role("row", name=re.compile("anna accept ascidians"))).to_be_visible()
    anna.look("18-log")
    for name, address in (("19-datasets", "/staff/datasets"), ("20-refused", "/staff/dead-letters")):
        desk.goto(address)
        anna.look(name)
    anna.press("Sign out")

    # --- on a phone ---
    state = provider.context.storage_state()
    phone = Person(
        browser, running.base, tmp_path / "shots", viewport=PHONE, storage_state=state, is_mobile=True, has_touch=True
    )
    for name, address in (
        ("21-phone-enrolment", "/enrolment"),
        ("22-phone-form", "/enrolment/apply"),
        ("23-phone-list", "/enrolment/waiting-list"),
        ("24-phone-own", "/enrolment/datasets/ascidians"),
        ("25-phone-report", "/enrolment/datasets/rocks/report"),
    ):
        phone.page.goto(address)
        phone.look(name)
    expect(desk.get_by_role("heading", name="Staff")).to_be_visible()
