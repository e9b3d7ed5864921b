"""ABCD: what a unit becomes, and what BioCASe responses do wrong."""

import zipfile
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.archives import abcd_pages, inspect_archive, read_archive
from dissco_platform.archives.model import DEFAULT_LIMITS
from dissco_platform.errors import ArchiveError
from tests.archives.conftest import Make, Reader

NS = "http://www.tdwg.org/schemas/abcd/2.06"
EFG = "http://www.synthesys.info/ABCDEFG/1.0"
HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<biocase:response xmlns:biocase="http://www.biocase.org/schemas/protocol/1.3" xmlns:efg="{EFG}">
<biocase:content recordStart="0" recordCount="1" recordDropped="0" totalSearchHits="1">
<DataSets xmlns="{NS}"><DataSet><DatasetGUID>d:1</DatasetGUID>
<ContentContacts><ContentContact><Name>Ada</Name><Email>ada@example.org</Email></ContentContact></ContentContacts>
<Metadata><Description><Representation language="en"><Title>Rocks</Title></Representation></Description>
<IPRStatements><Licenses><License language="en"><Text>CC0</Text><URI>http://cc0</URI></License></Licenses></IPRStatements>
</Metadata><Units>"""
TAIL = "</Units></DataSet></DataSets></biocase:content></biocase:response>"


def unit(number: int, inner: str = "") -> str:
    own = f"<UnitGUID>u{number}</UnitGUID><UnitID>{number}</UnitID><RecordBasis>PreservedSpecimen</RecordBasis>"
    return f"<Unit>{own}{inner}</Unit>"


def response(*units: str) -> str:
    return HEAD + "".join(units) + TAIL


NAME = (
    "<Identification><Result><TaxonIdentified><HigherTaxa><HigherTaxon><HigherTaxonName>Plantae</HigherTaxonName>"
    "<HigherTaxonRank>Regnum</HigherTaxonRank></HigherTaxon><HigherTaxon><HigherTaxonName>Rosaceae</HigherTaxonName>"
    "<HigherTaxonRank>familia</HigherTaxonRank></HigherTaxon></HigherTaxa><ScientificName>{full}<NameAtomised><Botanical>"
    "<GenusOrMonomial>{genus}</GenusOrMonomial>{epithet}<AuthorTeamParenthesis>L.</AuthorTeamParenthesis><AuthorTeam>Mill."
    "</AuthorTeam></Botanical></NameAtomised></ScientificName></TaxonIdentified></Result></Identification>"
)


def identifications(*names: tuple[str, str, str]) -> str:
    parts = []
    for full, genus, epithet in names:
        parts.append(
            NAME.format(
                full=f"<FullScientificNameString>{full}</FullScientificNameString>" if full else "",
                genus=genus,
                epithet=f"<FirstEpithet>{epithet}</FirstEpithet>" if epithet else "",
            )
        )
    return f"<Identifications>{''.join(parts)}</Identifications>"


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "units.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_names_are_columns_of_darwin_core_in_identifications(tmp_path: Path, read: Reader) -> None:
    names = identifications(
        ("Rosa canina (L.) Mill.", "Rosa", "canina"), ("", "Rosa", "alba"), ("Rosaceae", "Rosaceae", "")
    )
    frame = read(write(tmp_path, response(unit(1, names)))).table("identifications")
    assert frame.select(
        "row", "dwc:scientificName", "dwc:genus", "dwc:specificEpithet", "dwc:scientificNameAuthorship", "dwc:family"
    ).rows() == [
        (0, "Rosa canina (L.) Mill.", "Rosa", "canina", "(L.) Mill.", "Rosaceae"),
        (0, "Rosa alba", "Rosa", "alba", "(L.) Mill.", "Rosaceae"),
        (0, "Rosaceae", None, None, "(L.) Mill.", "Rosaceae"),
    ]
    assert frame["dwc:kingdom"].unique().to_list() == ["Plantae"]


def test_lists_become_columns_and_nothing_else_is_lost(tmp_path: Path, read: Reader) -> None:
    inner = (
        "<Gathering><Agents><GatheringAgent><Person><FullName>Ada</FullName></Person></GatheringAgent><GatheringAgent>"
        "<AgentText>Bob</AgentText></GatheringAgent></Agents><LocalityText language='en'>by\n      the lake</LocalityText>"
        "<NamedAreas><NamedArea><AreaClass>Continent</AreaClass><AreaName>Europe</AreaName></NamedArea><NamedArea><AreaClass>"
        "County</AreaClass><AreaName>Kent</AreaName></NamedArea></NamedAreas></Gathering><UnitExtension>"
        "<efg:EarthScienceSpecimen><efg:UnitStratigraphicDetermination><efg:ChronostratigraphicAttributions>"
        "<efg:ChronostratigraphicAttribution><efg:ChronoStratigraphicDivision>System</efg:ChronoStratigraphicDivision>"
        "<efg:ChronostratigraphicName>Jurassic</efg:ChronostratigraphicName></efg:ChronostratigraphicAttribution>"
        "</efg:ChronostratigraphicAttributions></efg:UnitStratigraphicDetermination></efg:EarthScienceSpecimen></UnitExtension>"
        "<SomethingNew><Deep a='1'>kept</Deep></SomethingNew>"
    )
    got = read(write(tmp_path, response(unit(1, inner))))
    row = got.table().row(0, named=True)
    assert row["dwc:recordedBy"] == "Ada | Bob"
    assert (row["dwc:continent"], row["dwc:county"]) == ("Europe", "Kent")
    assert row["abcd:Gathering/LocalityText"] == "by the lake"
    assert row["dwc:earliestPeriodOrLowestSystem"] == row["dwc:latestPeriodOrHighestSystem"] == "Jurassic"
    assert (row["abcd:SomethingNew/Deep"], row["abcd:SomethingNew/Deep/@a"]) == ("kept", "1")
    assert (row["abcd:DataSet/Title"], row["abcd:DataSet/License"]) == ("Rocks", "http://cc0")
    assert got.table("agents")["dwc:recordedBy"].to_list() == ["Ada", "Bob"]
    assert got.parsed.metadata["license"] == "http://cc0"
    assert got.parsed.metadata["contacts"] == [{"role": "contact", "name": "Ada", "email": "ada@example.org"}]


@pytest.mark.parametrize(
    "namespace",
    ["http://www.tdwg.org/schemas/abcd/2.06", "http://www.tdwg.org/schemas/abcd/2.1", "http://rs.tdwg.org/abcd/2.1"],
)
def test_all_that_a_unit_says_is_kept_in_either_version_and_with_any_extension(
    namespace: str, tmp_path: Path, read: Reader
) -> None:
    inner = (
        "<MultiMediaObjects><MultiMediaObject><FileURI>https://x/1.jpg</FileURI><Format>image/jpeg</Format></MultiMediaObject>"
        "<MultiMediaObject><FileURI>https://x/2.jpg</FileURI></MultiMediaObject></MultiMediaObjects>"
        "<Associations><UnitAssociation><AssociatedUnitID>host-7</AssociatedUnitID><AssociationType>parasite of"
        "</AssociationType></UnitAssociation></Associations>"
        "<Gathering><SiteCoordinateSets><SiteCoordinates><CoordinatesLatLong><LongitudeDecimal>4.5</LongitudeDecimal>"
        "<LatitudeDecimal>52.1</LatitudeDecimal></CoordinatesLatLong></SiteCoordinates></SiteCoordinateSets></Gathering>"
        "<MeasurementsOrFacts><MeasurementOrFact><MeasurementOrFactAtomised><Parameter>length</Parameter>"
        "<LowerValue>12</LowerValue><UnitOfMeasurement>mm</UnitOfMeasurement></MeasurementOrFactAtomised></MeasurementOrFact>"
        "</MeasurementsOrFacts><UnitExtension>"
        "<dna:DNASample xmlns:dna='http://www.dnabank-network.org/schemas/ABCDDNA'><dna:ExtractionMethod>CTAB"
        "</dna:ExtractionMethod></dna:DNASample><hispid:HispidUnit xmlns:hispid='http://hiscom.chah.org.au/hispid/5'>"
        "<hispid:CultivatedOccurrence>wild</hispid:CultivatedOccurrence></hispid:HispidUnit></UnitExtension>"
    )
    got = read(write(tmp_path, response(unit(1, inner)).replace(NS, namespace)))
    row = got.table().row(0, named=True)
    place = "abcd:Gathering/SiteCoordinateSets/SiteCoordinates/CoordinatesLatLong"
    assert (row[f"{place}/LatitudeDecimal"], row[f"{place}/LongitudeDecimal"]) == ("52.1", "4.5")
    assert got.table("media")["ac:accessURI"].to_list() == ["https://x/1.jpg", "https://x/2.jpg"]
    measured = got.table("measurements").row(0, named=True)
    assert [measured[f"dwc:measurement{name}"] for name in ("Type", "Value", "Unit")] == ["length", "12", "mm"]
    related = got.table("relationships").row(0, named=True)
    assert (related["dwc:relatedResourceID"], related["dwc:relationshipOfResource"]) == ("host-7", "parasite of")
    assert row["abcd:UnitExtension/DNASample/ExtractionMethod"] == "CTAB"
    assert row["abcd:UnitExtension/HispidUnit/CultivatedOccurrence"] == "wild"


def test_a_type_designation_goes_to_the_identification_it_names(tmp_path: Path, read: Reader) -> None:
    designation = (
        "<SpecimenUnit><NomenclaturalTypeDesignations><NomenclaturalTypeDesignation><TypifiedName><FullScientificNameString>"
        "Rosa alba</FullScientificNameString></TypifiedName><TypeStatus>isotype</TypeStatus></NomenclaturalTypeDesignation>"
        "</NomenclaturalTypeDesignations></SpecimenUnit>"
    )
    names = identifications(("Rosa canina", "Rosa", "canina"), ("Rosa alba", "Rosa", "alba"))
    got = read(write(tmp_path, response(unit(1, names + designation))))
    assert got.table("identifications")["dwc:typeStatus"].to_list() == [None, "isotype"]
    assert got.table()["dwc:typeStatus"].to_list() == ["isotype"]


def test_an_archive_of_pages_is_one_dataset_in_the_order_of_the_pages(make_zip: Make, read: Reader) -> None:
    pages = {f"response.0000{n}.xml": response(unit(n), unit(10 + n)) for n in (2, 1, 3)}
    got = read(make_zip({**pages, "readme.txt": "hello"}))
    assert got.table()["core_id"].to_list() == ["u1", "u11", "u2", "u12", "u3", "u13"]
    assert [report.rows_read for report in got.parsed.files] == [2, 2, 2]


def test_a_document_that_breaks_off_keeps_the_units_before(tmp_path: Path, read: Reader) -> None:
    text = response(unit(1), unit(2), unit(3))
    got = read(write(tmp_path, text[: text.index("<UnitID>3")]))
    assert got.parsed.records == 2
    assert got.parsed.rejects == {"malformed_xml": 1}


@pytest.mark.parametrize("codec", ["utf-16", "iso-8859-1", "windows-1252", "utf-8"])
def test_documents_in_other_encodings(codec: str, tmp_path: Path, read: Reader) -> None:
    text = response(unit(1, "<Notes>Müller – Señor</Notes>" if codec != "iso-8859-1" else "<Notes>Müller</Notes>"))
    got = read(write(tmp_path, text.replace("UTF-8", codec).encode(codec)))
    assert got.table()["abcd:Notes"][0].startswith("Müller")


def test_an_error_inside_a_response_is_a_refusal_with_the_providers_words(tmp_path: Path) -> None:
    text = (
        '<response xmlns="http://www.biocase.org/schemas/protocol/1.3"><content recordCount="0"/><diagnostics>'
        '<diagnostic severity="ERROR">database is away</diagnostic></diagnostics></response>'
    )
    report = inspect_archive(write(tmp_path, text))
    assert (report["outcome"], report["reason"]) == ("refused", "provider_error")
    assert "database is away" in report["message"]


def test_dropped_and_miscounted_units_are_flagged(tmp_path: Path, read: Reader) -> None:
    text = response(unit(1)).replace('recordCount="1" recordDropped="0"', 'recordCount="3" recordDropped="2"')
    got = read(write(tmp_path, text))
    assert got.parsed.files[0].flags == ["records_dropped_by_provider", "record_count_differs"]
    assert got.parsed.metadata["recordsDropped"] == 2


def test_the_order_of_units_and_of_their_parts_is_no_change(tmp_path: Path, read: Reader) -> None:
    one = read(write(tmp_path, response(unit(1, identifications(("A b", "A", "b"), ("C d", "C", "d"))), unit(2))))
    two = read(write(tmp_path, response(unit(2), unit(1, identifications(("C d", "C", "d"), ("A b", "A", "b"))))))
    assert one.parsed.data_version == two.parsed.data_version


def test_another_xml_document_is_no_abcd(tmp_path: Path, read: Reader) -> None:
    with pytest.raises(ArchiveError) as refusal:
        read(write(tmp_path, "<rss><channel/></rss>"), DEFAULT_LIMITS)
    assert refusal.value.reason == "no_table"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "units", "media"),
    [
        ("berlin-herbarium", 100, 299),
        ("stuttgart", 10, 0),
        ("stuttgart-type-specimen", 1, 0),
        ("taltech-efg-one-unit", 1, 0),
    ],
)
def test_real_responses(name: str, units: int, media: int, shared: Path, read: Reader) -> None:
    got = read(shared / "data" / "abcd" / f"{name}.xml")
    assert got.parsed.records == units
    assert (got.table("media").height if "media" in got.parsed.columns else 0) == media


def test_a_zip_of_units_reports_like_any_archive(tmp_path: Path) -> None:
    path = tmp_path / "abcd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("response.00001.xml", response(unit(1), unit(2)))
    report = inspect_archive(path)
    assert (report["kind"], report["outcome"], report["specimens"], report["licence"]) == (
        "abcd",
        "opened",
        2,
        "http://cc0",
    )
    assert report["basisOfRecord"] == {"PreservedSpecimen": 2}


def test_a_collector_with_several_identifiers_stays_one_collector(tmp_path: Path) -> None:
    """All identifiers stay in the agent's row; the record names the person by one of them."""
    uris = ["http://viaf.org/viaf/71508455", "http://www.wikidata.org/entity/Q76353", "https://bionomia.net/Q76353"]
    agent = "".join(f"<ResourceURI>{uri}</ResourceURI>" for uri in uris)
    one = (
        "<Unit><UnitID>1</UnitID><Gathering><Agents><GatheringAgent><ResourceURIs>"
        f"{agent}</ResourceURIs></GatheringAgent><GatheringAgentsText>Willdenow</GatheringAgentsText></Agents></Gathering></Unit>"
    )
    path = tmp_path / "one.xml"
    path.write_text(
        f'<DataSets xmlns="http://www.tdwg.org/schemas/abcd/2.06"><DataSet><Units>{one}</Units></DataSet></DataSets>'
    )
    out = tmp_path / "out"
    out.mkdir()
    read_archive(path, out)
    record = pl.read_parquet(out / "records.parquet").row(0, named=True)
    assert (record["dwc:recordedBy"], record["dwc:recordedByID"]) == ("Willdenow", uris[1])
    assert pl.read_parquet(out / "agents.parquet")["abcd:ResourceURIs/ResourceURI"].to_list() == [" | ".join(uris)]


