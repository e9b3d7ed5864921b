"""Files of names in, rows out; a dataset harmonised; curators' decisions."""

import io
import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.errors import ChecklistError, MappingError, UsageError
from dissco_platform.names.answer import MATCH_COLUMNS
from dissco_platform.names.distinct import DistinctNames
from dissco_platform.names.harmonise import harmonise
from dissco_platform.names.index import Backbone
from dissco_platform.names.keys import NAME_COLUMNS, name_key
from dissco_platform.names.overrides import load_overrides
from dissco_platform.names.parser import PARSE_COLUMNS
from dissco_platform.names.tables_io import match_file, parse_file, read_names


def parse(text: str | bytes) -> list[dict[str, object]]:
    out = io.BytesIO()
    parse_file(io.BytesIO(text.encode() if isinstance(text, str) else text), out, "jsonl")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_bare_lines_are_names_commas_and_quotes_untouched() -> None:
    text = 'Aus bus L., 1758\n\n"Aus" cus, "x"\n'
    assert [row.get("verbatim") for row in parse(text)] == ["Aus bus L., 1758", "", '"Aus" cus, "x"']


def test_csv_is_known_by_its_header() -> None:
    rows = parse('id;scientificName;taxonRank\n1;"Aus bus L.; M.";species\n2;Cus dus;\n')
    assert [(row["verbatim"], row["canonicalName"]) for row in rows] == [
        ("Aus bus L.; M.", "Aus bus"),
        ("Cus dus", "Cus dus"),
    ]


def test_json_lines_are_known_by_their_brace_and_a_bad_one_is_answered() -> None:
    rows = parse('{"scientificName": "Aus bus"}\n{broken\n\n{"scientificName": 5}\n')
    assert [row["outcome"] for row in rows] == ["parsed", "unparsable", "blank", "unparsable"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=30), max_size=12))
def test_every_line_of_bare_names_gets_one_row(lines: list[str]) -> None:
    lines = ["Aus bus", *lines]
    rows = [row for batch in read_names(io.BytesIO("\n".join(lines).encode() + b"\n")) for row in batch]
    assert len(rows) == len(lines)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_results_come_in_the_order_of_the_input(backbone: Backbone, tmp_path: Path, kind: str) -> None:
    names = ["Carabus auratus", "", "Oenanthe", "Nihil nullum", "Motacilla oenanthe"]
    source, out = tmp_path / "names.txt", tmp_path / "out"
    source.write_text("\n".join(names) + "\n")
    told: list[int] = []
    assert match_file(source, backbone, out, kind, told.append) == len(names)  # type: ignore[arg-type]
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[kind](out)
    assert read["verbatim"].fill_null("").to_list() == names
    assert read["matchType"].to_list() == ["exact", "none", "ambiguous", "none", "exact"]
    assert told == [len(names)]


def test_an_empty_input_is_an_empty_output(backbone: Backbone, tmp_path: Path) -> None:
    for kind in ("csv", "jsonl", "parquet"):
        assert match_file(io.BytesIO(b""), backbone, tmp_path / kind, kind) == 0  # type: ignore[arg-type]
    assert pl.read_parquet(tmp_path / "parquet").height == 0


def test_a_checklist_can_be_given_as_it_is(checklist: Path) -> None:
    out = io.BytesIO()
    match_file(io.BytesIO(b"Carabus auratus\n"), checklist, out, "jsonl")
    assert json.loads(out.getvalue())["usageID"] == "CRA"


