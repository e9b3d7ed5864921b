"""Plain names parsed on whole columns: most names of collections are a genus, one or two epithets and a usual authorship.

What is not plain beyond doubt goes through `parser.py`; on plain names both give the same (tested against each other).
"""

from typing import Final

import polars as pl

from dissco_platform.names.canonical import PARTICLE_EPITHETS

_WORD: Final = r"[a-z]{4,}(?:-[a-z]{3,})?"
_AUTHOR: Final = (
    r"(?:[A-Z]\. ?){0,3}(?:d'|de |van |von |O'|Mc|Mac|De |La |Le |Milne )?"
    r"[A-Z][a-zäöüéèáíóúñøåçß]{2,}(?:-[A-Z][a-zéèäöü]{2,})?"
)
_AUTHORS: Final = rf"{_AUTHOR}(?:(?:, {_AUTHOR})* & {_AUTHOR})?"
_YEAR: Final = r"1[789]\d\d|20[012]\d"
_CITATION: Final = rf"(?:{_AUTHORS}, (?:{_YEAR})|\({_AUTHORS}, (?:{_YEAR})\))"
_BOTANIST: Final = (
    r"(?:(?:[A-Z]\. ?){0,3}(?:[A-Z][a-zäöüéèáíóúñøåçß]{2,}|[A-Z][a-zäöüéèáíóúñøåçß]{1,9}\.)"
    r"(?:-?[A-Z][a-zéèäöü]{2,}\.?)?(?: ?f\.)?|L\.|DC\.)"
)
_BOTANISTS: Final = rf"{_BOTANIST}(?:(?:, {_BOTANIST}){{0,4}} & {_BOTANIST})?"
_BOTANICAL: Final = rf"(?:\({_BOTANISTS}(?: ex {_BOTANISTS})?\) )?{_BOTANISTS}(?: ex {_BOTANISTS})?"
_PLAIN: Final = (
    rf"^(?P<g>[A-Z][a-z]{{2,}})(?: \((?P<s>[A-Z][a-z]{{3,}})\))?(?: (?P<e1>{_WORD}))?"
    rf"(?:(?: (?:{_BOTANICAL}))? (?P<m>subsp\.|ssp\.|var\.|f\.))?(?: (?P<e2>{_WORD}))?"
    rf"(?: (?P<a>{_CITATION}|{_BOTANICAL}))?$"
)

RANK_MARKS: Final = {"subsp.": "subspecies", "ssp.": "subspecies", "var.": "variety", "f.": "form"}

NOT_EPITHETS: Final = (
    "agamosp", "aggr", "agg", "alias", "anon", "auct", "auctt", "aurt", "bacterium", "biovar", "candidatus", "complex",
    "convar", "cult", "culta", "cultivar", "emend", "endosymbiont", "fide", "filius", "form", "forma", "genus", "group",
    "hort", "hybrid", "hybrids", "incertae", "indet", "indeterminate", "ined", "lapsus", "lusus", "misspelling", "monst",
    "morph", "morpha", "mutatio", "natio", "near", "nec", "nomen", "nova", "novum", "nuda", "nudum", "pathovar", "phage",
    "plasmid", "prion", "prions", "proles", "race", "section", "sedis", "sensu", "sequence", "serovar", "serotype",
    "soil", "spec", "species", "spp", "stirps", "strain", "subform", "subforma", "subgen", "subgenus", "subsp", "subspec",
    "subspecies", "subvar", "symbiont", "type", "uncertain", "uncultured", "undescribed", "undetermined", "unassigned",
    "unidentified", "unknown", "unnamed", "unplaced", "unspecified", "varietas", "variety", "vector", "viroid", "viroids",
    "virus", "viruses", "phytoplasma", "satellite", "particle", "agent", "agents", "killer", "recorded", "idem", "typus",
    "synonym", "partim", "pars", "holotype", "paratype", "sine", "dela", "part", "larva", "larvae", "juvenile", "egg",
    "delle", "dello", "degli", "tribe", "subtribe", "subsection", "series", "subseries", "eggs", "nymph", "damaged",
    "with", "from", "that", "this", "than", "name", "names", "none", "null", "like",
)  # fmt: skip
"""Words in the place of an epithet that may be none: such names are read by the parser."""

