"""The choice among candidates: one answer for each distinct name, with its score parts and alternatives.

Stages: identifiers and exact or variant words; words a letter off, for what is not resolved by then; then the species,
the genus and the classification as higher ranks. Weights are in `score.py`, candidates in `candidates.py`, the queries'
columns are made in `query.py`.
"""

from typing import Any, Final

import orjson
import polars as pl

from dissco_platform.names import authorship
from dissco_platform.names.backbone import Backbone
from dissco_platform.names.candidates import by_identifier, by_typo, by_words, number_words, unpack
from dissco_platform.names.normalise import squash
from dissco_platform.names.ranks import CLASSIFICATION, RANK_GROUP
from dissco_platform.names.score import (
    CLASSIFICATION_WEIGHTS,
    SAME_TAXON,
    STATUS_POINTS,
    THRESHOLD,
    classification_score,
    confidence,
    rank_score,
)

HIGHER_THRESHOLD: Final = 90
MAX_ALTERNATIVES: Final = 5
HIGHER_LEVELS: Final = ("species", "genus", "family", "order", "class", "phylum", "kingdom")

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
    "kingdom": pl.String,
    "phylum": pl.String,
    "class": pl.String,
    "order": pl.String,
    "superfamily": pl.String,
    "family": pl.String,
    "subfamily": pl.String,
    "tribe": pl.String,
    "genus": pl.String,
    "subgenus": pl.String,
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
_RANKS: Final = tuple(rank for rank, _, _ in CLASSIFICATION_WEIGHTS)


def match_queries(queries: pl.DataFrame, backbone: Backbone, *, higher_rank: bool = True) -> pl.DataFrame:
    """Return MATCH_COLUMNS for every row of `queries` (see `query.py`), in its order.

    With `higher_rank` false a name that matches nothing of its own stays unmatched.
    """
    queries = number_words(queries.with_columns(q=pl.int_range(pl.len(), dtype=pl.UInt32)), backbone)
    named = queries.filter(pl.col("g").is_not_null())
    by_id = by_identifier(queries, backbone)
    direct = pl.concat([by_words(named, backbone), by_id]).unique(maintain_order=True)
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
    if higher_rank:
        unmatched = queries.join(chosen.filter(pl.col("matchType") != "none"), on="q", how="anti")
        higher = _higher(unmatched, backbone)
        chosen = pl.concat([chosen.join(higher.select("q"), on="q", how="anti"), higher], how="diagonal")
    return _answers(queries, chosen, backbone)


