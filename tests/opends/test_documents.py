"""What a record's columns become in its document."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.names.keys import NAME_COLUMNS, name_key
from tests.opends.tables import BASE, CONTEXT, build, document, documents, specimens


def test_one_of_several_identifications_is_accepted_and_says_why(tmp_path: Path) -> None:
    rows = [
        {"row": 0, "dwc:scientificName": "Felis concolor", "dwc:dateIdentified": "1950"},
        {"row": 0, "dwc:scientificName": "Puma concolor", "dwc:identificationVerificationStatus": "verified"},
    ]  # fmt: skip
    _, out = build(tmp_path, {"dwc:scientificName": None, "dwc:kingdom": None}, identifications=rows)
    (content,) = documents(out)
    names = [one["ods:hasTaxonIdentifications"][0]["dwc:scientificName"] for one in content["ods:hasIdentifications"]]
    verified = [one["ods:isVerifiedIdentification"] for one in content["ods:hasIdentifications"]]
    assert names == ["Puma concolor", "Felis concolor"]
    assert verified == [True, False]
    assert specimens(out)[0]["accepted_by"] == "status"


def test_the_cores_own_identification_is_not_told_twice(tmp_path: Path) -> None:
    rows = [
        {
            "row": 0,
            "dwc:scientificName": BASE["dwc:scientificName"],
            "dwc:kingdom": "Animalia",
            "dwc:identifiedBy": "B. Jones",
        }
    ]
    content = document(tmp_path, {}, identifications=rows)
    (only,) = content["ods:hasIdentifications"]
    assert only["ods:hasAgents"][0]["schema:name"] == "B. Jones"


def test_without_a_statement_the_core_records_identification_is_accepted(tmp_path: Path) -> None:
    rows = [{"row": 0, "dwc:scientificName": "Felis concolor", "dwc:dateIdentified": "2020"}]
    _, out = build(tmp_path, {}, identifications=rows)
    assert specimens(out)[0]["accepted_by"] == "core record"
    assert specimens(out)[0]["specimen_name"] == BASE["dwc:scientificName"]


def matched(kind: str, *, frame: pl.DataFrame | None = None, **found: str) -> pl.DataFrame:
    """Return names.parquet for BASE's name (or the names of parsed records) with one result."""
    given = [{column: BASE.get(column) for column in NAME_COLUMNS}] if frame is None else frame.to_dicts()
    frame = pl.DataFrame(
        [{column: row.get(column) for column in NAME_COLUMNS} for row in given],
        schema=dict.fromkeys(NAME_COLUMNS, pl.String),
    )
    return frame.select(
        name_key(frame.columns), "*", pl.lit(kind).alias("matchType"), pl.lit("Catalogue of Life").alias("release"),
        *(pl.lit(value).alias(name) for name, value in found.items()),
    )  # fmt: skip


def test_the_matched_name_stands_beside_the_name_as_written(tmp_path: Path) -> None:
    names = matched(
        "exact", usageID="4QHKG", acceptedUsageID="4QHKG", acceptedName="Puma concolor", acceptedRank="species",
        acceptedAuthorship="(Linnaeus, 1771)", kingdom="Animalia", family="Felidae",
    )  # fmt: skip
    _, out = build(tmp_path, {}, names=names)
    (content,) = documents(out)
    written, found = content["ods:hasIdentifications"][0]["ods:hasTaxonIdentifications"]
    assert written["dwc:scientificName"] == BASE["dwc:scientificName"]
    assert found["@id"] == "https://www.catalogueoflife.org/data/taxon/4QHKG"
    assert found["dwc:family"] == "Felidae"
    assert any(one["dwc:relationshipOfResource"] == "hasCOLID" for one in content["relationships"])


def test_a_higher_match_never_replaces_the_name(tmp_path: Path) -> None:
    names = matched(
        "higherRank", usageID="G", acceptedUsageID="G", acceptedName="Puma", acceptedRank="genus", kingdom="Animalia"
    )
    _, out = build(tmp_path, {}, names=names)
    assert specimens(out)[0]["specimen_name"] == BASE["dwc:scientificName"]
    assert not any(one["dwc:relationshipOfResource"] == "hasCOLID" for one in documents(out)[0]["relationships"])


