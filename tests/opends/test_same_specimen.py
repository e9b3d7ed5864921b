"""One specimen as a museum gives it in ABCD (XML) and in Darwin Core (zip): the same documents."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dissco_platform.archives import read_archive
from dissco_platform.archives.tables import PREFIXES
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.mapping import load_mapping
from tests.opends.tables import CONTEXT, MAPPINGS, documents

UNIT = """<abcd:DataSets xmlns:abcd="http://www.tdwg.org/schemas/abcd/2.06" xmlns:efg="http://www.synthesys.info/ABCDEFG/1.0">
<abcd:DataSet><abcd:Metadata><abcd:Description><abcd:Representation language="en"><abcd:Title>A Museum: herbarium</abcd:Title>
</abcd:Representation></abcd:Description></abcd:Metadata><abcd:Units><abcd:Unit>
<abcd:UnitGUID>https://data.example.org/7</abcd:UnitGUID>
<abcd:SourceInstitutionID>AM</abcd:SourceInstitutionID><abcd:SourceID>B</abcd:SourceID><abcd:UnitID>B 7</abcd:UnitID>
<abcd:DateLastEdited>2024-01-02</abcd:DateLastEdited>
<abcd:Identifications>
 <abcd:Identification><abcd:Result><abcd:TaxonIdentified>
   <abcd:HigherTaxa><abcd:HigherTaxon><abcd:HigherTaxonName>Plantae</abcd:HigherTaxonName><abcd:HigherTaxonRank>regnum</abcd:HigherTaxonRank></abcd:HigherTaxon>
   <abcd:HigherTaxon><abcd:HigherTaxonName>Cactaceae</abcd:HigherTaxonName><abcd:HigherTaxonRank>familia</abcd:HigherTaxonRank></abcd:HigherTaxon></abcd:HigherTaxa>
   <abcd:ScientificName><abcd:FullScientificNameString>Haageocereus lima Rauh</abcd:FullScientificNameString></abcd:ScientificName></abcd:TaxonIdentified></abcd:Result>
   <abcd:PreferredFlag>true</abcd:PreferredFlag><abcd:Identifiers><abcd:Identifier><abcd:PersonName><abcd:FullName>B. Jones</abcd:FullName></abcd:PersonName></abcd:Identifier></abcd:Identifiers>
   <abcd:Date><abcd:DateText>3.V.1950</abcd:DateText></abcd:Date><abcd:Notes>flowers seen</abcd:Notes></abcd:Identification>
 <abcd:Identification><abcd:Result><abcd:TaxonIdentified><abcd:ScientificName><abcd:FullScientificNameString>Cereus sp.</abcd:FullScientificNameString></abcd:ScientificName></abcd:TaxonIdentified></abcd:Result>
   <abcd:PreferredFlag>false</abcd:PreferredFlag></abcd:Identification>
</abcd:Identifications>
<abcd:RecordBasis>PreservedSpecimen</abcd:RecordBasis><abcd:KindOfUnit>herbarium sheet</abcd:KindOfUnit>
<abcd:MultiMediaObjects><abcd:MultiMediaObject><abcd:FileURI>https://img.example.org/7.jpg</abcd:FileURI><abcd:Format>image/jpeg</abcd:Format>
 <abcd:ImageSize><abcd:Width>640</abcd:Width><abcd:Height>480</abcd:Height></abcd:ImageSize><abcd:Creator>P. Hoto</abcd:Creator>
 <abcd:IPR><abcd:Licenses><abcd:License><abcd:URI>https://creativecommons.org/licenses/by/4.0/</abcd:URI></abcd:License></abcd:Licenses></abcd:IPR></abcd:MultiMediaObject></abcd:MultiMediaObjects>
<abcd:SpecimenUnit><abcd:NomenclaturalTypeDesignations><abcd:NomenclaturalTypeDesignation>
 <abcd:TypifiedName><abcd:FullScientificNameString>Haageocereus lima Rauh</abcd:FullScientificNameString></abcd:TypifiedName><abcd:TypeStatus>Holotypus</abcd:TypeStatus>
