"""Recall and precision on one-edit errors over real names: `python benchmarks/names/typos.py <index of a checklist> [names]`.

Real binomials (and uninomials) get one random edit: a letter left out, put in, changed, or two swapped, anywhere in genus or
epithet. An error that happens to give another name of the checklist is no error any more and is left out. Near-homonyms
are in the sample as often as in the checklist, and in a second sample they are all there is.
"""

import random
import string
import sys
from pathlib import Path

import polars as pl

from dissco_platform.names.backbone import Backbone, open_backbone
from dissco_platform.names.candidates import by_typo, number_words
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.query import make_queries


def edit(word: str, rng: random.Random) -> str:
    """Return a word with one edit."""
    place = rng.randrange(len(word))
    kind = rng.choice(("left out", "put in", "changed", "swapped"))
    letter = rng.choice(string.ascii_lowercase)
    if kind == "left out" and len(word) > 2:
        return word[:place] + word[place + 1 :]
    if kind == "put in":
        return word[:place] + letter + word[place:]
    if kind == "changed":
        return word[:place] + letter + word[place + 1 :]
    place = min(place, len(word) - 2)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def typo(name: str, rng: random.Random) -> str:
    """Return a name with one edit in one of its words, letters weighed alike."""
    words = name.split(" ")
    at = rng.choices(range(len(words)), weights=[len(word) for word in words])[0]
    changed = edit(words[at].lower(), rng)
    words[at] = changed.capitalize() if at == 0 else changed
    return " ".join(words)


def sample(index: Backbone, size: int, seed: int) -> pl.DataFrame:
    """Return (row, name, wrong) of binomials with one edit, none of which is a name of the checklist."""
    rng = random.Random(seed)
    names = index.usages.with_row_index("row").filter(pl.col("name").str.contains(r"^[A-Z][a-z]+ [a-z]{3,}$"))
    known = set(index.usages["name"].to_list())
    picked = names.sample(min(size, names.height), seed=seed)
    rows = []
    for row, name in picked.select("row", "name").iter_rows():
        wrong = typo(name, rng)
        if wrong not in known and wrong != name:
            rows.append((row, name, wrong))
    return pl.DataFrame(rows, schema={"row": pl.Int32, "name": pl.String, "wrong": pl.String}, orient="row")


def near_homonyms(index: Backbone, size: int, seed: int) -> pl.DataFrame:
    """Return cases like `sample`, of names only that have another name of the checklist within two edits."""
    cases = sample(index, size * 8, seed)
    queries, _ = make_queries(names_frame(cases["name"]))
    queries = number_words(queries.with_columns(q=pl.int_range(pl.len(), dtype=pl.UInt32)), index)
    near = by_typo(queries, index)
    other = near.with_columns(
        found=index.usages["name"].gather(near["row"]), name=cases["name"].gather(near["q"])
    ).filter(pl.col("found") != pl.col("name"))
    return cases[other["q"].unique().sort().to_list()].head(size)


def names_frame(names: pl.Series) -> pl.DataFrame:
    """Return NAME_COLUMNS with nothing but names."""
    frame = pl.DataFrame({c: [None] * names.len() for c in NAME_COLUMNS}, schema=dict.fromkeys(NAME_COLUMNS, pl.String))
    return frame.with_columns(names.alias("dwc:scientificName"))


def score(index: Backbone, cases: pl.DataFrame, title: str, *, classified: bool) -> pl.DataFrame:
    """Print recall and precision; return the cases with their answers."""
    frame = names_frame(cases["wrong"])
    if classified:
        lineage = index.usages["lineage"].gather(cases["row"])
        frame = frame.with_columns(index.lineages["family"].gather(lineage).alias("dwc:family"))
    queries, _ = make_queries(frame)
    got = match_queries(queries, index)
    usages = index.usages
    right = usages["id"].gather(usages["accepted"].gather(cases["row"]))
    answer = pl.concat([cases, got], how="horizontal").with_columns(expected=right)
    of_its_own = pl.col("matchType").is_in(["exact", "variant", "fuzzy"])
    # the same name may stand for several accepted usages (homonyms): the name is what the typo test asks for
    good = (pl.col("acceptedUsageID") == pl.col("expected")) | (pl.col("matchedName") == pl.col("name"))
    answer = answer.with_columns(said=of_its_own, good=of_its_own & good.fill_null(value=False))
    said, good_count = answer["said"].sum(), answer["good"].sum()
    print(
        f"{title:40} {cases.height} names: recall {100 * good_count / cases.height:.2f} %,"
        f" precision {100 * good_count / max(said, 1):.2f} %"
    )
    return answer


def main() -> None:
    """Score a sample without and with the family given, and one of near-homonyms only."""
    index = open_backbone(Path(sys.argv[1]))
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    cases = sample(index, size, seed=1)
    answer = score(index, cases, "one edit, name only", classified=False)
    score(index, cases, "one edit, with family", classified=True)
    score(index, near_homonyms(index, size // 4, seed=2), "one edit, near-homonyms only", classified=False)
    if "--misses" in sys.argv:
        with pl.Config(tbl_rows=60, tbl_width_chars=220, fmt_str_lengths=40):
            columns = ["name", "wrong", "matchType", "matchedName", "confidence", "note"]
            print(answer.filter(~pl.col("said"))["matchType"].value_counts())
            print(answer.filter(~pl.col("said")).select(columns).head(40))
            print(answer.filter(pl.col("said") & ~pl.col("good")).select(columns).head(40))


if __name__ == "__main__":
    main()
