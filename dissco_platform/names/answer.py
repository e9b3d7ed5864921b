"""The answer for each name: usage, accepted usage, classification, alternatives and a note in words, as columns.

Which usage it is was decided in `match.py` or by a curator (`overrides.py`).
"""

from collections.abc import Callable
from typing import Any, Final

import orjson
import polars as pl

from dissco_platform.names.index import Backbone
from dissco_platform.names.ranks import CLASSIFICATION

MAX_ALTERNATIVES: Final = 5

MATCH_COLUMNS: Final[dict[str, Any]] = {
    "matchType": pl.String,
    "confidence": pl.Int16,
    "usageID": pl.String,
    "matchedName": pl.String,
    "matchedAuthorship": pl.String,
    "matchedRank": pl.String,
    "matchedStatus": pl.String,
    "acceptedUsageID": pl.String,
    "acceptedName": pl.String,
    "acceptedAuthorship": pl.String,
    "acceptedRank": pl.String,
    **dict.fromkeys(CLASSIFICATION, pl.String),
    "species": pl.String,
    "nomenclaturalCode": pl.String,
    "nameScore": pl.Int16,
    "authorshipScore": pl.Int16,
    "classificationScore": pl.Int16,
    "rankScore": pl.Int16,
    "statusScore": pl.Int16,
    "alternatives": pl.String,
    "note": pl.String,
    "release": pl.String,
}
"""Columns of a match, in order."""

_PARTS: Final = ("nameScore", "authorshipScore", "classificationScore", "rankScore", "statusScore")


