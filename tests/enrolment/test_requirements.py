"""The requirement check as a provider meets it: small archives published on loopback, one fault each."""

import http.server
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dissco_platform.enrolment import report
from dissco_platform.enrolment.organisations import check_organisation
from dissco_platform.enrolment.requirements import CheckReport, Requirement, check_requirements
from dissco_platform.enrolment.ror import RorApi, RorIndex, open_index, read_records
from dissco_platform.enrolment.trial import Wanted
from dissco_platform.errors import SourceError
from dissco_platform.http import HttpClient
from dissco_platform.opends.mapping import load_mapping
from tests.enrolment.conftest import Served

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
ROR = "https://ror.org/0566bfb96"
HEADER = "id,catalogNumber,basisOfRecord,scientificName,kingdom,license,typeStatus,associatedMedia"
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
Writer = Callable[[Path, str], None]


def _row(number: int, **changed: str) -> str:
    values = {
        "id": str(number),
        "catalogNumber": f"M.{number}",
        "basisOfRecord": "PreservedSpecimen",
        "scientificName": "Actias luna",
        "kingdom": "Animalia",
        "license": CC0,
        "typeStatus": "",
        "associatedMedia": "",
    }
    return ",".join({**values, **changed}.values())


@pytest.fixture
def check(served: Served, archive: Writer, tmp_path: Path) -> Callable[..., CheckReport]:
    def run(rows: list[str], **options: Any) -> CheckReport:
        archive(served.folder / "moths.zip", "\n".join([HEADER, *rows]) + "\n")
        wanted = Wanted("moths", f"{served.url}/moths.zip", ROR, doi_only=options.pop("doi_only", False))
        folder = tmp_path / "trial"
        folder.mkdir()
        return check_requirements(
            wanted,
            folder,
            http=options.pop("http", HttpClient(trusted_hosts=[served.host])),
            mapping_of=lambda _kind: load_mapping(MAPPINGS / "dwc.yaml"),
            pause=0,
            **options,
        )

    return run


def _of(found: CheckReport, code: str) -> Requirement:
    return next(requirement for requirement in found.requirements if requirement.code == code)


def test_a_sound_dataset_meets_everything_and_its_figures_are_told(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1, typeStatus="holotype"), _row(2), _row(3)])
    assert found.not_met == []
    assert {item.code: item.status for item in found.requirements if item.status != "met"} == {
        "organisation": "not_checkable"
    }
    facts = found.facts
    assert (facts["specimens"], facts["dois_needed"], facts["type_specimens"]) == (3, 3, 1)
    assert facts["discipline"] == "Zoology"
    assert sum(facts["mids_levels"].values()) == 3


def test_records_without_identifiers_are_shown_with_their_lines(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1), _row(2, catalogNumber=""), _row(3, catalogNumber="")])
    assert found.not_met == ["identifiers"]
    requirement = _of(found, "identifiers")
    assert requirement.evidence.startswith("2 of 3 records (66.7%)")
    assert [(example["line"], example["scientificName"]) for example in requirement.examples] == [
        (3, "Actias luna"),
        (4, "Actias luna"),
    ]
    page = report.page(found.to_json(), "2026-11-22")
    assert "The dataset is not ready yet" in page and "catalogue number as catalogNumber" in page


def test_identifiers_that_repeat_stop_a_dataset(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1), _row(2, catalogNumber="M.1"), _row(3)])
    assert found.not_met == ["unique"]
    assert _of(found, "unique").examples[0]["catalogNumber"] == "M.1"


def test_a_single_faulty_record_in_a_large_dataset_is_told_and_stops_nothing(check: Callable[..., CheckReport]) -> None:
    found = check([*(_row(number) for number in range(200)), _row(200, catalogNumber="")])
    assert found.not_met == []
    assert "1 of 201 records (0.5%)" in _of(found, "identifiers").evidence
    assert any("get no DOI until this is mended" in remark for remark in found.remarks)


def test_a_closed_licence_leaves_dois_only(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1, license="CC BY-NC 4.0")])
    assert found.not_met == ["licence"]
    assert "choose DOIs only" in _of(found, "licence").advice


def test_who_chose_dois_only_needs_no_open_licence(check: Callable[..., CheckReport]) -> None:
    assert check([_row(1, license="CC BY-NC 4.0")], doi_only=True).not_met == []