def test_a_missing_file_or_an_unknown_format_is_told(backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        parse_file(tmp_path / "none.txt", io.BytesIO())
    with pytest.raises(UsageError, match="csv, jsonl or parquet"):
        parse_file(io.BytesIO(b"a"), io.BytesIO(), "xml")  # type: ignore[arg-type]


def records(folder: Path, names: list[str | None]) -> Path:
    folder.mkdir(exist_ok=True)
    pl.DataFrame(
        {"row": range(len(names)), "dwc:scientificName": names, "dwc:locality": ["x"] * len(names)}
    ).write_parquet(folder / "records.parquet")
    return folder


def test_a_dataset_has_one_row_for_each_distinct_name(backbone: Backbone, tmp_path: Path) -> None:
    parsed = records(tmp_path / "parsed", ["Carabus auratus", "Carabus auratus", "Carabus sp.", None, "Oenanthe"])
    pl.DataFrame({"row": [0], "dwc:scientificName": ["Carabus auratus"], "dwc:family": ["Carabidae"]}).write_parquet(
        parsed / "identifications.parquet"
    )
    report = harmonise(parsed, backbone, tmp_path / "out", cache=tmp_path / "cache")
    table = pl.read_parquet(tmp_path / "out" / "names.parquet")
    assert table.columns == ["name_key", *NAME_COLUMNS, *PARSE_COLUMNS, *MATCH_COLUMNS]
    assert table["name_key"].is_sorted()
    assert table.height == table["name_key"].n_unique() == 4
    assert report.records == {"ambiguous": 1, "exact": 3, "higherRank": 1}
    doubtful = table.filter(pl.col("matchType") != "exact").sort("name_key")["name_key"].to_list()
    assert report.doubtful == [(key, 1) for key in doubtful]
    again = harmonise(parsed, backbone.path, tmp_path / "again", cache=tmp_path / "cache")
    assert again.data_version == report.data_version


def test_names_of_an_earlier_edition_keep_their_answers_and_only_new_ones_are_matched(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissco_platform.names.distinct.BATCH", 2)
    first = records(tmp_path / "first", ["Carabus auratus", "Carabus sp.", "Oenanthe", "Carabus auratus"])
    second = records(tmp_path / "second", ["Oenanthe", "Carabus hortensis", "Carabus auratus", "Nonsense nomen"])
    before, anew, kept = tmp_path / "before", tmp_path / "anew", tmp_path / "kept"
    harmonise(first, backbone, before)
    expected = harmonise(second, backbone, anew)
    report = harmonise(second, backbone, kept, previous=before)
    assert (expected.kept, report.kept) == (0, 2)
    assert (report.data_version, report.names, report.records) == (
        expected.data_version,
        expected.names,
        expected.records,
    )
    assert pl.read_parquet(kept / "names.parquet").equals(pl.read_parquet(anew / "names.parquet"))

    def never(*_: object) -> None:
        raise AssertionError("a known name was matched")

    monkeypatch.setattr("dissco_platform.names.harmonise.match_queries", never)
    again = harmonise(second, backbone, tmp_path / "again", previous=kept)
    assert (again.kept, again.data_version, again.records) == (4, expected.data_version, expected.records)
    assert again.doubtful == report.doubtful == expected.doubtful
    assert pl.read_parquet(tmp_path / "again" / "names.parquet").equals(pl.read_parquet(anew / "names.parquet"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 40), max_size=40), min_size=1, max_size=2), st.integers(1, 9), st.integers(1, 9)
)
def test_names_that_do_not_fit_in_memory_are_the_same_names(
    tmp_path: Path, tables: list[list[int]], rows: int, held: int
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    for table, numbers in zip(("records", "identifications"), tables, strict=False):
        names = [f"Aus bus{number}" if number else None for number in numbers]
        frame = pl.DataFrame(
            {"dwc:scientificName": names, "x": numbers}, schema_overrides={"dwc:scientificName": pl.String}
        )
        frame.write_parquet(folder / f"{table}.parquet")
    within = DistinctNames(folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("ROWS", rows), ("HELD", held), ("BATCH", 3)):
            patch.setattr(f"dissco_platform.names.distinct.{name}", value)
        beyond = DistinctNames(folder, folder)
        parts = list(beyond.batches())
    named = [number for numbers in tables for number in numbers if number]
    assert (beyond.height, beyond.keys) == (within.height, within.keys) == (len(set(named)), within.keys)
    if named:
        found = pl.concat(parts)
        assert found.equals(pl.concat(within.batches()))
        assert found["name_key"].is_sorted()
        assert found["records"].sum() == len(named)
    else:
        assert parts == list(within.batches()) == []


def test_a_dataset_of_more_names_than_fit_in_memory_keeps_answers_too(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = records(tmp_path / "first", [f"Carabus bus{n}" for n in range(40)] * 2)
    second = records(tmp_path / "second", [f"Carabus bus{n}" for n in range(2, 43)])
    anew = harmonise(second, backbone, tmp_path / "anew")
    for name, value in (("ROWS", 7), ("HELD", 10), ("BATCH", 5)):
        monkeypatch.setattr(f"dissco_platform.names.distinct.{name}", value)
    harmonise(first, backbone, tmp_path / "before")
    same = harmonise(first, backbone, tmp_path / "same", previous=tmp_path / "before")
    assert (same.kept, same.names, same.records) == (40, {"higherRank": 40}, {"higherRank": 80})
    assert [borne for _, borne in same.doubtful] == [2] * 10
    report = harmonise(second, backbone, tmp_path / "after", previous=tmp_path / "before")
    assert (report.kept, report.data_version) == (38, anew.data_version)
    files = [tmp_path / "after" / "names.parquet", tmp_path / "anew" / "names.parquet"]
    assert pl.read_parquet(files[0]).equals(pl.read_parquet(files[1]))
    assert sorted(path.name for path in (tmp_path / "after").iterdir()) == ["made_with.json", "names.parquet"]


def test_answers_made_with_other_decisions_or_a_damaged_note_are_not_kept(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "decisions.tsv").write_text(DECISIONS)
    decided = load_overrides([tmp_path / "decisions.tsv"]).of("birds")
    parsed, before = records(tmp_path / "parsed", ["Oenanthe"]), tmp_path / "before"
    harmonise(parsed, backbone, before)
    report = harmonise(parsed, backbone, tmp_path / "decided", overrides=decided, previous=before)
    assert (report.kept, report.names) == (0, {"exact": 1})
    (before / "made_with.json").write_text("{")
    assert harmonise(parsed, backbone, tmp_path / "again", previous=before).kept == 0


def test_the_key_does_not_depend_on_absent_columns() -> None:
    frame = pl.DataFrame({"dwc:scientificName": ["Aus", "", None], "dwc:taxonRank": ["genus", "genus", None]})
    wide = frame.with_columns([pl.lit(None, dtype=pl.String).alias(c) for c in NAME_COLUMNS if c not in frame.columns])
    keys = frame.select(name_key(frame.columns)).to_series()
    assert keys.to_list() == wide.select(name_key(wide.columns)).to_series().to_list()
    assert keys.is_null().to_list() == [False, True, True]


def test_a_dataset_without_records_is_told(backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(ChecklistError, match=r"records\.parquet"):
        harmonise(tmp_path, backbone, tmp_path / "out")


DECISIONS = """\
# decisions
scientificName\tscientificNameAuthorship\tdataset\tusageID\twho\twhy
Oenanthe\t\t\tOEP\tA. Curator\ta herbarium
Oenanthe\t\tbirds\tOEA\tB. Curator\ta bird collection
Carabus auratus\t\t\tdo not match\tA. Curator\tmislabelled
Carabus hortensis\t\t\tGONE\tA. Curator\tmoved
"""


def test_curators_decide_first_and_the_most_particular_decision_wins(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "decisions.tsv").write_text(DECISIONS)
    overrides = load_overrides([tmp_path / "decisions.tsv"])
    parsed = records(tmp_path / "parsed", ["Oenanthe", "Carabus  auratus", "Carabus hortensis"])
    harmonise(parsed, backbone, tmp_path / "out", overrides=overrides.of("birds"))
    got = {row["dwc:scientificName"]: row for row in pl.read_parquet(tmp_path / "out" / "names.parquet").to_dicts()}
    assert (got["Oenanthe"]["usageID"], got["Oenanthe"]["confidence"]) == ("OEA", 100)
    assert "B. Curator" in got["Oenanthe"]["note"]
    assert got["Carabus  auratus"]["matchType"] == "none"
    assert got["Carabus hortensis"]["usageID"] == "CRH"
    assert "GONE is not in this release" in got["Carabus hortensis"]["note"]
    assert overrides.of("birds").version != overrides.of("plants").version == overrides.of(None).version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scientificName\tusageID\twho\nAus\tX\tme\n", "line 1: no column why"),
        ("scientificName\tusageID\twho\twhy\nAus\tX\tme\n", "line 2: why is blank"),
        ("scientificName\tusageID\twho\twhy\tcolour\n", "unknown column 'colour'"),
        ("scientificName\tusageID\twho\twhy\nAus\tX\tme\ty\nAus\tZ\tme\ty\n", "decided on line 2 already"),
    ],
)
def test_a_faulty_decision_names_its_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "d.tsv"
    path.write_text(text)
    with pytest.raises(MappingError, match=rf"d\.tsv.*{said}"):
        load_overrides([path])


def test_the_decisions_of_this_repository_can_be_read() -> None:
    load_overrides((Path(__file__).parents[2] / "mappings" / "names").glob("*.tsv"))


def test_a_stray_quote_swallows_no_line_and_a_quoted_cell_may_go_on() -> None:
    rows = parse('scientificName,x\nAus bus "L.,1\n"Aus\nbus",2\n"Cus dus,3\nEus fus,4\n\nGus hus,5\n')
    assert [row.get("canonicalName") for row in rows][1:] == ["Aus bus", "Cus dus", "Eus fus", None, "Gus hus"]
    assert (rows[0]["verbatim"], len(rows)) == ('Aus bus "L.', 6)


def test_odd_files_are_read_to_their_end() -> None:
    assert parse("a" * 2_500_000 + "\nAus bus\n")[1]["canonicalName"] == "Aus bus"
    assert [row["verbatim"] for row in parse("\ufeffAus bus\r\n\r\nCus dus")] == ["Aus bus", "", "Cus dus"]
    assert parse(b"\xff\xfe" + "Aus bus\r\nCus dus".encode("utf-16-le"))[1]["canonicalName"] == "Cus dus"
    long_cell = 'scientificName,x\n"' + "b" * 300_000 + '"\nAus bus,\n'
    assert parse(long_cell)[1]["canonicalName"] == "Aus bus"
    lines = parse('{"scientificName":"Aus bus"}\n{bad\n\n[1]\n')
    assert [row["outcome"] for row in lines] == ["parsed", "unparsable", "blank", "unparsable"]


def test_a_decision_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MappingError, match="UTF-8"):
        load_overrides([tmp_path / "d.tsv"])