</abcd:NomenclaturalTypeDesignation></abcd:NomenclaturalTypeDesignations><abcd:Disposition>in collection</abcd:Disposition></abcd:SpecimenUnit>
<abcd:Gathering><abcd:Code>12</abcd:Code><abcd:DateTime><abcd:DateText>3 to 5 May 1902</abcd:DateText><abcd:ISODateTimeBegin>1902-05-03</abcd:ISODateTimeBegin><abcd:ISODateTimeEnd>1902-05-05</abcd:ISODateTimeEnd></abcd:DateTime>
 <abcd:Agents><abcd:GatheringAgent><abcd:Person><abcd:FullName>J. Smith</abcd:FullName></abcd:Person></abcd:GatheringAgent><abcd:GatheringAgent><abcd:Person><abcd:FullName>A. Ray</abcd:FullName></abcd:Person></abcd:GatheringAgent></abcd:Agents>
 <abcd:LocalityText>near Lima</abcd:LocalityText><abcd:Country><abcd:Name>Perú</abcd:Name></abcd:Country>
 <abcd:NamedAreas><abcd:NamedArea><abcd:AreaClass>County</abcd:AreaClass><abcd:AreaName>Huaral</abcd:AreaName></abcd:NamedArea></abcd:NamedAreas>
 <abcd:SiteCoordinateSets><abcd:SiteCoordinates><abcd:CoordinatesLatLong><abcd:LongitudeDecimal>-77</abcd:LongitudeDecimal><abcd:LatitudeDecimal>-12.5</abcd:LatitudeDecimal>
  <abcd:SpatialDatum>WGS84</abcd:SpatialDatum><abcd:CoordinateErrorDistanceInMeters>100</abcd:CoordinateErrorDistanceInMeters></abcd:CoordinatesLatLong></abcd:SiteCoordinates></abcd:SiteCoordinateSets>
 <abcd:Altitude><abcd:MeasurementOrFactText>300-400 ft</abcd:MeasurementOrFactText></abcd:Altitude>
 <abcd:Biotope><abcd:Text>desert</abcd:Text></abcd:Biotope><abcd:Method>by hand</abcd:Method></abcd:Gathering>
