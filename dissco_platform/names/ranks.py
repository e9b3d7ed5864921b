"""Ranks, rank markers, taxonomic statuses and nomenclatural codes as tables.

Sources: ColDP's rank, status and code vocabularies; markers as the codes (ICZN, ICN, ICNP) and collections write them.
How ranks weigh in a match is in `score.py`.
"""

from typing import Final

RANKS: Final[tuple[tuple[str, str], ...]] = (
    ("domain", "higher"),
    ("realm", "higher"),
    ("superkingdom", "higher"),
    ("kingdom", "higher"),
    ("subkingdom", "higher"),
    ("infrakingdom", "higher"),
    ("superphylum", "higher"),
    ("phylum", "higher"),
    ("subphylum", "higher"),
    ("infraphylum", "higher"),
    ("parvphylum", "higher"),
    ("gigaclass", "higher"),
    ("megaclass", "higher"),
    ("superclass", "higher"),
    ("class", "higher"),
    ("subclass", "higher"),
    ("infraclass", "higher"),
    ("subterclass", "higher"),
    ("superorder", "higher"),
    ("order", "higher"),
    ("nanorder", "higher"),
    ("suborder", "higher"),
    ("infraorder", "higher"),
    ("parvorder", "higher"),
    ("superfamily", "higher"),
    ("epifamily", "higher"),
    ("family", "higher"),
    ("subfamily", "higher"),
    ("infrafamily", "higher"),
    ("supertribe", "higher"),
    ("tribe", "higher"),
    ("subtribe", "higher"),
    ("genus", "genus"),
    ("subgenus", "infrageneric"),
    ("section", "infrageneric"),
    ("subsection", "infrageneric"),
    ("series", "infrageneric"),
    ("subseries", "infrageneric"),
    ("infrageneric name", "infrageneric"),
    ("species aggregate", "aggregate"),
    ("species", "species"),
    ("infraspecific name", "infraspecific"),
    ("subspecies", "infraspecific"),
    ("variety", "infraspecific"),
    ("subvariety", "infraspecific"),
    ("form", "infraspecific"),
    ("subform", "infraspecific"),
    ("aberration", "infraspecific"),
    ("morph", "infraspecific"),
    ("forma specialis", "infraspecific"),
    ("pathovar", "infraspecific"),
    ("biovar", "infraspecific"),
    ("cultivar", "cultivar"),
    ("strain", "cultivar"),
    ("unranked", "unranked"),
)
"""(rank, group), from the highest down; "unranked" and "other" stand for an unknown rank."""

RANK_NUMBER: Final[dict[str, int]] = {rank: number for number, (rank, _) in enumerate(RANKS)}
RANK_GROUP: Final[dict[str, str]] = dict(RANKS)
UNRANKED: Final = RANK_NUMBER["unranked"]

RANK_ALIASES: Final[dict[str, str]] = {
    "sp": "species", "spec": "species", "sp.": "species", "espece": "species", "art": "species",
    "ssp": "subspecies", "ssp.": "subspecies", "subsp": "subspecies", "subsp.": "subspecies",
    "subspecific": "subspecies", "sub species": "subspecies", "unterart": "subspecies",
    "var": "variety", "var.": "variety", "varietas": "variety", "subvar.": "subvariety", "subvar": "subvariety",
    "f": "form", "f.": "form", "fo.": "form", "fo": "form", "forma": "form", "subf.": "subform",
    "ab.": "aberration", "f.sp.": "forma specialis", "f. sp.": "forma specialis", "pv.": "pathovar",
    "infraspecific": "infraspecific name", "infrasubspecific name": "infraspecific name",
    "species_aggregate": "species aggregate", "agg.": "species aggregate", "agg": "species aggregate",
    "aggregate": "species aggregate", "group": "species aggregate", "complex": "species aggregate",
    "gen": "genus", "gen.": "genus", "g.": "genus", "gattung": "genus", "genre": "genus",
    "subgen": "subgenus", "subgen.": "subgenus", "subg.": "subgenus", "sect.": "section", "sect": "section",
    "subsect.": "subsection", "ser.": "series", "section botany": "section", "section_botany": "section",
    "section zoology": "section", "series botany": "series", "series_botany": "series",
    "infrageneric": "infrageneric name", "supraspecific name": "unranked", "suprageneric name": "unranked",
    "fam": "family", "fam.": "family", "familia": "family", "famille": "family", "familie": "family",
    "superfam.": "superfamily", "subfam.": "subfamily", "trib.": "tribe", "ord": "order", "ord.": "order",
    "ordo": "order", "ordre": "order", "cl": "class", "cl.": "class", "classis": "class", "classe": "class",
    "phyl.": "phylum", "division": "phylum", "divisio": "phylum", "subdivision": "subphylum",
    "regnum": "kingdom", "regn.": "kingdom", "empire": "domain", "superdomain": "domain",
    "cv.": "cultivar", "cv": "cultivar", "cultivar group": "cultivar", "cultivar_group": "cultivar",
    "other": "unranked", "unknown": "unranked", "no rank": "unranked", "unranked": "unranked", "clade": "unranked",
}  # fmt: skip
"""What is written for a rank, in lower case → the rank; a rank's own name needs no alias."""