@pytest.mark.parametrize(
    ("licence", "dataset", "reason"),
    [
        ("CC BY-NC 4.0", "CC0", "licence_not_open"),
        (None, None, "no_licence"),
        ("ask the curator", "CC0", "licence_not_understood"),
        (None, "CC_BY_4_0", None),
        ("Dieses Werk ist gemeinfrei (public domain)", None, None),
    ],
)
def test_the_licence_decides_between_a_document_and_a_doi_only(
    tmp_path: Path, licence: str | None, dataset: str | None, reason: str | None
) -> None:
    report, out = build(tmp_path, {"dcterms:license": licence}, context=replace(CONTEXT, licence=dataset))
    (row,) = specimens(out)
    assert (row["doi_only"], row["doi_only_reason"]) == (reason is not None, reason)
    assert report.documents == (0 if reason else 1)


def test_a_dataset_may_choose_dois_only(tmp_path: Path) -> None:
    report, out = build(tmp_path, {}, context=replace(CONTEXT, doi_only=True))
    assert (specimens(out)[0]["doi_only_reason"], report.documents) == ("dataset", 0)


def test_media_are_judged_by_their_own_licence_which_never_decides_the_specimens(tmp_path: Path) -> None:
    media = [
        {"row": 0, "ac:accessURI": "https://img.example.org/1.jpg", "dcterms:license": "CC BY-NC 4.0"},
        {"row": 0, "ac:accessURI": "https://img.example.org/2.jpg", "dcterms:license": "CC0"},
        {"row": 0, "ac:accessURI": None, "dcterms:license": "CC0"},
    ]
    report, out = build(tmp_path, {}, media=media)
    table = {row["media_key"]: row for row in pl.read_parquet(out / "media.parquet").to_dicts()}
    assert table["https://img.example.org/1.jpg"]["doi_only"] is True
    assert table["https://img.example.org/2.jpg"]["specimen_ids"] == ["https://data.example.org/specimen/1"]
    assert report.media_rejects == {"media_without_access_uri": 1}
    (medium,) = documents(out, "media_documents")
    assert (medium["dcterms:type"], medium["dcterms:format"]) == ("StillImage", "image/jpeg")
    assert specimens(out)[0]["doi_only"] is False
    assert documents(out)[0]["ods:isKnownToContainMedia"] is True


def test_links_in_associated_media_are_media_and_one_link_is_one_medium(tmp_path: Path) -> None:
    links = "https://img.example.org/1.jpg | https://IMG.example.org/1.jpg; https://img.example.org/2.png"
    report, out = build(tmp_path, {"dwc:associatedMedia": links})
    assert report.media == 2
    assert len(specimens(out)[0]["media_keys"]) == 2


def test_two_specimens_on_one_photograph_share_a_medium(tmp_path: Path) -> None:
    link = {"dwc:associatedMedia": "https://img.example.org/1.jpg"}
    _, out = build(tmp_path, link, link | {"dwc:occurrenceID": "https://data.example.org/specimen/2"})
    (medium,) = pl.read_parquet(out / "media.parquet").to_dicts()
    assert len(medium["specimen_ids"]) == 2


def test_a_concept_stands_in_the_term_and_the_written_value_beside_it(tmp_path: Path) -> None:
    content = document(tmp_path, {"dwc:sex": "Weibchen", "dwc:typeStatus": "Holotypus of Felis concolor"})
    (event,) = content["ods:hasEvents"]
    assert event["dwc:sex"] == "female"
    assert event["ods:hasAssertions"][0]["dwc:measurementValue"] == "Weibchen"
    assert content["ods:hasIdentifications"][0]["dwc:typeStatus"] == "holotype"
    assert content["ods:isMarkedAsType"] is True
    assert {
        "@type": "ods:Assertion",
        "dwc:measurementType": "verbatim dwc:typeStatus",
        "dwc:measurementValue": "Holotypus of Felis concolor",
    } in content["ods:hasAssertions"]


def test_what_no_vocabulary_knows_marks_nothing_as_a_type(tmp_path: Path) -> None:
    assert "ods:isMarkedAsType" not in document(tmp_path, {"dwc:typeStatus": "figured in publication"})


