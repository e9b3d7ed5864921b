"""Candidates rated: name, authorship, classification, rank and status looked up, compared and added up.

The weights and what they rest on are in `score.py`; where candidates come from in `candidates.py`; the choice in `match.py`.
"""

from typing import Final

import polars as pl
from rapidfuzz.distance import OSA

from dissco_platform.names import authorship
from dissco_platform.names.candidates import unpack
from dissco_platform.names.index import CODE_ENUM, Backbone
from dissco_platform.names.normalise import fold, squash
from dissco_platform.names.ranks import RANK_NUMBER, STATUSES, UNRANKED
from dissco_platform.names.score import CLASSIFIED, STATUS_POINTS, classification_score, rank_points


def score_candidates(
    candidates: pl.DataFrame,
    queries: pl.DataFrame,
    backbone: Backbone,
    by_id: pl.DataFrame | None = None,
    near: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return candidates (q, row) with score parts, total, kind (exact, variant, fuzzy), accepted row and lineage."""
    usages = backbone.usages
    rows = pl.lit(candidates["row"])
    found = usages.select(
        c_rank=pl.col("rank").gather(rows).to_physical(),
        c_status=pl.col("status").gather(rows).to_physical(),
        c_code=pl.col("code").gather(rows),
        c_author=pl.lit(backbone.authorships).gather(pl.col("authorship_id").gather(rows)),
        accepted=pl.col("accepted").gather(rows),
        lineage=pl.col("lineage").gather(rows),
        c_words=pl.lit(backbone.words).gather(rows),
    )
    frame = pl.concat([candidates, found], how="horizontal")
    lineages, own = backbone.lineage_keys, frame["lineage"]
    frame = frame.with_columns(
        [
            # a rank that no record gives is not looked up at all
            pl.lit(None, dtype=pl.String).alias(f"c_{rank}")
            if queries[f"q_{rank}"].null_count() == queries.height
            else lineages[rank].gather(own).alias(f"c_{rank}")
            for rank in CLASSIFIED
        ]
    )
    wanted = [
        "g",
        "e1",
        "e2",
        "words",
        "whole",
        "authorship",
        "rank",
        "code",
        *(f"q_{rank}" for rank in CLASSIFIED),
    ]
    # a query's number is its place
    asked = queries.select([pl.col(column).gather(pl.lit(frame["q"])) for column in wanted])
    frame = pl.concat([frame, asked], how="horizontal")
    frame = frame.rename({"rank": "q_rank"}).with_columns(code=pl.col("code").cast(CODE_ENUM))
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
    higher = pl.col("c_rank") < RANK_NUMBER["genus"]
    uninomial = pl.col("e1").is_null()
    code_differs = (pl.col("code") != pl.col("c_code")).fill_null(value=False)
    classification = classification_score()
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
        rankScore=rank_points(frame["q_rank"], frame["c_rank"]),
        statusScore=pl.Series([STATUS_POINTS[status] for status in STATUSES], dtype=pl.Int16).gather(frame["c_status"]),
        identifierScore=pl.when(pl.col("identified")).then(30).otherwise(0).cast(pl.Int16),
    )
    group = RANK_NUMBER["species aggregate"]
    aggregate = (pl.col("q_rank") == group) != (pl.col("c_rank") == group)
    known = (pl.col("q_rank") != UNRANKED) & (pl.col("c_rank") != UNRANKED)
    frame = frame.filter(~(aggregate & ~uninomial & known))
    if near is not None:
        # a typo is believed where nothing else speaks against the name: neither its author nor its rank
        frame = frame.filter((pl.col("author") >= 0) & (pl.col("rankScore") > -6) & _same_ending(uninomial))
    return frame.with_columns(
        total=pl.sum_horizontal(
            "nameScore", "authorshipScore", "classificationScore", "rankScore", "statusScore", "identifierScore"
        ).cast(pl.Int16)
    )


def _same_ending(uninomial: pl.Expr) -> pl.Expr:
    """Return whether two uninomials end for the same rank: Lophogastrida is no misspelling of Lophogastridae."""
    ending = r"(idae|inae|oidea|ini|ina|ida|aceae|oideae|eae|ales|iformes|acea|virus)$"
    return ~uninomial | (pl.col("g").str.extract(ending).eq_missing(pl.col("c_g").str.extract(ending)))


def identity_key(text: pl.Expr) -> pl.Expr:
    """Return an authorship's letters and digits: equal for what is written the same but for punctuation."""
    return fold(text).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "")


