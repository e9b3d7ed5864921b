"""The report for an institution."""

import ast
import gzip
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from dissco_platform import archives
from dissco_platform.archives import inspect_archive
from dissco_platform.archives.inspect import FLAG_SENTENCES
from dissco_platform.cli.archives import app, leaving_tidily
from tests.archives.conftest import Make
from tests.archives.samples import EML, TERMS, meta, tsv

HEADER = "id\toccurrenceID\tcatalogNumber\tscientificName\tlocality\tbasisOfRecord"
ROWS = [
    "1\to1\tM1\tAus bus\tParis\tPreservedSpecimen",
    "2\to1\tM2\tAus bus\tParis\tPRESERVED_SPECIMEN",
    "3\t\t\tAus bus\tParis\tHumanObservation",
    "4\to4",
]


@pytest.fixture
def archive(make_zip: Make) -> Path:
    rows = [*ROWS, *(f"{n}\to{n}\tM{n}\tAus\tRome\tFossilSpecimen" for n in range(5, 45))]
    terms = (*TERMS, "basisOfRecord")
    return make_zip({"meta.xml": meta(terms=terms), "eml.xml": EML, "occurrence.txt": tsv(*rows, header=HEADER)})


def test_the_report_counts_what_is_there_and_what_would_be_refused(archive: Path) -> None:
    report = inspect_archive(archive)
    assert (report["kind"], report["outcome"], report["reason"]) == ("dwca", "opened", None)
    assert report["files"] == [
        {
            "name": "occurrence.txt",
            "table": "records",
            "encoding": "UTF-8",
            "rows_read": 44,
            "rows_parsed": 43,
            "rows_rejected": 1,
            "flags": [],
        }
    ]
    assert (report["records"], report["specimens"]) == (43, 42)
    assert report["licence"] == "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
    assert report["would_be_refused"] == {"not_a_specimen": 1, "missing_identifier": 1, "duplicate_identifier": 1}
    assert report["rejects"]["too_few_columns"]["examples"][0]["source_line"] == 5
    assert report["identifiers"]["dwc:occurrenceID"] == {"filled": 42, "distinct": 41, "duplicates": 1}
    assert any("repeat a dwc:occurrenceID" in problem for problem in report["problems"])


def test_the_report_is_json(archive: Path) -> None:
    assert json.loads(json.dumps(inspect_archive(archive)))["title"] == "Beetles"


def test_a_missing_file_is_a_refusal_and_no_error(tmp_path: Path) -> None:
    report = inspect_archive(tmp_path / "nothing.zip")
    assert (report["outcome"], report["reason"], report["specimens"]) == ("refused", "not_found", 0)


def test_compressed_tables_are_opened_alone_and_inside_an_archive(tmp_path: Path, make_zip: Make) -> None:
    table = gzip.compress(tsv(*ROWS[:3], header=HEADER).encode())
    alone = tmp_path / "specimens.tsv.gz"
    alone.write_bytes(table)
    inside = make_zip({"meta.xml": meta(terms=(*TERMS, "basisOfRecord")), "occurrence.txt.gz": table})
    assert [inspect_archive(path)["records"] for path in (alone, inside)] == [3, 3]


def test_a_checklist_is_reported_with_no_specimens(make_zip: Make) -> None:
    content = "taxonID\tscientificName\ttaxonRank\n1\tAus\tgenus\n"
    report = inspect_archive(make_zip({"taxa.txt": content}))
    assert (report["outcome"], report["core"], report["records"], report["specimens"]) == ("opened", "dwc:Taxon", 1, 0)


def test_records_that_would_get_a_doi_only_are_told_with_their_licence(make_zip: Make) -> None:
    header = f"{HEADER}\tlicense"
    licences = ["CC0", "CC BY-NC 4.0", "", "ask the curator"]
    rows = [f"{n}\to{n}\tM{n}\tAus\tRome\tPreservedSpecimen\t{one}" for n, one in enumerate(licences)]
    report = inspect_archive(make_zip({"occurrence.txt": tsv(*rows, header=header)}))
    assert report["doi_only"] == {"licence_not_open": 1, "licence_not_understood": 1, "no_licence": 1}


def test_the_command_prints_what_an_institution_should_read(archive: Path) -> None:
    result = CliRunner().invoke(app, [str(archive)])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "43 read, 1 set aside" in text
    assert "occurrence.txt:5 4 columns" not in text and "1 × too_few_columns" in text
    assert "an identifier that another record has" in text
    assert "fingerprint" not in text


def test_the_command_refuses_with_its_reason_and_code(tmp_path: Path) -> None:
    (tmp_path / "page.zip").write_bytes(b"<!DOCTYPE html><html><body>[Log in]</body></html>")
    result = CliRunner().invoke(app, [str(tmp_path / "page.zip")])
    assert result.exit_code == 2
    assert "is refused (html_page)" in " ".join(result.output.split())
    as_json = json.loads(CliRunner().invoke(app, [str(tmp_path / "page.zip"), "--json"]).stdout)
    assert (as_json["outcome"], as_json["files"], as_json["specimens"]) == ("refused", [], 0)


def test_terms_under_the_wrong_namespace_are_read_and_told(make_zip: Make) -> None:
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tlicense"
    terms = (*TERMS[:3], "license")
    report = inspect_archive(
        make_zip({"meta.xml": meta(terms=terms), "occurrence.txt": tsv("1\to\tc\tAus\tCC0", header=header)})
    )
    assert "term_in_wrong_namespace" in report["flags"]
    assert report["licence"] == "CC0"
    assert FLAG_SENTENCES["term_in_wrong_namespace"] in report["problems"]


def _flags_raised() -> set[str]:
    """The literal codes that the package's code flags."""
    found = set()
    for path in Path(archives.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            of = node.func.value
            name = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
            raised = node.func.attr == "flag" or (node.func.attr in {"append", "add"} and name in {"flags", "notes"})
            if raised:
                found |= {
                    one.value
                    for one in ast.walk(node.args[0])
                    if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value != "malformed_xml"
                }
    return {one for one in found if not one.endswith("_")}


def test_whatever_is_flagged_is_told_in_a_sentence() -> None:
    raised = _flags_raised()
    assert len(raised) > 35
    assert raised <= FLAG_SENTENCES.keys(), raised - FLAG_SENTENCES.keys()


def test_a_page_instead_of_an_archive_is_told_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = tmp_path / ("c1" * 32)
    download.write_text("<!doctype html><html><body>Please log in</body></html>")
    monkeypatch.setattr(
        "dissco_platform.archives.sources.fetch_source", lambda *_, **__: SimpleNamespace(path=download)
    )
    result = CliRunner().invoke(app, ["https://museum.example/dwca.zip"])
    assert result.exit_code == 2
    assert "https://museum.example/dwca.zip is refused (html_page)" in " ".join(result.output.split())
    assert download.name not in result.output


def test_a_report_that_is_told_to_end_takes_its_scratch_folder_away() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left, leaving_tidily():
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