def test_kinds_of_preserved_material_stand_beside_the_preparations(tmp_path: Path) -> None:
    content = document(tmp_path, {"dwc:preparations": "study skin; Skelett"})
    assert content["dwc:preparations"] == "study skin; Skelett"
    assert [one["dwc:measurementValue"] for one in content["ods:hasAssertions"]] == ["skin", "skeleton"]


def test_the_typified_name_and_the_threat_status_stand_beside_the_terms_that_opends_has(tmp_path: Path) -> None:
    def said(record: dict[str, str | None], kind: str, name: str) -> list[str]:
        content = document(tmp_path / name, record)
        return [
            one["dwc:measurementValue"] for one in content.get("ods:hasAssertions", [])
            if one["dwc:measurementType"] == kind
        ]  # fmt: skip

    written = {"dwc:typeStatus": "Holotype of Felis concolor Linnaeus, 1771 | paratype"}
    assert said(written, "dwc:typifiedName", "of") == ["Felis concolor Linnaeus, 1771"]
    assert said({"dwc:typeStatus": "Part of Holotype"}, "dwc:typifiedName", "part") == []
    assert said({"dwc:typifiedName": "Felis concolor"}, "dwc:typifiedName", "own") == ["Felis concolor"]
    column = "http://iucn.org/terms/threatStatus"
    assert said({column: "vom Aussterben bedroht"}, "threatStatus", "iucn") == ["criticallyEndangered"]
    assert said({column: "Padua"}, "threatStatus", "none") == []


def test_not_a_type_is_not_a_type(tmp_path: Path) -> None:
    for at, written in enumerate(("not a type", "notAType")):
        content = document(tmp_path / str(at), {"dwc:typeStatus": written})
        assert content["ods:isMarkedAsType"] is False
        assert "dwc:typeStatus" not in content["ods:hasIdentifications"][0]
        nameless = {"dwc:typeStatus": written, "dwc:scientificName": None, "dwc:kingdom": None}
        alone = document(tmp_path / f"{at} alone", nameless)
        assert "ods:hasIdentifications" not in alone  # it identifies nothing
        assert alone["ods:isMarkedAsType"] is False
        said = {one["dwc:measurementType"]: one["dwc:measurementValue"] for one in content["ods:hasAssertions"]}
        assert said["verbatim dwc:typeStatus"] == written


def test_a_record_that_says_nothing_about_gathering_has_no_event(tmp_path: Path) -> None:
    assert "ods:hasEvents" not in document(tmp_path / "nothing", {})
    (event,) = document(tmp_path / "place", {"dwc:locality": "Lima"})["ods:hasEvents"]
    assert event["dwc:eventType"] == "Collecting Event"
    (event,) = document(tmp_path / "kind", {"dwc:eventType": "Survey"})["ods:hasEvents"]
    assert event["dwc:eventType"] == "Survey"


def test_unmatched_values_stay_and_are_counted_for_curators(tmp_path: Path) -> None:
    report, out = build(tmp_path, {"dwc:lifeStage": "thingummy"})
    assert report.unmatched == {"dwc:lifeStage": {"thingummy": 1}}
    assert documents(out)[0]["ods:hasEvents"][0]["dwc:lifeStage"] == "thingummy"


def test_elevation_depth_and_coordinates_reach_the_location(tmp_path: Path) -> None:
    content = document(
        tmp_path,
        {
            "dwc:verbatimElevation": "1000-1200 ft", "dwc:minimumDepthInMeters": "12,5 m",
            "dwc:verbatimCoordinates": "10°07'06\"N 20°48'23\"W",
            "dwc:countryCode": "NL", "dwc:year": "1902", "dwc:month": "5", "dwc:recordedBy": "J. Smith & B. Jones",
        },
    )  # fmt: skip
    (event,) = content["ods:hasEvents"]
    location = event["ods:hasLocation"]
    assert (location["dwc:minimumElevationInMeters"], location["dwc:maximumElevationInMeters"]) == (304.8, 365.76)
    assert location["dwc:minimumDepthInMeters"] == 12.5
    assert "dwc:maximumDepthInMeters" not in location
    assert location["ods:hasGeoreference"]["dwc:decimalLatitude"] == pytest.approx(10.118333)
    assert (location["dwc:country"], event["dwc:eventDate"]) == ("Netherlands", "1902-05")
    assert [agent["schema:name"] for agent in event["ods:hasAgents"]] == ["J. Smith", "B. Jones"]


