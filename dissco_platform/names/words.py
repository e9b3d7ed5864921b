"""Names taken apart into words on whole columns: the keys of genus and epithets, deletions, hashes.

For names as checklists write them (regular, authorship apart); what is irregular there goes through `parser.py`, as do
all names of records.
"""

from typing import Final

import polars as pl
import polars_hash  # noqa: F401  registers the .nchash namespace

from dissco_platform.names.normalise import fold, word_key
from dissco_platform.names.ranks import MARKERS

MAX_FUZZY_WORD: Final = 48
"""Letters: a longer word is matched exactly or not at all; it also bounds the passes of `deletions`."""

_REGULAR: Final = (
    r"^(?P<g>(?:[xX] ?)?[A-Z][A-Za-z.-]+)"
    r"(?: (?:(?:subgen|subg|sect|ser|supersect|subsect)\. ?)?\(?(?P<s>[A-Z][A-Za-z-]+)\)?)?"
    r"(?: (?:x )?(?P<e1>(?:[0-9]+-)?[a-z][a-z'-]+))?"
    rf"(?: (?:(?:{MARKERS})(?:\. ?| ))?(?:x )?(?P<e2>[a-z][a-z'-]+))?$"
)


WHOLE: Final = ("identifier", "virus", "formula", "unparsable")
"""Outcomes of a parse whose names are one key and match only as such."""

_VIRUS: Final = r"(?i) .*(?:virus(?:es)?|viroids?|phages?|satellites?|prions?|particle)\b"


def hash64(text: pl.Expr) -> pl.Expr:
    """Return a 64-bit hash that is the same in every release (xxh3)."""
    return text.nchash.xxh3_64()  # type: ignore[attr-defined, no-any-return]


def name_words(frame: pl.LazyFrame, name: str, authorship: str) -> pl.LazyFrame:
    """Add `name`, `author`, `g`, `e1`, `e2` (word keys) and `quality` (1 regular, 2 taken as a whole) to usages.

    A subgenus given alone (`Aus (Bus)`) is the uninomial Bus; between genus and epithet it is left out of the key.
    """
    folded = fold(pl.col(name).str.replace(r"^[†‡]\s*", "").str.replace_all("×", "x ", literal=True))
    folded = folded.str.replace_all(r"[\[(]sic!?[\])]", " ").str.replace_all(r"\s+", " ").str.strip_chars(" ;:,")
    parts = folded.str.extract_groups(_REGULAR)
    g, s = parts.struct.field("g").str.replace(r"^[xX] ?([A-Z])", "${1}"), parts.struct.field("s")
    e1, e2 = parts.struct.field("e1"), parts.struct.field("e2")
    # "Tobacco mosaic virus" has the form of a trinomial and is none
    virus = folded.str.contains(_VIRUS)
    g = pl.when(~virus).then(g)
    return (
        frame.with_columns(_g=g, _s=s, _e1=e1, _e2=e2)
        .with_columns(
            g=word_key(
                pl.when(pl.col("_s").is_not_null() & pl.col("_e1").is_null()).then(pl.col("_s")).otherwise(pl.col("_g"))
            ),
            e1=word_key(pl.col("_e1")),
            e2=word_key(pl.col("_e2")),
            quality=pl.when(pl.col("_g").is_null()).then(2).otherwise(1).cast(pl.Int8),
            author=pl.col(authorship),
            name=pl.col(name),
        )
        .with_columns(g=pl.col("g").fill_null(whole_key(pl.col(name))).replace("", None))
        .drop("_g", "_s", "_e1", "_e2", "scientificName", "authorship")
    )


_TAXON: Final = r"^[A-Z][a-z]{2,}$"


def parsed_keys(name: pl.Series, parsed: pl.DataFrame, *, informal_whole: bool = False) -> pl.DataFrame:
    """Return `g`, `e1`, `e2` (word keys) and `whole` of names given with their parses (`parser.INNER_COLUMNS`), in order.

    `whole`: an identifier, virus, hybrid formula or what cannot be read, which is one key and matches only as such. A
    checklist's own informal names (`Aus sp. A`) are such a key too (`informal_whole`): they are not the genus.
    """
    outcomes = [*WHOLE, "informal"] if informal_whole else list(WHOLE)
    text = pl.when(pl.col("outcome") == "formula").then(pl.coalesce("canonicalName", "name")).otherwise(pl.col("name"))
    parts = [pl.col(part) for part in ("genericName", "specificEpithet", "infraspecificEpithet")]
    count = pl.sum_horizontal([part.is_not_null().cast(pl.UInt32) for part in parts])
    written = pl.col("canonicalName").str.split(" ")
    # gnparser's canonical name ends where its grammar does; what the parser read beyond counts for matching
    taxon = (
        (pl.col("outcome") == "informal")
        & pl.col("canonicalName").is_null()
        & pl.col("genericName").str.contains(_TAXON)
    )
    more = taxon | (
        (pl.col("outcome") == "parsed")
        & ~pl.col("approximate")
        & pl.col("genericName").str.contains(r"^\pL")
        & (
            (written.list.len().fill_null(0) < count)
            # what gnparser takes for a subgenus and the parser for the author of a basionym: `Aus (Bus) Smith`
            | (
                (count == 1)
                & pl.col("authorship")
                .str.starts_with(pl.concat_str(pl.lit("("), "canonicalName"))
                .fill_null(value=False)
            )
        )
    )
    frame = parsed.select(
        "canonicalName",
        "outcome",
        whole=pl.col("outcome").is_in(outcomes),
        words=pl.when(more).then(pl.concat_list(parts).list.drop_nulls()).otherwise(written),
    ).with_columns(name.alias("name"))
    word = pl.col("words")
    count = word.list.len().fill_null(0)
    return frame.select(
        g=pl.when("whole")
        .then(whole_key(text))
        .otherwise(word_key(word.list.get(0, null_on_oob=True)))
        .replace("", None),
        e1=pl.when(~pl.col("whole") & (count > 1)).then(word_key(word.list.get(1, null_on_oob=True))).replace("", None),
        e2=pl.when(~pl.col("whole") & (count > 2)).then(word_key(word.list.last())).replace("", None),
        whole="whole",
    )


def whole_key(text: pl.Expr) -> pl.Expr:
    """Return the key of a name that has no words of the usual kind (OTU, virus, formula): the whole, in one."""
    return fold(text).str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_").str.strip_chars("_").str.slice(0, 200)


def deletions(words: pl.DataFrame) -> pl.DataFrame:
    """Return (hash, id) sorted by hash: every word (columns `word`, `id`) whole and with each one letter left out."""
    words = words.filter(pl.col("word").str.len_bytes() <= MAX_FUZZY_WORD)
    parts = [words.select(hash=hash64(pl.col("word")), id=pl.col("id"))]
    longest = words.select(pl.col("word").str.len_bytes().max()).item() or 0
    for place in range(int(longest)):
        left = words.filter(pl.col("word").str.len_bytes() > place)
        # leaving out either of two equal neighbours gives the same word: only the first counts
        same = pl.col("word").str.slice(place, 1) == pl.col("word").str.slice(place - 1, 1) if place else pl.lit(False)
        parts.append(
            left.filter(~same).select(
                hash=hash64(pl.col("word").str.slice(0, place) + pl.col("word").str.slice(place + 1)), id=pl.col("id")
            )
        )
    return pl.concat(parts).sort("hash", "id")
