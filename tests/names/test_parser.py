"""One name into its parts, and many at once."""

import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.names import parse_many
from dissco_platform.names.normalise import stem_key
from dissco_platform.names.parse_many import PARSE_SCHEMA, ParseCache, parse_names
from dissco_platform.names.parser import parse_name
from dissco_platform.names.stem import stem_canonical


@pytest.mark.parametrize(
    ("verbatim", "canonical"),
    [
        ("Aus bus Smith, 1900", "Aus bus"),
        ("Aus (Bus) cus subsp. dus (L.) Mill.", "Aus cus dus"),
        ("Aus bus subsp. cus var. dus", "Aus bus cus dus"),
        ("Döringina vulgäris", "Doeringina vulgaeris"),
        ("Aus 4-punctatus", "Aus quadripunctatus"),
        ("Aus o'donelli", "Aus odonelli"),
        ("×Aus bus", "Aus bus"),
        ("Aus bus L. × A. cus", "Aus bus × Aus cus"),
        ("Aus bus × cus", "Aus bus × Aus cus"),
        ("Aus sect. Bus", "Bus"),
        ("Aus aff. bus", "Aus"),
        ("Aus cf. bus", "Aus bus"),
        ("Aus sp. 12", "Aus"),
        ("AUS BUS", "Aus bus"),
        ("aus bus", "Aus bus"),
        ("<i>Aus bus</i> L.", "Aus bus"),
        ("Aus bus (Mani &amp; Kurian, 1953)", "Aus bus"),
        ("Aus_bus", "Aus bus"),
        ("Aus mÃ¼lleri", "Aus muelleri"),
        ("Aus brÃ¼ckneri Ã–hler, 1900", "Aus brueckneri"),
        ("Aus bus Å\x81ukaszewicz", "Aus bus"),
        ("Aus endosymbiont of Bus cus", None),
        ("Not recorded", None),
        ("Tobacco mosaic virus", None),
    ],
)
def test_canonical_names_are_written_as_gnparser_writes_them(verbatim: str, canonical: str | None) -> None:
    assert parse_name(verbatim).canonicalName == canonical


@pytest.mark.parametrize(
    ("verbatim", "outcome"),
    [
        ("Aus bus", "parsed"),
        ("Aus sp.", "informal"),
        ("Aus bus × Aus cus", "formula"),
        ("BOLD:AAA0004", "identifier"),
        ("Tobacco mosaic virus", "virus"),
        ("incertae sedis", "placeholder"),
        ("Unknown", "placeholder"),
        ("", "blank"),
        ("((((", "unparsable"),
    ],
)
def test_the_outcome_says_what_kind_of_string_it_is(verbatim: str, outcome: str) -> None:
    parse = parse_name(verbatim)
    assert parse.outcome == outcome
    assert (parse.quality > 0) == (parse.canonicalName is not None)


def test_parts_keep_the_spelling_of_the_source() -> None:
    parse = parse_name("Döringina vulgäris Müller, 1900")
    assert (parse.genericName, parse.specificEpithet, parse.year) == ("Döringina", "vulgäris", "1900")


def test_a_damaged_name_says_so() -> None:
    assert parse_name("Aus bus").quality == 1
    assert parse_name("Aus  bus").quality == 2
    assert parse_name("aus bus").quality == 3
    assert parse_name("Aus cf. bus").quality == 4


@pytest.mark.parametrize(
    ("verbatim", "parts", "authorship"),
    [
        ("PARUS MAJOR LINNAEUS, 1758", ("Parus", "major", None), "Linnaeus, 1758"),
        ("CARABUS (CARABUS) AURATUS L.", ("Carabus", "auratus", None), "L."),
        ("AUS BUS VAR. CUS SMITH & JONES, 1900", ("Aus", "bus", "cus"), "Smith & Jones, 1900"),
        ("Aus bus juv.", ("Aus", "bus", None), None),
        ("Aus bus (L., 1758) ♂", ("Aus", "bus", None), "(L., 1758)"),
        ("Aus bus; Cus dus", ("Aus", "bus", None), None),
        ("Aus bus | Cus dus", ("Aus", "bus", None), None),
        ("Aus bus, Smith 1900", ("Aus", "bus", None), "Smith, 1900"),
        ("Aus bus L. subsp. cus Mill.", ("Aus", "bus", "cus"), "Mill."),
        ("Aus bus indet.", ("Aus", "bus", None), None),
        ("Cordera: Ausidae", ("Ausidae", None, None), None),
    ],
)
def test_parts_are_found_in_what_labels_hold(
    verbatim: str, parts: tuple[str | None, ...], authorship: str | None
) -> None:
    parse = parse_name(verbatim)
    assert (parse.genericName, parse.specificEpithet, parse.infraspecificEpithet) == parts
    assert parse.authorship == authorship


def test_letters_of_an_epithet_are_no_author_given_twice() -> None:
    assert parse_name("Aus minimalis", "L.").authorship == "L."
    assert parse_name("Aus bus L.", "L.").authorship == "L."


words = st.from_regex(r"[a-z]{4,12}", fullmatch=True)
botanists = st.sampled_from(
    [
        "L.",
        "DC.",
        "Mill.",
        "Hook.f.",
        "Müll.Arg.",
        "J.E.Sm.",
        "(L.) Mill.",
        "(Hook.f. ex Benth.) Boiss.",
        "Asch. & Graebn.",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words, st.none() | words, botanists, st.sampled_from(["subsp.", "var.", "f.", ""]))))
