"""Which usages a name could be: by identifier, by its words, by words one letter off.

Everything happens on numbers of words (see `backbone.py`): a name is (genus, stem, stem), so that one look-up finds the
same name and its variants in gender and spelling. How good a candidate is stands in `score.py`.
"""

from typing import Final

import polars as pl
from rapidfuzz.distance import OSA

from dissco_platform.names.index import WORD_BITS, Backbone, SortedTable, pack
from dissco_platform.names.normalise import stem_key
from dissco_platform.names.words import MAX_FUZZY_WORD, deletions, hash64

MIN_FUZZY_WORD: Final = 4
"""Letters: a shorter word must be equal (GBIF's rule)."""

LONG_WORD: Final = 11
"""Letters: from here on two edits in a word are looked at."""

MAX_EDITS: Final = 2

CANDIDATE_SCHEMA: Final = {"q": pl.UInt32, "row": pl.Int32}


def number_words(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Add `gid`, `s1`, `s2` (genus and stem numbers, null where the index has no such word) and `words` to queries.

    `queries` has the word keys `g`, `e1`, `e2`. `words` is null where a word of the query is unknown.
    """
    genera = backbone.genera.rename({"id": "gid", "word": "g"})
    asked = pl.concat([queries["e1"].rename("word"), queries["e2"].rename("word")]).drop_nulls().unique().to_frame()
    asked = asked.with_columns(stem=stem_key(pl.col("word")))
    asked = asked.join(backbone.epithet_numbers, on="word", how="left").join(
        backbone.stem_numbers, on="stem", how="left"
    )
    out = queries.join(genera, on="g", how="left", maintain_order="left")
    for epithet, s, w, stem in (("e1", "s1", "w1", "t1"), ("e2", "s2", "w2", "t2")):
        renamed = asked.rename({"word": epithet, "s": s, "number": w, "stem": stem})
        out = out.join(renamed, on=epithet, how="left", maintain_order="left")
    unknown = (
        pl.col("gid").is_null()
        | (pl.col("e1").is_not_null() & pl.col("w1").is_null())
        | (pl.col("e2").is_not_null() & pl.col("w2").is_null())
    )
    packed = pack(out["gid"], out["w1"], out["w2"])
    return out.with_columns(words=packed).with_columns(words=pl.when(unknown).then(None).otherwise(pl.col("words")))


def by_words(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return candidates (q, row) with the same genus and the same stems."""
    unknown = (pl.col("e1").is_not_null() & pl.col("s1").is_null()) | (
        pl.col("e2").is_not_null() & pl.col("s2").is_null()
    )
    asked = queries.filter(pl.col("gid").is_not_null() & ~unknown)
    hits = backbone.keys.find(pack(asked["gid"], asked["s1"], asked["s2"]))
    return _candidates(asked, hits)


def by_identifier(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return candidates (q, row) whose id is the query's `id`."""
    asked = queries.filter(pl.col("id").is_not_null())
    if asked.is_empty():
        return pl.DataFrame(schema=CANDIDATE_SCHEMA)
    hits = backbone.identifiers.find(asked.select(hash64(pl.col("id"))).to_series())
    found = _candidates(asked, hits)
    ids = backbone.usages["id"].gather(found["row"])
    same = found.with_columns(found_id=ids).join(queries.select("q", "id"), on="q", how="left")
    return same.filter(pl.col("found_id") == pl.col("id")).select("q", "row")


def by_typo(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return candidates (q, row, d) of names a few letters off: at most MAX_EDITS over all words.

    A first letter that differs is only believed where every other word is equal.
    """
    queries = queries.filter(~pl.col("whole"))
    if queries.is_empty():
        return pl.DataFrame(schema={**CANDIDATE_SCHEMA, "d": pl.Int8})
    # another genus than the one written, which exists, is believed only with an author or a classification to support it
    supported = pl.any_horizontal(pl.col("authorship", "^q_.*$").is_not_null()) | pl.col("gid").is_null()
    asked = queries.filter(supported | pl.col("e1").is_null())["g"]
    genus = _near(asked, backbone.genus_deletions, backbone.genus_words, limit_long=LONG_WORD)
    written = queries.filter(pl.col("gid").is_not_null()).select(
        word="g", number="gid", d=pl.lit(0, dtype=pl.Int8), head=pl.lit(value=True)
    )
    genus = pl.concat([genus, written]).unique(["word", "number"])
    genus = genus.rename({"word": "g", "number": "gc", "d": "dg", "head": "hg"})
    near = _near_epithets(queries, backbone)
    pairs = queries.select("q", "g", "e1", "e2").join(genus, on="g")
    none = pl.DataFrame(
        {"word": [None], "number": [0], "d": [0], "head": [True]},
        schema={"word": pl.String, "number": pl.UInt32, "d": pl.Int8, "head": pl.Boolean},
    )
    near = pl.concat([near, none])
    one = near.rename({"word": "e1", "number": "c1", "d": "d1", "head": "h1"})
    two = near.rename({"word": "e2", "number": "c2", "d": "d2", "head": "h2"})
    pairs = pairs.join(one, on="e1", nulls_equal=True).filter(pl.col("dg") + pl.col("d1") <= MAX_EDITS)
    pairs = pairs.join(two, on="e2", nulls_equal=True).with_columns(d=pl.col("dg") + pl.col("d1") + pl.col("d2"))
    heads = pl.all_horizontal("hg", "h1", "h2")
    uninomial = pl.col("e1").is_null()
    pairs = pairs.filter((pl.col("d") <= MAX_EDITS) & (heads | ((pl.col("d") == 1) & ~uninomial)))
    if pairs.is_empty():
        return pl.DataFrame(schema={**CANDIDATE_SCHEMA, "d": pl.Int8})
    hits = backbone.keys.find(pack(pairs["gc"], pairs["c1"], pairs["c2"]))
    rows = pairs.select("q", "d").with_row_index("place").join(hits, on="place", how="inner")
    return rows.select("q", pl.col("value").alias("row"), "d").sort("q", "row", "d").unique(["q", "row"], keep="first")


def _near_epithets(queries: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
    """Return (word, number, d, head): the stems an epithet is near to, as a stem or as a whole word."""
    words = pl.concat([queries["e1"].rename("word"), queries["e2"].rename("word")]).drop_nulls().unique()
    stems = words.to_frame().with_columns(stem=stem_key(pl.col("word")))
    by_stem = _near(stems["stem"], backbone.stem_deletions, backbone.stems, limit_long=LONG_WORD - 2)
    by_stem = stems.join(by_stem.rename({"word": "stem"}), on="stem").select("word", "number", "d", "head")
    by_word = _near(words, backbone.epithet_deletions, backbone.epithet_words, limit_long=LONG_WORD)
    stem_ids = pl.concat([pl.Series("s", [0], dtype=pl.UInt32), backbone.epithets["stem_id"].rename("s")])
    by_word = by_word.with_columns(number=stem_ids.gather(by_word["number"]))
    return pl.concat([by_stem, by_word]).group_by("word", "number").agg(pl.col("d").min(), pl.col("head").any())


def _candidates(asked: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {"q": asked["q"].gather(hits["place"]), "row": hits["value"]}, schema_overrides=CANDIDATE_SCHEMA
    )


def _near(words: pl.Series, table: SortedTable, dictionary: pl.Series, *, limit_long: int) -> pl.DataFrame:
    """Return (word, number, d, head) of dictionary words near each distinct word, itself included.

    Distance is the restricted Damerau-Levenshtein distance; 1, or 2 in words of `limit_long` letters and more. `head`
    tells whether the first letters agree.
    """
    asked = words.drop_nulls().unique().to_frame("word").filter(pl.col("word").str.len_bytes() <= MAX_FUZZY_WORD)
    asked = asked.with_columns(id=pl.int_range(pl.len(), dtype=pl.UInt32))
    long_enough = asked.filter(pl.col("word").str.len_bytes() >= MIN_FUZZY_WORD)
    short = asked.filter(pl.col("word").str.len_bytes() < MIN_FUZZY_WORD)
    keys = pl.concat(
        [deletions(long_enough), short.select(hash=hash64(pl.col("word")), id=pl.col("id"))], how="vertical"
    )
    hits = table.find(keys["hash"])
    pairs = (
        pl.DataFrame({"id": keys["id"].gather(hits["place"]), "number": hits["value"]})
        .unique()
        .join(asked, on="id", how="left")
    )
    pairs = pairs.with_columns(near=dictionary.gather(pairs["number"]))
    pairs = pairs.filter((pl.col("word") == pl.col("near")) | (pl.col("near").str.len_bytes() >= MIN_FUZZY_WORD - 1))
    # one call of the C++ scorer a pair: distinct words only, a few hundred thousand at most
    distance = [OSA.distance(a, b, score_cutoff=2) for a, b in zip(pairs["word"], pairs["near"], strict=True)]
    edits = pl.when(pl.col("word").str.len_bytes() >= limit_long).then(2).otherwise(1)
    return (
        pairs.with_columns(d=pl.Series(distance, dtype=pl.Int8))
        .filter(pl.col("d") <= edits)
        .filter((pl.col("word").str.len_bytes() >= MIN_FUZZY_WORD) | (pl.col("d") == 0))
        .select(
            "word",
            pl.col("number").cast(pl.UInt32),
            "d",
            head=pl.col("word").str.slice(0, 1) == pl.col("near").str.slice(0, 1),
        )
    )


def unpack(words: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Return the numbers (genus, first, second epithet) packed in `words`."""
    mask = 2**WORD_BITS
    return words // (mask * mask), (words // mask) % mask, words % mask
