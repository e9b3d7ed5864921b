"""What single values mean: agents, identifiers, organisations, licences, dates, measures."""

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.opends import transforms, vocabularies
from dissco_platform.opends.agents import agents_json, split_names
from dissco_platform.opends.coordinates import parse_angle, parse_pair, parse_position
from dissco_platform.opends.dates import date_of, interval_of, parse_date
from dissco_platform.opends.identifiers import (
    identifier_type,
    normalised_orcid,
    normalised_organisation_id,
    physical_id_type,
)
from dissco_platform.opends.licences import parse_licence
from dissco_platform.opends.measures import parse_metres, parse_number


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Smith, J. & Jones, B.; R. Brown et al.", ["Smith, J.", "Jones, B.", "R. Brown"]),
        ("J. Smith, B. Jones", ["J. Smith", "B. Jones"]),
        ("Smith, John", ["Smith, John"]),
        ("Smith, J., Jones, B.", ["Smith, J.", "Jones, B."]),
        ("leg. Meyer und Müller", ["Meyer", "Müller"]),
        ("Museum of Zoology, Lund", ["Museum of Zoology, Lund"]),
        ("unknown", []),
        ("Smith | Smith", ["Smith"]),
        ("Bouchet, Métivier & Richer-IRD coll.", ["Bouchet", "Métivier", "Richer-IRD"]),
        ("van der Hoeven, Mees et Vos", ["van der Hoeven", "Mees", "Vos"]),
        ("Smith, John & Jones, Bill", ["Smith, John", "Jones, Bill"]),
        ("Smith, J. B., Jones, B. & C. Brown", ["Smith, J. B.", "Jones, B.", "C. Brown"]),
        ("Natural History Museum, London & J. Smith", ["Natural History Museum, London", "J. Smith"]),
    ],
)
def test_names_in_a_cell(text: str, names: list[str]) -> None:
    assert split_names(text) == names


def test_identifiers_go_to_names_only_where_their_numbers_agree() -> None:
    orcid = "https://orcid.org/0000-0002-5669-2769"
    both = orjson.loads(f"[{agents_json('A. One|B. Two', '0000-0002-5669-2769|Q123', 'collector')}]")
    assert [agent["@id"] for agent in both] == [orcid, "http://www.wikidata.org/entity/Q123"]
    apart = orjson.loads(f"[{agents_json('A. One|B. Two', orcid, 'collector')}]")
    assert ["@id" in agent for agent in apart] == [False, False, True]
    inside = orjson.loads(f"[{agents_json(f'A. One ({orcid})', None, 'collector')}]")
    assert (inside[0]["schema:name"], inside[0]["@id"]) == ("A. One", orcid)


@pytest.mark.parametrize(
    ("text", "kind", "physical"),
    [
        ("https://doi.org/10.1234/abc", "DOI", "Resolvable"),
        ("10.1234/abc", "DOI", "Global"),
        ("urn:lsid:ipni.org:names:1", "LSID", "Global"),
        ("9c752d22-b09a-11e8-96f8-529269fb1459", "UUID", "Global"),
        ("https://n2t.net/ark:/65665/3abc", "ARK", "Resolvable"),
        ("https://data.example.org/1", "URL", "Resolvable"),
        ("MUS:BIRDS:12", "Locally unique identifier", "Global"),
        ("OTHER:BIRDS:12", "Locally unique identifier", "Local"),
        ("RMNH.1", "Locally unique identifier", "Local"),
        ("12-3456", "Locally unique identifier", "Local"),
    ],
)
def test_schemes_of_identifiers(text: str, kind: str, physical: str) -> None:
    frame = pl.DataFrame({"id": [text], "code": ["MUS"]})
    found = frame.select(
        identifier_type(pl.col("id")).alias("k"), physical_id_type(pl.col("id"), pl.col("code")).alias("p")
    )
    assert found.row(0) == (kind, physical)


