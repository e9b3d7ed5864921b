"""A portal over one small publication: a real archive's way from table to DOI, hostile content included."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dissco_platform.portal.app import create_portal
from dissco_platform.settings import Settings
from tests.house import EXAMPLES, CommandLine

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror=alert(1)> ' onmouseover='alert(1)",
    "bidi": "Quercus \u202egnihtemos\u202c robur \u2066x\u2069",
    "template": "{{ 7 * 7 }} {% raw %}",
    "link": "javascript:alert(1)",
    "giant": "x" * 300_000,
}
_COLUMNS = (
    "occurrenceID,catalogNumber,basisOfRecord,scientificName,locality,recordedBy,eventDate,decimalLatitude,"
    "decimalLongitude,country,countryCode,license,occurrenceRemarks,habitat,institutionCode,collectionCode,preparations,modified"
)


def table(rows: list[dict[str, str]]) -> str:
    """Return rows as CSV."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS.split(","), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


AGES = """id,verbatimChronometricAge,earliestChronometricAge,earliestChronometricAgeReferenceSystem,chronometricAgeProtocol,chronometricAgeDeterminedBy
https://museum.example.org/0,"31,500 ± 200 14C BP",35900,BP,radiocarbon AMS,Ada Dater
"""  # noqa: E501
SAMPLES = """id,materialSampleID,materialSampleType,concentration,preparedBy
https://museum.example.org/0,urn:uuid:5f0dbb5c-0e1c-4a5e-9b0c-2f7f2f6a0001,DNA extract,12 ng/µl,Li Preparer
https://museum.example.org/0,urn:uuid:5f0dbb5c-0e1c-4a5e-9b0c-2f7f2f6a0002,<b>tissue</b>,,
"""
_TABLES = {
    "occurrence.csv": ("core", "http://rs.tdwg.org/dwc/terms/Occurrence", "http://rs.tdwg.org/dwc/terms/"),
    "ages.csv": ("extension", "http://rs.tdwg.org/chrono/terms/ChronometricAge", "http://rs.tdwg.org/chrono/terms/"),
    "samples.csv": ("extension", "http://data.ggbn.org/schemas/ggbn/terms/MaterialSample", "http://data.ggbn.org/schemas/ggbn/terms/"),
}  # fmt: skip


def write_archive(path: Path, week: int) -> None:
    """Write a week's Darwin Core Archive; one specimen has an age and two samples."""
    texts = {"occurrence.csv": table(rows(week)), "ages.csv": AGES, "samples.csv": SAMPLES}
    described = ""
    for name, (kind, row_type, terms) in _TABLES.items():
        columns = texts[name].partition("\n")[0].split(",")
        fields = "".join(
            f'<field index="{at}" term="{terms}{column}"/>' for at, column in enumerate(columns) if column != "id"
        )
        described += (
            f'<{kind} rowType="{row_type}" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;" '
            f'ignoreHeaderLines="1" encoding="UTF-8"><files><location>{name}</location></files>'
            f'<{"id" if kind == "core" else "coreid"} index="0"/>{fields}</{kind}>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{described}</archive>')
        for name, text in texts.items():
            archive.writestr(name, text)


def rows(week: int) -> list[dict[str, str]]:
    """Return the records of a week; in the second one changed and one is closed."""
    usual = {
        "basisOfRecord": "PreservedSpecimen", "country": "Belgium", "countryCode": "BE", "eventDate": "1890-05-17",
        "license": "https://creativecommons.org/publicdomain/zero/1.0/", "decimalLatitude": "50.5",
        "decimalLongitude": "4.25", "institutionCode": "MUS", "preparations": "skin", "modified": "2024-01-01",
    }  # fmt: skip
    listed = [
        {**usual, "occurrenceID": f"https://museum.example.org/{n}", "catalogNumber": f"M{n}", "scientificName": name,
         "locality": "Ham" if week == 1 or n else "Hamme", "recordedBy": "Émile Noël"}
        for n, name in enumerate(["Quercus robur L.", "Quercus robur L.", "Carex nigra (L.) Reichard"])
    ]  # fmt: skip
    listed += [
        {**usual, "occurrenceID": f"https://museum.example.org/hostile-{kind}", "catalogNumber": f"H-{kind}",
         "scientificName": text[:200], "locality": text, "recordedBy": text[:500], "habitat": text, "occurrenceRemarks": text,
         "collectionCode": text[:100]}
        for kind, text in HOSTILE.items()
    ]  # fmt: skip
    listed.append({**listed[0], "occurrenceID": "https://museum.example.org/closed", "catalogNumber": "M9",
                   "license": "https://creativecommons.org/licenses/by-nc-nd/4.0/"})  # fmt: skip
    return listed


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which a small dataset was published twice."""
    folder = tmp_path_factory.mktemp("portal")
    dissco = CommandLine(folder / "home")
    with zipfile.ZipFile(EXAMPLES / "checklist.zip"):
        dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
    source = folder / "museum.zip"
    for week in (1, 2):
        write_archive(source, week)
        if week == 1:
            dissco("dataset", "add", "museum", "--source", str(source), "--organisation", "https://ror.org/0566bfb96",
                   "--name", "Museum of Trials")  # fmt: skip
        ran = json.loads(dissco("run", "museum", "--json"))
        assert "search_index" in ran["ran"]
    return folder / "home"


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    """Return the settings of that home."""
    return Settings(home=home, contact="help@example.org", landing_page="http://localhost:8000")


@pytest.fixture(scope="session")
def portal(settings: Settings) -> Iterator[TestClient]:
    """Yield a client of the portal."""
    with TestClient(create_portal(settings), follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="session")
def dois(portal: TestClient) -> dict[str, str]:
    """Return the DOI of each catalogue number."""
    found = portal.get("/api/digital-specimen/v1/search", params={"fields": "summary", "size": 100}).json()
    return {one["attributes"]["catalog_number"]: one["id"] for one in found["data"]}
