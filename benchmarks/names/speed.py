"""Speed and memory of index and matching: `python benchmarks/names/speed.py <index of a checklist> <folder> [usages] [queries]`.

A checklist of `usages` names is made of the real words of the given index, recombined: a tree of families, genera and
species, a third of them synonyms, most with an authorship. Queries, half with an authorship, all distinct: 90 % names of
the checklist and 10 % with one edit (the peers' measure); with `--hard` 55 % names, 10 % with one edit, 15 % with another
ending, 20 % unknown to the checklist.
"""

import random
import resource
import sys
import time
from pathlib import Path

import polars as pl
from typos import typo

from dissco_platform.names.backbone import build_backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.query import make_queries


def peak() -> float:
    """Return this process's largest memory so far in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def make_checklist(words: Path, folder: Path, usages: int) -> None:
    """Write NameUsage.tsv of about `usages` names into `folder`."""
    index = open_backbone(words)
    genera = index.genera["word"].filter(index.genera["word"].str.contains("^[a-z]{4,}$"))
    epithets = index.epithets["word"].filter(index.epithets["word"].str.contains("^[a-z]{4,}$"))
    authors = index.authorships
    wanted = max(usages // 25, 100)
    more = [genera.str.head(-2) + ending for ending in ("ella", "opsis", "oides", "ina", "yx")]
    genus = pl.concat([genera, *more]).unique().head(wanted).str.to_titlecase()
    families = 2_000
    top = pl.DataFrame(
        {
            "ID": ["k", *(f"f{n}" for n in range(families))],
            "parentID": [None, *(["k"] * families)],
            "status": ["accepted"] * (families + 1),
            "rank": ["kingdom", *(["family"] * families)],
            "scientificName": ["Animalia", *(f"{g}idae" for g in genus.head(families))],
            "authorship": [None] * (families + 1),
        },
        schema_overrides={"authorship": pl.String, "parentID": pl.String},
    )
    size = genus.len()
    middle = (
        pl.DataFrame({"scientificName": genus})
        .with_row_index("n")
        .select(
            ID=pl.format("g{}", "n"),
            parentID=pl.format("f{}", pl.col("n") % families),
            status=pl.lit("accepted"),
            rank=pl.lit("genus"),
            scientificName="scientificName",
            authorship=pl.Series(authors.sample(size, with_replacement=True, seed=1)),
        )
    )
    species = usages - top.height - size
    with (folder / "NameUsage.tsv").open("wb") as file:
        pl.concat([top, middle]).write_csv(file, separator="\t", quote_style="never")
        for start in range(0, species, 1_000_000):
            count = min(1_000_000, species - start)
            seed = start + 2
            part = pl.DataFrame(
                {
                    "g": pl.int_range(size, eager=True).sample(count, with_replacement=True, seed=seed),
                    "e": epithets.sample(count, with_replacement=True, seed=seed + 1),
                    "authorship": authors.sample(count, with_replacement=True, seed=seed + 2),
                }
            ).with_row_index("n", offset=start)
            synonym = (pl.col("n") % 3 == 2) & (pl.col("n") > start + 3)
            part.select(
                ID=pl.format("s{}", "n"),
                parentID=pl.when(synonym).then(pl.format("s{}", pl.col("n") - 1)).otherwise(pl.format("g{}", "g")),
                status=pl.when(synonym).then(pl.lit("synonym")).otherwise(pl.lit("accepted")),
                rank=pl.lit("species"),
                scientificName=pl.format("{} {}", genus.gather(part["g"]), "e"),
                authorship="authorship",
            ).write_csv(file, separator="\t", include_header=False, quote_style="never")


def make_queries_frame(index_folder: Path, count: int, *, hard: bool) -> pl.DataFrame:
    """Return distinct queries (NAME_COLUMNS)."""
    index = open_backbone(index_folder)
    rng = random.Random(5)
    binomial = index.usages.select("name", "authorship_id").filter(pl.col("name").str.contains(" "))
    picked = binomial.sample(count, seed=9)
    names = picked["name"].to_list()
    authors = index.authorships.gather(picked["authorship_id"]).to_list()
    epithets = index.epithets["word"].sample(count, with_replacement=True, seed=3).to_list()
    for place, name in enumerate(names):
        dice = rng.random()
        if dice < 0.10:
            names[place] = typo(name, rng)
        elif hard and dice < 0.25:
            names[place] = name[:-2] + rng.choice(("us", "um", "is", "ae"))
        elif hard and dice < 0.45:
            names[place] = name.split(" ")[0] + " " + epithets[place] + "zz"
    frame = pl.DataFrame({c: [None] * count for c in NAME_COLUMNS}, schema=dict.fromkeys(NAME_COLUMNS, pl.String))
    half = [author if n % 2 else None for n, author in enumerate(authors)]
    return frame.with_columns(
        pl.Series("dwc:scientificName", names), pl.Series("dwc:scientificNameAuthorship", half, dtype=pl.String)
    ).unique(["dwc:scientificName", "dwc:scientificNameAuthorship"])


def main() -> None:
    """Build, match, and print what it took."""
    words, folder = Path(sys.argv[1]), Path(sys.argv[2])
    usages = int(sys.argv[3]) if len(sys.argv) > 3 else 5_000_000
    queries = int(sys.argv[4]) if len(sys.argv) > 4 else 200_000
    source, index = folder / "source", folder / "index"
    if not (index / "info.json").exists():
        if not (source / "NameUsage.tsv").exists():
            source.mkdir(parents=True, exist_ok=True)
            make_checklist(words, source, usages)
            print(f"checklist made; run again to build the index ({peak():.1f} GiB were used)")
            return
        start = time.perf_counter()
        info = build_backbone(source, index)
        print(f"index of {info.usages} usages: {time.perf_counter() - start:.0f} s, {peak():.2f} GiB")
        return
    frame = make_queries_frame(index, queries, hard="--hard" in sys.argv)
    backbone = open_backbone(index)
    match_queries(make_queries(frame.head(1000))[0], backbone)
    start = time.perf_counter()
    asked, _ = make_queries(frame)
    parsed, busy = time.perf_counter(), time.process_time()
    got = match_queries(asked, backbone)
    end, busy = time.perf_counter(), time.process_time() - busy
    print(
        f"{frame.height} distinct names against {backbone.info.usages} usages: parsed {frame.height / (parsed - start):,.0f}/s,"
        f" matched {frame.height / (end - parsed):,.0f}/s ({frame.height / busy:,.0f} per second of one core), {peak():.2f} GiB"
    )
    print(dict(got["matchType"].value_counts(sort=True).iter_rows()))
    if "--profile" in sys.argv:
        import cProfile

        cProfile.runctx("match_queries(asked, backbone)", globals(), locals(), sort="cumtime")


if __name__ == "__main__":
    main()
