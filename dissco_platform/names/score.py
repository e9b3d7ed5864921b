"""How sure a candidate is: name, authorship, classification, rank and status weighed and kept apart.

The weights start from GBIF's matching service (name 100, +10 for a binomial; authorship, classification by rank, rank and
status added) and depart from it where its users complain; every departure says so. Candidates come from `candidates.py`,
the choice among them is made in `match.py`.
"""

from functools import cache
from typing import Final

import polars as pl

from dissco_platform.names.normalise import word_key
from dissco_platform.names.ranks import RANK_GROUP, RANK_NUMBER

THRESHOLD: Final = 80
"""A usage of the name itself is a match from this confidence on (GBIF's own figure)."""

CLASSIFICATION_WEIGHTS: Final[tuple[tuple[str, int, int], ...]] = (
    ("kingdom", 5, -10),
    ("phylum", 10, -10),
    ("class", 15, -10),
    ("order", 15, -10),
    ("family", 25, -15),
    ("genus", 2, 0),
)
"""(rank, points where query and candidate agree, points where they differ)."""

CLASSIFIED: Final = tuple(rank for rank, _, _ in CLASSIFICATION_WEIGHTS)

SAME_TAXON: Final[dict[str, str]] = {
    "metazoa": "animalia", "animals": "animalia", "viridiplantae": "plantae", "chloroplastida": "plantae",
    "archaeplastida": "plantae", "magnoliophyta": "tracheophyta", "spermatophyta": "tracheophyta",
    "pteridophyta": "tracheophyta", "equisetopsida": "magnoliopsida", "mycota": "fungi", "eumycota": "fungi",
    "monera": "bacteria", "prokaryota": "bacteria", "eubacteria": "bacteria", "compositae": "asteraceae",
    "gramineae": "poaceae", "leguminosae": "fabaceae", "cruciferae": "brassicaceae", "umbelliferae": "apiaceae",
    "labiatae": "lamiaceae", "palmae": "arecaceae", "guttiferae": "clusiaceae", "papilionaceae": "fabaceae",
    "pisces": "actinopterygii", "osteichthyes": "actinopterygii", "teleostei": "actinopterygii",
    "lamellibranchiata": "bivalvia", "pelecypoda": "bivalvia", "lepidopterida": "lepidoptera",
    "insecta": "insecta", "hexapoda": "insecta", "vertebrata": "chordata", "heteroptera": "hemiptera",
    "homoptera": "hemiptera", "acarina": "acari", "chromista": "chromista", "protista": "protozoa",
    "liliatae": "liliopsida", "monocotyledonae": "liliopsida", "dicotyledonae": "magnoliopsida",
    "coniferophyta": "tracheophyta", "angiospermae": "tracheophyta",
}  # fmt: skip
"""Names used one for the other in classifications, in lower case → the one compared (ICN Art. 18.5, common use)."""

KINGDOM_GULFS: Final[dict[tuple[str, str], int]] = {
    ("animalia", "plantae"): -51,
    ("animalia", "bacteria"): -31,
    ("animalia", "archaea"): -31,
    ("animalia", "viruses"): -31,
    ("plantae", "bacteria"): -31,
    ("plantae", "archaea"): -31,
    ("plantae", "viruses"): -31,
}

STATUS_POINTS: Final[dict[str, int]] = {
    "accepted": 1,
    "provisionally accepted": -5,
    "synonym": 0,
    "ambiguous synonym": -1,
    "misapplied": -10,
    "bare name": -10,
}


def taxon_key(name: pl.Expr) -> pl.Expr:
    """Return a higher taxon's name as it is compared: first word, lower case ASCII, equivalents made one."""
    return word_key(name.str.strip_chars().str.extract(r"^([^\s,(]+)")).replace("", None).replace(SAME_TAXON)


_GROUP: Final = RANK_GROUP