STATUSES: Final[tuple[str, ...]] = (
    "accepted",
    "provisionally accepted",
    "synonym",
    "ambiguous synonym",
    "misapplied",
    "bare name",
)
"""ColDP's taxonomic statuses, in this order in the index."""

STATUS_ALIASES: Final[dict[str, str]] = {
    "valid": "accepted", "current": "accepted", "accepted name": "accepted",
    "doubtful": "provisionally accepted", "provisional": "provisionally accepted",
    "provisionally_accepted": "provisionally accepted", "unresolved": "provisionally accepted",
    "uncertain": "provisionally accepted", "unassessed": "provisionally accepted",
    "ambiguous_synonym": "ambiguous synonym", "pro parte synonym": "ambiguous synonym",
    "proparte synonym": "ambiguous synonym", "proparte_synonym": "ambiguous synonym",
    "homotypic synonym": "synonym", "heterotypic synonym": "synonym", "homotypic_synonym": "synonym",
    "heterotypic_synonym": "synonym", "junior synonym": "synonym", "objective synonym": "synonym",
    "subjective synonym": "synonym", "invalid": "synonym", "not accepted": "synonym", "unaccepted": "synonym",
    "misapplied name": "misapplied", "bare_name": "bare name",
}  # fmt: skip

CODES: Final[dict[str, str]] = {
    "iczn": "zoological", "zoological": "zoological", "zoo": "zoological",
    "icn": "botanical", "icnafp": "botanical", "icbn": "botanical", "botanical": "botanical", "bot": "botanical",
    "icnp": "bacterial", "icnb": "bacterial", "bacterial": "bacterial", "prokaryotic": "bacterial",
    "icvcn": "virus", "ictv": "virus", "virus": "virus", "viral": "virus",
    "icncp": "cultivars", "cultivar": "cultivars", "cultivars": "cultivars", "icpn": "phyto", "phyto": "phyto",
}  # fmt: skip
"""Nomenclatural code as written, in lower case → ColDP's word."""

CLASSIFICATION: Final[tuple[str, ...]] = (
    "kingdom",
    "phylum",
    "class",
    "order",
    "superfamily",
    "family",
    "subfamily",
    "tribe",
    "genus",
    "subgenus",
)
"""Ranks kept of every usage's lineage; `species` is kept beside them, with the usage."""

MARKERS: Final = (
    "subsp|ssp|subspecies|var|varietas|variety|subvar|f|fo|fm|forma|form|subf|subforma|morph|ab|aberration|"
    "nothosubsp|nothovar|nothof|natio|race|stirps|prol|proles|mut|convar|lusus|cv|agamosp|pv|bv"
)
"""Rank markers between epithets, as an alternation without dots."""


def rank_of(text: str | None) -> str:
    """Return ColDP's name of the rank written as `text`; "unranked" where it is unknown or blank."""
    if not text:
        return "unranked"
    key = text.strip().lower().replace("_", " ")
    if key in RANK_NUMBER:
        return key
    return RANK_ALIASES.get(key) or RANK_ALIASES.get(key.rstrip(".")) or "unranked"
