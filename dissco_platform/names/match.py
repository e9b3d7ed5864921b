"""The choice among candidates: one answer for each distinct name, with its score parts and alternatives.

Stages: identifiers and exact or variant words; words a letter off, for what is not resolved by then; then the species,
the genus and the classification as higher ranks. Weights are in `score.py`, candidates in `candidates.py`, the queries'
columns are made in `query.py`.
"""

from typing import Final

import polars as pl

from dissco_platform.names.answer import MATCH_COLUMNS, MAX_ALTERNATIVES, answers
from dissco_platform.names.candidates import by_identifier, by_typo, by_words, number_words
from dissco_platform.names.index import Backbone
from dissco_platform.names.match_types import AS_WRITTEN
from dissco_platform.names.ranks import RANK_NUMBER, UNRANKED
from dissco_platform.names.rating import score_candidates
from dissco_platform.names.score import CLASSIFIED, THRESHOLD, confidence

HIGHER_THRESHOLD: Final = 85
HIGHER_LEVELS: Final = ("species", "genus", "family", "order", "class", "phylum", "kingdom")


def match_queries(queries: pl.DataFrame, backbone: Backbone, *, higher_rank: bool = True) -> pl.DataFrame:
    """Return MATCH_COLUMNS for every row of `queries` (see `query.py`), in its order.

    With `higher_rank` false a name that matches nothing of its own stays unmatched.
    """
    queries = queries.with_columns(
        q=pl.int_range(pl.len(), dtype=pl.UInt32),
        rank=pl.col("rank").replace_strict(RANK_NUMBER, default=UNRANKED, return_dtype=pl.UInt8),
    )
    queries = number_words(queries, backbone)
    named = queries.filter(pl.col("g").is_not_null())
    by_id = by_identifier(queries, backbone)
    # a checklist may hold "Aus sp. A" itself: then it is that, not the genus
    literal = queries.filter(pl.col("literal").is_not_null()).select(
        "q", g="literal", e1=pl.lit(None, dtype=pl.String), e2=pl.lit(None, dtype=pl.String)
    )
    itself = by_words(number_words(literal, backbone), backbone)
    others = by_words(named.join(itself, on="q", how="anti"), backbone)
    # an id counts where the name agrees, or where there is no name and the id is no mere number: a dataset's own ids look
    # like anybody's
    nameless = queries.filter(pl.col("g").is_null() & ~pl.col("id").str.contains(r"^\d+$").fill_null(value=True))
    by_id = pl.concat(
        [by_id.join(pl.concat([itself, others]), on=["q", "row"], how="semi"), by_id.join(nameless, on="q", how="semi")]
    )
    direct = pl.concat([itself, others, by_id])
    if not by_id.is_empty():
        direct = direct.unique(maintain_order=True)
    scored = score_candidates(direct, queries, backbone, by_id)
    chosen = choose(scored, THRESHOLD, backbone)
    # a genus whose authors are others than the record's may be a misspelling of one that they did describe
    settled = chosen.filter(
        (pl.col("matchType") != "none")
        & (pl.col("e1").is_not_null() | pl.col("authorship").is_null() | (pl.col("author") > 0))
    )
    open_queries = named.join(settled, on="q", how="anti")
    near = by_typo(open_queries, backbone).join(direct, on=["q", "row"], how="anti")
    if not near.is_empty():
        more = score_candidates(near.select("q", "row"), queries, backbone, None, near)
        again = pl.concat([scored.join(more.select("q").unique(), on="q", how="semi"), more], how="diagonal")
        chosen = pl.concat(
            [chosen.join(again.select("q").unique(), on="q", how="anti"), choose(again, THRESHOLD, backbone)],
            how="diagonal",
        )
    # "Aus sp." and "Aus aff. bus" name a genus and mean something in it
    beyond = queries.filter("beyond").join(itself, on="q", how="anti")["q"].implode()
    of_its_own = pl.col("q").is_in(beyond) & ~pl.col("matchType").is_in(["none", "ambiguous"])
    chosen = chosen.with_columns(
        matchType=pl.when(of_its_own).then(pl.lit("higherRank")).otherwise(pl.col("matchType"))
    )
    if higher_rank:
        unmatched = queries.filter(~pl.col("coded")).join(
            chosen.filter(pl.col("matchType") != "none"), on="q", how="anti"
        )
        higher = _higher(unmatched, backbone)
        chosen = pl.concat([chosen.join(higher.select("q"), on="q", how="anti"), higher], how="diagonal")
    return answers(queries, chosen, backbone)


