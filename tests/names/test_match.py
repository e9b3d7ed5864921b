"""What a name is matched to, and what is said about it."""

import json
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.names.answer import MATCH_COLUMNS
from dissco_platform.names.backbone import build_backbone, open_backbone
from dissco_platform.names.index import Backbone

from .conftest import match


def ids(backbone: Backbone, *rows: dict[str, str] | str) -> list[object]:
    return [got["usageID"] for got in match(backbone, *rows)]


def one(backbone: Backbone, row: dict[str, str] | str, **options: bool) -> dict[str, object]:
    return dict(match(backbone, row, **options)[0])


def test_an_exact_name_gives_its_usage_and_the_accepted_classification(backbone: Backbone) -> None:
    got = one(backbone, "Carabus auratus Linnaeus, 1760")
    assert (got["matchType"], got["usageID"], got["acceptedUsageID"]) == ("exact", "CRA", "CRA")
    assert (got["kingdom"], got["class"], got["family"], got["genus"]) == (
        "Animalia",
        "Insecta",
        "Carabidae",
        "Carabus",
    )
    assert got["species"] == "Carabus auratus"
    assert got["release"] == "LITTLE 2026-01"
    assert got["confidence"] == 100


def test_a_synonym_leads_to_the_accepted_usage(backbone: Backbone) -> None:
    got = one(backbone, "Motacilla oenanthe")
    assert (got["usageID"], got["acceptedUsageID"], got["acceptedName"]) == ("OES", "OEO", "Oenanthe oenanthe")
    assert got["matchedStatus"] == "synonym"
    assert "synonym" in str(got["note"])


def test_another_gender_is_a_variant(backbone: Backbone) -> None:
    got = one(backbone, "Carabus aurata")
    assert (got["matchType"], got["usageID"]) == ("variant", "CRA")


def test_a_letter_off_is_found(backbone: Backbone) -> None:
    wrong = ["Carabus hortensiz", "Carabus hotrensis", "Carabus hortesis", "Caraabus hortensis", "Carabus xanthomelis"]
    got = match(backbone, *wrong)
    assert {str(answer["matchType"]) for answer in got} <= {"fuzzy", "variant"}
    assert [answer["usageID"] for answer in got] == ["CRH", "CRH", "CRH", "CRH", "CRX"]