def answers(queries: pl.DataFrame, chosen: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return MATCH_COLUMNS for every query (`q`), given the chosen candidates (see `match.choose`)."""
    usages = backbone.usages
    frame = queries.select("q", "g", "authorship", "e1").join(
        chosen.drop("g", "e1", "authorship", strict=False), on="q", how="left", maintain_order="left"
    )
    frame = frame.with_columns(matchType=pl.col("matchType").fill_null("none"))
    named = ~pl.col("matchType").is_in(["none", "ambiguous"])
    frame = frame.with_columns(
        row=pl.when(named).then(pl.col("row")),
        accepted=pl.when(named).then(pl.col("accepted")),
        lineage=pl.when(named).then(pl.col("lineage")),
        confidence=pl.when(pl.col("matchType") != "none").then(pl.col("confidence")).otherwise(0).cast(pl.Int16),
    )
    row, accepted, lineage = frame["row"], frame["accepted"], frame["lineage"]
    canonical = _canonical(backbone)
    text: dict[str, pl.Series] = {
        "usageID": usages["id"].gather(row),
        "matchedName": canonical(row),
        "matchedAuthorship": backbone.authorships.gather(usages["authorship_id"].gather(row)),
        "matchedRank": usages["rank"].gather(row).cast(pl.String),
        "matchedStatus": usages["status"].gather(row).cast(pl.String),
        "acceptedUsageID": usages["id"].gather(accepted),
        "acceptedName": canonical(accepted),
        "acceptedAuthorship": backbone.authorships.gather(usages["authorship_id"].gather(accepted)),
        "acceptedRank": usages["rank"].gather(accepted).cast(pl.String),
        "species": canonical(usages["species"].gather(row)),
        "nomenclaturalCode": usages["code"].gather(row).cast(pl.String),
    }
    for rank in CLASSIFICATION:
        text[rank] = backbone.lineages[rank].gather(lineage)
    out = frame.with_columns([series.alias(name) for name, series in text.items()])
    shared = _shared(frame, backbone)
    if shared.height:
        joined = out.select("q").join(shared, on="q", how="left", maintain_order="left")
        out = out.with_columns([pl.coalesce(pl.col(r), joined[f"shared_{r}"]).alias(r) for r in CLASSIFICATION])
    out = out.with_columns(
        alternatives=_alternatives(frame, backbone),
        note=_with_rank(_note(frame), out["matchedRank"]),
        release=pl.lit(backbone.info.release),
    )
    return out.select([pl.col(name).cast(dtype) for name, dtype in MATCH_COLUMNS.items()])


def _shared(frame: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return, for ambiguous queries, the classification that every usage in question shares (`shared_<rank>`)."""
    tied = (
        frame.filter(pl.col("matchType") == "ambiguous")
        .select("q", row="other_rows", total="other_totals")
        .explode("row", "total")
        .filter(pl.col("total") >= pl.col("total").max().over("q") - 1)
    )
    own = backbone.usages["lineage"].gather(tied["row"])
    tied = tied.with_columns([backbone.lineages[rank].gather(own).alias(rank) for rank in CLASSIFICATION])
    return tied.group_by("q").agg(
        [
            pl.when(pl.col(rank).n_unique() == 1).then(pl.col(rank).first()).alias(f"shared_{rank}")
            for rank in CLASSIFICATION
        ]
    )


def answers_for_rows(rows: pl.Series, notes: pl.Series, backbone: Backbone) -> pl.DataFrame:
    """Return MATCH_COLUMNS for usages decided upon by a curator; a null row is "do not match"."""
    usages = backbone.usages
    size = rows.len()
    chosen = pl.DataFrame(
        {
            "row": rows,
            "accepted": usages["accepted"].gather(rows),
            "lineage": usages["lineage"].gather(rows),
            "matchType": rows.is_null().replace_strict({True: "none", False: "exact"}, return_dtype=pl.String),
        }
    ).with_columns(
        q=pl.int_range(size, dtype=pl.UInt32),
        confidence=pl.lit(100, dtype=pl.Int16),
        **{part: pl.lit(None, dtype=pl.Int16) for part in _PARTS},
        total=pl.lit(None, dtype=pl.Int16),
        twice=pl.lit(None, dtype=pl.Boolean),
        other_rows=pl.lit(None, dtype=pl.List(pl.Int32)),
        other_totals=pl.lit(None, dtype=pl.List(pl.Int16)),
    )
    queries = pl.DataFrame(
        {"q": chosen["q"], "g": ["" for _ in range(size)], "authorship": [None] * size, "e1": [None] * size},
        schema={"q": pl.UInt32, "g": pl.String, "authorship": pl.String, "e1": pl.String},
    )
    return answers(queries, chosen, backbone).with_columns(note=notes)


def _canonical(backbone: Backbone) -> Callable[[pl.Series], pl.Series]:
    names = backbone.usages["name"]

    def of(rows: pl.Series) -> pl.Series:
        return names.gather(rows)

    return of


def _alternatives(frame: pl.DataFrame, backbone: Backbone) -> pl.Series:
    """Return up to MAX_ALTERNATIVES other candidates as JSON text; null where there was only one."""
    usages = backbone.usages
    several = frame.select("q", "matchType", "row", "other_rows", "other_totals").filter(
        pl.col("other_rows").list.len() > pl.when(pl.col("row").is_null()).then(0).otherwise(1)
    )
    long = several.explode("other_rows", "other_totals").filter(pl.col("other_rows").ne_missing(pl.col("row")))
    rows = long["other_rows"]
    long = long.with_columns(
        id=usages["id"].gather(rows),
        name=usages["name"].gather(rows),
        author=backbone.authorships.gather(usages["authorship_id"].gather(rows)),
        status=usages["status"].gather(rows).cast(pl.String),
        accepted=usages["id"].gather(usages["accepted"].gather(rows)),
    )
    texts: dict[int, list[dict[str, object]]] = {}
    for q, usage, name, author, status, accepted, total in long.select(
        "q", "id", "name", "author", "status", "accepted", "other_totals"
    ).iter_rows():
        entry = {"usageID": usage, "scientificName": name, "status": status, "score": total}
        if author:
            entry["authorship"] = author
        if accepted != usage:
            entry["acceptedUsageID"] = accepted
        texts.setdefault(q, []).append(entry)
    table = pl.DataFrame(
        {"q": list(texts), "text": [orjson.dumps(t[:MAX_ALTERNATIVES]).decode() for t in texts.values()]},
        schema={"q": pl.UInt32, "text": pl.String},
    )
    return frame.select("q").join(table, on="q", how="left", maintain_order="left")["text"]


_RANK_HERE: Final = "{rank}"


def _with_rank(notes: pl.Series, ranks: pl.Series) -> pl.Series:
    """Return notes with the matched rank where it is spoken of: that only the kingdom is known helps nobody, and is said."""
    frame = pl.DataFrame({"note": notes, "rank": ranks.replace("unranked", "taxon")})
    vague = pl.col("note").str.contains(_RANK_HERE, literal=True).fill_null(value=False)
    told = (
        frame.filter(vague)
        .unique()
        .with_columns(
            told=pl.struct("note", "rank").map_elements(
                lambda row: row["note"].replace(_RANK_HERE, row["rank"] or "higher taxon"), return_dtype=pl.String
            )
        )
    )
    joined = frame.join(told, on=["note", "rank"], how="left", nulls_equal=True, maintain_order="left")
    return joined.select(pl.coalesce("told", "note").alias("note")).to_series()


def _note(frame: pl.DataFrame) -> pl.Series:
    """Return what there is to say of each answer, in words: few combinations, so each is worded once."""
    kind, named = pl.col("matchType"), pl.col("row").is_not_null()
    nothing, unmatched = pl.col("g").is_null(), kind == "none"
    facts: tuple[tuple[pl.Expr, str], ...] = (
        (nothing, "no name to match"),
        (unmatched & ~nothing & pl.col("total").is_null(), "no usage of this or a similar name"),
        (unmatched & ~nothing & pl.col("total").is_not_null(), "candidates contradict what the record says"),
        (kind == "ambiguous", "several usages fit equally well; see alternatives"),
        (kind == "fuzzy", "spelled differently"),
        (kind == "variant", "variant spelling or gender of an epithet"),
        (kind == "higherRank", f"only the {_RANK_HERE} is known"),
        (named & (pl.col("authorshipScore") < -1), "authorship differs"),
        (named & (pl.col("classificationScore") < 0), "classification differs"),
        (named & pl.col("rankScore").is_between(-6, -1), "rank differs"),
        (pl.col("row") != pl.col("accepted"), "synonym"),
        (named & pl.col("twice"), "the checklist has it twice; see alternatives"),
    )
    bits = frame.select(
        pl.sum_horizontal(
            [fact.fill_null(value=False).cast(pl.UInt32) * 2**place for place, (fact, _) in enumerate(facts)]
        ).alias("bits")
    )["bits"]
    worded = {
        value: "; ".join(words for place, (_, words) in enumerate(facts) if value >> place & 1) or None
        for value in bits.unique().to_list()
    }
    return bits.replace_strict(worded, return_dtype=pl.String) if worded else bits.cast(pl.String)