def choose(scored: pl.DataFrame, threshold: int, backbone: Backbone) -> pl.DataFrame:
    """Return one row a query (q): the best candidate, its confidence and matchType, and the alternatives' rows.

    Several usages of one accepted usage are one answer; usages of different accepted ones that no score part tells
    apart are `ambiguous`.
    """
    counted = scored.with_columns(candidates=pl.len().over("q"))
    single = counted.filter(pl.col("candidates") == 1).with_columns(
        second=pl.lit(None, dtype=pl.Int16),
        far=pl.lit(None, dtype=pl.Int16),
        other_rows=pl.concat_list("row"),
        other_totals=pl.concat_list("total"),
        twice=pl.lit(None, dtype=pl.Boolean),
    )
    several = counted.filter(pl.col("candidates") > 1)
    first = pl.concat([single, _first(several, backbone)], how="diagonal")
    gap = pl.col("total") - pl.col("second")
    bonus = pl.when(pl.col("second").is_null()).then(5).otherwise((gap / 2).clip(0, 5))
    first = first.with_columns(confidence=confidence(pl.col("total") + bonus))
    enough = pl.col("confidence") >= threshold
    return first.with_columns(
        matchType=pl.when(~enough)
        .then(pl.lit("none"))
        # one point (accepted or synonym) does not decide between homonyms of different classes
        .when((gap <= 0).fill_null(value=False) | ((pl.col("total") - pl.col("far")) <= 1).fill_null(value=False))
        .then(pl.lit("ambiguous"))
        .otherwise(pl.col("kind"))
    )