def test_organisation_ids_have_right_forms_and_checksums() -> None:
    assert normalised_organisation_id("https://ROR.org/0566bfb96/") == "https://ror.org/0566bfb96"
    assert normalised_organisation_id("https://ror.org/0566bfb97") is None
    assert (
        normalised_organisation_id("http://www.wikidata.org/entity/Q641676") == "https://www.wikidata.org/wiki/Q641676"
    )
    assert normalised_orcid("0000-0002-5669-2768") is None


@pytest.mark.parametrize(
    ("text", "spdx", "is_open"),
    [
        ("CC_BY_4_0", "CC-BY-4.0", True),
        ("http://creativecommons.org/licenses/by/3.0/nl/legalcode", "CC-BY-3.0", True),
        ("Dieser Inhalt steht unter der Lizenz Namensnennung - Nicht kommerziell 4.0", "CC-BY-NC-4.0", False),
        ("Creative Commons Namensnennung 4.0 International", "CC-BY-4.0", True),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0", False),
        ("This work is licensed under CC-BY-NC-ND", "CC-BY-NC-ND-4.0", False),
        ("gemeinfrei", "CC0-1.0", True),
        ("not in the public domain", None, False),
        ("All rights reserved", None, False),
    ],
)
def test_licences(text: str, spdx: str | None, is_open: bool) -> None:
    found = parse_licence(text)
    assert (found and found.spdx) == spdx
    assert bool(found and found.open) is is_open


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("1978-12-21", "1978-12-21"), ("3 mai 1902", "1902-05-03"), ("12.IX.1931", "1931-09-12"), ("Sept. 1899", "1899-09"),
        ("1890s", "1890/1899"), ("02/01/1930", "1930"), ("13/01/1930", "1930-01-13"), ("2007-11-13/15", "2007-11-13/2007-11-15"),
        ("12-14 June 1950", "1950-06-12/1950-06-14"), ("1999-02-30", None), ("unknown", None), ("2004-123", "2004-05-02"),
        ("15 de marzo de 1950", "1950-03-15"), ("ca. 1920", "1920"), ("1950 - 1960", "1950/1960"), ("0000-00-00", None),
        ("1999-366", None), ("1/10/1980-13/10/1980", "1980/1980-10-13"),
    ],
)  # fmt: skip
def test_dates_are_never_more_precise_than_written(text: str, iso: str | None) -> None:
    found = parse_date(text)
    assert (found and found.iso) == iso


def test_parts_that_contradict_a_date_leave_what_they_agree_on() -> None:
    both = date_of("1902-05-03", "1902", "6", "3")
    assert both is not None
    assert both.iso == "1902"
    assert date_of("1902-05-03", "1903") is None


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("300-400 ft", 91.44, 121.92), ("ca. 300 m", 300, 300), ("1'200 m ü. M.", 1200, 1200), ("12,5 m", 12.5, 12.5),
        ("1,200 ft", 365.76, 365.76), ("20 fathoms", 36.576, 36.576), ("100 m - 200 m", 100, 200), ("1.5 km", 1500, 1500),
        ("0-10m", 0, 10), ("-5", -5, -5),
    ],
)  # fmt: skip
def test_lengths_with_units(text: str, low: float, high: float) -> None:
    span = parse_metres(text)
    assert span is not None
    assert (span.low, span.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("text", ["deep", "3 furlongs", "", "m"])
def test_lengths_that_say_nothing(text: str) -> None:
    assert parse_metres(text) is None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("10°07'06\"N, 20°48'23\"W", (10.118333, -20.806389)), ("02:49:52 S 131:47:03 E", (-2.831111, 131.784167)),
        ("N 10°7' W 20°", (10.116667, -20.0)), ("20°48'W 10°07'N", (10.116667, -20.8)), ("lat 10.5 long 20.3", (10.5, 20.3)),
        ("17d 33m 5s S 20d 0m 0s E", (-17.551389, 20.0)), ("39.9, -75.0", (39.9, -75.0)), ("32U 461344", None),
        ("12°61'N 1°E", None),
    ],
)  # fmt: skip
def test_positions_in_one_cell(text: str, position: tuple[float, float] | None) -> None:
    found = parse_pair(text)
    assert (found and (found.latitude, found.longitude)) == position


