"""A Darwin Core Data Package, field by field as its table schemas name them, from the zip to documents."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dissco_platform.archives import read_archive
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.opends.schema import placeholder_document
from tests.opends.tables import CONTEXT, MAPPINGS, documents
from tests.opends.test_official import official

Rows = list[dict[str, str]]
PACKAGE: dict[str, Rows] = {
    "material": [
        {
            "materialEntity_pk": "m1", "materialEntityID": "https://data.example.org/m/1", "collectionEvent_fk": "e1",
            "materialEntityCategory": "preserved", "materialEntityType": "PreservedSpecimen", "discipline": "Zoology",
            "institutionCode": "AM", "collectionCode": "Moths", "catalogNumber": "M.1", "otherCatalogNumbers": "old 1 | old 2",
            "collectorNumber": "77", "collectedBy": "J. Smith | B. Jones",
            "collectedByID": "https://orcid.org/0000-0002-5669-2769 | https://www.wikidata.org/wiki/Q123",
            "objectQuantity": "2", "objectQuantityType": "individuals", "preparations": "pinned", "disposition": "in collection",
            "verbatimLabel": "Nairobi 6.V.1901 No. 77", "modified": "2024-01-02", "usagePolicy_fk": "p",
        },
        {"materialEntity_pk": "m2", "materialEntityID": "https://data.example.org/m/2", "materialEntityType": "FossilSpecimen",
         "catalogNumber": "F.1", "collectionEvent_fk": "e2", "usagePolicy_fk": "p"},
        {"materialEntity_pk": "m1a", "materialEntityID": "https://data.example.org/m/1a",
         "isPartOfMaterialEntityID": "https://data.example.org/m/1", "collectionEvent_fk": "e1", "derivationEvent_fk": "e3",
         "preparations": "genitalia slide", "collectorNumber": "77a", "collectedBy": "C. Brown"},
        {"materialEntity_pk": "m1b", "isPartOfMaterialEntityID": "m1a", "collectionEvent_fk": "e1", "preparations": "aedeagus",
         "scientificName": "Actias selene", "typeStatus": "paratype"},
        {"materialEntity_pk": "m1c", "materialEntityID": "https://data.example.org/m/1c", "catalogNumber": "M.1c",
         "materialEntityType": "PreservedSpecimen", "isPartOfMaterialEntityID": "m1", "usagePolicy_fk": "p"},
        {"materialEntity_pk": "round", "materialEntityID": "urn:round", "materialEntityType": "PreservedSpecimen",
         "isPartOfMaterialEntityID": "round", "usagePolicy_fk": "p"},
    ],
    "event": [
        {"event_pk": "e1", "eventID": "https://data.example.org/e/1", "eventCategory": "collecting", "eventDate": "1901-05-06",
         "verbatimEventDate": "6.V.1901", "habitat": "forest edge", "country": "Kenya", "countryCode": "KE",
         "locality": "Nairobi", "decimalLatitude": "-1.28", "decimalLongitude": "36.82", "geodeticDatum": "WGS84",
         "minimumElevationInMeters": "1700"},
        {"event_pk": "e2", "locality": "Dotternhausen"},
        {"event_pk": "e3", "eventType": "Dissection", "eventDate": "1950-05-02"},
    ],
    "chronometric-age": [
        {"chronometricAge_pk": "a1", "chronometricAgeID": "urn:age:1", "event_fk": "e2", "earliestChronometricAge": "183000000",
         "chronometricAgeDeterminedBy": "E. Grey", "chronometricAgeDeterminedByID": "https://orcid.org/0000-0002-5669-2769"},
        {"chronometricAge_pk": "a2", "event_fk": "e1", "materialDatedID": "https://data.example.org/m/1a",
         "verbatimChronometricAge": "50 years"},
    ],
    "material-agent-role": [
        {"materialEntity_fk": "m1", "agent_fk": "g", "agentRole": "preparator", "agentRoleDate": "1950-05-01/1950-05-09",
         "agentRoleOrder": "1"},
        {"materialEntity_fk": "m1a", "agent_fk": "g", "agentRole": "dissector",
         "agentRoleIRI": "https://data.example.org/roles/dissector"},
    ],
    "agent": [
        {"agent_pk": "g", "agentID": "https://www.wikidata.org/wiki/Q9", "agentType": "person", "preferredAgentName": "F. Black",
         "agentRemarks": "f.black@example.org"},
    ],
    "usage-policy": [{"usagePolicy_pk": "p", "license": "CC0 1.0", "rightsHolder": "A Museum"}],
    "identification": [
        {"identification_pk": "i1", "identificationID": "urn:i:1", "materialEntity_fk": "m1", "isAcceptedIdentification": "true",
         "scientificName": "Actias luna (Linnaeus, 1758)", "kingdom": "Animalia", "family": "Saturniidae",
         "identifiedBy": "C. Brown", "dateIdentified": "3.V.1950", "typeStatus": "holotype", "taxonRank": "species"},
        {"identification_pk": "i2", "materialEntity_fk": "m1", "isAcceptedIdentification": "false",
         "scientificName": "Phalaena luna Linnaeus, 1758", "kingdom": "Animalia"},
        {"identification_pk": "i4", "identificationID": "urn:i:4", "materialEntity_fk": "m1a",
         "scientificName": "Actias maenas", "kingdom": "Animalia", "class": "Insecta", "identifiedBy": "C. Brown"},
        {"identification_pk": "i3", "materialEntity_fk": "m2", "scientificName": "Ammonites", "kingdom": "Animalia"},
    ],
    "media": [
        {"media_pk": "x", "mediaID": "urn:x", "mediaType": "StillImage", "title": "habitus", "accessURI": "https://img.example.org/1.jpg",
         "format": "image/jpeg", "createDate": "2020-01-02", "pixelXDimension": "640", "pixelYDimension": "480",
         "usagePolicy_fk": "p"},
    ],
    "material-media": [{"media_fk": "x", "materialEntity_fk": "m1"}],
    "material-assertion": [
        {"assertionID": "urn:a:1", "materialEntity_fk": "m1", "assertionType": "wing span", "assertionValue": "92",
         "assertionUnit": "mm", "assertionBy": "C. Brown", "assertionMadeDate": "1950-05-03", "assertionRemarks": "left",
         "assertionReferences": "White 1960"},
        {"assertionID": "urn:a:2", "materialEntity_fk": "m1a", "assertionType": "uncus length", "assertionValue": "2"},
    ],
    "material-identifier": [{"materialEntity_fk": "m1", "identifier": "ABC-77", "identifierType": "field book"}],
    "material-reference": [{"reference_fk": "r", "materialEntity_fk": "m1", "relationshipType": "cited in"}],
    "bibliographic-resource": [
        {"reference_pk": "r", "referenceID": "https://doi.org/10.1234/x", "referenceType": "article",
         "title": "Moths of Kenya", "author": "D. White", "issued": "1960", "pages": "3-7", "peerReviewStatus": "true"},
    ],
    "geological-context": [
        {"geologicalContext_pk": "g", "earliestPeriodOrLowestSystem": "Jura", "earliestAgeOrLowestStage": "Toarcium",
         "formation": "Posidonia Shale"},
    ],
    "material-geological-context": [{"geologicalContext_fk": "g", "materialEntity_fk": "m2"}],
}  # fmt: skip


def package(path: Path) -> Path:
    resources = []
    with zipfile.ZipFile(path, "w") as file:
        for name, rows in PACKAGE.items():
            text = io.StringIO()
            fields = list(dict.fromkeys(field for row in rows for field in row))
            writer = csv.DictWriter(text, fields, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            file.writestr(f"{name}.csv", text.getvalue())
            resources.append({"name": name, "path": f"{name}.csv", "profile": "tabular-data-resource"})
        descriptor = {"profile": "http://rs.tdwg.org/dwc/dwc-dp/0.1/dwc-dp-profile.json", "resources": resources}
        file.writestr("datapackage.json", json.dumps(descriptor))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("package")
    for name in ("parsed", "names", "out"):
        (folder / name).mkdir()
    parsed = read_archive(package(folder / "package.zip"), folder / "parsed")
    assert parsed.kind == "dwc-dp"
    mapping = load_mapping(MAPPINGS / "dwc-dp.yaml")
    return build_specimens(
        folder / "parsed", folder / "names", mapping, CONTEXT, folder / "out", batch="one"
    ), folder / "out"


def test_every_table_of_a_package_reaches_the_document(built: tuple[Any, Path]) -> None:
    report, out = built
    assert (report.specimens, report.media, report.rejects, report.invalid) == (4, 1, {}, {})
    by_id = {document["ods:physicalSpecimenID"]: document for document in documents(out)}
    moth, fossil = by_id["https://data.example.org/m/1"], by_id["https://data.example.org/m/2"]
    (event,) = moth["ods:hasEvents"]
    assert (event["dwc:eventDate"], event["dwc:year"], event["dwc:day"]) == ("1901-05-06", 1901, 6)
    assert event["ods:hasLocation"]["dwc:countryCode"] == "KE"
    assert event["ods:hasLocation"]["ods:hasGeoreference"]["dwc:decimalLatitude"] == -1.28
    assert [agent["@id"] for agent in event["ods:hasAgents"]] == [
        "https://orcid.org/0000-0002-5669-2769", "http://www.wikidata.org/entity/Q123"
    ]  # fmt: skip
    accepted = [
        one["dwc:dateIdentified"] for one in moth["ods:hasIdentifications"] if one["ods:isVerifiedIdentification"]
    ]
    assert accepted == ["1950-05-03"]
    assert len(moth["ods:hasIdentifications"]) == 2
    assert moth["ods:isMarkedAsType"] is True
    assert moth["dcterms:license"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert (moth["dwc:organismQuantity"], moth["dwc:organismQuantityType"]) == ("2", "individuals")
    assert {one["dcterms:identifier"] for one in moth["ods:hasIdentifiers"]} >= {"M.1", "old 1", "77", "ABC-77"}
    assert {one["dcterms:identifier"]: one.get("ods:isPartOfLabel") for one in moth["ods:hasIdentifiers"]} == {
        "https://data.example.org/m/1": None, "M.1": False, "old 1": False, "old 2": False, "77": True, "ABC-77": None,
    }  # fmt: skip
    assert any(one["dwc:measurementValue"] == "92" for one in moth["ods:hasAssertions"])
    (citation,) = moth["ods:hasCitations"]
    assert (citation["dcterms:identifier"], citation["dcterms:type"]) == ("https://doi.org/10.1234/x", "article")
    assert citation["dcterms:bibliographicCitation"] == "D. White. 1960. Moths of Kenya"
    assert citation["ods:hasAgents"][0]["schema:name"] == "D. White"
    assert {"field book"} < {one["dcterms:title"] for one in moth["ods:hasIdentifiers"]}
    (place,) = fossil["ods:hasEvents"]
    geology = place["ods:hasLocation"]["ods:hasGeologicalContext"]
    assert geology["dwc:earliestAgeOrLowestStage"] == "Toarcian"
    assert geology["dwc:formation"] == "Posidonia Shale"
    assert fossil["ods:topicDiscipline"] == "Palaeontology"
    (medium,) = documents(out, "media_documents")
    assert (medium["dcterms:type"], medium["exif:PixelXDimension"], medium["dcterms:title"]) == (
        "StillImage",
        640,
        "habitus",
    )


def test_a_part_without_a_number_is_told_within_its_whole_with_all_that_hangs_on_it(built: tuple[Any, Path]) -> None:
    by_id = {document["ods:physicalSpecimenID"]: document for document in documents(built[1])}
    moth = by_id["https://data.example.org/m/1"]
    slide, aedeagus = sorted(moth["ods:hasSpecimenParts"], key=lambda one: one["dwc:preparations"], reverse=True)
    assert (slide["@id"], slide["dwc:recordNumber"]) == ("https://data.example.org/m/1a", "77a")
    (identification,) = slide["ods:hasIdentifications"]
    assert identification["dwc:identificationID"] == "urn:i:4"
    assert (slide["ods:specimenName"], slide["ods:topicCategory"]) == ("Actias maenas", "Insects")
    (event,) = slide["ods:hasEvents"]
    assert (event["dwc:eventType"], event["dwc:eventDate"]) == ("Dissection", "1950-05-02")
    assert slide["ods:hasChronometricAges"][0]["chrono:verbatimChronometricAge"] == "50 years"
    assert "uncus length" in [one["dwc:measurementType"] for one in slide["ods:hasAssertions"]]
    assert slide["ods:hasAgents"][0]["ods:hasRoles"] == [
        {"@id": "https://data.example.org/roles/dissector", "@type": "schema:Role", "schema:roleName": "dissector"}
    ]
    # a part of the part, gathered when its whole was: identified by columns of its own, no event of its own
    assert aedeagus["ods:isMarkedAsType"] is True
    assert aedeagus["ods:specimenName"] == "Actias selene"
    assert "ods:hasEvents" not in aedeagus
    # nothing of the parts stands at the whole
    assert len(moth["ods:hasIdentifications"]) == 2
    assert "uncus length" not in [one["dwc:measurementType"] for one in moth["ods:hasAssertions"]]
    assert "ods:hasChronometricAges" not in moth
    (preparator,) = moth["ods:hasAgents"]
    assert (preparator["@type"], preparator["schema:name"]) == ("schema:Person", "F. Black")
    assert preparator["ods:hasRoles"] == [
        {"@type": "schema:Role", "schema:roleName": "preparator", "schema:startDate": "1950-05-01",
         "schema:endDate": "1950-05-09", "schema:position": 1}
    ]  # fmt: skip


def test_a_part_with_a_number_of_its_own_is_a_specimen_and_names_its_whole(built: tuple[Any, Path]) -> None:
    by_id = {document["ods:physicalSpecimenID"]: document for document in documents(built[1])}
    own = by_id["https://data.example.org/m/1c"]
    assert ("isPartOf", "m1") in [
        (one["dwc:relationshipOfResource"], one["dwc:relatedResourceID"]) for one in own["relationships"]
    ]
    assert "ods:hasSpecimenParts" not in own
    assert "urn:round" in by_id  # what is said to be part of itself is a specimen


def test_an_age_of_an_event_dates_what_was_collected_then(built: tuple[Any, Path]) -> None:
    by_id = {document["ods:physicalSpecimenID"]: document for document in documents(built[1])}
    (age,) = by_id["https://data.example.org/m/2"]["ods:hasChronometricAges"]
    assert age["chrono:earliestChronometricAge"] == 183000000
    assert age["ods:hasAgents"][0]["@id"] == "https://orcid.org/0000-0002-5669-2769"


@pytest.mark.shared
def test_the_packages_fields_are_those_of_the_table_schemas(shared: Path) -> None:
    folder = shared / "reference" / "dwc-dp" / "dwc-dp" / "table-schemas"
    for name, rows in PACKAGE.items():
        path = folder / f"{name}.json"
        if path.is_file():
            known = {field["name"] for field in json.loads(path.read_text())["fields"]}
            assert {field for row in rows for field in row} <= known, name


@pytest.mark.shared
def test_a_packages_documents_fit_the_official_schemas(shared: Path, built: tuple[Any, Path]) -> None:
    folder = shared / "reference" / "opends" / "fdo-type"
    for owner, table in (("ods:DigitalSpecimen", "documents"), ("ods:DigitalMedia", "media_documents")):
        rows = pl.read_parquet(built[1] / f"{table}.parquet").select("content", "relationships").rows()
        assert rows
        for content, relationships in rows:
            whole = placeholder_document(owner, content, relationships)
            del whole["@context"]
            assert [error.message for error in official(folder, owner).iter_errors(whole)] == []