def _first(scored: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return the best candidate of each query with `second` (the best total of another accepted usage), `far`, others."""
    rows = scored["row"]
    label = backbone.usages["name"].gather(rows).str.len_bytes() + scored["c_author"].str.len_bytes().fill_null(0)
    classes = backbone.lineage_keys.select("kingdom", "phylum", "class")
    above = [classes[rank].gather(scored["lineage"]).alias(f"above_{rank}") for rank in classes.columns]
    placed = backbone.lineage_keys.select(pl.sum_horizontal(pl.col(CLASSIFIED).is_not_null())).to_series()
    depth = placed.gather(scored["lineage"])
    # equal to the last point: the shorter label (GBIF's order), the better placed (the Catalogue of Life's), the earlier
    ordered = scored.with_columns(*above, label=label, depth=depth).sort(
        ["q", "total", "label", "depth", "row"], descending=[False, True, False, True, False], maintain_order=True
    )
    ordered = ordered.with_columns(place=pl.int_range(pl.len()).over("q"))
    apart = pl.any_horizontal(
        [
            (pl.col(f"above_{rank}") != pl.col(f"above_{rank}").first().over("q")).fill_null(value=False)
            for rank in classes.columns
        ]
    )
    ordered = ordered.with_columns(apart=apart)
    twins = _twins(ordered, backbone)
    first = ordered.filter(pl.col("place") == 0).join(
        twins.select("q").unique().with_columns(twice=pl.lit(value=True)), on="q", how="left"
    )
    rivals = (
        ordered.join(twins, on=["q", "row"], how="anti")
        .filter(pl.col("accepted") != pl.col("accepted").first().over("q"))
        .group_by("q", maintain_order=True)
        .agg(second=pl.col("total").max(), far=pl.col("total").filter(pl.col("apart")).max())
    )
    others = (
        ordered.filter(pl.col("place").is_between(0, MAX_ALTERNATIVES))
        .group_by("q", maintain_order=True)
        .agg(other_rows="row", other_totals="total", n=pl.len())
    )
    return first.join(rivals, on="q", how="left").join(others, on="q", how="left")


def _twins(ordered: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return (q, row) of usages that a checklist keeps twice: accepted, with the rank, author and place of the best one.

    Which of the two is named makes no difference to anybody; the earlier one is.
    """
    best = ["total", "c_rank", "c_author"]
    same = pl.all_horizontal([pl.col(c).eq_missing(pl.col(c).first().over("q")) for c in best])
    accepted = (pl.col("row") == pl.col("accepted")) & (
        pl.col("row").first().over("q") == pl.col("accepted").first().over("q")
    )
    alike = ordered.filter(same & accepted & (pl.col("kind") == "exact")).filter(pl.len().over("q") > 1)
    keys = backbone.lineage_keys.select(CLASSIFIED)
    alike = alike.select("q", "row", "lineage")
    places = [keys[rank].gather(alike["lineage"]).alias(rank) for rank in CLASSIFIED]
    conflict = pl.any_horizontal(
        [(pl.col(r) != pl.col(r).first().over("q")).fill_null(value=False) for r in CLASSIFIED]
    )
    row = pl.col("row")
    return alike.with_columns(places).filter(~conflict & (row != row.first().over("q"))).select("q", "row")


def _higher(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return the lowest higher taxon of each query that is known for certain: species, genus, then its classification."""
    base = ["q", "code", "id", *(f"q_{rank}" for rank in CLASSIFIED)]
    none = pl.lit(None, dtype=pl.String)
    parts = []
    for level, rank in enumerate(HIGHER_LEVELS):
        if rank == "species":
            asked = queries.filter(pl.col("e1").is_not_null() & (pl.col("e2").is_not_null() | pl.col("beyond")))
            part = asked.select(*base, g=pl.col("g"), e1=pl.col("e1"))
        elif rank == "genus":
            own = pl.when(pl.col("e1").is_not_null() | pl.col("beyond")).then(pl.col("g"))
            part = queries.select(*base, g=pl.coalesce(own, pl.col("q_genus")), e1=none)
        else:
            part = queries.select(*base, g=pl.col(f"q_{rank}"), e1=none)
        hidden = CLASSIFIED[CLASSIFIED.index(rank) :] if rank in CLASSIFIED else ()
        part = part.with_columns([none.alias(f"q_{r}") for r in hidden])
        parts.append(
            part.with_columns(level=pl.lit(level, dtype=pl.Int8), rank=pl.lit(RANK_NUMBER[rank], dtype=pl.UInt8))
        )
    asked = pl.concat(parts).filter(pl.col("g").is_not_null())
    asked = asked.rename({"q": "query"}).with_columns(
        q=pl.int_range(pl.len(), dtype=pl.UInt32), e2=none, authorship=none, whole=pl.lit(value=False)
    )
    asked = number_words(asked, backbone)
    found = score_candidates(by_words(asked, backbone), asked, backbone)
    found = found.filter(
        (pl.col("rankScore") > -6) & ((pl.col("c_rank") != UNRANKED) | (pl.col("q_rank") == RANK_NUMBER["genus"]))
    )
    chosen = choose(found, HIGHER_THRESHOLD, backbone).filter(pl.col("matchType").is_in(AS_WRITTEN))
    chosen = chosen.join(asked.select("q", "query", "level"), on="q").sort("level").unique("query", keep="first")
    return chosen.with_columns(q=pl.col("query"), matchType=pl.lit("higherRank")).drop("query", "level")


__all__ = ["MATCH_COLUMNS", "match_queries"]