def test_every_extension_feeds_its_class(tmp_path: Path) -> None:
    content = document(
        tmp_path, {"dwc:associatedReferences": "Smith 1900 | Jones 1901"},
        measurements=[{"row": 0, "dwc:measurementType": "tail length", "dwc:measurementValue": "25"}],
        references=[{"row": 0, "dcterms:title": "On cats", "dcterms:creator": "Smith", "dcterms:date": "1900"}],
        ages=[{"row": 0, "chrono:earliestChronometricAge": "1200", "chrono:materialDated": "bone"}],
        identifiers=[{"row": 0, "dcterms:identifier": "urn:uuid:9c752d22-b09a-11e8-96f8-529269fb1459"}],
        relationships=[{"row": 0, "dwc:relatedResourceID": "X 2", "dwc:relationshipOfResource": "parasite of"}],
    )  # fmt: skip
    assert "tail length" in [one["dwc:measurementType"] for one in content["ods:hasAssertions"]]
    assert len(content["ods:hasCitations"]) == 3
    assert content["ods:hasChronometricAges"][0]["chrono:earliestChronometricAge"] == 1200
    assert any(one["dcterms:type"] == "UUID" for one in content["ods:hasIdentifiers"])
    assert any(one["dwc:relationshipOfResource"] == "parasite of" for one in content["relationships"])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"dwc:kingdom": "Fungi"}, ("Botany", "Life", "Macrofungi, Lichens & Myxomycetes")),
        ({"dwc:kingdom": "Plantae", "dwc:phylum": "Bryophyta"}, ("Botany", "Life", "Bryophytes")),
        ({"dwc:kingdom": "Chromista", "dwc:class": "Phaeophyceae"}, ("Botany", "Life", "Algae")),
        ({"dwc:kingdom": "Protozoa"}, ("Microbiology", "Life", "Protozoa")),
        ({"dwc:kingdom": "Bacteria"}, ("Microbiology", "Life", "Bacteria & Archaea")),
        ({"dwc:class": "Aves"}, ("Zoology", "Life", "Birds")),
        ({"dwc:basisOfRecord": "fossil", "dwc:phylum": "Mollusca"}, ("Palaeontology", "Life", "Invertebrate Fossils")),
        ({"dwc:basisOfRecord": "MineralSpecimen", "dwc:kingdom": None}, ("Geology", "Earth System", "Minerals and Gems")),
        ({"dwc:kingdom": None, "dwc:collectionCode": "Herbarium"}, ("Botany", "Life", "Other Botany Objects")),
        (
            {"dwc:basisOfRecord": "Meteorite", "dwc:kingdom": None},
            ("Astrogeology", "Extraterrestrial", "Terrestrial Finds/Falls"),
        ),
        (
            {"dwc:kingdom": None, "dwc:collectionCode": "Anthropology"},
            ("Anthropology", "Cultural Artefacts", "Other Anthropology Objects"),
        ),
    ],
)  # fmt: skip
def test_topics(tmp_path: Path, columns: dict[str, str | None], expected: tuple[str, str, str]) -> None:
    content = document(tmp_path, columns)
    assert (content["ods:topicDiscipline"], content["ods:topicDomain"], content["ods:topicCategory"]) == expected


def test_mids_names_what_the_next_level_needs(tmp_path: Path) -> None:
    one = {
        "dwc:recordedBy": "J. Smith",
        "dwc:recordNumber": "12",
        "dwc:year": "1900",
        "dwc:country": "Peru",
        "dwc:decimalLatitude": "-9",
        "dwc:decimalLongitude": "-75",
    }
    _, out = build(tmp_path, one)
    (row,) = specimens(out)
    assert (row["mids_level"], row["mids_missing"]) == (1, ["Media"])
    _, out = build(tmp_path, one | {"dwc:associatedMedia": "https://img.example.org/1.jpg"}, name="two")
    assert specimens(out)[0]["mids_level"] == 2
    _, out = build(tmp_path, {"dwc:preparations": "unknown:undigitized"}, name="three")
    assert (specimens(out)[0]["mids_level"], specimens(out)[0]["mids_missing"]) == (0, ["ObjectType"])


