"""Every extension that collections publish goes to its table, whatever namespace its age gave it; nothing is lost."""

import pytest

from tests.archives.conftest import Make, Reader
from tests.archives.samples import DWC, GOOD, extension, meta, tsv

DC = "http://purl.org/dc/terms/"
GBIF = "http://rs.gbif.org/terms/1.0/"
AC = "http://rs.tdwg.org/ac/terms/"
CHRONO = "http://rs.tdwg.org/chrono/terms/"
GGBN = "http://data.ggbn.org/schemas/ggbn/terms/"
KINDS = [
    # row type as archives write it, table, one of its terms with its namespace, the column
    (DWC + "Identification", "identifications", DWC, "identifiedBy", "dwc:identifiedBy"),
    (GBIF + "IdentificationHistory", "identifications", DWC, "typeStatus", "dwc:typeStatus"),
    (GBIF + "Multimedia", "media", DC, "identifier", "dcterms:identifier"),
    (AC + "Multimedia", "media", AC, "accessURI", "ac:accessURI"),
    (DWC + "MeasurementOrFact", "measurements", DWC, "measurementValue", "dwc:measurementValue"),
    (
        "http://rs.iobis.org/obis/terms/ExtendedMeasurementOrFact",
        "measurements",
        DWC,
        "measurementType",
        "dwc:measurementType",
    ),
    (DWC + "ResourceRelationship", "relationships", DWC, "relatedResourceID", "dwc:relatedResourceID"),
    (GBIF + "Reference", "references", DC, "bibliographicCitation", "dcterms:bibliographicCitation"),
    (CHRONO + "ChronometricAge", "ages", CHRONO, "earliestChronometricAge", "chrono:earliestChronometricAge"),
    (GBIF + "Identifier", "identifiers", DC, "identifier", "dcterms:identifier"),
    (GBIF + "VernacularName", "vernaculars", DWC, "vernacularName", "dwc:vernacularName"),
    (GGBN + "Amplification", "genomics", GGBN, "geneticAccessionNumber", "ggbn:geneticAccessionNumber"),
    (GGBN + "Preservation", "genomics", GGBN, "preservationType", "ggbn:preservationType"),
]


@pytest.mark.parametrize(
    ("row_type", "table", "namespace", "term", "column"), KINDS, ids=[kind[0].rsplit("/", 1)[1] for kind in KINDS]
)
def test_an_extension_is_a_table_of_its_own(
    row_type: str, table: str, namespace: str, term: str, column: str, make_zip: Make, read: Reader
) -> None:
    rows = "coreid\tx\n2\tfirst\n2\tsecond\n40\tthird\n99\tnobody's\n"
    text = meta(extensions=extension(row_type, "ext.txt", (term,), namespace))
    got = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD), "ext.txt": rows}))
    assert got.table(table).select("row", column, "source_file", "source_line").rows() == [
        (1, "first", "ext.txt", 2),
        (1, "second", "ext.txt", 3),
        (39, "third", "ext.txt", 4),
    ]
    (report,) = [file for file in got.parsed.files if file.name == "ext.txt"]
    assert (report.rows_read, report.rows_parsed, report.rows_rejected) == (4, 3, 1)
    assert got.parsed.extension_rejects == {"orphan_extension_row": 1}
    reject = got.table("rejects").row(0, named=True)
    assert (reject["table"], reject["core_id"], reject["source_line"]) == (table, "99", 5)


def test_a_download_of_gbif_keeps_the_publishers_own_values_beside_gbifs(make_zip: Make, read: Reader) -> None:
    verbatim = "gbifID\toccurrenceID\tscientificName\n1\tocc-1\tAus bus L.\n2\tocc-2\taus BUS\n"
    images = "gbifID\tidentifier\n2\thttps://x/2.jpg\n"
    text = meta(
        extensions=extension(DWC + "Occurrence", "verbatim.txt", ("occurrenceID", "scientificName"))
        + extension(GBIF + "Multimedia", "multimedia.txt", ("identifier",), DC)
    )
    members = {
        "meta.xml": text,
        "occurrence.txt": tsv(*GOOD),
        "verbatim.txt": verbatim,
        "multimedia.txt": images,
        "citations.txt": "Please cite",
        "rights.txt": "CC0",
        "dataset/1.xml": "<eml/>",
    }
    got = read(make_zip(members))
    assert got.parsed.records == len(GOOD)
    assert got.table()["dwc:scientificName"].unique().to_list() == ["Aus bus"]
    assert got.table("verbatim").select("row", "row_type", "term", "value").rows() == [
        (0, "dwc:Occurrence", "dwc:occurrenceID", "occ-1"),
        (0, "dwc:Occurrence", "dwc:scientificName", "Aus bus L."),
        (1, "dwc:Occurrence", "dwc:occurrenceID", "occ-2"),
        (1, "dwc:Occurrence", "dwc:scientificName", "aus BUS"),
    ]
    assert got.table("media")["row"].to_list() == [1]


@pytest.mark.parametrize("core", ["MaterialSample", "MaterialEntity"])
def test_material_is_a_core_too(core: str, make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(DWC + core), "occurrence.txt": tsv(*GOOD)}))
    assert (got.parsed.core, got.parsed.records) == (f"dwc:{core}", len(GOOD))


def test_a_changed_extension_row_changes_its_record_alone(make_zip: Make, read: Reader) -> None:
    text = meta(extensions=extension(DWC + "Identification", "det.txt", ("identifiedBy",)))

    def prints(person: str) -> list[str]:
        rows = f"coreid\tidentifiedBy\n3\t{person}\n7\tLinnaeus\n"
        got = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD), "det.txt": rows}))
        return got.table()["fingerprint"].to_list()

    before, after = prints("Darwin"), prints("Wallace")
    assert [row for row, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [2]
    assert all(len(one) == 32 for one in before)
