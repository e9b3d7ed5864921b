"""The columns that make a name, and the key of a distinct name.

What becomes of a distinct name is in `harmonise.py`; Darwin Core's other terms are the archives' affair.
"""

from collections.abc import Collection

import polars as pl

from dissco_platform.provenance import fingerprint

NAME_COLUMNS: tuple[str, ...] = (
    "dwc:scientificName",
    "dwc:scientificNameAuthorship",
    "dwc:taxonRank",
    "dwc:nomenclaturalCode",
    "dwc:kingdom",
    "dwc:phylum",
    "dwc:class",
    "dwc:order",
    "dwc:family",
    "dwc:genus",
    "dwc:genericName",
    "dwc:specificEpithet",
    "dwc:infraspecificEpithet",
    "dwc:scientificNameID",
    "dwc:taxonID",
)

NAME_BEARING: tuple[str, ...] = (
    "dwc:scientificName",
    "dwc:kingdom",
    "dwc:phylum",
    "dwc:class",
    "dwc:order",
    "dwc:family",
    "dwc:genus",
    "dwc:genericName",
    "dwc:specificEpithet",
    "dwc:infraspecificEpithet",
    "dwc:scientificNameID",
    "dwc:taxonID",
)
"""Columns of which one must be filled for there to be a name at all: rank, code or an authorship alone name nothing."""


def name_columns(available: Collection[str]) -> list[pl.Expr]:
    """Return NAME_COLUMNS as String expressions: blank and absent ones are null."""
    return [
        pl.col(column).cast(pl.String).replace("", None).alias(column)
        if column in available
        else pl.lit(None, dtype=pl.String).alias(column)
        for column in NAME_COLUMNS
    ]


def name_key(available: Collection[str]) -> pl.Expr:
    """Return the fingerprint (32 hexadecimal digits) over NAME_COLUMNS, of which `available` exist in the frame.

    Null where every name-bearing column is blank.
    """
    columns = dict(zip(NAME_COLUMNS, name_columns(available), strict=True))
    nothing = pl.all_horizontal([columns[column].is_null() for column in NAME_BEARING])
    return pl.when(nothing).then(None).otherwise(fingerprint(list(columns.values()))).alias("name_key")
