"""What a name is matched to, and what is said about it."""

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.names.answer import MATCH_COLUMNS
from dissco_platform.names.index import Backbone

from .conftest import match


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


@pytest.mark.parametrize(
    "wrong", ["Carabus hortensiz", "Carabus hotrensis", "Carabus hortesis", "Caraabus hortensis", "Carabus xanthomelis"]
)
def test_a_letter_off_is_found(backbone: Backbone, wrong: str) -> None:
    got = one(backbone, wrong)
    assert got["matchType"] in ("fuzzy", "variant")
    assert got["usageID"] in ("CRH", "CRX")


def test_a_misspelling_by_another_author_is_not_believed(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus hortensiz", "scientificNameAuthorship": "Newman, 1999"})
    assert (got["matchType"], got["usageID"]) == ("higherRank", "CRB")


def test_a_known_genus_is_not_exchanged_for_another_without_support(backbone: Backbone) -> None:
    got = one(backbone, "Carabus pimpinelloides")
    assert (got["matchType"], got["usageID"]) == ("higherRank", "CRB")


def test_homonyms_are_told_apart_by_classification_author_or_code(backbone: Backbone) -> None:
    assert one(backbone, {"scientificName": "Oenanthe", "kingdom": "Plantae"})["usageID"] == "OEP"
    assert one(backbone, {"scientificName": "Oenanthe", "family": "Muscicapidae"})["usageID"] == "OEA"
    assert one(backbone, "Oenanthe Vieillot, 1816")["usageID"] == "OEA"
    assert one(backbone, {"scientificName": "Oenanthe", "nomenclaturalCode": "ICN"})["usageID"] == "OEP"


def test_homonyms_that_nothing_tells_apart_are_ambiguous_with_alternatives(backbone: Backbone) -> None:
    got = one(backbone, "Oenanthe")
    assert (got["matchType"], got["usageID"], got["acceptedUsageID"]) == ("ambiguous", None, None)
    assert {a["usageID"] for a in json.loads(str(got["alternatives"]))} == {"OEA", "OEP"}


def test_several_usages_of_one_accepted_name_are_one_answer(backbone: Backbone) -> None:
    got = one(backbone, "Bromus sterilis")
    assert (got["matchType"], got["usageID"]) == ("exact", "BRO")
    assert one(backbone, "Bromus sterilis Guss.")["usageID"] == "BRG"


def test_a_subgenus_or_a_wrong_rank_marker_does_not_hide_a_match(backbone: Backbone) -> None:
    assert one(backbone, "Carabus nemoralis")["usageID"] == "CRN"
    assert one(backbone, "Carabus (Carabus) auratus")["usageID"] == "CRA"
    assert one(backbone, "Carabus nemoralis var. prasinotinctus")["usageID"] == "CRP"


def test_what_the_checklist_lacks_gets_the_lowest_known_higher_taxon(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus inventus Nemo, 2020", "family": "Carabidae"})
    assert (got["matchType"], got["usageID"], got["genus"]) == ("higherRank", "CRB", "Carabus")
    assert one(backbone, {"scientificName": "Nemus inventus", "family": "Carabidae"})["usageID"] == "CAR"
    assert one(backbone, "Carabus inventus", higher_rank=False)["matchType"] == "none"


def test_an_open_name_is_a_higher_rank_match(backbone: Backbone) -> None:
    assert one(backbone, "Carabus sp.")["matchType"] == "higherRank"
    assert one(backbone, "Carabus aff. auratus")["usageID"] == "CRB"
    assert one(backbone, "Carabus cf. auratus")["usageID"] == "CRA"


def test_identifiers_and_viruses_match_as_a_whole_or_not_at_all(backbone: Backbone) -> None:
    assert one(backbone, "BOLD:AAX3687")["usageID"] == "OTU"
    assert one(backbone, "bold:aax3687")["usageID"] == "OTU"
    assert one(backbone, "BOLD:AAX3688")["matchType"] == "none"
    assert one(backbone, "Tobacco mosaic virus")["usageID"] == "VIR"


def test_a_contradicting_classification_is_not_overruled_for_a_genus(backbone: Backbone) -> None:
    got = one(backbone, {"scientificName": "Carabus", "kingdom": "Plantae", "family": "Apiaceae"}, higher_rank=False)
    assert got["matchType"] == "none"


def test_parts_make_a_name_where_there_is_none(backbone: Backbone) -> None:
    assert one(backbone, {"genus": "Carabus", "specificEpithet": "auratus"})["usageID"] == "CRA"
    assert one(backbone, {"scientificName": "auratus", "genus": "Carabus"})["usageID"] == "CRA"
    assert one(backbone, {"scientificName": "C. auratus", "genus": "Carabus"})["usageID"] == "CRA"


def test_an_id_of_the_checklist_counts(backbone: Backbone) -> None:
    assert one(backbone, {"scientificName": "Oenanthe", "taxonID": "OEP"})["usageID"] == "OEP"


@pytest.mark.parametrize("nothing", ["", " ", "null", "Unknown", "indet.", "???", "\x00\x01", "𝔘𝔫", "a" * 10_000])
def test_nothing_is_answered_as_none(backbone: Backbone, nothing: str) -> None:
    got = one(backbone, nothing)
    assert (got["matchType"], got["usageID"], got["confidence"]) == ("none", None, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