NOT_GENERA: Final = (
    "Unknown", "Unidentified", "Undetermined", "Indet", "None", "Not", "Null", "Unnamed", "Uncultured", "Candidatus",
    "Undescribed", "Unassigned", "Incertae", "Virus", "Phage", "Satellite", "Genus", "Species", "Family", "Order",
    "Class", "Environmental", "Miscellaneous", "Missing", "Test", "Hybrid", "Unclassified", "Unplaced", "Betasatellites",
    "Alphasatellites", "Deltasatellites", "Viroid", "Plasmid", "Nan", "Indeterminate", "Various", "Mixed", "Sp", "Spec",
    "Spp", "Gen", "Nov", "The", "Phytoplasma", "Unallocated", "Uncertain", "Blank", "Placeholder", "Group", "Nil",
)  # fmt: skip


def plain_names(asked: pl.DataFrame) -> pl.DataFrame:
    """Return for every row of `asked` (`_name`, `_authorship`, `_code`) the parse of a plain name; `plain` false elsewhere.

    Columns: `plain`, `g`, `e1`, `e2`, `m` (rank marker), `a` (authorship), `year`.
    """
    parts = pl.col("_name").str.extract_groups(_PLAIN)
    odd = pl.col("e1").is_in(NOT_EPITHETS) | pl.col("e2").is_in(NOT_EPITHETS) | pl.col("g").is_in(NOT_GENERA)
    virus = pl.col("g").str.contains(r"(?:virus|viroid|satellites?|bacterium|viridae|virinae|virales)$")
    virus = virus | pl.any_horizontal(
        pl.col("e1", "e2").str.contains(r"(?:virus|viroids?|phages?|satellites?|bacterium|symbionts?)$")
    )
    odd = odd | pl.col("g").is_in(sorted({name.split(" ")[0] for name in PARTICLE_EPITHETS}))
    given = pl.col("_authorship")
    return (
        asked.select("_authorship", "_code", parts=parts)
        .unnest("parts")
        .with_columns(
            plain=(
                pl.col("g").is_not_null()
                & (pl.col("e1").is_not_null() | pl.coalesce("a", given).str.contains(r"\d").fill_null(value=True))
                # a subgenus alone, a marker without an epithet and an autonym are for the parser
                & (pl.col("s").is_null() | pl.col("e1").is_not_null())
                & (pl.col("m").is_null() | (pl.col("e1").is_not_null() & (pl.col("e1") != pl.col("e2"))))
                & ~odd.fill_null(value=False)
                & ~virus.fill_null(value=False)
                & ~pl.coalesce("a", given).str.contains("Anon|pv$").fill_null(value=False)
                & ~pl.col("_code").is_in(["virus", "cultivars"]).fill_null(value=False)
                # an authorship given twice, or one that is not usual, is for the parser
                & (
                    given.is_null()
                    | (pl.col("a").is_null() & given.str.contains(rf"^(?:{_CITATION}|{_BOTANICAL})$"))
                    | (pl.col("a") == given)
                )
            ).fill_null(value=False),
            a=pl.coalesce("a", given)
            .str.replace_all(r"\b([A-Z])\. ([A-Z]|von |van |de |d')", "${1}.${2}")
            .str.replace_all(r"\b([A-Z])\. ([A-Z]|von |van |de |d')", "${1}.${2}")
            .str.replace_all(". f.", ".f.", literal=True),
        )
        .with_columns(year=pl.col("a").str.extract(r"(\d{4})\)?$"))
        .select("plain", "g", "e1", "e2", "m", "a", "year")
    )
