"""What is read by column, or once for each combination of values, is what is read value by value."""

from itertools import product

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.opends import identifiers, measures
from dissco_platform.opends.distinct import distinct_rows
from dissco_platform.opends.identifiers import SCHEMES, scheme_of
from dissco_platform.opends.lists import escaped
from dissco_platform.opends.transforms import TRANSFORMS

PIECES = (
    "http://", "HTTPS://", "httpſ://", "doi:", "10.1234/a", "10.3535/x", "dx.doi.org/", "DOI.org/", "hdl.handle.net/",
    "n2t.net/hdl:", "hdl:", "ark:/12345", "/ar\u212a:/12345", "purl.org/", "w3id.org/", "igsn.org/", "igsn:", "urn:lsid:",
    "urn:uuid:", "550e8400-e29b-41d4-a716-446655440000", "wikidata.org/", "orcid.org/", "a.b/", "/x", "é", " ", "urn:a:",
    "B 10", "\n",
)  # fmt: skip
METRES = st.none() | st.sampled_from(
    [
        "0",
        "12",
        "012",
        "120.5",
        "1.2345",
        "16999.9",
        "17000",
        "17001",
        "11001",
        "99999",
        "-3",
        "1,200",
        "300 ft",
        "",
        "x",
    ]
)


def test_the_scheme_of_an_identifier_is_the_first_whose_pattern_fits() -> None:
    parts = product(("", "https://", "HTTP://www.", "x"), PIECES, PIECES, ("", "9"))
    texts = [None, *("".join(part) for part in parts)]
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    hits = frame.select(pl.col("text").str.contains(scheme.pattern).alias(str(at)) for at, scheme in enumerate(SCHEMES))
    likely = frame["text"].str.contains(r"[:/]|-.{4}-")
    first = [
        None if text is None else next((at for at, hit in enumerate(row) if hit and near), len(SCHEMES))
        for text, row, near in zip(texts, hits.iter_rows(), likely, strict=True)
    ]
    assert frame.select(scheme_of(pl.col("text")).alias("s"))["s"].to_list() == first
    assert set(first) == {None, *range(len(SCHEMES) + 1)}  # each scheme is somebody's


def test_every_scheme_of_addresses_before_the_plain_url_says_what_sets_it_apart() -> None:
    assert SCHEMES[identifiers._URL].pattern.startswith("^(?i)https?://[^")
    assert all(scheme.place for scheme in SCHEMES[: identifiers._URL] if "https?" in scheme.pattern)


@given(st.lists(st.tuples(METRES, METRES, METRES), min_size=1, max_size=30), st.sampled_from(["elevation", "depth"]))
@settings(max_examples=60, deadline=None)
def test_a_span_read_by_column_is_the_one_that_its_parser_reads(rows: list[tuple[str | None, ...]], kind: str) -> None:
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.String), orient="row")
    measure = {"elevation": measures.elevation, "depth": measures.depth}[kind]
    for end, own in (("low", 0), ("high", 1)):
        build = TRANSFORMS[f"{kind}_{end}"].build
        found = frame.select(build([pl.col(name) for name in "abc"], {}).alias("v"))["v"].to_list()
        for row, value in zip(rows, found, strict=True):
            span = measure(*row)
            unwritten = span is not None and row[own] is None and (row[0] or row[1]) and span.low == span.high
            assert value == (None if span is None or unwritten else getattr(span, end)), (row, end)


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "x"])), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_each_combination_of_values_is_parsed_once(rows: list[tuple[str | None, ...]]) -> None:
    asked: list[tuple[str | None, ...]] = []

    def parse(*cells: str | None) -> str:
        asked.append(cells)
        return repr(cells)

    frame = pl.DataFrame(rows, schema=dict.fromkeys("ab", pl.String), orient="row")
    assert distinct_rows(parse, pl.String)(frame.get_columns()).to_list() == [repr(row) for row in rows]
    assert sorted(asked, key=repr) == sorted(set(rows), key=repr)


@given(st.lists(st.none() | st.text(st.sampled_from('a"\\\n\té'), max_size=5), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_column_with_anything_to_escape_is_escaped(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"clean": pl.Series(["plain"] * len(texts)), "t": pl.Series(texts, dtype=pl.String)})
    marks = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    told = [None if text is None else "".join(marks.get(one, one) for one in text) for text in texts]
    assert escaped(frame)["t"].to_list() == told
