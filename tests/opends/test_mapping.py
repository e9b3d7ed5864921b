"""Mappings: what is refused when they are loaded, how datasets override, what a preview says."""

from pathlib import Path

import pytest

from dissco_platform.errors import MappingError
from dissco_platform.opends.explaining import check, explain, lineage, trace, vocabulary_gaps
from dissco_platform.opends.mapping import Mapping, load_mapping
from dissco_platform.opends.preview import Preview, preview
from tests.opends.tables import CONTEXT, MAPPINGS, build, document, write

SPECIMEN = "ods:DigitalSpecimen:\n  records:\n"


def with_overrides(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return load_mapping(MAPPINGS / "dwc.yaml", path)


@pytest.mark.parametrize("name", ["dwc", "abcd", "dwc-dp"])
def test_base_mappings_load(name: str) -> None:
    assert load_mapping(MAPPINGS / f"{name}.yaml").blocks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ods:Nothing:\n  records:\n    a: b\n", "line 1: 'ods:Nothing' is no openDS class"),
        ("ods:Event:\n  nowhere:\n    dwc:sex: dwc:sex\n", "'nowhere' is no parsed table"),
        (SPECIMEN + "    dwc:sex: dwc:sex\n", "line 3: ods:DigitalSpecimen has no term 'dwc:sex'"),
        (SPECIMEN + "    dwc:preparations: 12\n", "line 3"),
        (SPECIMEN + "    dwc:preparations: preparations\n", "'preparations' is no column"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, transform: upcase}\n", "there is no transform 'upcase'"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, transform: {split: {by: x}}}\n", "no parameter by; it has at"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, vocabulary: things}\n", "there is no vocabulary 'things'"),
        (SPECIMEN + "    dwc:preparations: {form: dwc:sex}\n", "form"),
        (SPECIMEN + "    ods:version: dwc:sex\n", "filled at publication"),
        (SPECIMEN + "    ods:topicOrigin: {constant: Unnatural}\n", "must be one of Natural, Human-made"),
        (SPECIMEN + "    ods:isMarkedAsType: {constant: 'yes'}\n", "must be a boolean"),
        (SPECIMEN + "    ods:hasIdentifications: dwc:sex\n", "built from the classes below it"),
        (SPECIMEN + "    ods:hasIdentifiers:\n      - {from: dwc:sex}\n", "from, title"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, transform: {regex: {pattern: '('}}}\n", "no regular expression"),
        ("- a\n", "a mapping is a table of classes"),
        ("a: [", ": this is not YAML"),
        ("ods:Event:\n  records:\n    dwc:sex: [dwc:sex\n", "own.yaml, line 4: this is not YAML"),
        (SPECIMEN + "    dwc:preparation: dwc:sex\n", "did you mean dwc:preparations?"),
        ("ods:Evnt:\n  records:\n    dwc:sex: dwc:sex\n", "did you mean ods:Event?"),
        ("ods:Event:\n  recrods:\n    dwc:sex: dwc:sex\n", "did you mean records?"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, transform: uper}\n", "did you mean upper?"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, unmatched: dorp}\n", "is keep or drop"),
        (SPECIMEN + "    dwc:preparations: {from: dwc:sex, join: 3}\n", "text between values"),
        (SPECIMEN + "    ods:topicOrigin: {from: dwc:sex, values: {a: natural}}\n", "must be among Natural"),
        ("ods:Event:\n  records:\n    dwc:year: {constant: '1900'}\n", "must be an integer; got '1900'"),
    ],
)  # fmt: skip
def test_a_broken_mapping_says_file_line_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        with_overrides(tmp_path, text)
    assert said in str(caught.value)
    assert "own.yaml" in str(caught.value)


def test_a_missing_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="does not exist"):
        load_mapping(tmp_path / "none.yaml")


def test_a_default_fills_and_a_constant_overrides(tmp_path: Path) -> None:
    mapping = with_overrides(
        tmp_path,
        SPECIMEN + "    dwc:disposition: {default: in collection}\n    dwc:preparations: {constant: pinned}\n"
        "    ods:physicalSpecimenIDType: {constant: Global}\n",
    )
    content = document(tmp_path, {}, mapping=mapping)
    assert (content["dwc:disposition"], content["dwc:preparations"]) == ("in collection", "pinned")
    assert content["ods:physicalSpecimenIDType"] == "Global"
    filled = document(tmp_path, {"dwc:disposition": "lost"}, mapping=mapping, name="two")
    assert filled["dwc:disposition"] == "lost"


def test_values_conditions_and_transforms(tmp_path: Path) -> None:
    mapping = with_overrides(
        tmp_path,
        SPECIMEN + "    dwc:disposition: {from: dwc:disposition, values: {I: in collection}}\n"
        "    dwc:organismName: {from: [{column: dwc:fieldNotes, when: {dwc:disposition: x}}]}\n"
        "    dwc:organismRemarks: {from: [{columns: [dwc:fieldNotes, dwc:habitat], transform: {concat: {separator: '; '}}}]}\n"
        "ods:Event:\n  records:\n    dwc:sex:\n",
    )
    content = document(
        tmp_path, {"dwc:disposition": "i", "dwc:fieldNotes": "n", "dwc:habitat": "h", "dwc:sex": "f"}, mapping=mapping
    )
    assert content["dwc:disposition"] == "in collection"
    assert content["dwc:organismRemarks"] == "n; h"
    assert "dwc:organismName" not in content
    assert "dwc:sex" not in content["ods:hasEvents"][0]


