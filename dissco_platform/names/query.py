"""From the name columns of records to queries: which text is the name, parsed, as word keys.

The columns of a query: `g, e1, e2` (word keys), `whole` (the name is an identifier, virus or formula and matches only as a
whole), `beyond` (the name stands for something below the taxon it names: `Aus sp.`), `literal` (its key as a whole
then), `coded` (an identifier: it is in the checklist or it is not),
`authorship`, `rank`, `code`, `id`, `q_<rank>` (classification keys). What becomes of them is in `match.py`.
"""

from collections.abc import Callable
from typing import Final

import polars as pl

from dissco_platform.names.coldp import RANK_WORDS, vocabulary
from dissco_platform.names.parse_many import ParseCache, parse_names
from dissco_platform.names.ranks import CODES
from dissco_platform.names.score import CLASSIFICATION_WEIGHTS, taxon_key
from dissco_platform.names.words import parsed_keys, whole_key

_LOWEST_FIRST: Final = ("genus", "family", "order", "class", "phylum", "kingdom")
NOTHING: Final = ("", "null", "none", "\\n", "na", "n/a", "nan", "-", "--", "?", ".")
"""What is written where there is nothing, in lower case."""


def name_texts(names: pl.DataFrame) -> pl.Series:
    """Return the text that is to be parsed of frames with NAME_COLUMNS: the name, else its parts, else the lowest taxon.

    A name that is only an epithet gets its genus before it (GBIF's assembly of names).
    """
    parts = ("genericName", "genus", "specificEpithet", "infraspecificEpithet")
    given = pl.DataFrame([of_values(names[f"dwc:{part}"], _clean).alias(part) for part in parts])
    given = given.with_columns(names.select(name=_clean(pl.col("dwc:scientificName"))).to_series())
    genus = pl.col("genericName").fill_null(pl.col("genus"))
    assembled = pl.when(pl.col("specificEpithet").is_not_null() & genus.is_not_null()).then(
        pl.concat_str(genus, "specificEpithet", "infraspecificEpithet", separator=" ", ignore_nulls=True)
    )
    name = pl.col("name")
    only_epithet = name.str.contains(r"^[a-z][a-z-]{2,}$") & genus.is_not_null()
    abbreviated = name.str.contains(r"^(?:[A-Z]\.|\?)\s+[a-z]") & genus.is_not_null()
    name = (
        pl.when(only_epithet)
        .then(pl.concat_str(genus, name, separator=" "))
        .when(abbreviated)
        .then(pl.concat_str(genus, name.str.replace(r"^\S+\s+", ""), separator=" "))
        .otherwise(name)
    )
    text = given.select(name=pl.coalesce(name, assembled, "genericName")).to_series()
    without = text.is_null().arg_true()
    if not without.len():
        return text
    lowest = names[without].select(pl.coalesce([_clean(pl.col(f"dwc:{rank}")) for rank in _LOWEST_FIRST]))
    return text.scatter(without, lowest.to_series())


def of_values(column: pl.Series, rule: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """Return a rule's result for a column in which few values stand in many rows: each is looked at once."""
    values = column.unique().to_frame("value").with_columns(result=rule(pl.col("value")))
    rows = column.to_frame("value").join(values, on="value", how="left", nulls_equal=True, maintain_order="left")
    return rows["result"]


def _clean(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(r"[\x00-\x1f\x7f\s]+", " ").str.strip_chars()
    return pl.when(~text.str.to_lowercase().is_in(NOTHING)).then(text)


def _beyond(parsed: pl.DataFrame) -> pl.Series:
    """Return whether a name stands for something below the taxon that its canonical name is."""
    below = ["subspecies", "variety", "form", "subvariety", "subform", "infraspecific name"]
    return (
        parsed.select(
            (pl.col("outcome") == "informal")
            | (
                pl.col("approximate")
                & pl.col("specificEpithet").is_not_null()
                & ~pl.col("canonicalName").str.contains(" ", literal=True)
            )
            | (
                pl.col("rank").is_in(below)
                & pl.col("infraspecificEpithet").is_null()
                & (pl.col("canonicalName").str.count_matches(" ", literal=True) == 1)
            )
        )
        .to_series()
        .fill_null(value=False)
    )


def make_queries(
    names: pl.DataFrame, *, cache: ParseCache | None = None, processes: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (queries, parses) for the rows of `names` (NAME_COLUMNS), in order."""
    asked = names.select(
        name=pl.lit(name_texts(names)),
        authorship=_clean(pl.col("dwc:scientificNameAuthorship")),
        rank=vocabulary(pl.col("dwc:taxonRank").str.strip_chars(), RANK_WORDS, None),
        code=vocabulary(pl.col("dwc:nomenclaturalCode").str.strip_chars(), CODES, None),
    )
    parsed = parse_names(asked, cache=cache, processes=processes)
    keys = parsed_keys(asked["name"], parsed)
    frame = asked.with_columns(
        parsed_rank=parsed["rank"],
        beyond=_beyond(parsed),
        found_authorship=parsed["authorship"],
    )
    frame = pl.concat([frame, keys], how="horizontal")
    count = 1 + pl.col("e1").is_not_null().cast(pl.Int8) + pl.col("e2").is_not_null().cast(pl.Int8)
    informative = pl.col("parsed_rank").is_in(["infraspecific name", "infrageneric name", "unranked"])
    # the record's own rank counts; of a parse only what the name itself proves
    rank = pl.coalesce(
        pl.when(pl.col("rank") != "unranked").then(pl.col("rank")),
        pl.when((count > 1) & ~informative).then(pl.col("parsed_rank")),
        pl.when(count > 2).then(pl.lit("infraspecific name")),
        pl.when(count == 2).then(pl.lit("species")),
    )
    queries = frame.select(
        "g",
        "e1",
        "e2",
        "whole",
        "beyond",
        coded=parsed["outcome"] == "identifier",
        literal=pl.when("beyond").then(whole_key(pl.col("name"))),
        authorship=pl.coalesce("authorship", "found_authorship"),
        rank=pl.when(pl.col("beyond")).then(None).otherwise(rank),
        code="code",
    )
    classification = pl.DataFrame(
        [
            of_values(names[f"dwc:{rank}"], lambda text: taxon_key(_clean(text))).alias(f"q_{rank}")
            for rank, _, _ in CLASSIFICATION_WEIGHTS
        ]
    )
    ids = names.select(id=pl.coalesce("dwc:taxonID", "dwc:scientificNameID"))
    return pl.concat([queries, classification, ids], how="horizontal"), parsed
