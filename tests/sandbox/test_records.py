"""Writing and reading one DOI: states, events, merging, refusals."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from dissco_platform.sandbox import RunningSandbox, running_sandbox
from dissco_platform.sandbox.vocabularies import PERMITTED
from tests.sandbox.conftest import body

_KEYS = [
    "name",
    "title",
    "nameIdentifiers",
    "contributorType",
    "affiliation",
    "geoLocationPoint",
    "pointLatitude",
    "lang",
]
Complete = Callable[..., dict[str, Any]]


def _state(response: httpx.Response) -> str:
    return str(response.json()["data"]["attributes"]["state"])


def test_the_heart_beats(service: httpx.Client) -> None:
    response = service.get("/heartbeat")
    assert (response.status_code, response.text) == (200, "OK")


def test_a_put_creates_then_updates_and_answers_in_lower_case(
    service: httpx.Client, doi: str, complete: Complete
) -> None:
    first = service.put(f"/dois/{doi}", json=body(complete(version=3)))
    second = service.put(f"/dois/{doi.replace('/', '%2F')}", json=body(complete(titles=[{"title": "Other"}])))
    assert (first.status_code, second.status_code) == (201, 200)
    data = second.json()["data"]
    assert data["id"] == data["attributes"]["doi"] == doi.lower()
    assert data["attributes"]["state"] == "findable"
    assert data["attributes"]["registered"]
    assert data["attributes"]["version"] == "3"
    assert data["attributes"]["titles"] == [{"title": "Other"}]
    assert first.headers["x-credential-username"] == "dissco.sandbox"


def test_attributes_that_are_absent_stay_and_null_clears(service: httpx.Client, doi: str, complete: Complete) -> None:
    service.put(f"/dois/{doi}", json=body(complete(subjects=[{"subject": "Zoology"}], version="1")))
    kept = service.patch(f"/dois/{doi}", json=body({"titles": [{"title": "New"}]})).json()["data"]["attributes"]
    assert (kept["subjects"], kept["version"]) == ([{"subject": "Zoology"}], "1")
    cleared = service.put(f"/dois/{doi}", json=body({"subjects": None, "version": None})).json()["data"]["attributes"]
    assert (cleared["subjects"], cleared["version"]) == ([], None)


def test_unknown_attributes_are_dropped_without_an_error(service: httpx.Client, doi: str, complete: Complete) -> None:
    answer = service.put(f"/dois/{doi}", json=body(complete(fancy=1, state="draft", titles=[{"title": "t"}])))
    attributes = answer.json()["data"]["attributes"]
    assert "fancy" not in attributes
    assert attributes["state"] == "findable"


def test_events_lead_through_the_states_and_impossible_ones_are_ignored(
    service: httpx.Client, doi: str, complete: Complete
) -> None:
    path = f"/dois/{doi}"
    assert _state(service.put(path, json=body({"titles": [{"title": "draft"}]}))) == "draft"
    assert _state(service.put(path, json=body({"event": "hide"}))) == "draft"
    assert _state(service.put(path, json=body(complete(event="register")))) == "registered"
    assert _state(service.put(path, json=body({"event": "show"}))) == "findable"
    assert _state(service.put(path, json=body({"event": "register"}))) == "findable"
    assert _state(service.put(path, json=body({"event": "nonsense"}))) == "findable"
    assert _state(service.put(path, json=body({"event": "hide"}))) == "registered"
    assert _state(service.put(path, json=body({"event": "publish"}))) == "findable"


def test_only_drafts_can_be_deleted(service: httpx.Client, doi: str, complete: Complete) -> None:
    service.put(f"/dois/{doi}", json=body({}) | {"data": {"type": "dois", "attributes": {"doi": doi}}})
    assert service.delete(f"/dois/{doi}").status_code == 204
    assert service.get(f"/dois/{doi}").status_code == 404
    service.put(f"/dois/{doi}", json=body(complete()))
    refused = service.delete(f"/dois/{doi}")
    assert refused.status_code == 405
    assert "PUT" in refused.headers["allow"]


def test_what_is_not_public_is_invisible_to_others(sandbox: RunningSandbox, service: httpx.Client, doi: str) -> None:
    service.put(f"/dois/{doi}", json=body({"titles": [{"title": "draft"}]}))
    assert service.get(f"/dois/{doi}").status_code == 200
    wrong = httpx.get(f"{sandbox.url}/dois/{doi}", auth=("DISSCO.SANDBOX", "wrong"), trust_env=False)
    assert wrong.status_code == 404
    assert wrong.headers["x-anonymous-consumer"] == "true"


@pytest.mark.parametrize("credentials", [None, ("DISSCO.SANDBOX", "wrong"), ("NOBODY", "sandbox")])
def test_writes_without_good_credentials_are_401(
    sandbox: RunningSandbox, doi: str, complete: Complete, credentials: tuple[str, str] | None
) -> None:
    answer = httpx.put(f"{sandbox.url}/dois/{doi}", json=body(complete()), auth=credentials, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["title"] == "Bad credentials."
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("content", [b"", b"{}", b'{"data":null}', b"[1]", b'{"data":{}}'])
def test_a_body_that_is_no_payload_is_400(service: httpx.Client, doi: str, content: bytes) -> None:
    answer = service.put(f"/dois/{doi}", content=content)
    assert answer.status_code == 400
    assert "JSONAPI" in answer.json()["errors"][0]["title"]


def test_broken_json_is_400_with_the_parsers_words(service: httpx.Client, doi: str) -> None:
    answer = service.put(f"/dois/{doi}", content=b'{"data":')
    assert answer.status_code == 400
    assert "EOF" in answer.json()["errors"][0]["title"] or "unexpected" in answer.json()["errors"][0]["title"]


def test_a_body_that_is_too_large_is_413(service: httpx.Client, doi: str) -> None:
    answer = service.put(f"/dois/{doi}", content=b" " * (10 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "<html>" in answer.text


def test_another_prefix_is_403(service: httpx.Client, complete: Complete) -> None:
    answer = service.put("/dois/10.9999/ABC", json=body(complete()))
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["title"] == "You are not authorized to access this resource."


def test_a_name_with_strange_letters_is_422(service: httpx.Client, complete: Complete) -> None:
    answer = service.put("/dois/10.5555/A%20B", json=body(complete()))
    assert (answer.status_code, answer.json()["errors"][0]["source"]) == (422, "doi")


def test_a_post_of_a_taken_name_is_422(service: httpx.Client, doi: str, complete: Complete) -> None:
    assert service.post("/dois", json=body(complete(doi=doi))).status_code == 201
    answer = service.post("/dois", json=body(complete(doi=doi)))
    assert answer.status_code == 422
    assert answer.json()["errors"][0] == {
        "source": "doi",
        "title": "This DOI has already been taken",
        "uid": doi.lower(),
    }


def test_a_post_with_a_prefix_makes_up_a_suffix(service: httpx.Client) -> None:
    answer = service.post("/dois", json=body({"prefix": "10.5555"}))
    assert answer.status_code == 201
    assert answer.json()["data"]["id"].startswith("10.5555/")


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"url": None}, "url"),
        ({"url": "nowhere"}, "url"),
        ({"creators": []}, "creators"),
        ({"creators": [{"name": ""}]}, "creators"),
        ({"creators": [{"name": "A", "nameIdentifiers": [{"nameIdentifier": "x"}]}]}, "creators"),
        ({"titles": None}, "titles"),
        ({"publisher": None}, "publisher"),
        ({"publicationYear": "MMXX"}, "publication_year"),
        ({"types": {"resourceTypeGeneral": "Specimen"}}, "types"),
        ({"types": {"resourceType": "Digital Specimen"}}, "types"),
        ({"contributors": [{"name": "Museum"}]}, "contributors"),
        ({"contributors": [{"name": "Museum", "contributorType": "Boss"}]}, "contributors"),
        ({"dates": [{"date": "2026", "dateType": "Someday"}]}, "dates"),
        ({"descriptions": [{"description": "x"}]}, "descriptions"),
        ({"relatedIdentifiers": [{"relatedIdentifier": "x", "relatedIdentifierType": "DOI"}]}, "related_identifiers"),
        ({"language": "not a language"}, "language"),
        ({"geoLocations": [{"geoLocationPoint": {"pointLatitude": 91, "pointLongitude": 0}}]}, "geo_locations"),
        ({"schemaVersion": "http://datacite.org/schema/kernel-3"}, "xml"),
        ({"titles": [{"title": "a\u0001b"}]}, "titles"),
    ],
)
def test_metadata_that_the_schema_does_not_allow_is_422_and_not_stored(
    service: httpx.Client, doi: str, complete: Complete, changes: dict[str, Any], source: str
) -> None:
    answer = service.put(f"/dois/{doi}", json=body(complete(**changes)))
    assert answer.status_code == 422
    assert [error["source"] for error in answer.json()["errors"]] == [source]
    assert service.get(f"/dois/{doi}").status_code == 404


def test_an_unknown_schema_version_skips_the_check(service: httpx.Client, doi: str, complete: Complete) -> None:
    odd = complete(contributors=[{"name": "Museum"}], schemaVersion="https://datacite.org/schema/kernel-4.4")
    assert service.put(f"/dois/{doi}", json=body(odd)).status_code == 201


def test_a_dry_run_is_200_and_writes_nothing(service: httpx.Client, doi: str, complete: Complete) -> None:
    good = service.post("/dois/validate", json=body(complete(doi=doi)))
    bad = service.post("/dois/validate", json=body({"doi": doi}))
    assert (good.status_code, bad.status_code) == (200, 200)
    assert "data" in good.json()
    assert {error["source"] for error in bad.json()["errors"]} >= {"url", "creators", "titles", "types"}
    assert service.get(f"/dois/{doi}").status_code == 404


def test_activities_tell_what_each_write_changed(service: httpx.Client, doi: str, complete: Complete) -> None:
    service.put(f"/dois/{doi}", json=body(complete()))
    service.put(f"/dois/{doi}", json=body(complete()))  # the same again is no activity
    service.put(f"/dois/{doi}", json=body({"titles": [{"title": "New"}]}))
    update, create = service.get(f"/dois/{doi}/activities").json()["data"]
    assert update["attributes"]["changes"] == {"titles": [[{"title": "Aus bus L."}], [{"title": "New"}]]}
    assert create["attributes"]["action"] == "create"
    assert create["attributes"]["changes"]["titles"] == [{"title": "Aus bus L."}]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(PERMITTED)), _VALUES, max_size=4), st.booleans())
def test_no_attributes_make_the_service_stumble(
    service: httpx.Client, complete: Complete, odd: dict[str, Any], draft: bool
) -> None:
    attributes = odd if draft else complete(**odd)
    content = json.dumps(body({"types": {}, **attributes})).encode()
    assert service.put("/dois/10.5555/ODD", content=content).status_code in {200, 201, 400, 422}
    assert service.get("/dois/10.5555/ODD").status_code in {200, 404}


@pytest.mark.shared
def test_the_xml_of_a_record_is_valid(service: httpx.Client, doi: str, complete: Complete, shared: Path) -> None:
    full = complete(
        contributors=[{"name": "Museum", "contributorType": "HostingInstitution", "nameType": "Organizational"}],
        subjects=[{"subject": "Zoology", "subjectScheme": "topicDiscipline"}],
        dates=[{"date": "2026-11-22", "dateType": "Issued"}],
        alternateIdentifiers=[{"alternateIdentifier": "A & B", "alternateIdentifierType": "primarySpecimenObjectId"}],
        relatedIdentifiers=[
            {"relatedIdentifier": "10.5555/A", "relatedIdentifierType": "DOI", "relationType": "HasPart"}
        ],
        rightsList=[{"rights": "CC0", "rightsUri": "https://spdx.org/licenses/CC0-1.0", "rightsIdentifier": "CC0-1.0"}],
        descriptions=[{"description": "<About>", "descriptionType": "Abstract"}],
        formats=["image/jpeg"],
        language="en",
        version="1",
        geoLocations=[
            {
                "geoLocationPlace": "Leiden",
                "geoLocationPoint": {"pointLatitude": 52.16, "pointLongitude": 4.49},
            }
        ],
        fundingReferences=[
            {"funderName": "EC", "funderIdentifier": "https://ror.org/00k4n6c32", "funderIdentifierType": "ROR"}
        ],
    )
    assert service.put(f"/dois/{doi}", json=body(full)).status_code == 201
    xml = base64.b64decode(service.get(f"/dois/{doi}").json()["data"]["attributes"]["xml"])
    schema = etree.XMLSchema(etree.parse(str(shared / "reference/datacite/kernel-4/metadata.xsd")))
    schema.assertValid(etree.fromstring(xml))


def test_acknowledged_writes_survive_a_kill(tmp_path: Path, complete: Complete) -> None:
    database = tmp_path / "sandbox.sqlite"
    with running_sandbox(database) as running:
        with httpx.Client(base_url=running.url, auth=("DISSCO.SANDBOX", "sandbox"), trust_env=False) as client:
            for number in range(20):
                assert client.put(f"/dois/10.5555/K{number}", json=body(complete())).status_code == 201
        running.process.kill()
    with running_sandbox(database) as running:
        client = httpx.Client(base_url=running.url, auth=("DISSCO.SANDBOX", "sandbox"), trust_env=False)
        assert all(client.get(f"/dois/10.5555/K{number}").status_code == 200 for number in range(20))
        assert client.get("/sandbox/counters").json()["stored"] == {
            "dois": 20,
            "created": 20,
            "updated": 0,
            "unchanged": 0,
            "deleted": 0,
        }
        client.close()
