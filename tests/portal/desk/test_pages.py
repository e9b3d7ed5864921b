"""What the desk's pages say and do, page by page, without a browser."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dissco_platform.enrolment import desk as domain
from dissco_platform.enrolment import rounds
from dissco_platform.registry import enrolment as letters
from dissco_platform.registry.datasets import get_dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.tables import batch, digital_object, outbox
from dissco_platform.registry.vanished import record, waiting
from tests.enrolment.test_desk import FOUND, LACKING
from tests.portal.desk.conftest import FORM, Visitor

SLUG = "moths-of-leiden"
PAGE = f"/enrolment/datasets/{SLUG}"
REQUIREMENT = {
    "code": "identifiers", "title": "Every specimen has an identifier", "status": "not_met", "stops": True,
    "evidence": "1 of 2 records (50.0%) has none.", "advice": "Fill it in.",
    "examples": [{"scientificName": "<b>Actias</b>", "line": 3, "file": "o.csv", "catalogNumber": None}],
}  # fmt: skip
REPORT: dict[str, Any] = {
    **LACKING, "requirements": [REQUIREMENT], "source": FORM["source"], "slug": SLUG, "doi_only": False,
    "problems": [REQUIREMENT],
}  # fmt: skip


@pytest.fixture
def owner(visitor: Visitor) -> Visitor:
    """Somebody whose dataset is pre-registered and confirmed, on its page."""
    visitor.send("/enrolment/apply", {**FORM, "claims[]": ["mou", "partner"], "remark": "<script>x</script>"})
    visitor.client.get(visitor.link(SLUG))
    visitor.send(f"{PAGE}/confirm", page=PAGE)
    return visitor


def _act(visitor: Visitor, action: str, **more: Any) -> None:
    with visitor.registry.write() as connection:
        domain.act(connection, SLUG, action, actor="anna", **more)


def _grant(visitor: Visitor) -> None:
    _act(visitor, "check", inputs={**FOUND, "requirements": [], "source": "x", "doi_only": False})
    _act(visitor, "accept", inputs={"flags": {"mou": True}})
    with visitor.registry.write() as connection:
        inputs = rounds.gather(connection, yearly_quota=120_000, year=2026, month=12)
        rounds.grant_round(connection, inputs, actor="anna", handle_prefix="20.5000.1025")


def test_what_was_typed_is_what_was_pre_registered(owner: Visitor) -> None:
    with owner.registry.read() as connection:
        form = domain.get(connection, SLUG).form
    assert form["organisation_name"] == "Naturalis Biodiversity Center" and form["country"] == "NL"
    assert (form["claims"], form["doi_only"], form["title"]) == (["mou", "partner"], False, "Moths of Leiden")
    said = owner.sign_in().get(f"/staff/applications/{SLUG}")
    assert "&lt;script&gt;x&lt;/script&gt;" in said and "<script>" not in said


def test_the_same_dataset_is_not_pre_registered_twice_and_names_stay_apart(owner: Visitor) -> None:
    said = owner.send("/enrolment/apply", FORM, status=422)
    assert "is pre-registered already" in said and "Moths of Leiden" in said, "and nothing typed is lost"
    owner.send("/enrolment/apply", {**FORM, "source": "https://ipt.example.org/more.zip"})
    with owner.registry.read() as connection:
        assert [found.slug for found in domain.list_all(connection)] == [SLUG, f"{SLUG}-2"]


def test_the_report_is_a_page_a_file_and_json(owner: Visitor) -> None:
    owner.get(f"{PAGE}/report", 404)
    _act(owner, "check", inputs=REPORT)
    for said in (owner.get(f"{PAGE}/report"), owner.get(f"{PAGE}/report.html")):
        assert "Fill it in." in said and "&lt;b&gt;Actias&lt;/b&gt;" in said and "(empty)" in said
        assert said.index(">file<") < said.index(">line<") < said.index(">scientificName<")
    saved = owner.client.get(f"{PAGE}/report.html")
    assert saved.headers["content-disposition"] == f'attachment; filename="{SLUG}-check.html"'
    assert "sandbox" in saved.headers["content-security-policy"]
    found = json.loads(owner.get(f"{PAGE}/report.json"))
    assert found["not_met"] == ["identifiers"] and found["requirements"] == [REQUIREMENT]


def test_the_waiting_list_shows_no_personal_data_and_nobody_unconfirmed(visit: Callable[[], Visitor]) -> None:
    owner, other = visit(), visit()
    owner.send("/enrolment/apply", {**FORM, "remark": "call me at 555-1234"})
    _act(owner, "check", inputs={**FOUND, "requirements": [], "source": "x", "doi_only": False})
    assert "Moths of Leiden" not in other.get("/enrolment/waiting-list"), "nobody has confirmed it"
    _act(owner, "confirm")
    _act(owner, "accept", inputs={"flags": {"mou": True}})
    page, data = other.get("/enrolment/waiting-list"), other.get("/enrolment/waiting-list.json")
    assert "Moths of Leiden" in page and "2 of 2: the provider signed the memorandum of understanding" in page
    for said in (page, data):
        assert "curator@example.org" not in said and "555-1234" not in said and "ipt.example.org" not in said
    (entry,) = json.loads(data)["waiting"]
    assert (entry["position"], entry["points"], entry["needs"], entry["expected_first"] is not None) == (
        1,
        4,
        12_000,
        True,
    )
    assert json.loads(data)["parameters"]["lanes"] == {"discipline": 0.1, "country": 0.06, "size": 0.04}


def test_a_change_of_address_ends_the_old_link(owner: Visitor) -> None:
    old = owner.link(SLUG)
    owner.send(f"{PAGE}/amend", {"contact": "new@example.org"}, page=PAGE, status=404)
    assert owner.client.get(old).status_code == 404
    opened = owner.client.get(owner.link(SLUG))
    assert opened.status_code == 200 and "Please confirm that this is your address" in opened.text


def test_a_change_of_choice_has_the_dataset_checked_again(owner: Visitor) -> None:
    _act(owner, "check", inputs=REPORT)
    wrong = owner.send(f"{PAGE}/amend", {"source": "no address"}, page=PAGE, status=422)
    assert "This is no web address." in wrong and 'value="no address"' in wrong
    said = owner.send(f"{PAGE}/amend", {"what": "doi"}, page=PAGE)
    assert "Your changes are kept." in said and "We are loading your dataset for trial." in said


def test_news_end_with_one_click_and_not_by_looking(owner: Visitor) -> None:
    from dissco_platform.enrolment.links import links_of

    with owner.registry.read() as connection:
        found = domain.get(connection, SLUG).to_json()
    address = links_of(owner.settings).no_news(found).removeprefix("http://testserver")
    owner.client.cookies.clear()
    owner.get(address)
    assert owner.client.post(address.replace(SLUG, "other"), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with owner.registry.read() as connection:
        assert domain.get(connection, SLUG).news
    assert owner.client.post(address, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with owner.registry.read() as connection:
        assert not domain.get(connection, SLUG).news


def test_after_the_grant_the_page_tells_of_dois_looks_and_problems(owner: Visitor) -> None:
    _grant(owner)
    with owner.registry.write() as connection:
        for number, state in enumerate(("registered", "registered", "pending"), 1):
            connection.execute(
                digital_object.insert().values(
                    id=number, kind="specimen", dataset=SLUG, identity_key=f"k{number}", suffix=f"AAA-BBB-CC{number}",
                    attempt=0, state="active", doi_only=False, version=1, content_hash="h", visible_hash="h",
                    doi_state=state, created=now(), modified=now(), missed=0,
                )
            )  # fmt: skip
        update_dataset(connection, SLUG, failed="2026-03-02T00:00:00.000Z", failure="It answered 404.")
    said = owner.get(PAGE)
    assert "2 of 3 DOIs are registered" in said and 'href="/10.5555/AAA-BBB-CC1"' in said
    assert "AAA-BBB-CC3" not in said, "not registered yet"
    assert "It answered 404." in said and "support@dissco.example" in said and "info@dissco.example" in said
    assert owner.get(f"{PAGE}/dois.csv") == "catalogNumber,occurrenceID,DOI\n", "nothing is published yet"
    owner.send(f"{PAGE}/withdraw", {"sure": "yes"}, page=PAGE, status=422)


def test_staff_decide_and_every_decision_is_in_the_log(owner: Visitor) -> None:
    _act(owner, "check", inputs={**FOUND, "requirements": [], "source": "x", "doi_only": False})
    page = f"/staff/applications/{SLUG}"
    owner.sign_in()
    assert "claimed" in owner.get(page), "what the applicant claims stands beside what is to be verified"
    said = owner.send(f"{page}/pause", {"reason": "", "action": "pause"}, page=page, status=422)
    assert "Please say why" in said
    owner.send(f"{page}/accept", {"flag-mou": "yes", "reason": "signed in 2024"}, page=page)
    with owner.registry.read() as connection:
        found = domain.get(connection, SLUG)
    assert (found.state, found.flags) == ("waiting", {"mou": True, "partner": False, "reason": False})
    owner.send(f"{page}/accept", {}, page=page, status=422)
    owner.send(f"{page}/judge", {"flag-partner": "yes", "reason": "paid"}, page=page)
    owner.send(f"{page}/pause", {"reason": "renumbering"}, page=page)
    owner.send(f"{page}/resume", {}, page=page)
    owner.send(f"{page}/relink", {}, page=page)
    log = owner.get("/staff/log")
    for words in ("signed in 2024", "paid", "renumbering", "resume", "relink"):
        assert words in log
    with owner.registry.read() as connection:
        assert {row["event"] for row in letters.notifications_of(connection, SLUG)} >= {
            "accepted",
            "paused",
            "resumed",
            "link",
        }
        assert domain.replay(SLUG, domain.history(connection, SLUG)) == domain.get(connection, SLUG)


def test_a_disappearance_is_confirmed_for_the_number_that_was_seen(owner: Visitor) -> None:
    _grant(owner)
    with owner.registry.write() as connection:
        record(connection, SLUG, 900, 900)
    owner.sign_in()
    assert "900 specimens that have a DOI are not in the dataset any more" in owner.get("/staff/datasets")
    address = f"/staff/datasets/{SLUG}/confirm-disappearance"
    owner.send(address, {"missing": "899", "reason": "x"}, page="/staff/datasets", status=409)
    owner.send(address, {"missing": "900", "reason": ""}, page="/staff/datasets", status=422)
    owner.send(address, {"missing": "900", "reason": "they said so"}, page="/staff/datasets")
    with owner.registry.read() as connection:
        assert waiting(connection) == {}


def test_refused_dois_are_sent_again(owner: Visitor) -> None:
    _grant(owner)
    with owner.registry.write() as connection:
        connection.execute(
            digital_object.insert().values(
                id=1, kind="specimen", dataset=SLUG, identity_key="k", suffix="AAA-BBB-CCC", attempt=0, state="active",
                doi_only=False, version=1, content_hash="h", visible_hash="h", doi_state="failed", created=now(),
                modified=now(), missed=0,
            )
        )  # fmt: skip
        connection.execute(batch.insert().values(id=1, dataset=SLUG, path="p", created=now(), made_from="{}"))
        connection.execute(
            outbox.insert().values(
                object_id=1, dataset=SLUG, lane=1, version=1, batch_id=1, visible_hash="h", state="dead", attempts=3,
                not_before=0.0, leased_until=0.0, error="422: bad <url>",
            )
        )  # fmt: skip
    owner.sign_in()
    assert "422: bad &lt;url&gt;" in owner.get("/staff/dead-letters")
    owner.send("/staff/dead-letters", {"reason": "mended"})
    assert "None: all records were taken." in owner.get("/staff/dead-letters")
    with owner.registry.read() as connection:
        assert get_dataset(connection, SLUG).state == "active"