def test_a_fossil_needs_its_age_for_level_one(tmp_path: Path) -> None:
    _, out = build(tmp_path, {"dwc:basisOfRecord": "FossilSpecimen"})
    assert specimens(out)[0]["mids_missing"] == ["Chronostratigraphy"]


def test_placeholders_are_no_values_and_are_counted(tmp_path: Path) -> None:
    record = {
        "dwc:fieldNumber": "N/A", "dwc:recordNumber": "12", "dwc:sex": "NA", "dwc:locality": "unknown", "dwc:country": "-",
        "dwc:countryCode": "NA", "dwc:dateIdentified": "0000-00-00", "dwc:identificationQualifier": "?",
    }  # fmt: skip
    report, out = build(tmp_path, record)
    (content,) = documents(out)
    (event,) = content["ods:hasEvents"]
    assert event["dwc:fieldNumber"] == "12"
    assert "dwc:sex" not in event
    # NA is Namibia's code, and nothing in a column of names
    assert event["ods:hasLocation"] == {
        "@type": "ods:Location", "dwc:country": "Namibia", "dwc:countryCode": "NA",
    }  # fmt: skip
    (identification,) = content["ods:hasIdentifications"]
    assert "dwc:dateIdentified" not in identification
    assert identification["dwc:identificationQualifier"] == "?"
    assert report.placeholders == {
        "dwc:country": 1, "dwc:dateIdentified": 1, "dwc:fieldNumber": 1, "dwc:locality": 1, "dwc:sex": 1
    }  # fmt: skip


def test_a_catalogue_number_that_is_a_placeholder_identifies_nothing(tmp_path: Path) -> None:
    report, _ = build(tmp_path, {"dwc:occurrenceID": "-", "dwc:catalogNumber": "unknown"})
    assert report.rejects == {"missing_identifier": 1}


def test_a_match_of_a_kingdom_alone_is_no_second_name(tmp_path: Path) -> None:
    names = matched(
        "higherRank", acceptedName="Animalia", acceptedRank="kingdom", kingdom="Animalia", acceptedUsageID="N"
    )
    _, out = build(tmp_path, {}, names=names)
    (content,) = documents(out)
    ((taxon,),) = (one["ods:hasTaxonIdentifications"] for one in content["ods:hasIdentifications"])
    assert taxon["dwc:scientificName"] == BASE["dwc:scientificName"]
    assert content["ods:topicDiscipline"] == "Zoology"


def test_samples_of_genomic_extensions_are_parts_of_the_specimen(tmp_path: Path) -> None:
    rows = [
        {"row": 0, "dwc:materialSampleID": "https://data.example.org/dna/1", "ggbn:materialSampleType": "DNA",
         "ggbn:concentration": "12 ng/µl", "ggbn:preparedBy": "A. Lab", "ggbn:preparationDate": "3.5.2019",
         "dwc:scientificName": "Puma concolor couguar", "dwc:kingdom": "Animalia"},
        {"row": 0, "dwc:materialSampleID": "loan", "ggbn:preparationDate": None},
    ]  # fmt: skip
    content = document(tmp_path, {}, genomics=rows)
    part = next(one for one in content["ods:hasSpecimenParts"] if "@id" in one)
    assert part["ods:specimenName"] == "Puma concolor couguar"
    (event,) = part["ods:hasEvents"]
    assert (event["dwc:eventType"], event["dwc:verbatimEventDate"]) == ("Preparation Event", "3.5.2019")
    assert len(content["ods:hasIdentifications"]) == 1
    assert part["dwc:materialEntityID"] == "https://data.example.org/dna/1"
    assert part["dwc:preparations"] == "DNA"
    assert part["ods:hasAssertions"][0]["dwc:measurementValue"] == "12 ng/µl"
    assert part["ods:hasAgents"][0]["schema:name"] == "A. Lab"
