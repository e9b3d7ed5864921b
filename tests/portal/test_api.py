"""The API: shapes, cursors, look-up, export, and a description that is true."""

import json

import pytest
from starlette.testclient import TestClient

from dissco_platform.names.match_types import MATCH_TYPES

BASE = "/api/digital-specimen/v1"


def test_lists_searches_and_cursors(portal: TestClient) -> None:
    answer = portal.get(f"{BASE}/search", params={"size": 2})
    assert answer.headers["content-type"] == "application/vnd.api+json"
    seen = []
    body = answer.json()
    total = body["meta"]["totalRecords"]
    while True:
        seen += [one["id"] for one in body["data"]]
        if body["links"]["next"] is None:
            break
        body = portal.get(body["links"]["next"].removeprefix("http://localhost:8000")).json()
    assert len(seen) == len(set(seen)) == total == 10
    listed, address = [], f"{BASE}?size=3"
    while address:
        body = portal.get(address).json()
        listed += [one["id"] for one in body["data"]]
        address = (body["links"]["next"] or "").removeprefix("http://localhost:8000")
    assert sorted(listed) == sorted(seen)
    assert (
        portal.get(f"{BASE}/search", params={"countryCode": "BE", "pageSize": "100"}).json()["meta"]["totalRecords"]
        == 9
    )
    assert portal.get("/api/digital-media/v1").json()["data"] == []


def test_counts_suggestions_and_taxa(portal: TestClient) -> None:
    counted = portal.get(f"{BASE}/aggregation", params={"q": "quercus"}).json()["data"]["attributes"]
    assert counted["total"] >= 2 and counted["country"][0]["value"] == "BE"
    assert portal.get(f"{BASE}/taxonomy/aggregation").json()["data"]["attributes"]["taxa"][0]["label"] == "Plantae"
    assert portal.get(f"{BASE}/searchTermValue?term=country&value=bel").json()["data"]["attributes"]["country"]
    assert portal.get(f"{BASE}/discipline").json()["data"]["attributes"]["total"] == 10


def test_look_up_by_numbers_and_dois(portal: TestClient, dois: dict[str, str]) -> None:
    wanted = ["M0", f"https://doi.org/{dois['M1']}", dois["M2"].lower(), "nothing"]
    found = portal.post(f"{BASE}/lookup", json={"ids": wanted}).json()
    assert {one["id"] for one in found["data"]} == {dois["M0"], dois["M1"], dois["M2"]}
    assert portal.post(f"{BASE}/lookup", json={"ids": ["x"] * 1001}).status_code == 400


def test_exports_are_whole_and_safe_to_open(portal: TestClient) -> None:
    lines = portal.get(f"{BASE}/export", params={"format": "ndjson"}).text.splitlines()
    assert len(lines) == 9 and all(json.loads(line)["@type"] == "ods:DigitalSpecimen" for line in lines)
    rows = portal.get(f"{BASE}/export", params={"format": "doi-list", "country": "BE"}).text.splitlines()
    assert (
        rows[0] == "DOI,catalogNumber,specimenName" and len([row for row in rows if row.startswith("https://doi")]) == 9
    )


def test_one_object_its_versions_and_what_it_is_linked_with(portal: TestClient, dois: dict[str, str]) -> None:
    doi = dois["M0"]
    assert portal.get(f"{BASE}/{doi}").json()["data"]["attributes"]["ods:version"] == 2
    assert portal.get(f"{BASE}/{doi}/1").json()["data"]["attributes"]["ods:version"] == 1
    assert len(portal.get(f"{BASE}/{doi}/versions").json()["data"]) == 2
    assert portal.get(f"{BASE}/{doi}/full").json()["included"] == []
    assert portal.get(f"{BASE}/{doi}/diff?from=1&to=2").json()["data"]["attributes"]["patch"]
    assert portal.get(f"{BASE}/{doi}/2/event").json()["data"]["attributes"]["prov:Activity"]
    assert portal.get(f"{BASE}/{doi}/fdo").json()["data"]["attributes"]["pid"].endswith(doi)
    assert portal.get(f"{BASE}/{dois['M9']}").json()["data"]["attributes"]["ods:isDoiOnly"] is True
    for wrong in (f"{BASE}/10.5555/AAA-AAA-AAA", f"{BASE}/{doi}/9", f"/api/digital-media/v1/{doi}"):
        answer = portal.get(wrong)
        assert answer.status_code == 404 and answer.json()["errors"][0]["detail"]


def test_the_description_is_true(portal: TestClient, dois: dict[str, str]) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.specs.openapi.checks import ignored_auth

    app = portal.app
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def holds(case) -> None:
            case.call_and_validate(excluded_checks=[ignored_auth])

        holds()


def test_every_match_type_can_be_asked_for(portal: TestClient) -> None:
    for match in MATCH_TYPES:
        assert portal.get(f"{BASE}/search", params={"match": match}).status_code == 200
    assert portal.get(f"{BASE}/search", params={"match": "perhaps"}).status_code == 400