def test_a_mapping_change_gives_another_version_and_the_same_text_the_same(tmp_path: Path) -> None:
    base = load_mapping(MAPPINGS / "dwc.yaml")
    assert base.version == load_mapping(MAPPINGS / "dwc.yaml").version
    assert base.version != with_overrides(tmp_path, SPECIMEN + "    dwc:disposition: {default: x}\n").version


def test_curators_extend_a_vocabulary_by_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    (folder / "vocabularies").mkdir(parents=True)
    (folder / "dwc.yaml").write_text((MAPPINGS / "dwc.yaml").read_text())
    (folder / "vocabularies" / "lifeStage.tsv").write_text(
        "concept\tparent\tlanguage\tlabels\nlarva\t\ten\tthingummy\n"
    )
    report, _ = build(tmp_path, {"dwc:lifeStage": "thingummy"}, mapping=load_mapping(folder / "dwc.yaml"))
    assert report.unmatched == {}


def test_a_label_of_two_concepts_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    (folder / "vocabularies").mkdir(parents=True)
    (folder / "dwc.yaml").write_text((MAPPINGS / "dwc.yaml").read_text())
    (folder / "vocabularies" / "sex.tsv").write_text("concept\tparent\tlanguage\tlabels\nmale\t\ten\tfemale\n")
    with pytest.raises(MappingError, match=r"sex\.tsv, line 2"):
        load_mapping(folder / "dwc.yaml")


