"""Text of names: cleaning, folding to ASCII, stemming, as Polars expressions and as functions of one string.

Rules are GBIF's scientific-name normaliser (matching keys) and gnparser's (canonical names); what is a name and what is
not is decided in `parser.py`.
"""

from typing import Final

import polars as pl

from dissco_platform.names.fold import FOLDS

_STEM_ENDING: Final = r"(?:arum|orum|us|um|ae|am|is|os|as|[iey]?i|o|a|e)$"


def fold(text: pl.Expr) -> pl.Expr:
    """Return `text` in ASCII as `fold.ascii_fold` does; what has no ASCII is dropped."""
    return (
        text.str.normalize("NFC")
        .str.replace_many(list(FOLDS), list(FOLDS.values()))
        .str.normalize("NFKD")
        .str.replace_all(r"[^\x20-\x7e]", "")
    )


def word_key(word: pl.Expr) -> pl.Expr:
    """Return the key of one word of a name: ASCII, lower case, letters and digits only."""
    return fold(word).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "")


def stem_key(key: pl.Expr) -> pl.Expr:
    """Return the stem of an epithet's word key; words that differ only in gender or common spelling share it.

    GBIF's scientific-name normaliser: ending off, trix → tor, -ra/-rum → -er, then i/j/y runs → i, doubled letters once,
    h after g, t, r off; with ae, oe → e as well (caeruleus, coeruleus).
    """
    stem = (
        key.str.replace(r"^(.+)gou[sm]$", "${1}g")
        .str.replace(r"trix$", "tor")
        .str.replace(r"([cpbtdgn])r(?:a|um)$", "${1}er")
        .str.replace(_STEM_ENDING, "")
    )
    stem = pl.when(stem.str.len_bytes() < 2).then(key).otherwise(stem)
    return squash(stem)


def squash(word: pl.Expr) -> pl.Expr:
    """Return a word key with common spelling variants made one."""
    letters = list("abcdefghklmnopqrstuvwxz")
    return (
        word.str.replace_many(["ae", "oe", "ue"], ["e", "e", "u"])
        .str.replace_all(r"([a-z0-9])[jyi]+", "${1}i")
        .str.replace_many([letter * 2 for letter in letters], letters)
        .str.replace_all(r"([gtrp])h", "${1}")
    )