<abcd:Sex>female</abcd:Sex>
<abcd:MeasurementsOrFacts><abcd:MeasurementOrFact><abcd:MeasurementOrFactAtomised><abcd:Parameter>height</abcd:Parameter><abcd:LowerValue>25</abcd:LowerValue><abcd:UnitOfMeasurement>cm</abcd:UnitOfMeasurement></abcd:MeasurementOrFactAtomised></abcd:MeasurementOrFact></abcd:MeasurementsOrFacts>
<abcd:Associations><abcd:UnitAssociation><abcd:AssociatedUnitID>B 8</abcd:AssociatedUnitID><abcd:AssociationType>duplicate of</abcd:AssociationType></abcd:UnitAssociation></abcd:Associations>
<abcd:UnitReferences><abcd:UnitReference><abcd:TitleCitation>Rauh 1958, Beitrag</abcd:TitleCitation><abcd:CitationDetail>p. 7</abcd:CitationDetail></abcd:UnitReference></abcd:UnitReferences>
<abcd:Notes>sheet torn</abcd:Notes>
</abcd:Unit></abcd:Units></abcd:DataSet></abcd:DataSets>"""  # noqa: E501

NAME = {"dwc:scientificName": "Haageocereus lima Rauh", "dwc:kingdom": "Plantae", "dwc:family": "Cactaceae"}
RECORD = {
    "dwc:occurrenceID": "https://data.example.org/7", "dwc:institutionCode": "AM", "dwc:collectionCode": "B",
    "dwc:catalogNumber": "B 7", "dcterms:modified": "2024-01-02", "dwc:basisOfRecord": "PreservedSpecimen",
    "dwc:preparations": "herbarium sheet", "dwc:disposition": "in collection", "dwc:fieldNumber": "12",
    "dwc:eventDate": "1902-05-03/1902-05-05", "dwc:verbatimEventDate": "3 to 5 May 1902", "dwc:recordedBy": "J. Smith | A. Ray",
    "dwc:locality": "near Lima", "dwc:country": "Perú", "dwc:county": "Huaral", "dwc:higherGeography": "Huaral",
    "dwc:decimalLatitude": "-12.5",
    "dwc:decimalLongitude": "-77", "dwc:geodeticDatum": "WGS84", "dwc:coordinateUncertaintyInMeters": "100",
    "dwc:verbatimElevation": "300-400 ft", "dwc:habitat": "desert", "dwc:samplingProtocol": "by hand", "dwc:sex": "female",
    "dwc:eventRemarks": "sheet torn", "dwc:typeStatus": "Holotypus", "dwc:typifiedName": "Haageocereus lima Rauh",
}  # fmt: skip
ROWS: dict[str, list[dict[str, str]]] = {
    "dwc:Identification": [
        NAME | {"dwc:identificationVerificationStatus": "true", "dwc:identifiedBy": "B. Jones",
                "dwc:dateIdentified": "3.V.1950", "dwc:identificationRemarks": "flowers seen", "dwc:typeStatus": "Holotypus"},
        {"dwc:scientificName": "Cereus sp.", "dwc:identificationVerificationStatus": "false"},
    ],
    "gbif:Multimedia": [
        {"dcterms:identifier": "", "ac:accessURI": "https://img.example.org/7.jpg", "dcterms:format": "image/jpeg",
         "exif:PixelXDimension": "640", "exif:PixelYDimension": "480", "dcterms:creator": "P. Hoto",
         "dcterms:license": "https://creativecommons.org/licenses/by/4.0/"},
    ],
    "dwc:MeasurementOrFact": [
        {"dwc:measurementType": "height", "dwc:measurementValue": "25", "dwc:measurementUnit": "cm"},
    ],
    "dwc:ResourceRelationship": [{"dwc:relatedResourceID": "B 8", "dwc:relationshipOfResource": "duplicate of"}],
    "gbif:Reference": [{"dcterms:bibliographicCitation": "Rauh 1958, Beitrag", "dcterms:description": "p. 7"}],
}  # fmt: skip


def darwin_core(path: Path) -> Path:
    def iri(term: str) -> str:
        prefix, _, name = term.partition(":")
        return PREFIXES[prefix] + name

    parts = []
    with zipfile.ZipFile(path, "w") as archive:
        for at, (row_type, rows) in enumerate([("dwc:Occurrence", [RECORD]), *ROWS.items()]):
            fields = list(dict.fromkeys(term for row in rows for term in row))
            tag, key = ("core", "id") if at == 0 else ("extension", "coreid")
            listed = "".join(f'<field index="{n}" term="{iri(term)}"/>' for n, term in enumerate(fields, start=1))
            parts.append(
                f'<{tag} encoding="UTF-8" fieldsTerminatedBy="\\t" ignoreHeaderLines="0" rowType="{iri(row_type)}">'
                f'<files><location>{at}.txt</location></files><{key} index="0"/>{listed}</{tag}>'
            )
            lines = ["\t".join(["7", *(row.get(term, "") for term in fields)]) for row in rows]
            archive.writestr(f"{at}.txt", "\n".join(lines) + "\n")
        archive.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(parts)}</archive>')
        archive.writestr(
            "eml.xml",
            '<eml:eml xmlns:eml="https://eml.ecoinformatics.org/eml-2.2.0"><dataset><title>A Museum: herbarium</title>'
            "</dataset></eml:eml>",
        )
    return path


def built(tmp_path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path / kind
    for name in ("parsed", "names", "out"):
        (folder / name).mkdir(parents=True)
    if kind == "abcd":
        archive = folder / "unit.xml"
        archive.write_text(UNIT, encoding="utf-8")
    else:
        archive = darwin_core(folder / "archive.zip")
    parsed = read_archive(archive, folder / "parsed")
    assert (parsed.records, parsed.rejects, parsed.extension_rejects) == (1, {}, {})
    mapping = load_mapping(MAPPINGS / f"{kind}.yaml")
    build_specimens(folder / "parsed", folder / "names", mapping, CONTEXT, folder / "out", batch="one")
    (specimen,), (medium,) = documents(folder / "out"), documents(folder / "out", "media_documents")
    return specimen, medium


# What each standard calls the identifiers of a specimen.
TITLES = {"abcd:unitGUID": "dwc:occurrenceID", "abcd:unitID": "dwc:catalogNumber"}


@pytest.mark.parametrize("which", [0, 1])
def test_one_specimen_in_two_standards_is_one_document(tmp_path: Path, which: int) -> None:
    one, other = built(tmp_path, "abcd")[which], built(tmp_path, "dwc")[which]
    for identifier in one.get("ods:hasIdentifiers", []):
        identifier["dcterms:title"] = TITLES[identifier["dcterms:title"]]
    assert json.dumps(one, indent=1).splitlines() == json.dumps(other, indent=1).splitlines()
    if which == 0:  # nothing was lost on both sides alike
        assert len(one["ods:hasIdentifications"]) == 2
        assert one["ods:isMarkedAsType"] is True
        assert {"ods:hasAssertions", "ods:hasCitations", "ods:hasEvents", "ods:hasIdentifiers"} <= set(one)