def test_seconds_are_no_south() -> None:
    seconds, south = parse_angle("17d 33m 5s"), parse_angle("17 33 5 S")
    assert seconds is not None
    assert south is not None
    assert seconds.degrees == -south.degrees == pytest.approx(17.551389)


def test_swapped_and_impossible_coordinates() -> None:
    swapped = parse_position("-100", "45")
    assert swapped is not None
    assert (swapped.latitude, swapped.longitude, swapped.swapped) == (45, -100, True)
    assert parse_position("100", "100") is None
    zero = parse_position("0", "0")
    assert zero is not None
    assert zero.zero


@given(st.text(max_size=30))
@settings(deadline=None)  # tables are read at the first example
def test_no_text_breaks_a_parser(text: str) -> None:
    parse_date(text)
    parse_angle(text)
    parse_position(text, text, text)
    parse_metres(text)
    parse_number(text)
    parse_licence(text)
    split_names(text)
    for name in ("sex", "country", "typeStatus", "geochronology"):
        vocabularies.load(name).match(text)


def test_geological_ages_know_their_parents() -> None:
    table = vocabularies.load("geochronology")
    assert table.match("Oberjura") == "UpperJurassic"
    assert table.ancestors("Oxfordian") == ["UpperJurassic", "Jurassic", "Mesozoic", "Phanerozoic"]
    assert table.match("Middle Jurassic (Callovian)") == "Callovian"


@pytest.mark.parametrize("name", vocabularies.names())
def test_every_vocabulary_names_its_source_and_its_parents_exist_or_are_groups(name: str) -> None:
    table = vocabularies.load(name)
    assert table.source
    assert table.concepts
    assert all(table.match(concept) is not None for concept in table.concepts)


def test_several_identifiers_of_one_person_are_one_agents() -> None:
    orcid = "https://orcid.org/0000-0002-5669-2769"
    (alone,) = orjson.loads(f"[{agents_json('A. One', f'https://viaf.org/1 | {orcid}', 'collector')}]")
    assert alone["@id"] == orcid
    assert len(alone["ods:hasIdentifiers"]) == 2
    # ABCD: one place an agent, several URIs of an agent in one place, none in another
    pair = orjson.loads(f"[{agents_json('A. One | B. Two | C. Three', f'Q12 {orcid} |  | Q13', 'collector')}]")
    assert [len(agent.get("ods:hasIdentifiers", [])) for agent in pair] == [2, 0, 1]


@pytest.mark.parametrize(
    ("cells", "iso"),
    [
        (("1937", None, None, None, None, "8.VII.1937"), "1937-07-08"),
        (("1937", None, None, None, None, "8.VII.1938"), "1937"),
        (("1937-07-08", None, None, None, None, "July 1937"), "1937-07-08"),
        ((None, "1937", "7", "23rd", None, None), "1937-07-23"),
        ((None, None, None, None, None, "VII-VIII.1937"), "1937-07/1937-08"),
        (("1902-1905", None, None, None, None, None), "1902/1905"),
        (("28 Feb-3 Mar 1902", None, None, None, None, None), "1902-02-28/1902-03-03"),
        (("000-00-1940", None, None, None, None, None), "1940"),
        (("20 июня 1999", None, None, None, None, None), "1999-06-20"),
        (("1999年6月20日", None, None, None, None, None), "1999-06-20"),
        (("Summer 1998", None, None, None, None, None), "1998"),
        (("1905-1902", None, None, None, None, None), None),
    ],
)
def test_one_date_is_read_from_all_that_was_written(cells: tuple[str | None, ...], iso: str | None) -> None:
    found = date_of(*cells)
    assert (found and found.iso) == iso