def test_a_preview_shows_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    parsed = write(
        tmp_path / "parsed", {}, {"dwc:occurrenceID": "https://data.example.org/2", "dwc:preparations": None}
    )
    before = load_mapping(MAPPINGS / "dwc.yaml")
    after = with_overrides(tmp_path, SPECIMEN + "    dwc:preparations: {default: skin}\n")
    shown = preview(parsed, tmp_path / "none", before, after, CONTEXT)
    assert (shown.changed, shown.unchanged) == (1, 1)
    assert shown.terms == {"dwc:preparations": 1, "ods:midsLevel": 1}
    assert shown.examples[0]["changes"][0] == {"term": "dwc:preparations", "before": None, "after": "skin"}
    assert (shown.mids_before, shown.mids_after) == ({"0": 1, "1": 1}, {"1": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.yaml", "parsed"]


def test_a_preview_of_a_large_dataset_looks_at_records_from_all_over_it(tmp_path: Path) -> None:
    records: list[dict[str, str | None]] = [
        {"dwc:occurrenceID": f"https://data.example.org/{at}", "dwc:habitat": f"wood {at}" if at % 2 else None}
        for at in range(60)
    ]
    parsed = write(
        tmp_path / "parsed", *records, measurements=[{"row": at, "dwc:measurementType": "x"} for at in range(60)]
    )
    before = load_mapping(MAPPINGS / "dwc.yaml")
    after = with_overrides(
        tmp_path,
        "ods:Event:\n  records:\n    dwc:habitat: {values: {wood 59: a, wood 1: b}}\n    dwc:fieldNotes: dwc:habitat\n",
    )
    shown = preview(parsed, tmp_path / "none", before, after, CONTEXT, records=20)
    assert (shown.records, shown.looked_at, shown.changed) == (60, 20, 10)
    whole = preview(parsed, tmp_path / "none", before, after, CONTEXT, records=None)
    assert (whole.looked_at, whole.changed, whole.compared) == (60, 30, 30)
    # one example of each kind of change before the second of any
    kinds = {tuple(change["term"] for change in example["changes"]) for example in whole.examples[:2]}
    assert kinds == {("ods:hasEvents/dwc:fieldNotes",), ("ods:hasEvents/dwc:fieldNotes", "ods:hasEvents/dwc:habitat")}


def test_a_preview_shows_links_refused_values_and_what_becomes_a_doi_only(tmp_path: Path) -> None:
    parsed = write(tmp_path / "parsed", {"dcterms:references": "https://data.example.org/page", "dwc:sex": "Weibchen"})
    before = load_mapping(MAPPINGS / "dwc.yaml")

    def shown(name: str, text: str) -> Preview:
        (tmp_path / name).mkdir()
        return preview(parsed, tmp_path / "none", before, with_overrides(tmp_path / name, text), CONTEXT)

    links = shown(
        "links", SPECIMEN + "    ods:hasEntityRelationships:\n      - {relationship: page, from: dcterms:references}\n"
    )
    assert links.terms == {"ods:hasEntityRelationships/dwc:relationshipOfResource": 1}
    refused = shown("refused", "ods:Georeference:\n  records:\n    dwc:decimalLatitude: {constant: 200}\n")
    assert refused.invalid_before == {}
    assert refused.invalid_after == {"ods:Georeference dwc:decimalLatitude: does not fit the model": 1}
    closed = shown("closed", SPECIMEN + "    dcterms:license: {constant: all rights reserved}\n")
    assert (closed.doi_only_before, closed.doi_only_after, closed.terms) == (0, 1, {"DOI only": 1})
    unknown = shown("unknown", "ods:Event:\n  records:\n    dwc:sex: dwc:occurrenceID\n")
    assert (unknown.unmatched_before, unknown.unmatched_after) == ({}, {"dwc:sex": 1})


def test_a_preview_shows_media_too(tmp_path: Path) -> None:
    media = [{"row": 0, "ac:accessURI": "https://img.example.org/1.jpg", "ac:caption": "a cat", "dcterms:title": "cat"}]
    parsed = write(tmp_path / "parsed", {}, media=media)
    after = with_overrides(tmp_path, "ods:DigitalMedia:\n  media:\n    dcterms:title: ac:caption\n")
    shown = preview(parsed, tmp_path / "none", load_mapping(MAPPINGS / "dwc.yaml"), after, CONTEXT)
    assert (shown.changed, shown.media_changed) == (0, 1)
    assert shown.terms == {"ods:DigitalMedia/dcterms:title": 1}
    assert shown.examples[0]["medium"].endswith("/1.jpg")


def test_explain_names_columns_fill_and_unmatched_values(tmp_path: Path) -> None:
    parsed = write(tmp_path / "parsed", {"dwc:sex": "Weibchen"}, {"dwc:sex": "thingummy"}, {})
    (found,) = explain(parsed, load_mapping(MAPPINGS / "dwc.yaml"), "dwc:sex")
    assert found.sources == [{"column": "dwc:sex", "in dataset": True, "filled": 2}]
    assert (found.records, found.filled, found.unmatched) == (3, 2, {"thingummy": 1})
    with pytest.raises(MappingError, match="no term"):
        explain(parsed, load_mapping(MAPPINGS / "dwc.yaml"), "dwc:nothing")
    with pytest.raises(MappingError, match="did you mean dwc:sex"):
        explain(parsed, load_mapping(MAPPINGS / "dwc.yaml"), "dwc:sexx")
    with pytest.raises(MappingError, match="it feeds ods:Event ods:hasAgents"):
        explain(parsed, load_mapping(MAPPINGS / "dwc.yaml"), "dwc:recordedBy")


def test_check_lists_columns_that_nothing_reads(tmp_path: Path) -> None:
    parsed = write(tmp_path / "parsed", {"verbatim:shelf": "3"})
    assert check(load_mapping(MAPPINGS / "dwc.yaml"), parsed)["unread"]["records"] == ["verbatim:shelf"]


def test_check_names_columns_of_the_datasets_own_rules_that_its_archive_has_not(tmp_path: Path) -> None:
    parsed = write(tmp_path / "parsed", {"dwc:sex": "male"})
    own = with_overrides(tmp_path, "ods:Event:\n  records:\n    dwc:sex: dwc:sex\n    dwc:habitat: verbatim:Habitat\n")
    (absent,) = check(own, parsed)["absent"]
    assert (absent["column"], absent["where"]) == ("verbatim:Habitat", f"{tmp_path}/own.yaml, line 4")


def test_explain_tells_people_by_their_names(tmp_path: Path) -> None:
    parsed = write(
        tmp_path / "parsed", {"dwc:recordedBy": "J. Smith & B. Jones"}, {"dwc:recordedBy": "J. Smith & B. Jones"}
    )
    (found,) = explain(parsed, load_mapping(MAPPINGS / "dwc.yaml"), "ods:hasAgents", owner="ods:Event")
    assert found.top == {"J. Smith; B. Jones": 2}


def test_lineage_says_which_column_feeds_which_term() -> None:
    rows = lineage(load_mapping(MAPPINGS / "dwc.yaml"))
    assert {"class": "ods:Event", "term": "dwc:sex", "table": "records", "column": "dwc:sex"} in rows


def test_gaps_name_the_file_that_would_close_them() -> None:
    (gap,) = vocabulary_gaps({"dwc:sex": {"x": 2}}, load_mapping(MAPPINGS / "dwc.yaml"))
    assert gap["file"] == "mappings/vocabularies/sex.tsv"


def test_a_trace_says_which_cell_gave_each_value(tmp_path: Path) -> None:
    parsed = write(tmp_path / "parsed", {"dwc:sex": "Weibchen", "dwc:verbatimElevation": "100 ft"})
    traced = {(one["class"], one["term"]): one for one in trace(parsed, load_mapping(MAPPINGS / "dwc.yaml"), 0)}
    sex = traced["ods:Event", "dwc:sex"]
    assert (sex["value"], sex["written"], sex["how"], sex["line"]) == (
        "female",
        {"dwc:sex": "Weibchen"},
        "vocabulary sex",
        2,
    )
    low = traced["ods:Location", "dwc:minimumElevationInMeters"]
    assert (low["value"], low["written"]) == (30.48, {"dwc:verbatimElevation": "100 ft"})
    assert traced["ods:Event", "dwc:eventType"]["how"] == "default"
