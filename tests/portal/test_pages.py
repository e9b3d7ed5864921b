"""Landing pages and what belongs to a DOI: content, forms, links, versions, conditional requests, hostile content."""

import json
import re
import shutil
from pathlib import Path

import pytest
from lxml import etree, html
from starlette.testclient import TestClient

from tests.portal.conftest import HOSTILE

HTML = {"accept": "text/html"}


def page(portal: TestClient, address: str) -> html.HtmlElement:
    answer = portal.get(address, headers=HTML)
    assert answer.status_code == 200, (address, answer.status_code, answer.text[:500])
    return html.fromstring(answer.text)


def test_a_specimens_page_says_what_it_is(portal: TestClient, dois: dict[str, str]) -> None:
    found = page(portal, f"/{dois['M0']}")
    text = found.text_content()
    assert found.findtext(".//h1/bdi/i") == "Quercus robur" or "Quercus robur" in found.find(".//h1").text_content()
    for said in ("Museum of Trials", "Hamme", "1890-05-17", "Émile Noël", "50.5, 4.25", "MIDS level", "CC0-1.0", "ExampleList",
                 "from locality", "Exact match", "Version 2", f"https://doi.org/{dois['M0']}"):  # fmt: skip
        assert said in text or said.replace("from ", "from dwc:") in text, said
    assert found.xpath("//meta[@name='citation_doi']/@content") == [dois["M0"]]
    schema = json.loads(found.xpath("//script[@type='application/ld+json']/text()")[0])
    assert schema["@id"] == f"https://doi.org/{dois['M0']}" and schema["version"] == "2"
    assert not found.xpath("//script[not(@type='application/ld+json')]") and not found.xpath("//@style | //@onclick")


def test_a_specimens_page_tells_its_ages_its_samples_and_who_made_them(
    portal: TestClient, dois: dict[str, str]
) -> None:
    found = page(portal, f"/{dois['M0']}")
    facts = [
        (one.find("dt").text_content(), value.xpath("string(.//bdi)"))
        for one in found.xpath("//section[@aria-labelledby='specimen' or @aria-labelledby='parts']//dl/div")
        for value in one.findall("dd")
    ]
    for said in (("Age as written", "31,500 ± 200 14C BP"), ("From", "35900 BP"), ("Dated by means of", "radiocarbon AMS"),
                 ("Dated by", "Ada Dater"), ("Kind or preparation", "DNA extract"), ("Preparator", "Li Preparer"),
                 ("Kind or preparation", "<b>tissue</b>"),
                 ("Material", "urn:uuid:5f0dbb5c-0e1c-4a5e-9b0c-2f7f2f6a0001")):  # fmt: skip
        assert said in facts, said
    assert ("Concentration", "12 ng/µl") in facts and len(found.xpath("//section[@aria-labelledby='parts']//h3")) == 2
    assert not page(portal, f"/{dois['M1']}").xpath("//*[@id='parts']")


def test_every_form_has_an_address_and_a_media_type(portal: TestClient, dois: dict[str, str]) -> None:
    forms = {
        "jsonld": "application/ld+json", "json": "application/json",
        "datacite.json": "application/vnd.datacite.datacite+json", "datacite.xml": "application/vnd.datacite.datacite+xml",
        "csl.json": "application/vnd.citationstyles.csl+json", "txt": "text/x-bibliography",
    }  # fmt: skip
    for suffix, media_type in forms.items():
        by_address = portal.get(f"/{dois['M0']}.{suffix}")
        by_accept = portal.get(f"/{dois['M0']}", headers={"accept": f"{media_type}, text/html;q=0.5"})
        assert by_address.status_code == 200 and by_address.headers["content-type"].startswith(media_type)
        assert by_address.content == by_accept.content and "accept" in by_accept.headers["vary"].lower()
        assert 'rel="cite-as"' in by_address.headers["link"] and 'rel="describes"' in by_address.headers["link"]
    document = portal.get(f"/{dois['M0']}.json").json()
    linked = portal.get(f"/{dois['M0']}.jsonld").json()
    assert linked.pop("@context")["dwc"] == "http://rs.tdwg.org/dwc/terms/" and linked == document
    assert document["ods:version"] == 2
    assert portal.get(f"/{dois['M0']}.json", params={"version": 1}).json()["ods:version"] == 1
    etree.fromstring(portal.get(f"/{dois['M0']}.datacite.xml").content)
    assert "Version 1" in portal.get(f"/{dois['M0']}.txt?version=1").text
    refused = portal.get(f"/{dois['M0']}", headers={"accept": "image/png"})
    assert refused.status_code == 406 and "application/ld+json" in refused.text


