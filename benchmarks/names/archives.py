"""How names of a checklist find themselves, and what becomes of a real archive's names: `archives.py <index> [names]`.

Every usage is asked for with its own authorship, rank and family: the answer should be itself, or another usage of the same
name and accepted usage. Homonyms within a family and duplicates of a checklist are counted apart.
"""

import sys
from pathlib import Path

import polars as pl

from dissco_platform.names.index import open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.query import make_queries


def main() -> None:
    """Print the share of names that find themselves, by what is given beside the name."""
    index = open_backbone(Path(sys.argv[1]))
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    picked = index.usages.with_row_index("row").sample(min(size, index.usages.height), seed=4)
    family = index.lineages["family"].gather(picked["lineage"])
    author = index.authorships.gather(picked["authorship_id"])
    accepted = index.usages["id"].gather(picked["accepted"])
    empty = pl.DataFrame(
        {c: [None] * picked.height for c in NAME_COLUMNS}, schema=dict.fromkeys(NAME_COLUMNS, pl.String)
    )
    name = empty.with_columns(picked["name"].alias("dwc:scientificName"))
    full = name.with_columns(
        author.alias("dwc:scientificNameAuthorship"),
        picked["rank"].cast(pl.String).alias("dwc:taxonRank"),
        family.alias("dwc:family"),
    )
    for title, frame in (("name only", name), ("name, author, rank, family", full)):
        queries, _ = make_queries(frame)
        got = match_queries(queries, index)
        answer = pl.concat([picked.select("id", "name", "rank", "status"), got], how="horizontal").with_columns(
            author=author, wanted=accepted
        )
        right = (pl.col("acceptedUsageID") == pl.col("wanted")).fill_null(value=False)
        same = (pl.col("matchedName") == pl.col("name")).fill_null(value=False)
        shares = answer.select(
            accepted=right.mean(), homonym=(~right & same).mean(), ambiguous=(pl.col("matchType") == "ambiguous").mean()
        ).row(0, named=True)
        print(
            title, {k: f"{100 * v:.2f} %" for k, v in shares.items()}, dict(got["matchType"].value_counts().iter_rows())
        )
        if "--misses" in sys.argv:
            odd = answer.filter(~right & ~same & (pl.col("matchType") != "ambiguous"))
            with pl.Config(tbl_rows=40, tbl_width_chars=230, fmt_str_lengths=45, tbl_cols=20):
                print(
                    odd.select(
                        "name",
                        "author",
                        "rank",
                        "status",
                        "matchType",
                        "matchedName",
                        "matchedAuthorship",
                        "confidence",
                        "note",
                    )
                )


if __name__ == "__main__":
    main()