def test_a_misspelling_by_another_author_is_not_believed(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus hortensiz", "scientificNameAuthorship": "Newman, 1999"})
    assert (got["matchType"], got["usageID"]) == ("higherRank", "CRB")


def test_a_known_genus_is_not_exchanged_for_another_without_support(backbone: Backbone) -> None:
    got = one(backbone, "Carabus pimpinelloides")
    assert (got["matchType"], got["usageID"]) == ("higherRank", "CRB")


def test_homonyms_are_told_apart_by_classification_author_or_code(backbone: Backbone) -> None:
    got = ids(
        backbone,
        {"scientificName": "Oenanthe", "kingdom": "Plantae"},
        {"scientificName": "Oenanthe", "family": "Muscicapidae"},
        "Oenanthe Vieillot, 1816",
        {"scientificName": "Oenanthe", "nomenclaturalCode": "ICN"},
    )
    assert got == ["OEP", "OEA", "OEA", "OEP"]


def test_homonyms_that_nothing_tells_apart_are_ambiguous_with_alternatives(backbone: Backbone) -> None:
    got = one(backbone, "Oenanthe")
    assert (got["matchType"], got["usageID"], got["acceptedUsageID"]) == ("ambiguous", None, None)
    assert {a["usageID"] for a in json.loads(str(got["alternatives"]))} == {"OEA", "OEP"}


def test_an_ambiguous_name_keeps_the_classification_that_all_share(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Oenanthe", "kingdom": "Animalia"})
    assert got["matchType"] == "exact"
    queries = match(backbone, "Oenanthe")[0]
    assert (queries["kingdom"], queries["genus"]) == (None, "Oenanthe")


def test_several_usages_of_one_accepted_name_are_one_answer(backbone: Backbone) -> None:
    got = one(backbone, "Bromus sterilis")
    assert (got["matchType"], got["usageID"]) == ("exact", "BRO")
    assert one(backbone, "Bromus sterilis Guss.")["usageID"] == "BRG"


def test_a_subgenus_or_a_wrong_rank_marker_does_not_hide_a_match(backbone: Backbone) -> None:
    got = ids(backbone, "Carabus nemoralis", "Carabus (Carabus) auratus", "Carabus nemoralis var. prasinotinctus")
    assert got == ["CRN", "CRA", "CRP"]


def test_what_the_checklist_lacks_gets_the_lowest_known_higher_taxon(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus inventus Nemo, 2020", "family": "Carabidae"})
    assert (got["matchType"], got["usageID"], got["genus"]) == ("higherRank", "CRB", "Carabus")
    assert one(backbone, {"scientificName": "Nemus inventus", "family": "Carabidae"})["usageID"] == "CAR"
    assert one(backbone, "Carabus inventus", higher_rank=False)["matchType"] == "none"


def test_an_open_name_is_a_higher_rank_match(backbone: Backbone) -> None:
    got = match(backbone, "Carabus sp.", "Carabus aff. auratus", "Carabus cf. auratus")
    assert [(a["matchType"], a["usageID"]) for a in got] == [
        ("higherRank", "CRB"),
        ("higherRank", "CRB"),
        ("exact", "CRA"),
    ]


def test_identifiers_and_viruses_match_as_a_whole_or_not_at_all(backbone: Backbone) -> None:
    got = ids(backbone, "BOLD:AAX3687", "bold:aax3687", "BOLD:AAX3688", "Tobacco mosaic virus", "Tobacco mosaic viruz")
    assert got == ["OTU", "OTU", None, "VIR", None]


def test_a_contradicting_classification_is_not_overruled_for_a_genus(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus", "kingdom": "Plantae", "family": "Apiaceae"}, higher_rank=False)
    assert got["matchType"] == "none"


def test_parts_make_a_name_where_there_is_none(backbone: Backbone) -> None:
    got = ids(
        backbone,
        {"genus": "Carabus", "specificEpithet": "auratus"},
        {"scientificName": "auratus", "genus": "Carabus"},
        {"scientificName": "C. auratus", "genus": "Carabus"},
    )
    assert got == ["CRA", "CRA", "CRA"]


def test_an_id_of_the_checklist_counts(backbone: Backbone) -> None:
    assert one(backbone, {"scientificName": "Oenanthe", "taxonID": "OEP"})["usageID"] == "OEP"


def test_nothing_is_answered_as_none(backbone: Backbone) -> None:
    nothing = ["", " ", "null", "Unknown", "indet.", "???", "\x00\x01", "𝔘𝔫", "a" * 10_000]
    got = match(backbone, *nothing)
    assert {(a["matchType"], a["usageID"], a["confidence"]) for a in got} == {("none", None, 0)}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.text(max_size=60), min_size=1, max_size=20))
def test_any_text_has_one_answer_with_every_column(backbone: Backbone, rows: list[str]) -> None:
    got = match(backbone, *rows)
    assert len(got) == len(rows)
    assert all(list(answer) == list(MATCH_COLUMNS) for answer in got)


def test_an_answer_does_not_depend_on_its_neighbours(backbone: Backbone) -> None:
    rows = ["Oenanthe", "Carabus sp.", "Motacilla oenanthe", "Carabus hortensiz", "", "Bromus sterilis Guss."]
    together = pl.DataFrame(match(backbone, *rows), schema=MATCH_COLUMNS)
    alone = pl.concat([pl.DataFrame(match(backbone, row), schema=MATCH_COLUMNS) for row in rows])
    assert together.equals(alone)


def test_an_id_that_belongs_to_another_name_does_not_count(backbone: Backbone) -> None:
    assert ids(backbone, {"scientificName": "Carabus auratus", "taxonID": "OEP"}, {"taxonID": "OEP"}) == ["CRA", "OEP"]


def test_the_note_says_how_high_a_higher_rank_is(backbone: Backbone) -> None:
    kingdom = one(backbone, {"scientificName": "Zzus aus", "kingdom": "Animalia"})
    family = one(backbone, {"scientificName": "Zzus aus", "kingdom": "Animalia", "family": "Carabidae"})
    genus = one(backbone, "Carabus sp.")
    assert [(a["matchType"], a["matchedRank"]) for a in (kingdom, family, genus)] == [
        ("higherRank", "kingdom"),
        ("higherRank", "family"),
        ("higherRank", "genus"),
    ]
    assert [str(a["note"]) for a in (kingdom, family, genus)] == [
        "only the kingdom is known",
        "only the family is known",
        "only the genus is known",
    ]


def test_an_identifier_is_in_the_checklist_or_it_is_not(backbone: Backbone) -> None:
    assert one(backbone, "bold:aax3687")["usageID"] == "OTU"
    other = one(backbone, {"scientificName": "BOLD:AAX3688", "kingdom": "Animalia"})
    assert (other["matchType"], other["usageID"]) == ("none", None)


def test_what_the_parser_reads_beyond_the_canonical_name_is_matched(backbone: Backbone) -> None:
    assert (
        ids(backbone, "Carabus auratus, 1760", "Carabus auratus;", "Carabus auratus.", "cf. Carabus auratus")
        == ["CRA"] * 4
    )


def test_a_taxon_kept_twice_is_no_ambiguity(tmp_path: Path) -> None:
    folder = tmp_path / "coldp"
    folder.mkdir()
    (folder / "NameUsage.tsv").write_text(
        "ID\tparentID\tstatus\trank\tscientificName\tauthorship\n"
        "A1\t\taccepted\tkingdom\tAnimalia\t\nA2\t\taccepted\tkingdom\tAnimalia\t\n"
        "F1\tA1\taccepted\tfamily\tAusidae\tSmith, 1900\nF2\tA1\taccepted\tfamily\tAusidae\tJones, 1910\n"
        "G1\tF1\taccepted\tgenus\tBus\t\nG2\tF2\taccepted\tgenus\tBus\t\n",
        "utf-8",
    )
    build_backbone(folder, tmp_path / "index")
    index = open_backbone(tmp_path / "index")
    twice, homonyms = one(index, "Animalia"), one(index, "Ausidae")
    assert (twice["matchType"], twice["usageID"]) == ("exact", "A1")
    assert "twice" in str(twice["note"])
    assert json.loads(str(twice["alternatives"]))[0]["usageID"] == "A2"
    assert homonyms["matchType"] == "ambiguous"