def test_links_lead_machines_from_the_page(portal: TestClient, dois: dict[str, str]) -> None:
    doi = dois["M0"]
    header = portal.head(f"/{doi}", headers=HTML).headers["link"]
    assert len(header) < 8000
    links = re.findall(r'<([^>]+)>; rel="([^"]+)"(?:; type="([^"]+)")?', header)
    by_relation: dict[str, list[str]] = {}
    for target, relation, _ in links:
        by_relation.setdefault(relation, []).append(target)
    assert by_relation["cite-as"] == [f"https://doi.org/{doi}"] and len(by_relation["type"]) == 2
    assert by_relation["license"] == ["https://creativecommons.org/publicdomain/zero/1.0/"]
    for target in [*by_relation["describedby"], *by_relation["linkset"]]:
        assert portal.get(target.removeprefix("http://localhost:8000")).status_code == 200
    linkset = portal.get(f"/{doi}/linkset").json()["linkset"]
    assert {one["anchor"] for one in linkset[1:]} == set(by_relation["describedby"])


def test_versions_differences_events_and_the_fdo_record(portal: TestClient, dois: dict[str, str]) -> None:
    doi = dois["M0"]
    listed = portal.get(f"/{doi}/versions", headers={"accept": "application/json"}).json()
    assert [(one["version"], one["causes"]) for one in listed] == [(1, ["new"]), (2, ["source"])]
    assert "what changed" in page(portal, f"/{doi}/versions").text_content()
    patch = portal.get(f"/{doi}/diff", headers={"accept": "application/json"}).json()
    assert {one["path"].rpartition("/")[2] for one in patch} >= {"dwc:locality", "ods:version"}
    changed = page(portal, f"/{doi}/diff?from=1&to=2")
    assert [one.text_content() for one in changed.xpath("//del")] == ["Ham"]
    assert [one.text_content() for one in changed.xpath("//ins")] == ["Hamme"]
    old = page(portal, f"/{doi}/versions/1")
    assert "The current one is version 2" in old.text_content() and "Ham" in old.text_content()
    assert [portal.get(f"/{doi}/events/{n}").json()["prov:Activity"]["@type"] for n in (1, 2)] == [
        "ods:Create",
        "ods:Update",
    ]
    assert portal.get(f"/{doi}/fdo").json()["pid"] == f"https://doi.org/{doi}"
    for wrong in (f"/{doi}/versions/7", f"/{doi}/diff?from=1&to=9", f"/{doi}/events/9", f"/{doi}?version=9"):
        assert portal.get(wrong).status_code == 404


def test_nothing_is_sent_twice_that_has_not_changed(portal: TestClient, dois: dict[str, str]) -> None:
    own = [f"/{dois['M0']}{part}" for part in ("", ".jsonld", "/versions", "/fdo")]
    for address in (
        *own,
        "/",
        "/search?q=a*",
        "/datasets",
        "/datasets/museum",
        f"/api/digital-specimen/v1/{dois['M0']}",
    ):
        first = portal.get(address)
        again = portal.get(address, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b""), address
        assert portal.get(address, headers={"if-none-match": '"other"'}).status_code == 200
    first = portal.get(f"/{dois['M0']}")
    assert (
        portal.get(f"/{dois['M0']}", headers={"if-modified-since": first.headers["last-modified"]}).status_code == 304
    )
    assert first.headers["etag"] != portal.get(f"/{dois['M0']}.json").headers["etag"]


def test_a_doi_only_specimen_has_a_page_and_no_document(portal: TestClient, dois: dict[str, str]) -> None:
    found = page(portal, f"/{dois['M9']}").text_content()
    assert "DOI only" in found and "Museum of Trials" in found and "Hamme" not in found
    assert portal.get(f"/{dois['M9']}.json").status_code == 404
    assert portal.get(f"/{dois['M9']}.datacite.json").json()["doi"] == dois["M9"]


def test_unknown_and_foreign_dois_and_other_spellings(portal: TestClient, dois: dict[str, str]) -> None:
    for wrong in (
        "/10.5555/AAA-AAA-AAA",
        "/10.1234/AAA-AAA-AAA",
        "/10.5555/nonsense",
        "/10.5555/AAA-AAA-AAA.exe",
        "/a/b",
    ):
        assert portal.get(wrong, headers=HTML).status_code == 404, wrong
    moved = portal.get(f"/{dois['M0'].lower()}.json?version=1")
    assert moved.status_code == 308 and moved.headers["location"] == f"/{dois['M0']}.json?version=1"


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_is_text(portal: TestClient, dois: dict[str, str], kind: str) -> None:
    doi = dois[f"H-{kind}"]
    for address in (f"/{doi}", f"/{doi}/versions", f"/search?id={doi}", f"/{doi}/diff?from=1&to=1"):
        answer = portal.get(address, headers=HTML)
        assert answer.status_code == 200, (address, answer.text[:300])
        assert len(answer.text) < 400_000 and not re.search("[\u202a-\u202e\u2066-\u2069]", answer.text)
        tree = html.fromstring(answer.text)
        assert not tree.xpath("//script[not(@type='application/ld+json')]")
        assert not tree.xpath("//@*[starts-with(name(), 'on')]") and not tree.xpath("//img[@src='x']")
        assert not tree.xpath("//@href[starts-with(., 'javascript:')]") and "49" not in tree.findtext(".//h1", "")
    assert len(portal.get(f"/{doi}", headers=HTML).headers["link"]) < 8000
    portal.get(f"/{doi}.jsonld").json()


