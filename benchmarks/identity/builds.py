"""What the made-up builds of these benchmarks have alike: columns of `specimens.parquet`, and the text of a document."""

import polars as pl


def specimen_columns() -> list[pl.Expr]:
    """Return the columns that follow from `key`, or are the same for all specimens; `content_hash` is there already."""
    return [
        *(pl.col("key").alias(name) for name in ("occurrenceID", "physicalSpecimenID", "normalisedPhysicalSpecimenID")),
        pl.lit("Resolvable").alias("physicalSpecimenIDType"),
        pl.col("content_hash"),
        pl.lit("CC0-1.0").alias("licence"),
        pl.lit("Zoology").alias("topicDiscipline"),
        pl.lit("Life").alias("topicDomain"),
        pl.lit(None, pl.String).alias("topicCategory"),
        pl.lit(False).alias("is_marked_as_type"),
        pl.lit("[]").alias("otherSpecimenIds"),
    ]


def documents(frame: pl.DataFrame, place: pl.Expr, filler: str) -> pl.DataFrame:
    """Return rows of `documents.parquet`: the key, a place that changes, and `filler` for the size."""
    content = pl.concat_str(
        pl.lit('{"ods:physicalSpecimenID":"'), "key", pl.lit('","dwc:locality":"'), place,
        pl.lit(f'","dwc:remarks":"{filler}"}}'),
    )  # fmt: skip
    return frame.select("content_hash", content.alias("content"), pl.lit("[]").alias("relationships"))
