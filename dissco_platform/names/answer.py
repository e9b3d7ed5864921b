"""The answer for each name: usage, accepted usage, classification, alternatives and a note in words, as columns.

Which usage it is was decided in `match.py` or by a curator (`overrides.py`).
"""

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
    out = pl.concat([frame, _texts(row, accepted, lineage, backbone)], how="horizontal")
    shared = _shared(frame, backbone)
    if shared.height:
        out = out.with_columns([out[r].scatter(shared["q"], shared[f"shared_{r}"]) for r in CLASSIFICATION])
    out = out.with_columns(
        alternatives=_alternatives(frame, backbone),
        note=_with_rank(_note(frame), out["matchedRank"], frame["matchType"] == "higherRank"),
        release=pl.lit(backbone.info.release),
    )
    return out.select([pl.col(name).cast(dtype) for name, dtype in MATCH_COLUMNS.items()])


def _texts(row: pl.Series, accepted: pl.Series, lineage: pl.Series, backbone: Backbone) -> pl.DataFrame:
    """Return what is told of the matched and the accepted usages; one selection a table, so that columns go in parallel."""
    usages = backbone.usages
    text = pl.String
    of_row, of_accepted = pl.lit(row), pl.lit(accepted)
    matched = usages.select(
        usageID=pl.col("id").gather(of_row),
        matchedName=pl.col("name").gather(of_row),
        author=pl.col("authorship_id").gather(of_row),
        matchedRank=pl.col("rank").gather(of_row).cast(text),
        matchedStatus=pl.col("status").gather(of_row).cast(text),
        acceptedUsageID=pl.col("id").gather(of_accepted),
        acceptedName=pl.col("name").gather(of_accepted),
        accepted_author=pl.col("authorship_id").gather(of_accepted),
        acceptedRank=pl.col("rank").gather(of_accepted).cast(text),
        species=pl.col("name").gather(pl.col("species").gather(of_row)),
        nomenclaturalCode=pl.col("code").gather(of_row).cast(text),
    )
    authors = backbone.authorships.to_frame("authorship").select(
        matchedAuthorship=pl.col("authorship").gather(pl.lit(matched["author"])),
        acceptedAuthorship=pl.col("authorship").gather(pl.lit(matched["accepted_author"])),
    )
    above = backbone.lineages.select([pl.col(rank).gather(pl.lit(lineage)) for rank in CLASSIFICATION])
    return pl.concat([matched.drop("author", "accepted_author"), authors, above], how="horizontal")


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


def _with_rank(notes: pl.Series, ranks: pl.Series, vague: pl.Series) -> pl.Series:
    """Return notes with the matched rank where it is spoken of: that only the kingdom is known helps nobody, and is said."""
    places = vague.arg_true()
    told = pl.DataFrame({"note": notes.gather(places), "rank": ranks.gather(places)})
    rank = pl.when(pl.col("rank") != "unranked").then("rank").otherwise(pl.lit("higher taxon"))
    worded = told.group_by("note", "rank").agg(pl.len()).with_columns(name=rank.fill_null("higher taxon"))
    words = [note.replace(_RANK_HERE, name) for note, name in worded.select("note", "name").iter_rows()]
    worded = worded.with_columns(told=pl.Series(words, dtype=pl.String))
    told = told.join(worded, on=["note", "rank"], how="left", nulls_equal=True, maintain_order="left")
    return notes.scatter(places, told["told"]) if places.len() else notes


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
