"""Everything of one DOI can be read for ever: documents, differences, events, FDO and DataCite records, citations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from lxml import etree

from dissco_platform.errors import UsageError
from dissco_platform.identity.datacite.fdo import FdoContext
from dissco_platform.identity.publications import Publications
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset
from tests.identity.museum import SPECIMEN, Museum, edition
from tests.identity.rules import PUBLISHER, RULES
from tests.identity.schemas import event_validator, fdo_validator

IMAGE = "https://images.example/1.jpg"


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    """A specimen with an image: new, changed, and gone."""
    museum = Museum(registry, enrol("moths"), tmp_path)
    records = edition(*range(20))
    records.media = {SPECIMEN.format(1): [IMAGE]}
    museum.publish(records, release_name="CoL 2026-10")
    records.documents[SPECIMEN.format(1)]["dwc:locality"] = "there"
    museum.publish(records)
    for _ in range(3):
        museum.publish(edition(*(number for number in range(20) if number != 1)))
    return museum


@pytest.fixture
def publications(museum: Museum) -> Publications:
    return Publications(museum.registry, museum.store, FdoContext(RULES.datacite, *PUBLISHER))


def suffix(museum: Museum, kind: str = "specimen") -> str:
    key = SPECIMEN.format(1) if kind == "specimen" else f"https://ror.org/0566bfb96 {IMAGE}"
    return museum.suffixes(kind)[key]


def test_a_doi_is_found_however_it_is_written(museum: Museum, publications: Publications) -> None:
    name = suffix(museum)
    for written in (name, f"10.5555/{name.lower()}", f"https://doi.org/10.5555/{name}"):
        found = publications.find(written)
        assert found is not None and found.doi == f"10.5555/{name}"
    assert publications.find("10.5555/000-000-000") is None
    with pytest.raises(UsageError, match="is not a DOI of this platform"):
        publications.find("10.5555/nonsense")


def test_the_patches_of_all_events_lead_from_the_first_version_to_the_last(
    museum: Museum, publications: Publications
) -> None:
    found = publications.get(suffix(museum))
    assert [(version.number, version.causes) for version in found.versions] == [
        (1, ("new",)),
        (2, ("source",)),
        (3, ("vanished",)),
    ]
    document: Any = publications.document(found, 1)
    for number in (2, 3):
        change = publications.event(found, number)["prov:Activity"]["ods:changeValue"]
        document = jsonpatch.apply_patch(document, change)
        assert document == publications.document(found, number)
    assert found.is_tombstone and document["ods:status"] == "Tombstone"
    with pytest.raises(UsageError, match="has no version 4; its versions: 1, 2, 3"):
        publications.document(found, 4)


def test_events_say_what_was_revised_and_by_what(museum: Museum, publications: Publications) -> None:
    found = publications.get(suffix(museum))
    created, updated, ended = (publications.event(found, number) for number in (1, 2, 3))
    acts = [event["prov:Activity"]["@type"] for event in (created, updated, ended)]
    assert acts == ["ods:Create", "ods:Update", "ods:Tombstone"]
    assert "prov:wasRevisionOf" not in created["prov:Entity"] and created["prov:Activity"]["ods:changeValue"] == []
    assert "checklist CoL 2026-10" in created["prov:Activity"]["rdfs:comment"]
    assert updated["prov:Entity"]["prov:wasRevisionOf"] == f"{found.url}/1" == updated["prov:Activity"]["prov:used"]
    assert updated["prov:Entity"]["prov:value"]["dwc:locality"] == "there"
    assert updated["prov:Entity"]["prov:wasGeneratedBy"] == updated["prov:Activity"]["@id"]
    assert publications.event(found, 2) == updated  # the same for ever


@pytest.mark.shared
def test_events_are_as_their_schema_asks(shared: Path, museum: Museum, publications: Publications) -> None:
    found = publications.get(suffix(museum))
    validator = event_validator(shared)
    for number in (1, 2, 3):
        assert [error.message for error in validator.iter_errors(publications.event(found, number))] == []


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["specimen", "media"])
def test_fdo_records_are_as_their_profile_asks(
    kind: str, shared: Path, museum: Museum, publications: Publications
) -> None:
    found = publications.get(suffix(museum, kind))
    for version in found.versions:
        record = publications.fdo_record(found, version.number)
        assert [error.message for error in fdo_validator(shared, kind).iter_errors(record)] == []
    assert publications.fdo_record(found)["pidStatus"] == "TOMBSTONE"
    assert publications.fdo_record(found, 1)["pidStatus"] == "ACTIVE"


def test_records_and_citations_are_of_the_version_that_was_asked_for(
    museum: Museum, publications: Publications
) -> None:
    found = publications.get(suffix(museum))
    record = publications.fdo_record(found, 2)
    assert (record["pid"], record["pidRecordIssueNumber"]) == (found.url, 2)
    assert record["specimenHostName"] == "A museum" and record["catalogNumber"] == "1"
    told = publications.datacite_json(found, 2)
    assert (told["doi"], told["version"]) == (found.doi, "2")
    xml = etree.fromstring(publications.datacite_xml(found, 2))
    assert xml.findtext("{*}identifier") == found.doi
    assert xml.findtext("{*}alternateIdentifiers/{*}alternateIdentifier") == SPECIMEN.format(1)
    citation = publications.csl_json(found, 2)
    assert (citation["DOI"], citation["type"], citation["author"]) == (found.doi, "dataset", [{"literal": "A museum"}])
    assert json.dumps(citation)


def test_a_doi_only_object_has_records_and_no_document(
    registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum = Museum(registry, enrol("moths"), tmp_path)
    records = edition(1)
    records.doi_only = {SPECIMEN.format(1)}
    museum.publish(records)
    publications = Publications(registry, museum.store, FdoContext(RULES.datacite, *PUBLISHER))
    found = publications.get(suffix(museum))
    assert publications.document(found) is None
    assert "prov:value" not in publications.event(found)["prov:Entity"]
    assert publications.fdo_record(found)["normalisedPrimarySpecimenObjectId"] == SPECIMEN.format(1)
    assert publications.csl_json(found)["title"] == "Parus major Linnaeus, 1758"