def classification_score() -> pl.Expr:
    """Return the points of the classification: columns `q_<rank>` (query) and `c_<rank>` (candidate), lower case keys.

    Agreement above a contradiction proves little (all insects agree on Insecta): points from ranks above the highest
    contradicted rank count no more than 5.
    """
    total = pl.lit(0)
    broken = pl.lit(value=False)
    above = pl.lit(0)
    for rank, plus, minus in CLASSIFICATION_WEIGHTS:
        q, c = pl.col(f"q_{rank}"), pl.col(f"c_{rank}")
        known = q.is_not_null() & c.is_not_null()
        differs = (known & (q != c)).fill_null(value=False)
        agrees = (known & (q == c)).fill_null(value=False)
        gulf = pl.lit(minus)
        if rank == "kingdom":
            for (one, two), points in KINGDOM_GULFS.items():
                either = ((q == one) & (c == two)) | ((q == two) & (c == one))
                gulf = pl.when(either).then(points).otherwise(gulf)
        above = pl.when(differs & ~broken).then(above.clip(None, 5)).otherwise(above)
        broken = broken | differs if rank != "genus" else broken
        above = above + pl.when(agrees).then(plus).otherwise(0)
        total = total + pl.when(differs).then(gulf).otherwise(0)
    return (above + total).clip(-60, 50).cast(pl.Int16)


@cache
def _rank_table() -> pl.Series:
    """Return `rank_score` of every pair of ranks, by number of the query's rank times their count plus the other's."""
    names = pl.DataFrame({"rank": list(RANK_NUMBER)})
    pairs = names.rename({"rank": "q_rank"}).join(
        names.rename({"rank": "c_rank"}), how="cross", maintain_order="left_right"
    )
    return pairs.select(rank_score()).to_series()


def rank_points(query: pl.Series, candidate: pl.Series) -> pl.Series:
    """Return the points of the rank for numbers of ranks (`ranks.RANK_NUMBER`)."""
    pairs = query.cast(pl.UInt32) * len(RANK_NUMBER) + candidate.cast(pl.UInt32)
    return _rank_table().gather(pairs)


def rank_score() -> pl.Expr:
    """Return the points of the rank: columns `q_rank` (null where not given) and `c_rank`, in ColDP's words."""
    q, c = pl.col("q_rank"), pl.col("c_rank")
    q_group = q.replace_strict(_GROUP, default="unranked", return_dtype=pl.String)
    c_group = c.replace_strict(_GROUP, default="unranked", return_dtype=pl.String)
    low = ["species", "infraspecific", "aggregate", "cultivar"]
    high = ["higher"]
    loose = ["infraspecific name", "infrageneric name", "unranked"]
    return (
        pl.when(q.is_null() | (q == "unranked"))
        .then(0)
        .when(q == c)
        .then(6)
        .when(c == "unranked")
        .then(0)
        # a species aggregate is no species, and the reverse: neither may stand for the other
        .when((q_group == "aggregate") != (c_group == "aggregate"))
        .then(
            pl.when(q_group.is_in(["species", "aggregate"]) & c_group.is_in(["species", "aggregate"]))
            .then(-35)
            .otherwise(-30)
        )
        # a wrong marker ("subsp." for a variety) does not hide a match
        # three names without a marker are a subspecies in the zoological code, and most often elsewhere
        .when((q == "infraspecific name") & (c == "subspecies"))
        .then(6)
        .when((q_group == c_group) & (q.is_in(loose) | c.is_in(loose)))
        .then(5)
        .when((q_group == c_group) & (q_group == "infraspecific"))
        .then(-1)
        .when(q_group.is_in(low) != c_group.is_in(low))
        .then(-30)
        # candidates have as many words as the name: a binomial kept as a subspecies is still this binomial
        .when(q_group.is_in(low))
        .then(-4)
        .when(q_group.is_in(high) != c_group.is_in(high))
        .then(-35)
        .when(q_group == c_group)
        .then(-4)
        .otherwise(-6)
        .cast(pl.Int16)
    )


def confidence(score: pl.Expr) -> pl.Expr:
    """Return 0–100 for a total score: itself up to 80, then flattening (GBIF's curve)."""
    return (
        pl.when(score <= THRESHOLD)
        .then(score)
        .otherwise(75.8 + 26 * (((score.clip(71, None) - 70) * 1.5).log10() - 1))
        .clip(0, 100)
        .round(0)
        .cast(pl.Int16)
    )