def test_search_pages_narrow_and_lead_on(portal: TestClient) -> None:
    found = page(portal, "/search?q=quercus&size=1")
    assert found.xpath("string(//p[@role='status']/strong)") != "0"
    following = found.xpath("//a[@rel='next']/@href")[0]
    assert page(portal, following).xpath("//ol[@class='found']/li")
    narrowed = found.xpath("//details[@class='facet']//a[contains(@href, 'basis=')]/@href")[0]
    assert "Basis of record" in page(portal, narrowed).text_content()
    wrong = portal.get("/search?bbox=1,2", headers=HTML)
    assert wrong.status_code == 400 and "bbox" in wrong.text
    assert "Nothing was found" in page(portal, "/search?q=xyzzy").text_content()
    reflected = portal.get("/search", params={"q": '"><script>x</script>', "country": "<b>"}, headers=HTML).text
    assert "<script>x" not in reflected and "<b>" not in reflected


def test_dataset_pages_show_harvests_rejects_and_quality(portal: TestClient) -> None:
    assert "Museum of Trials" in page(portal, "/datasets").text_content()
    found = page(portal, "/datasets/museum")
    text = found.text_content()
    assert "Names in the checklist" in text and "MIDS" in text and "licence not open" in text
    assert re.search(r"\d+ specimens\s+\d+ digital specimens, 1 DOI only", text), "the two numbers explain each other"
    assert len(found.xpath("//section[h2[@id='history']]//tbody/tr")) == 2 and found.xpath(
        "//figure[@class='time']//rect"
    )
    report = portal.get("/datasets/museum/report.json").json()
    assert [one["counts"]["changed"] for one in report["harvests"]] == [1, 0]
    assert report["harvests"][0]["counts"]["records"] == 10
    assert portal.get("/datasets/nothing", headers=HTML).status_code == 404


def test_a_page_does_not_need_the_search_index(settings, home: Path, dois: dict[str, str], tmp_path: Path) -> None:
    from dissco_platform.portal.app import create_portal

    copied = tmp_path / "home"
    shutil.copytree(home, copied)
    for file in copied.glob("search.sqlite*"):
        file.unlink()
    with TestClient(create_portal(settings.model_copy(update={"home": copied}))) as client:
        assert "Hamme" in client.get(f"/{dois['M0']}", headers=HTML).text
        assert client.get("/search", headers=HTML).status_code == 200


def test_a_tombstone_says_why_and_stays_readable(settings, home: Path, dois: dict[str, str], tmp_path: Path) -> None:
    from dissco_platform.cli.house import House
    from dissco_platform.cli.services import _bring_index_up_to_date
    from dissco_platform.portal.app import create_portal
    from tests.house import CommandLine

    copied = tmp_path / "home"
    shutil.copytree(home, copied)
    doi = dois["M1"]
    CommandLine(copied)("specimen", "withdraw", doi, "--reason", "It was a <b>cast</b>.", "--yes")
    there = settings.model_copy(update={"home": copied})
    with House(there) as house:
        _bring_index_up_to_date(house)
    with TestClient(create_portal(there)) as client:
        ended = client.get(f"/{doi}", headers=HTML)
        assert ended.status_code == 200 and "This record has ended." in ended.text
        assert "It was a &lt;b&gt;cast&lt;/b&gt;." in ended.text
        assert html.fromstring(ended.text).xpath("//meta[@name='robots']/@content") == ["noindex"]
        assert client.get(f"/{doi}.json").json()["ods:status"] == "Tombstone"
        assert "Quercus robur" in client.get(f"/{doi}/versions/1", headers=HTML).text
        assert client.get(f"/{doi}/events/2").json()["prov:Activity"]["@type"] == "ods:Tombstone"
        found = client.get("/api/digital-specimen/v1/search", params={"id": doi}).json()
        assert found["meta"]["totalRecords"] == 0
