"""Records that have an identifier which another has already: the first in the file keeps it, later ones are set aside."""

import polars as pl


def first_of_each(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part records by identifier: the first of each (sorted by it), and later ones, which know the `first_line`."""
    ordered = frame.sort("normalisedPhysicalSpecimenID", "row").with_columns(
        pl.col("row").first().over("normalisedPhysicalSpecimenID").alias("first"),
        pl.col("source_line").first().over("normalisedPhysicalSpecimenID").alias("first_line"),
    )
    is_first = pl.col("row") == pl.col("first")
    return ordered.filter(is_first).drop("first", "first_line"), ordered.filter(~is_first)


def duplicates(later: pl.DataFrame) -> pl.DataFrame:
    """Return later records with `reason` and `message`, as rejects; they have a `first_line`."""
    told = pl.format("{} is the identifier of the record on line {} already", "physicalSpecimenID", "first_line")
    return later.with_columns(pl.lit("duplicate_identifier").alias("reason"), told.alias("message"))