def test_pages_read_by_helpers_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, their numbers, the reports and the content's version; a page that breaks off too."""
    path = tmp_path / "pages.zip"
    units = "".join(f"<Unit><UnitGUID>g{{page}}-{n}</UnitGUID><UnitID>{n}</UnitID></Unit>" for n in range(3))
    with zipfile.ZipFile(path, "w") as archive:
        for page in range(7):
            text = f'<DataSets xmlns="http://www.tdwg.org/schemas/abcd/2.06"><DataSet><Units>{units}</Units></DataSet></DataSets>'
            text = text.replace("{page}", str(page))
            archive.writestr(f"response.{page}.xml", text[:-20] if page == 4 else text)
    found = []
    for helpers in (False, True):
        if helpers:
            monkeypatch.setattr(abcd_pages, "WORTH_HELP", 0)
            monkeypatch.setattr(abcd_pages, "TOGETHER", 500)
        out = tmp_path / f"out{helpers}"
        out.mkdir()
        parsed = read_archive(path, out)
        found.append((parsed.to_json(), pl.read_parquet(out / "records.parquet").to_dicts()))
    assert found[0] == found[1]
    assert len(found[0][1]) == 21


def test_a_page_that_declares_a_document_type_is_refused_by_helpers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abcd_pages, "WORTH_HELP", 0)
    path = tmp_path / "pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for page in range(3):
            archive.writestr(
                f"{page}.xml", "<!DOCTYPE x><DataSets><DataSet/></DataSets>" if page == 2 else "<DataSets/>"
            )
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ArchiveError) as caught:
        read_archive(path, out)
    assert caught.value.reason == "xml_doctype"