def score_candidates(
    candidates: pl.DataFrame,
    queries: pl.DataFrame,
    backbone: Backbone,
    by_id: pl.DataFrame | None = None,
    near: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return candidates (q, row) with score parts, total, kind (exact, variant, fuzzy), accepted row and lineage."""
    usages = backbone.usages
    rows = candidates["row"]
    frame = candidates.with_columns(
        c_rank=usages["rank"].gather(rows).cast(pl.String),
        c_status=usages["status"].gather(rows).cast(pl.String),
        c_code=usages["code"].gather(rows).cast(pl.String),
        c_author=backbone.authorships.gather(usages["authorship_id"].gather(rows)),
        accepted=usages["accepted"].gather(rows),
        lineage=usages["lineage"].gather(rows),
        c_words=backbone.words.gather(rows),
    )
    lineages = backbone.lineage_keys.select(*_RANKS)
    own = frame["lineage"]
    frame = frame.with_columns([lineages[rank].gather(own).alias(f"c_{rank}") for rank in _RANKS])
    wanted = ["q", "g", "e1", "e2", "words", "whole", "authorship", "rank", "code", *(f"q_{rank}" for rank in _RANKS)]
    frame = frame.join(queries.select(wanted), on="q", how="left", maintain_order="left")
    frame = frame.rename({"rank": "q_rank"})
    frame = frame.with_columns(author=_authorship(frame))
    if near is None:
        frame = frame.with_columns(
            kind=pl.when(pl.col("words") == pl.col("c_words")).then(pl.lit("exact")).otherwise(pl.lit("variant"))
        )
    else:
        frame = frame.with_columns(kind=pl.lit("fuzzy"))
    frame = _name_score(frame, backbone)
    if by_id is not None and not by_id.is_empty():
        frame = frame.join(by_id.with_columns(identified=pl.lit(value=True)), on=["q", "row"], how="left")
    else:
        frame = frame.with_columns(identified=pl.lit(None, dtype=pl.Boolean))
    group = pl.col("c_rank").replace_strict(RANK_GROUP, default="unranked", return_dtype=pl.String)
    higher = group == "higher"
    uninomial = pl.col("e1").is_null()
    code_differs = (pl.col("code") != pl.col("c_code")).fill_null(value=False)
    classification = classification_score(0)
    frame = frame.with_columns(
        authorshipScore=(
            pl.when(pl.col("author") > 0)
            # the same citation letter by letter says more than one that only does not contradict
            .then(pl.when(higher).then(4).otherwise(12) + pl.when(pl.col("author") == 2).then(8).otherwise(0))
            .when(pl.col("author") < 0)
            .then(pl.when(higher).then(-6).otherwise(-36))
            .when(pl.col("authorship").is_not_null() & pl.col("c_author").is_null())
            .then(-1)
            .otherwise(0)
            .cast(pl.Int16)
        ),
        # a genus or family has no epithet to vouch for it: what contradicts it counts twice
        classificationScore=(
            pl.when(uninomial & (classification < 0)).then(classification * 2).otherwise(classification)
            + pl.when(code_differs).then(-25).otherwise(0)
        ).cast(pl.Int16),
        rankScore=rank_score(),
        statusScore=pl.col("c_status").replace_strict(STATUS_POINTS, default=0, return_dtype=pl.Int16),
        identifierScore=pl.when(pl.col("identified")).then(30).otherwise(0).cast(pl.Int16),
    )
    aggregate = (pl.col("q_rank") == "species aggregate") != (pl.col("c_rank") == "species aggregate")
    frame = frame.filter(~(aggregate & ~uninomial & pl.col("q_rank").is_not_null() & (pl.col("c_rank") != "unranked")))
    if near is not None:
        # a typo is believed where nothing else speaks against the name: neither its author nor its rank
        frame = frame.filter((pl.col("author") >= 0) & (pl.col("rankScore") > -6) & _same_ending(uninomial, backbone))
    return frame.with_columns(
        total=pl.sum_horizontal(
            "nameScore", "authorshipScore", "classificationScore", "rankScore", "statusScore", "identifierScore"
        ).cast(pl.Int16)
    )


def _same_ending(uninomial: pl.Expr, backbone: Backbone) -> pl.Expr:
    """Return whether two uninomials end for the same rank: Lophogastrida is no misspelling of Lophogastridae."""
    ending = r"(idae|inae|oidea|ini|ina|ida|aceae|oideae|eae|ales|iformes|acea|virus)$"
    return ~uninomial | (pl.col("g").str.extract(ending).eq_missing(pl.col("c_g").str.extract(ending)))


def _authorship(frame: pl.DataFrame) -> pl.Series:
    """Compare authorships pair by distinct pair: a loop, for the comparison has memory and branches, not columns."""
    pairs = frame.select("authorship", "c_author").drop_nulls().unique()
    verdicts = [
        2 if authorship.identity_key(one) == authorship.identity_key(two) else authorship.compare(one, two)
        for one, two in pairs.iter_rows()
    ]
    table = pairs.with_columns(author=pl.Series(verdicts, dtype=pl.Int8))
    return (
        frame.select("authorship", "c_author")
        .join(table, on=["authorship", "c_author"], how="left", maintain_order="left")["author"]
        .fill_null(0)
    )


def _name_score(frame: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    binomial = pl.when(pl.col("e1").is_not_null()).then(10).when(pl.col("whole")).then(20).otherwise(0)
    frame = frame.with_columns(
        nameScore=pl.when(pl.col("kind") == "exact").then(100 + binomial).otherwise(100).cast(pl.Int16)
    )
    fuzzy = frame.filter(pl.col("kind") == "fuzzy")
    if fuzzy.is_empty():
        return frame
    g, one, two = (fuzzy.select(part.cast(pl.UInt32)).to_series() for part in unpack(pl.col("c_words")))
    words = fuzzy.select("q", "row", "g", "e1", "e2", "q_rank", "author").with_columns(
        cg=backbone.genus_words.gather(g), c1=backbone.epithet_words.gather(one), c2=backbone.epithet_words.gather(two)
    )
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    def distances(a: str, b: str) -> pl.Series:
        pairs = words.select(a, b).drop_nulls().unique()
        keyed = pairs.with_columns(ka=squash(pl.col(a)), kb=squash(pl.col(b)))
        plain = [OSA.distance(x, y, score_cutoff=3) for x, y in pairs.iter_rows()]
        soft = [OSA.distance(x, y, score_cutoff=3) for x, y in keyed.select("ka", "kb").iter_rows()]
        table = pairs.with_columns(d=pl.Series([min(x, y) for x, y in zip(plain, soft, strict=True)], dtype=pl.Int8))
        return words.select(a, b).join(table, on=[a, b], how="left", maintain_order="left")["d"].fill_null(0)

    words = words.with_columns(dg=distances("g", "cg"), d1=distances("e1", "c1"), d2=distances("e2", "c2"))
    known = backbone.genera.select(pl.col("word").alias("g"), pl.lit(value=True).alias("known"))
    words = words.join(known, on="g", how="left", maintain_order="left")
    similarity = {0: 100, 1: 90, 2: 80}
    count = 1 + pl.col("e1").is_not_null().cast(pl.Int8) + pl.col("e2").is_not_null().cast(pl.Int8)

    def points(column: str) -> pl.Expr:
        return pl.col(column).replace_strict(similarity, default=0, return_dtype=pl.Float64)

    mean = (
        2 * points("dg") - 100
        + pl.when(pl.col("e1").is_not_null()).then(points("d1")).otherwise(0)
        + pl.when(pl.col("e2").is_not_null()).then(points("d2")).otherwise(0)
    ) / count  # fmt: skip
    # another genus than the one written: small doubt where that genus is unknown, great doubt where it exists
    genus = (
        pl.when(pl.col("e1").is_null())
        .then(-5)
        .when(pl.col("dg") == 0)
        .then(0)
        .when(pl.col("known").is_null())
        .then(-5)
        .otherwise(-25)
    )
    total = pl.col("dg") + pl.col("d1") + pl.col("d2")
    doubt = pl.when(total >= 2).then(-15).otherwise(0)
    scores = words.select("q", "row", c_g="cg", fuzzyScore=(mean + genus + doubt).round(0).cast(pl.Int16))
    return (
        frame.join(scores, on=["q", "row"], how="left", maintain_order="left")
        .with_columns(nameScore=pl.coalesce("fuzzyScore", "nameScore"))
        .drop("fuzzyScore")
    )


def choose(scored: pl.DataFrame, threshold: int, backbone: Backbone) -> pl.DataFrame:
    """Return one row a query (q): the best candidate, its confidence and matchType, and the alternatives' rows.

    Several usages of one accepted usage are one answer; usages of different accepted ones that no score part tells
    apart are `ambiguous`.
    """
    rows = scored["row"]
    label = backbone.usages["name"].gather(rows).str.len_bytes() + scored["c_author"].str.len_bytes().fill_null(0)
    classes = backbone.lineage_keys.select("kingdom", "phylum", "class")
    above = [classes[rank].gather(scored["lineage"]).alias(f"above_{rank}") for rank in classes.columns]
    # equal to the last point: the shorter label, then the earlier usage (GBIF's order)
    ordered = scored.with_columns(label=label, *above).sort(
        ["q", "total", "label", "row"], descending=[False, True, False, False], maintain_order=True
    )
    ordered = ordered.with_columns(place=pl.int_range(pl.len()).over("q"))
    apart = pl.any_horizontal(
        [
            (pl.col(f"above_{rank}") != pl.col(f"above_{rank}").first().over("q")).fill_null(value=False)
            for rank in classes.columns
        ]
    )
    ordered = ordered.with_columns(apart=apart)
    first = ordered.filter(pl.col("place") == 0)
    rivals = (
        ordered.filter(pl.col("accepted") != pl.col("accepted").first().over("q"))
        .group_by("q", maintain_order=True)
        .agg(second=pl.col("total").max(), far=pl.col("total").filter(pl.col("apart")).max())
    )
    others = (
        ordered.filter(pl.col("place").is_between(0, MAX_ALTERNATIVES))
        .group_by("q", maintain_order=True)
        .agg(other_rows="row", other_totals="total", n=pl.len())
    )
    first = first.join(rivals, on="q", how="left").join(others, on="q", how="left")
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


def _higher(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return the lowest higher taxon of each query that is known for certain: species, genus, then its classification."""
    base = ["q", "code", "id", *(f"q_{rank}" for rank in _RANKS)]
    none = pl.lit(None, dtype=pl.String)
    parts = []
    for level, rank in enumerate(HIGHER_LEVELS):
        if rank == "species":
            asked = queries.filter(pl.col("e1").is_not_null() & (pl.col("e2").is_not_null() | pl.col("beyond")))
            part = asked.select(*base, g=pl.col("g"), e1=pl.col("e1"))
        elif rank == "genus":
            own = pl.when(pl.col("e1").is_not_null() | pl.col("beyond")).then(pl.col("g"))
            part = queries.select(*base, g=pl.coalesce(own, pl.col("q_genus")), e1=none)
            part = part.join(queries.select("q", asked=pl.col("g"), one="e1"), on="q").filter(
                pl.col("one").is_not_null() | (pl.col("g") != pl.col("asked")) | pl.col("asked").is_null()
                | pl.lit(value=True)
            ).drop("asked", "one")  # fmt: skip
        else:
            part = queries.select(*base, g=pl.col(f"q_{rank}"), e1=none)
        hidden = _RANKS[_RANKS.index(rank) :] if rank in _RANKS else ()
        part = part.with_columns([none.alias(f"q_{r}") for r in hidden])
        parts.append(part.with_columns(level=pl.lit(level, dtype=pl.Int8), rank=pl.lit(rank)))
    asked = pl.concat(parts).filter(pl.col("g").is_not_null())
    asked = asked.rename({"q": "query"}).with_columns(
        q=pl.int_range(pl.len(), dtype=pl.UInt32), e2=none, authorship=none, whole=pl.lit(value=False)
    )
    asked = number_words(asked, backbone)
    found = score_candidates(by_words(asked, backbone), asked, backbone)
    found = found.filter(
        (pl.col("rankScore") > -6) & ((pl.col("c_rank") != "unranked") | (pl.col("q_rank") == "genus"))
    )
    chosen = choose(found, THRESHOLD + 5, backbone).filter(pl.col("matchType").is_in(["exact", "variant"]))
    chosen = chosen.join(asked.select("q", "query", "level"), on="q").sort("level").unique("query", keep="first")
    return chosen.with_columns(q=pl.col("query"), matchType=pl.lit("higherRank")).drop("query", "level")


def _answers(queries: pl.DataFrame, chosen: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
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
    out = out.with_columns(
        alternatives=_alternatives(frame, backbone),
        note=_note(),
        release=pl.lit(backbone.info.release),
    )
    return out.sort("q").select([pl.col(name).cast(dtype) for name, dtype in MATCH_COLUMNS.items()])


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
        other_rows=pl.lit(None, dtype=pl.List(pl.Int32)),
        other_totals=pl.lit(None, dtype=pl.List(pl.Int16)),
    )
    queries = pl.DataFrame(
        {"q": chosen["q"], "g": ["" for _ in range(size)], "authorship": [None] * size, "e1": [None] * size},
        schema={"q": pl.UInt32, "g": pl.String, "authorship": pl.String, "e1": pl.String},
    )
    return _answers(queries, chosen, backbone).with_columns(note=notes)


def _canonical(backbone: Backbone) -> Any:
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


def _note() -> pl.Expr:
    parts = [
        pl.when(pl.col("g").is_null()).then(pl.lit("no name to match")),
        pl.when((pl.col("matchType") == "none") & pl.col("g").is_not_null()).then(
            pl.when(pl.col("total").is_null())
            .then(pl.lit("no usage of this or a similar name"))
            .otherwise(pl.lit("candidates contradict what the record says"))
        ),
        pl.when(pl.col("matchType") == "ambiguous").then(pl.lit("several usages fit equally well; see alternatives")),
        pl.when(pl.col("matchType") == "fuzzy").then(pl.lit("spelled differently")),
        pl.when(pl.col("matchType") == "variant").then(pl.lit("variant spelling or gender of an epithet")),
        pl.when(pl.col("matchType") == "higherRank").then(pl.lit("only the higher taxon is known")),
        pl.when((pl.col("authorshipScore") < 0) & (pl.col("authorshipScore") != -1) & pl.col("row").is_not_null()).then(
            pl.lit("authorship differs")
        ),
        pl.when((pl.col("classificationScore") < 0) & pl.col("row").is_not_null()).then(
            pl.lit("classification differs")
        ),
        pl.when(pl.col("rankScore").is_between(-6, -1) & pl.col("row").is_not_null()).then(pl.lit("rank differs")),
        pl.when(pl.col("row") != pl.col("accepted")).then(pl.lit("synonym")),
    ]
    return pl.concat_str(parts, separator="; ", ignore_nulls=True).replace("", None)


__all__ = ["MATCH_COLUMNS", "SAME_TAXON", "match_queries"]
