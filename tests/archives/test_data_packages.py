"""Darwin Core Data Packages: material with its event, identifications, media and assertions."""

import json

import pytest

from dissco_platform.errors import ArchiveError
from tests.archives.conftest import Make, Reader

TABLES = {
    "material": "materialEntity_pk,materialEntityID,catalogNumber,collectionEvent_fk,materialEntityType,usagePolicy_fk\n"
    "1,urn:m:1,M.1,e1,PreservedSpecimen,p\n2,urn:m:2,M.2,e9,PreservedSpecimen,\n",
    "event": "event_pk,eventID,eventDate,country\ne1,urn:e:1,1901-05-06,Kenya\n",
    "usage-policy": "usagePolicy_pk,license\np,CC0\n",
    "identification": "identification_pk,materialEntity_fk,scientificName,identifiedBy\ni1,1,Aus bus,N. N.\ni2,7,Cus,\n",
    "media": "media_pk,mediaID,accessURI,usagePolicy_fk\nx,urn:x,http://x/1.jpg,p\n",
    "material-media": "media_fk,materialEntity_fk\nx,1\n",
    "material-assertion": "materialEntity_fk,assertionType,assertionValue,assertionUnit\n2,length,12,mm\n",
}


def package(*names: str) -> dict[str, str | bytes]:
    resources = [{"name": name, "path": f"{name}.csv", "profile": "tabular-data-resource"} for name in names]
    members: dict[str, str | bytes] = {f"{name}.csv": TABLES[name] for name in names}
    return members | {"datapackage.json": json.dumps({"profile": "dwc-dp", "resources": resources})}


def test_material_takes_its_events_and_policys_terms(make_zip: Make, read: Reader) -> None:
    got = read(make_zip(package(*TABLES)))
    assert got.parsed.kind == "dwc-dp"
    frame = got.table()
    assert frame.select(
        "core_id", "dwc:materialEntityID", "dwc:basisOfRecord", "dwc:eventDate", "dwc:country", "dcterms:license"
    ).rows() == [
        ("1", "urn:m:1", "PreservedSpecimen", "1901-05-06", "Kenya", "CC0"),
        ("2", "urn:m:2", "PreservedSpecimen", None, None, None),
    ]
    assert got.table("identifications").select("row", "dwc:scientificName").rows() == [(0, "Aus bus")]
    assert got.table("media").select("row", "ac:accessURI", "dcterms:license").rows() == [(0, "http://x/1.jpg", "CC0")]
    assert got.table("measurements").select("row", "dwc:measurementType", "dwc:measurementValue").rows() == [
        (1, "length", "12")
    ]
    assert got.parsed.extension_rejects == {"orphan_extension_row": 1}


def test_a_package_without_material_or_occurrence_is_refused(make_zip: Make, read: Reader) -> None:
    with pytest.raises(ArchiveError) as refusal:
        read(make_zip(package("event", "media")))
    assert refusal.value.reason == "no_specimens"


@pytest.mark.parametrize("text", ["{", "[]", '{"resources": 3}'])
def test_a_broken_descriptor_is_refused(text: str, make_zip: Make, read: Reader) -> None:
    with pytest.raises(ArchiveError) as refusal:
        read(make_zip({"datapackage.json": text, "material.csv": TABLES["material"]}))
    assert refusal.value.reason == "malformed_descriptor"


def test_relationships_hang_on_their_subject_by_key_or_identifier(
    make_zip: Make, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "resourceRelationshipID,subjectResourceID,relationshipType,relatedResourceID\n"
        "r1,1,same herbarium sheet as,urn:m:2\nr2,urn:m:2,sampled from,urn:x\nr3,urn:e:1,part of,urn:y\n"
    )
    monkeypatch.setitem(TABLES, "resource-relationship", rows)
    for names in (("material", "resource-relationship"), ("material", "event", "resource-relationship")):
        got = read(make_zip(package(*names)))
        related = got.table("relationships")
        assert related.select(
            "row", "dwc:resourceID", "dwc:relationshipOfResource", "dwc:relatedResourceID"
        ).rows() == [
            (0, "1", "same herbarium sheet as", "urn:m:2"),
            (1, "urn:m:2", "sampled from", "urn:x"),
        ]
        assert got.parsed.extension_rejects == {"orphan_extension_row": 1}
        before = got.table()["fingerprint"].to_list()
        monkeypatch.setitem(TABLES, "resource-relationship", rows.replace("urn:x", "urn:z"))
        after = read(make_zip(package(*names))).table()["fingerprint"].to_list()
        assert before[0] == after[0] and before[1] != after[1]
        monkeypatch.setitem(TABLES, "resource-relationship", rows)
