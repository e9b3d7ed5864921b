"""What DataCite is told: the mapping, its validity, and what counts as a visible change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dissco_platform.identity.datacite.fdo import FdoContext, fdo_records
from dissco_platform.identity.datacite.metadata import (
    DataCiteContext,
    _rendered,
    licence_name,
    media_payloads,
    payloads,
    prepared,
    rendered,
    rights_entry,
    specimen_payloads,
    tombstone_payloads,
    visible_hashes,
)
from dissco_platform.identity.datacite.xml import metadata_xml
from dissco_platform.sandbox.records import written
from dissco_platform.sandbox.validation import metadata_errors, url_errors

CONTEXT = DataCiteContext(
    landing_page="https://specimens.example.org/",
    publisher_id="https://ror.org/02wddde16",
    publisher_name="Distributed System of Scientific Collections",
    host_id="https://ror.org/03wkt5x30",
    host_name='Muséum "national"',
    prefix="10.5555",
)
FDO = FdoContext(CONTEXT, "https://ror.org/02wddde16", "DiSSCo")
SPECIMEN: dict[str, Any] = {
    "doi": "10.5555/AAA-BBB-CCC",
    "version": 2,
    "issued": "2026-11-22T08:00:00.000Z",
    "media_dois": ["10.5555/MMM-MMM-MM1", "10.5555/MMM-MMM-MM2"],
    "catalogNumber": "MNHN-IU-2013-1",
    "physicalSpecimenID": "http://coldb.mnhn.fr/catalognumber/mnhn/iu/2013-1",
    "normalisedPhysicalSpecimenID": "http://coldb.mnhn.fr/catalognumber/mnhn/iu/2013-1",
    "licence": "CC-BY-4.0",
    "specimen_name": "Aus bus (L., 1758)",
    "topicDiscipline": "Zoology",
    "topicDomain": "Life",
    "topicOrigin": "Natural",
    "topicCategory": "Unclassified",
    "livingOrPreserved": "Preserved",
    "is_marked_as_type": True,
    "otherSpecimenIds": '[{"identifierType":"dwc:catalogNumber","identifierValue":"1","resolvable":false}]',
}
MEDIUM: dict[str, Any] = {
    "doi": "10.5555/MMM-MMM-MM1",
    "version": 1,
    "issued": "2026-11-22T08:00:00.000Z",
    "specimen_dois": ["10.5555/AAA-BBB-CCC"],
    "accessURI": "https://media.example.org/1?a=1&b=2",
    "media_type": "StillImage",
    "format": "image/jpeg",
    "licence": "CC0-1.0",
    "rights_holder": "J. Doe",
}
_LISTS = {"media_dois": pl.List(pl.String), "specimen_dois": pl.List(pl.String)}
_ODD_TYPES = {**_LISTS, "version": pl.Int64, "is_marked_as_type": pl.Boolean}


def _frame(record: dict[str, Any], **changes: Any) -> pl.DataFrame:
    value = {**record, **changes}
    return pl.DataFrame([value], schema={name: _ODD_TYPES.get(name, pl.String) for name in value})


def _specimen(**changes: Any) -> dict[str, Any]:
    return dict(orjson.loads(specimen_payloads(_frame(SPECIMEN, **changes), CONTEXT)[0]))


def _medium(**changes: Any) -> dict[str, Any]:
    return dict(orjson.loads(media_payloads(_frame(MEDIUM, **changes), CONTEXT)[0]))


def _errors(doi: str, attributes: dict[str, Any]) -> list[dict[str, str]]:
    record = written(None, doi, "a.b", {**attributes, "event": "publish"}, "2026", resolvable=True)
    return metadata_errors(doi, record.attributes) + url_errors(doi, record.attributes["url"], ("*",))


def test_a_specimen_is_a_dataset_of_its_host() -> None:
    said = _specimen()
    host = {
        "name": 'Muséum "national"',
        "nameType": "Organizational",
        "nameIdentifiers": [
            {
                "nameIdentifier": "https://ror.org/03wkt5x30",
                "nameIdentifierScheme": "ROR",
                "schemeUri": "https://ror.org/",
            }
        ],
    }
    assert said["creators"] == [host]
    assert said["contributors"] == [{**host, "contributorType": "HostingInstitution"}]
    assert said["publisher"]["name"] == CONTEXT.publisher_name
    assert said["publisher"]["publisherIdentifier"] == CONTEXT.publisher_id
    assert said["types"] == {"resourceTypeGeneral": "Dataset", "resourceType": "Digital Specimen"}
    assert said["titles"] == [{"title": "Aus bus (L., 1758)"}]
    assert said["url"] == "https://specimens.example.org/10.5555/AAA-BBB-CCC"
    assert (said["publicationYear"], said["version"]) == (2026, "2")
    assert said["dates"] == [{"date": "2026-11-22", "dateType": "Issued"}]
    assert said["subjects"] == [
        {"subject": "Zoology", "subjectScheme": "topicDiscipline"},
        {"subject": "Life", "subjectScheme": "topicDomain"},
        {"subject": "Natural", "subjectScheme": "topicOrigin"},
    ]
    assert said["alternateIdentifiers"][0] == {
        "alternateIdentifier": SPECIMEN["normalisedPhysicalSpecimenID"],
        "alternateIdentifierType": "primarySpecimenObjectId",
    }
    assert said["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"


def test_specimen_and_media_point_at_each_other_and_at_their_sources() -> None:
    assert [(r["relatedIdentifier"], r["relationType"]) for r in _specimen()["relatedIdentifiers"]] == [
        ("10.5555/MMM-MMM-MM1", "HasPart"),
        ("10.5555/MMM-MMM-MM2", "HasPart"),
        ("http://coldb.mnhn.fr/catalognumber/mnhn/iu/2013-1", "IsDerivedFrom"),
    ]
    assert [(r["relatedIdentifier"], r["relationType"]) for r in _medium()["relatedIdentifiers"]] == [
        ("10.5555/AAA-BBB-CCC", "IsDerivedFrom"),
        ("https://media.example.org/1?a=1&b=2", "IsVariantFormOf"),
    ]


def test_what_is_gone_is_cleared_rather_than_left_out() -> None:
    said = _specimen(media_dois=[], physicalSpecimenID="12", licence=None, topicDiscipline=None, topicDomain=None)
    assert (said["relatedIdentifiers"], said["rightsList"]) == ([], [])
    assert said["subjects"] == [{"subject": "Natural", "subjectScheme": "topicOrigin"}]


def test_a_specimen_without_a_name_is_called_after_its_host() -> None:
    assert _specimen(specimen_name=None)["titles"] == [{"title": 'Specimen from Muséum "national"'}]
    assert _specimen(specimen_name="  ")["titles"] == [{"title": 'Specimen from Muséum "national"'}]


@pytest.mark.parametrize(
    ("media_type", "media_format", "general"),
    [
        ("StillImage", None, "Image"),
        ("http://purl.org/dc/dcmitype/MovingImage", None, "Audiovisual"),
        ("Sound", "image/jpeg", "Sound"),
        (None, "image/tiff", "Image"),
        (None, "audio/x-wav", "Sound"),
        (None, "Video/MP4", "Audiovisual"),
        ("something", "application/pdf", "Text"),
        (None, None, "Other"),
    ],
)
def test_a_medium_has_the_type_it_is_of(media_type: str | None, media_format: str | None, general: str) -> None:
    said = _medium(media_type=media_type, format=media_format)
    assert said["types"] == {"resourceTypeGeneral": general, "resourceType": "Media Object"}


def test_suffixes_links_and_creation_do_instead_of_dois() -> None:
    plain = _frame(SPECIMEN)
    other = plain.drop("doi", "issued", "media_dois").with_columns(
        suffix=pl.lit("AAA-BBB-CCC"),
        created=pl.lit(SPECIMEN["issued"]),
        links=pl.Series([["MMM-MMM-MM1", "MMM-MMM-MM2"]]),
    )
    assert payloads("specimen", other, CONTEXT).to_list() == payloads("specimen", plain, CONTEXT).to_list()


def test_columns_that_are_absent_count_as_null() -> None:
    frame = _frame(SPECIMEN).select("doi", "version", "issued", "normalisedPhysicalSpecimenID")
    said = orjson.loads(specimen_payloads(frame, CONTEXT)[0])
    assert _errors(SPECIMEN["doi"], said) == []


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("CC0-1.0", "Creative Commons Zero v1.0 Universal"),
        ("CC-BY-4.0", "Creative Commons Attribution 4.0 International"),
        ("CC-BY-NC-SA-3.0", "Creative Commons Attribution Non Commercial Share Alike 3.0 Unported"),
        ("Apache-2.0", "Apache-2.0"),
    ],
)
def test_licences_have_their_full_names(licence: str, name: str) -> None:
    assert licence_name(licence) == name


def test_rights_that_are_no_known_licence_stay_as_they_are() -> None:
    assert orjson.loads(rights_entry("Frei nach Absprache") or "") == {"rights": "Frei nach Absprache"}
    assert rights_entry("  ") is None


def test_a_version_alone_is_no_visible_change() -> None:
    one, two = specimen_payloads(_frame(SPECIMEN), CONTEXT), specimen_payloads(_frame(SPECIMEN, version=33), CONTEXT)
    other = specimen_payloads(_frame(SPECIMEN, specimen_name="Aus cus"), CONTEXT)
    assert one[0] != two[0]
    assert visible_hashes(one)[0] == visible_hashes(two)[0] != visible_hashes(other)[0]
    assert len(visible_hashes(one)[0]) == 32


def test_a_tombstone_says_when_why_and_what_remains() -> None:
    before = specimen_payloads(_frame(SPECIMEN), CONTEXT)
    once = tombstone_payloads(before, date="2027-01-02T03:04:05Z", reason="A duplicate.", replaced_by=["10.5555/X"])
    again = tombstone_payloads(once, date="2027-01-02", reason="A duplicate.", replaced_by=["10.5555/X"])
    said = orjson.loads(once[0])
    assert said["dates"] == [
        {"date": "2026-11-22", "dateType": "Issued"},
        {"date": "2027-01-02", "dateType": "Withdrawn", "dateInformation": "A duplicate."},
    ]
    assert said["relatedIdentifiers"][-1]["relationType"] == "IsObsoletedBy"
    assert _errors(SPECIMEN["doi"], said) == []
    assert again.to_list() == once.to_list()
    assert visible_hashes(once)[0] != visible_hashes(before)[0]


_STATEMENTS = st.tuples(st.text(), st.text(), st.text(), st.sampled_from(["CC0-1.0", "", "x\ny", "http://a b"]))


@settings(max_examples=8, deadline=None)
@given(st.lists(_STATEMENTS, min_size=1, max_size=40))
def test_whatever_a_record_says_its_payload_is_valid(statements: list[tuple[str, str, str, str]]) -> None:
    names, numbers, topics, licences = (
        pl.Series(list(values), dtype=pl.String) for values in zip(*statements, strict=True)
    )
    count = len(statements)
    specimens = pl.concat([_frame(SPECIMEN)] * count).with_columns(
        specimen_name=names,
        catalogNumber=numbers,
        physicalSpecimenID=numbers,
        normalisedPhysicalSpecimenID=numbers,
        topicDiscipline=topics,
        licence=licences,
    )
    media = pl.concat([_frame(MEDIUM)] * count).with_columns(
        rights_holder=names, format=topics, accessURI=numbers, licence=licences
    )
    for text in [*specimen_payloads(specimens, CONTEXT), *media_payloads(media, CONTEXT)]:
        said = orjson.loads(text)
        assert _errors("10.5555/a", said) == []
        etree.fromstring(metadata_xml("10.5555/A", said))


@pytest.mark.shared
def test_payloads_are_valid_against_the_metadata_schema(shared: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(shared / "reference/datacite/kernel-4/metadata.xsd")))
    before = specimen_payloads(_frame(SPECIMEN), CONTEXT)
    gone = tombstone_payloads(before, date="2027-01-02", reason="Lost.", replaced_by=["10.5555/X"])
    said = [
        _specimen(),
        _specimen(licence="all rights reserved", media_dois=[]),
        _medium(),
        _medium(rights_holder=None),
    ]
    for attributes in [*said, orjson.loads(gone[0])]:
        record = written(None, "10.5555/a", "a.b", attributes, "2026", resolvable=True)
        schema.assertValid(etree.fromstring(metadata_xml("10.5555/A", record.attributes)))


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "profile"), [("specimen", "digital-specimen"), ("media", "digital-media")])
def test_fdo_records_follow_their_profile(shared: Path, kind: str, profile: str) -> None:
    path = shared / f"reference/opends/fdo-profile/{profile}/1.0.0/schema/{profile}.json"
    validator = jsonschema_rs.validator_for(orjson.loads(path.read_bytes()))
    frame = _frame(SPECIMEN if kind == "specimen" else MEDIUM)
    validator.validate(orjson.loads(fdo_records(kind, frame, FDO)[0]))
    gone = frame.with_columns(
        tombstoned=pl.lit("2027-01-02T00:00:00Z"),
        tombstone_text=pl.lit("A duplicate."),
        related_pid=pl.lit("https://doi.org/10.5555/X"),
    )
    record = orjson.loads(fdo_records(kind, gone, FDO, status="TOMBSTONE")[0])
    validator.validate(record)
    assert record["hasRelatedPid"] == [{"pid": "https://doi.org/10.5555/X", "relationshipType": "ods:isDuplicateOf"}]


def test_fdo_records_say_where_the_object_is() -> None:
    record = orjson.loads(fdo_records("specimen", _frame(SPECIMEN), FDO)[0])
    assert record["pid"] == "https://doi.org/10.5555/AAA-BBB-CCC"
    assert record["markedAsType"] is True
    assert record["specimenHost"] == CONTEXT.host_id
    locations = etree.fromstring(record["10320/loc"])
    assert [place.get("href") for place in locations] == [
        "https://specimens.example.org/10.5555/AAA-BBB-CCC",
        SPECIMEN["physicalSpecimenID"],
    ]
    medium = orjson.loads(fdo_records("media", _frame(MEDIUM, rights_holder=None), FDO)[0])
    assert etree.fromstring(medium["10320/loc"])[1].get("href") == MEDIUM["accessURI"]
    assert (medium["licenseUrl"], medium["rightsHolder"]) == ("https://spdx.org/licenses/CC0-1.0", CONTEXT.host_id)


NASTY = ['a "b"', "c\\d", " outer ", "", "tab\there", "\x01", "\ufffe", "line\n", "\u00a0x", "ü 中", "plain", None]


@pytest.mark.parametrize(
    ("kind", "one", "links"), [("specimen", SPECIMEN, "media_dois"), ("media", MEDIUM, "specimen_dois")]
)
def test_values_that_need_care_change_nothing_of_their_neighbours(
    kind: str, one: dict[str, object], links: str
) -> None:
    """Rows without such values are made by a shorter way: each must be what it is alone, in its place."""
    row = {name: value for name, value in one.items() if name not in {"doi", "issued", links}}
    row |= {"suffix": "AAA-BBB-CCC", "created": "2026-01-02T00:00:00.000Z", "links": ["DDD-EEE-FFF"]}
    texts = [name for name, value in row.items() if isinstance(value, str) and name not in {"suffix", "created"}]
    rows = [
        row | {name: NASTY[(index + place) % len(NASTY)]} for place, name in enumerate(texts) for index in range(12)
    ]
    rows = [made for pair in zip(rows, [row] * len(rows), strict=True) for made in pair]
    frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(texts, pl.String))
    context = replace(CONTEXT, host_name="A museum")
    together = rendered(kind, frame, context)
    assert together["visible_hash"].equals(visible_hashes(together["payload"]).alias("visible_hash"))
    careful = _rendered(kind, prepared(frame, context, links), context, plain=False)
    assert together.equals(careful)
    assert all(orjson.loads(text)["types"] for text in together["payload"])