def _authorship(frame: pl.DataFrame) -> pl.Series:
    """Compare authorships pair by distinct pair: a loop, for the comparison has memory and branches, not columns."""
    pairs = frame.select("authorship", "c_author").drop_nulls().unique()
    same = pl.col("authorship") == pl.col("c_author")
    letters = identity_key(pl.col("authorship")) == identity_key(pl.col("c_author"))
    pairs = pairs.with_columns(same=same).with_columns(same=pl.when(pl.col("same")).then(True).otherwise(letters))
    alike, others = pairs.filter("same"), pairs.filter(~pl.col("same"))
    verdicts = [authorship.compare(one, two) for one, two in others.select("authorship", "c_author").iter_rows()]
    table = pl.concat(
        [
            alike.select("authorship", "c_author", author=pl.lit(2, dtype=pl.Int8)),
            others.select("authorship", "c_author", author=pl.Series("author", verdicts, dtype=pl.Int8)),
        ]
    )
    return (
        frame.select("authorship", "c_author")
        .join(table, on=["authorship", "c_author"], how="left", maintain_order="left")["author"]
        .fill_null(0)
    )


TWO_EDITS_FROM: Final = 10
"""Letters of a word in which two edits are believed, given an author or a classification in support."""


def _edits(plain: int, soft: int) -> int:
    """Return the edits between two words: usual variants of spelling (`normalise.squash`) count one less, not nothing."""
    return min(plain, max(soft, plain - 1))


def _name_score(frame: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    binomial = pl.when(pl.col("e1").is_not_null()).then(10).when(pl.col("whole")).then(20).otherwise(0)
    frame = frame.with_columns(
        nameScore=pl.when(pl.col("kind") == "exact").then(100 + binomial).otherwise(100).cast(pl.Int16)
    )
    inexact = frame.filter(pl.col("kind") != "exact")
    if inexact.is_empty():
        return frame
    g, one, two = (inexact.select(part.cast(pl.UInt32)).to_series() for part in unpack(pl.col("c_words")))
    words = inexact.select("q", "row", "kind", "g", "e1", "e2").with_columns(
        cg=backbone.genus_words.gather(g), c1=backbone.epithet_words.gather(one), c2=backbone.epithet_words.gather(two)
    )

    def distances(a: str, b: str, d: str) -> pl.DataFrame:
        pairs = words.select(a, b).drop_nulls().unique()
        keyed = pairs.with_columns(ka=squash(pl.col(a)), kb=squash(pl.col(b)))
        plain = [OSA.distance(x, y, score_cutoff=3) for x, y in pairs.iter_rows()]
        soft = [OSA.distance(x, y, score_cutoff=3) for x, y in keyed.select("ka", "kb").iter_rows()]
        table = pairs.with_columns(
            d=pl.Series([_edits(*pair) for pair in zip(plain, soft, strict=True)], dtype=pl.Int8),
            plain=pl.Series(plain, dtype=pl.Int8),
        )
        # two edits in a short word make another word of it (rufipes, rufipennis)
        short = pl.col(a).str.len_bytes() < TWO_EDITS_FROM
        table = table.with_columns(d=pl.when((pl.col("d") > 1) & short).then(9).otherwise(pl.col("d")))
        found = words.select(a, b).join(table, on=[a, b], how="left", maintain_order="left")
        return found.select(pl.col("d").fill_null(0).alias(d), pl.col("plain").fill_null(0).alias(f"plain_{d}"))

    words = pl.concat(
        [words, distances("g", "cg", "dg"), distances("e1", "c1", "d1"), distances("e2", "c2", "d2")], how="horizontal"
    )
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
    doubt = pl.when(total >= 2).then(-25).otherwise(0)
    # of candidates alike otherwise, the one with fewer letters changed
    plain = pl.sum_horizontal("plain_dg", "plain_d1", "plain_d2")
    fuzzy = mean + genus + doubt - 2 * (plain - total).clip(0, 2)
    scores = words.select(
        "q",
        "row",
        c_g="cg",
        inexact=pl.when(pl.col("kind") == "fuzzy")
        .then(fuzzy)
        .otherwise(100 - plain.clip(0, 4))
        .round(0)
        .cast(pl.Int16),
    )
    return (
        frame.join(scores, on=["q", "row"], how="left", maintain_order="left")
        .with_columns(nameScore=pl.coalesce("inexact", "nameScore"))
        .drop("inexact")
    )
