"""What is not looked at whole by the JSON Schema is valid by it: marks never miss, whatever stands in the columns."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.opends import build as build_module
from dissco_platform.opends import columns
from dissco_platform.opends.doubts import MARK, checked_fragment, fragment_validator, plain_address
from dissco_platform.opends.lists import relationship_items
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.opends.render import objects
from dissco_platform.opends.schema import json_schema, problems
from dissco_platform.opends.terms import Term, model
from tests.opends.tables import MAPPINGS, build, documents

ODD = (
    "", " ", '"', "\\", "\n", "\x00", "\x7f", "a|b", "é", "日本", "\u2028", "https://a.org/x y", "https://a.org/é", "http://",
    "https://a_b.org/%zz", "https://a.org/%41?q=[1]#f", "http://[::1]/", "urn:x", "mailto:a@b", "2000-02-30T00:00:00Z",
    "2000-01-01T00:00:00Z", "2000-01-01T24:00:00Z", "a@b.org", "a@b", "1e400", "{}", "[]", "null", "https://a.org:99999/",
    "https://doi.org/21.T11148/894b1e6cad57e921764e", "https://ror.org/0566bfb96", "https://ror.org/x",
    "https://hdl.handle.net/20.5000.1025/ABC-DEF-GHI",
)  # fmt: skip


def values(term: Term) -> st.SearchStrategy[Any]:
    if term.range == "boolean":
        return st.none() | st.booleans()
    if term.range == "integer":
        return st.none() | st.integers(-400, 20_000)
    if term.range == "number":
        return st.none() | st.floats()
    known = [*term.enum, *([term.const] if term.const else [])]
    return st.none() | st.sampled_from([*ODD, *known]) | st.text(max_size=8)


DTYPES = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}
CLASSES = [owner for owner in model().classes if owner not in {"ods:DigitalSpecimen", "ods:DigitalMedia"}]


@pytest.mark.parametrize("owner", CLASSES)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_an_object_without_a_mark_fits_its_class(owner: str, data: st.DataObject) -> None:
    flat = [term for term in model().classes[owner].values() if not term.nested and term.name != "@type"]
    rows = data.draw(st.integers(1, 3))
    frame = pl.DataFrame(
        [
            pl.Series(term.name, [data.draw(values(term)) for _ in range(rows)], dtype=DTYPES[term.range])
            for term in flat
            if data.draw(st.booleans()) or term.required
        ]
    )
    if not frame.width:
        return
    validator = fragment_validator(owner)
    for text in objects(frame, owner):
        if text is not None and MARK not in text:
            assert validator.is_valid(orjson.loads(text)), text


@pytest.mark.parametrize(
    ("owner", "column", "good", "bad"),
    [
        ("ods:Georeference", "dwc:decimalLatitude", 89.5, 90.5),
        ("ods:Georeference", "dwc:decimalLatitude", 1.0, float("inf")),
        ("ods:Georeference", "dwc:decimalLatitude", 1.0, float("nan")),
        ("ods:Event", "dwc:month", 12, 13),
        ("ods:SpecimenPart", "ods:topicOrigin", "Natural", "natural"),
        ("ods:Event", "dwc:month", 1, "1"),
    ],
)
def test_a_misfit_is_marked_and_its_neighbour_is_not(owner: str, column: str, good: Any, bad: Any) -> None:
    if isinstance(bad, str) and isinstance(good, int):  # a column of another type than the term's
        assert objects(pl.DataFrame({column: [bad]}), owner)[0].endswith(MARK)
        return
    one, other = objects(pl.DataFrame({column: [good, bad]}), owner)
    assert (one.endswith(MARK), other.endswith(MARK)) == (False, True)


def test_an_object_without_a_required_term_is_marked_and_so_is_what_holds_it() -> None:
    citations = objects(pl.DataFrame({"dcterms:title": ["a"]}), "ods:Citation")
    assert citations[0].endswith(MARK)
    holder = objects(pl.DataFrame({"ods:hasCitations": citations, "dwc:measurementType": ["x"]}), "ods:Assertion")
    assert MARK in holder[0]


def test_a_class_that_holds_no_such_key_is_marked() -> None:
    frame = pl.DataFrame({"ods:version": [1], "ods:fdoType": ["https://doi.org/21.T11148/894b1e6cad57e921764e"]})
    assert MARK in objects(frame, "ods:DigitalSpecimen", with_type=False)[0]


@given(st.text(max_size=12) | st.sampled_from(ODD))
@settings(max_examples=200, deadline=None)
def test_addresses_that_pass_as_plain_are_addresses_to_the_schema(text: str) -> None:
    import jsonschema_rs

    for address in (text, f"https://a.org/{text}", f"http://{text}/", f"https://a.org/?{text}#{text}"):
        if pl.select(plain_address(pl.lit(address))).item():
            for kind in ("iri", "uri"):
                schema = {"type": "string", "format": kind}
                assert jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(address), address


@given(st.text(max_size=12) | st.sampled_from(ODD))
@settings(max_examples=100, deadline=None)
def test_a_relationship_without_a_mark_fits_its_class(text: str) -> None:
    made = relationship_items(pl.Series([text]), "hasX").item()
    if MARK not in made:
        assert fragment_validator("ods:EntityRelationship").is_valid(orjson.loads(made))


def test_text_around_a_value_is_looked_at_once() -> None:
    assert checked_fragment("ods:Identifier", '{"@type":"ods:Identifier"}').endswith(MARK)  # lacks its identifier
    assert checked_fragment("ods:Agent", '{"@type":"schema:Person","schema:name":"A"}').endswith("}")
    assert checked_fragment("ods:Agent", '{"@type":').endswith(MARK)


def test_with_every_guard_before_it_taken_away_the_schema_still_finds_each_invalid_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same records are refused, with the same reasons, as when every document is parsed and validated whole."""
    monkeypatch.setattr(columns, "checked", lambda result, _owner, _findings: result)
    records: list[dict[str, str | None]] = [
        {"dwc:occurrenceID": f"https://data.example.org/{at}", **own}
        for at, own in enumerate(
            (
                {}, {"dwc:coordinateUncertaintyInMeters": "-5", "dwc:decimalLatitude": "1", "dwc:decimalLongitude": "1"},
                {"dwc:eventDate": "1999-02-03"}, {"dwc:startDayOfYear": "999"}, {"dwc:locality": 'a "b" \\ c'},
                {"dwc:year": "99999", "dwc:eventDate": None}, {"dwc:recordedBy": "A. One | B. Two"},
            )
        )
    ]  # fmt: skip
    refused = []
    for name in ("marked", "all"):
        if name == "all":
            whole = build_module.build_batch
            monkeypatch.setattr(
                build_module,
                "build_batch",
                lambda *a, whole=whole, **k: whole(*a, **k).with_columns(doubtful=pl.lit(value=True)),
            )
        report, out = build(tmp_path, *records, name=name, mapping=load_mapping(MAPPINGS / "dwc.yaml"))
        refused.append(pl.read_parquet(out / "rejects.parquet").sort("row").drop("source_file").to_dicts())
        assert report.records == report.specimens + sum(report.rejects.values())
    assert refused[0] == refused[1]
    assert {row["reason"] for row in refused[0]} == {"invalid_document"}
    assert all("ods:has" in row["message"] for row in refused[0])


def test_no_document_of_ordinary_records_needs_the_schema_and_all_fit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        build_module, "problems", lambda owner, contents, related: asked.append(len(contents)) or iter(())
    )
    _, out = build(tmp_path, {"dwc:recordedBy": "A. One", "dwc:eventDate": "1999-05-06", "dwc:sex": "female"})
    assert asked == [0]
    rows = pl.read_parquet(out / "documents.parquet")
    assert list(problems("ods:DigitalSpecimen", rows["content"].to_list(), rows["relationships"].to_list())) == []
    assert MARK not in str(documents(out))
    assert json_schema("ods:DigitalSpecimen", content=True)["$defs"]["ods:Citation"]["additionalProperties"] is False