def test_a_licence_closed_for_some_records_limits_them_alone(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1), _row(2, license="all rights reserved")])
    assert found.not_met == []
    assert _of(found, "licence").status == "not_met"


def test_observations_are_left_out_and_a_dataset_of_them_is_refused(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1, basisOfRecord="HumanObservation")])
    assert "specimens" in found.not_met


def test_media_are_tried_and_our_own_network_is_never_asked(check: Callable[..., CheckReport], served: Served) -> None:
    (served.folder / "a.jpg").write_bytes(b"x")
    found = check(
        [
            _row(1, associatedMedia=f"{served.url}/a.jpg"),
            _row(2, associatedMedia=f"{served.url}/gone.jpg"),
            _row(3, associatedMedia="http://169.254.169.254/latest/meta-data"),
        ]
    )
    requirement = _of(found, "media_links")
    assert requirement.status == "not_met" and requirement.evidence == "We tried 3 links of 3: 1 opened."
    said = " ".join(example["what"] for example in requirement.examples)
    assert "404" in said and "does not lie on the public internet" in said
    assert "DISSCO_" not in said and "169.254.169.254)" not in said, "nothing of our own network is told"


def test_an_address_in_our_own_network_is_not_fetched(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1)], http=HttpClient())
    assert found.not_met == ["published"]
    assert {item.status for item in found.requirements[1:]} == {"not_checkable"}
    assert "private browser window" in report.page(found.to_json(), "2026-11-22")


@pytest.mark.parametrize(
    ("content", "evidence", "advice"),
    [
        (b"PK\x03\x04 cut off", "The archive is damaged and cannot be read", "Download the archive yourself"),
        (b"<!doctype html><title>IPT</title>", "is a web page, not an archive", "copy the link of"),
        (b"hello", "is neither a Darwin Core Archive", "Publish it as a Darwin Core Archive"),
    ],
)
def test_a_broken_archive_is_told_with_what_to_do(
    served: Served, tmp_path: Path, content: bytes, evidence: str, advice: str
) -> None:
    (served.folder / "broken.zip").write_bytes(content)
    (tmp_path / "trial").mkdir()
    found = check_requirements(
        Wanted("moths", f"{served.url}/broken.zip", ROR),
        tmp_path / "trial",
        http=HttpClient(trusted_hosts=[served.host]),
        mapping_of=lambda _kind: load_mapping(MAPPINGS / "dwc.yaml"),
    )
    requirement = _of(found, "format")
    assert found.not_met == ["format"]
    assert evidence in requirement.evidence and advice in requirement.advice
    assert str(tmp_path) not in report.page(found.to_json(), "2026-11-22"), "no path of this machine is told"


def test_the_report_shows_strangers_text_as_text(check: Callable[..., CheckReport]) -> None:
    found = check([_row(1, catalogNumber="", scientificName="<script>alert(1)</script>"), _row(2)])
    page = report.page(found.to_json(), "2026-11-22")
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "http-equiv" not in page and "src=" not in page and "<link" not in page


def _record(code: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"https://ror.org/{code}",
        "status": "active",
        "names": [{"value": name, "types": ["ror_display"]}],
        "locations": [{"geonames_details": {"country_code": "NL"}}],
        **more,
    }