def test_begin_end_and_text_of_a_gathering_are_one_date() -> None:
    found = [
        interval_of("1902-05-03", "1902-05-09"), interval_of("1902", None, "3.V.1902"), interval_of(None, None, "V.1902"),
        interval_of("1902-05-03", "1901"),
    ]  # fmt: skip
    assert [one and one.iso for one in found] == ["1902-05-03/1902-05-09", "1902-05-03", "1902-05", "1902-05-03"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Autralia", "AU"), ("Venezula", "VE"), ("New Zeland", "NZ"), ("Switz.", "CH"), ("Urug", "UY"), ("Is. of Bali", "ID"),
        ("N. Rhodesia", "ZM"), ("South Georgia Island", "GS"), ("S. Georgia", "GS"), ("Fiji, Pacific Ocean", "FJ"),
        ("Deutsch-Ostafrika", "TZ"), ("Siam", "TH"), ("Kamerun", "CM"), ("Niger", "NE"), ("Nigeria", "NG"),
        ("Peru or Bolivia", None), ("Chile ou Argentine", None), ("Peru or Pérou", "PE"), ("Gulf of Mexico", None),
        ("Coral Sea", None), ("N. New Guinea", None), ("Austri", "AT"), ("Aust", None), ("Atlantis", None), ("island", "IS"),
        ("Easter Island", "CL"), ("Central and South America", None), ("America del Sur", None), ("AND", "AD"),
    ],
)  # fmt: skip
def test_countries_as_labels_write_them(text: str, code: str | None) -> None:
    assert vocabularies.load("country").match(text) == code


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Sakmarium", "Sakmarian"), ("aptiano", "Aptian"), ("Турон", "Turonian"), ("Mittlerer Jura", "MiddleJurassic"),
        ("Oberdevon", "UpperDevonian"), ("késő-triász", "UpperTriassic"), ("Varhais-Juura", "LowerJurassic"),
        ("晚白垩世", "UpperCretaceous"), ("Late Devonian (Famennian)", "Famennian"), ("Homerian (Wenlock)", "Homerian"),
        ("Early to Middle Jurassic", "Jurassic"), ("Early Pleistocene", "Pleistocene"), ("Kambrium Stufe 4", "CambrianStage4"),
        ("Maastrichtain", "Maastrichtian"), ("Phanerozoic+AD3:AO1", "Phanerozoic"), ("Jura-Kreide", None), ("Sandstein", None),
    ],
)  # fmt: skip
def test_geological_time_in_whatever_language(text: str, concept: str | None) -> None:
    assert vocabularies.load("geochronology").match(text) == concept


_YEARS = st.sampled_from([None, "1930", "1931", "01930", " 1930", "30", "x"])
_PARTS = st.sampled_from([None, "5", "05", "6", "V", "0", "31", "005", "5.0"])
_TEXTS = st.sampled_from(
    [
        None,
        "1930-05-06",
        "1930-05-31",
        "1930-02-30",
        "1400-05-06",
        "1930-05",
        "1930-5-6",
        "1930-05-06T10:11:12Z",
        "1930-05-06T00:00:00",
        "1930-02-30T00:00:00",
        "1930-05-06T00:00:00Z",
        "6.5.1930",
    ]
)


@given(st.lists(st.tuples(_TEXTS, _YEARS, _PARTS, _PARTS, _TEXTS), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_dates_read_by_column_are_those_read_value_by_value(rows: list[tuple[str | None, ...]]) -> None:
    names = ["text", "year", "month", "day", "verbatim"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    columns = [pl.col(name) for name in names]
    parts = ("date", "year", "month", "day", "start_day", "end_day")
    read = frame.select(transforms.TRANSFORMS[part].build(columns, {}).alias(part) for part in parts)
    alone = frame.select(transforms.TRANSFORMS["date"].build(columns[:1], {}).alias("date"))["date"].to_list()
    for row, found, only in zip(rows, read.iter_rows(named=True), alone, strict=True):
        text, year, month, day, verbatim = row
        interval = date_of(text, year, month, day, verbatim=verbatim)
        assert found["date"] == (interval and interval.iso), row
        assert found["year"] == (interval and interval.common(4)), row
        assert found["day"] == (interval and interval.common(10)), row
        single = parse_date(text) if text else None
        assert only == (single and single.iso), row