def test_plants_are_the_same_by_column_and_by_the_parser(
    rows: list[tuple[str, str, str | None, str, str]],
) -> None:
    names = []
    for genus, species, infra, author, mark in rows:
        below = f" {mark} {infra}".replace("  ", " ") if infra and infra != species else ""
        names.append(f"{genus.capitalize()} {species}{below} {author}")
    columns = {"name": names, "authorship": [None] * len(names), "code": [None] * len(names)}
    by_column = parse_names(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))
    by_parser = [parse_name(name) for name in names]
    for column in PARSE_SCHEMA:
        assert by_column[column].to_list() == [getattr(parse, column) for parse in by_parser]


HOSTILE = ["A" * 10_000, "Aus " + "bus " * 5_000, "(" * 10_000, "Aus &amp;" * 2_000, "<i>" * 4_000, "Ã¶" * 5_000]
HOSTILE += ["a-" * 5_000, "Aus × " * 2_000, "× " * 5_000, '"' * 9_000, "Aus bus (L.) " * 900, "Aus " + "α " * 4_000]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: text[:8])
def test_a_hostile_name_takes_no_longer_than_a_long_one(hostile: str) -> None:
    start = time.process_time()
    parse_name(hostile)
    assert time.process_time() - start < 0.25


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.none() | st.text(max_size=20))
def test_no_text_raises(name: str, authorship: str | None) -> None:
    parse = parse_name(name, authorship)
    assert parse.canonicalName is None or parse.canonicalName.strip()


authors = st.sampled_from([None, "Smith, 1900", "(Müller & Troschel, 1842)", "A.B. Smith & Jones, 2001", "L."])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, words, st.none() | words, authors, st.booleans()), min_size=1, max_size=20))
def test_plain_names_are_the_same_by_column_and_by_the_parser(
    rows: list[tuple[str, str, str | None, str | None, bool]],
) -> None:
    asked = []
    for genus, species, infra, author, inside in rows:
        name = " ".join(part for part in (genus.capitalize(), species, infra) if part)
        asked.append((f"{name} {author}", None, None) if author and inside else (name, author, None))
    frame = pl.DataFrame(asked, schema=dict.fromkeys(("name", "authorship", "code"), pl.String), orient="row")
    by_column = parse_names(frame)
    by_parser = [parse_name(*row[:2]) for row in asked]
    for column in ("canonicalName", "canonicalStem", "genericName", "specificEpithet", "infraspecificEpithet", "year"):
        assert by_column[column].to_list() == [getattr(parse, column) for parse in by_parser]


def test_a_second_run_parses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["Aus bus", "Aus cf. bus L.", "Aus bus × cus", None, ""]
    asked = pl.DataFrame(
        {"name": names, "authorship": [None] * 5, "code": [None] * 5},
        schema=dict.fromkeys(("name", "authorship", "code"), pl.String),
    )
    monkeypatch.setattr(parse_many, "KEPT_FROM", 1)
    first = parse_names(asked, cache=ParseCache(tmp_path))

    def never(*_: object) -> None:
        raise AssertionError("a name was parsed again")

    monkeypatch.setattr(parse_many, "parse_name", never)
    second = parse_names(asked, cache=ParseCache(tmp_path))
    assert first.equals(second)
    assert dict(first.schema) == {
        c: pl.DataType.from_python(str) if t is pl.String else t() for c, t in PARSE_SCHEMA.items()
    }


def test_few_parses_are_not_kept_and_a_large_cache_is_not_read_for_few_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = dict.fromkeys(("name", "authorship", "code"), pl.String)
    asked = pl.DataFrame([(f"Aus cf. bus{n}", None, None) for n in range(60)], schema=schema, orient="row")
    cache = ParseCache(tmp_path)
    expected = parse_names(asked, cache=cache)
    assert not list(tmp_path.rglob("*.parquet"))
    monkeypatch.setattr(parse_many, "KEPT_FROM", 1)
    assert parse_names(asked, cache=cache).equals(expected)
    parsed: list[str] = []
    parse_name = parse_many.parse_name
    monkeypatch.setattr(parse_many, "parse_name", lambda name, *rest: (parsed.append(name), parse_name(name, *rest))[1])
    assert parse_names(asked.head(1), cache=cache).equals(expected.head(1))
    assert parsed == ["Aus cf. bus0"]
    assert parse_names(asked.head(2), cache=cache).equals(expected.head(2))
    assert parsed == ["Aus cf. bus0"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("albus", "alba"),
        ("sylvaticus", "silvatica"),
        ("ruber", "rubrum"),
        ("lamarckii", "lamarcki"),
        ("caeruleus", "coerulea"),
    ],
)
def test_gender_and_common_spellings_share_a_stem(one: str, other: str) -> None:
    stems = pl.DataFrame({"w": [one, other]}).select(stem_key(pl.col("w"))).to_series()
    assert stems[0] == stems[1]


def test_the_stem_of_a_canonical_name_leaves_the_genus() -> None:
    assert stem_canonical("Aus vulgaris rufipes") == "Aus uulgar rufip"