DUMP = [
    _record("0566bfb96", "Naturalis Biodiversity Center"),
    _record(
        "02y22ws83", "Old Museum", status="inactive", relationships=[{"type": "successor", "id": "https://ror.org/0566bfb96"}]
    ),
    _record("0443cwa12", "Closed Museum", status="withdrawn", relationships=[]),
    _record("03yrm5c26", "Known Museum", external_ids=[{"type": "wikidata", "all": ["Q42"]}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("identifier", "name", "status", "told"),
    [
        ("https://ror.org/0566bfb96", None, "met", "is listed in ROR"),
        ("0566bfb97", None, "not_met", "check digits"),
        ("https://ror.org/05dxps055", None, "not_met", "lists no such institution"),
        ("https://ror.org/0443cwa12", None, "not_met", "names no successor"),
        ("Q1", "Unlisted Museum", "met", "None of 4 ROR records matches"),
        ("Q42", None, "not_met", "The institution has a ROR: https://ror.org/03yrm5c26"),
        ("Q7", "known  museum", "not_met", "has the same name"),
    ],
)
def test_institutions_are_looked_up_in_ror(
    identifier: str, name: str | None, status: str, told: str, tmp_path: Path
) -> None:
    found = check_organisation(identifier, name, _index(tmp_path))
    assert (found.status, told in found.evidence) == (status, True), found


def test_a_merged_institution_follows_its_successor_with_a_note(tmp_path: Path) -> None:
    found = check_organisation("https://ror.org/02y22ws83", None, _index(tmp_path))
    assert (found.status, found.identifier, found.country) == ("met", "https://ror.org/0566bfb96", "NL")
    assert "Old Museum (https://ror.org/02y22ws83) is inactive in ROR. Its successor is used" in found.evidence


def test_without_a_dump_nothing_is_claimed() -> None:
    assert check_organisation("https://ror.org/0566bfb96").status == "not_checkable"
    assert check_organisation("Q641676").status == "not_checkable"


def _index(folder: Path) -> RorIndex:
    path = folder / "ror.json"
    path.write_text(json.dumps(DUMP, ensure_ascii=False))
    return open_index(path, folder)


def test_a_dump_is_read_piece_by_piece_or_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [_record(f"x{number:08}", f"Musée № {number} — 博物館") for number in range(40)]
    path = tmp_path / "ror.json"
    path.write_text(json.dumps(records, ensure_ascii=False, indent=2))
    for size in (7, 64, 1_000_000):
        monkeypatch.setattr("dissco_platform.enrolment.ror._CHUNK", size)
        assert list(read_records(path)) == records
    with zipfile.ZipFile(tmp_path / "ror.zip", "w") as packed:
        packed.write(path, "v2.json")
    assert list(read_records(tmp_path / "ror.zip")) == records
    for wrong in ("{", "[1]", "[{]", "id,name", '[{"id": "x"}, '):
        path.write_text(wrong)
        with pytest.raises(SourceError, match="not a ROR dump"):
            list(read_records(path))


def test_institutions_are_suggested_by_the_beginnings_of_their_words(tmp_path: Path) -> None:
    index = _index(tmp_path)
    assert [record.name for record in index.suggest("natur biodiv")] == ["Naturalis Biodiversity Center"]
    assert [record.name for record in index.suggest("museum")] == ["Known Museum"], "inactive ones are not suggested"
    assert index.suggest('"; DROP TABLE record; --') == index.suggest("  ") == []


class _Ror(http.server.BaseHTTPRequestHandler):
    """Answers as ROR's API v2 does: one record by id, or those whose names or external ids hold the query."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        code = parts.path.rsplit("/", 1)[-1]
        if code == "organizations":
            words = parse_qs(parts.query)["query"][0].lower().split()
            found: Any = {
                "items": [entry for entry in DUMP if all(word in json.dumps(entry).lower() for word in words)]
            }
        else:
            found = next((entry for entry in DUMP if entry["id"].endswith(code)), None)
        data = json.dumps(found).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_api_answers_what_the_dump_does(tmp_path: Path) -> None:
    index = _index(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = RorApi(f"http://127.0.0.1:{server.server_address[1]}/v2", HttpClient(timeout=5))
        for identifier, name in [
            ("https://ror.org/0566bfb96", None),
            ("https://ror.org/05dxps055", None),
            ("https://ror.org/02y22ws83", None),
            ("https://ror.org/0443cwa12", None),
            ("Q42", None),
            ("Q7", "known  Museum"),
            ("Q1", "Unlisted Museum"),
        ]:
            asked, known = (check_organisation(identifier, name, where) for where in (api, index))
            assert (asked.status, asked.identifier, asked.name) == (known.status, known.identifier, known.name)
        assert api.suggest("Naturalis") == index.suggest("naturalis")
        server.shutdown()
    assert check_organisation("https://ror.org/0566bfb96", None, api).status == "not_checkable", "it is out of reach"


@pytest.mark.shared
def test_the_official_example_record_is_read(shared: Path, tmp_path: Path) -> None:
    index = open_index(shared / "reference" / "ror" / "example_record_v2_1.json", tmp_path)
    found = check_organisation("https://ror.org/00pjdza24", None, index)
    assert (found.status, found.name, found.country) == ("met", "University of California System", "US")
