"""Archives from peers' own test suites: each opened, or refused for what is wrong with it; none is a crash."""

import json
from pathlib import Path

import pytest

from dissco_platform.archives import inspect_archive

pytestmark = pytest.mark.shared

REFUSED = {
    "dwca-invalid-simple-toomuch.zip": "ambiguous_without_descriptor",
    "invalid/meta-only": "core_file_missing",
}
ROWS = {
    # Where a peer opens the archive with another number of rows: three files of two rows, and a core it reads as empty.
    "multifile-multiline-header": 6,
    "50": 6,
}


def test_every_case_is_handled_as_its_text_says(shared: Path) -> None:
    suites = shared / "data" / "suites"
    cases = [json.loads(line) for line in (suites / "archives" / "dwca_edge_cases.dev.jsonl").open()]
    wrong = []
    seen = 0
    for case in cases:
        if not case["copied"]:
            continue
        seen += 1
        report = inspect_archive(suites / case["copied"])
        if report["reason"] != REFUSED.get(case["name"]):
            wrong.append((case["id"], report["reason"], report["message"]))
        elif report["outcome"] == "opened":
            rows = ROWS.get(case["name"], case["ref_core_rows"])
            if rows is not None and rows != report["records"]:
                wrong.append((case["id"], rows, report["records"]))
            if any(f["rows_read"] != f["rows_parsed"] + f["rows_rejected"] for f in report["files"]):
                wrong.append((case["id"], "accounting"))
    assert wrong == []
    assert seen > 40
