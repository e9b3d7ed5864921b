"""Columns to JSON: objects as text in the model's key order, without nulls, the same bytes for the same content.

Text is joined column by column (a record's document never exists as a Python object). What the columns hold is
`columns`; whether a document fits the schema is `schema`.
"""

import polars as pl

from dissco_platform.opends.columns import escaped
from dissco_platform.opends.terms import Term, model


def value_text(term: Term, column: pl.Expr) -> pl.Expr:
    """Return a term's column (text already escaped) as the text of a JSON value; null stays null."""
    if term.many and term.nested:
        return pl.concat_str(pl.lit("["), column, pl.lit("]"))
    if term.nested:
        return column
    if term.many:
        quoted = column.str.replace_all(r"\s*[|;]\s*", '","')
        return pl.concat_str(pl.lit('["'), quoted, pl.lit('"]'))
    if term.range == "string":
        return pl.concat_str(pl.lit('"'), column, pl.lit('"'))
    return column.cast(pl.String)


def member(term: Term, column: pl.Expr) -> pl.Expr:
    """Return `"term":value` as text, null where the column is null."""
    if term.range == "string" and not term.many:
        return pl.concat_str(pl.lit(f'"{term.name}":"'), column, pl.lit('"'))
    return pl.concat_str(pl.lit(f'"{term.name}":'), value_text(term, column))


def objects(frame: pl.DataFrame, owner: str, *, with_type: bool = True) -> pl.Series:
    """Return one JSON object a row from the columns named as terms of `owner`; null where all are null.

    The frame's scalar text is escaped here; columns of nested terms hold JSON text already.
    """
    terms = model().classes[owner]
    present = [
        term for term in terms.values()
        if term.name in frame.columns and term.name != "@type" and frame[term.name].null_count() < frame.height
    ]  # fmt: skip
    if not present:
        return pl.Series(owner, [None] * frame.height, dtype=pl.String)
    scalars = escaped(frame.select([term.name for term in present if not term.nested]))
    ready = scalars.with_columns(frame[term.name] for term in present if term.nested) if scalars.width else frame
    type_text = f'{{"@type":"{owner}",' if with_type else "{"
    joined = ready.select(
        pl.concat_str([member(term, pl.col(term.name)) for term in present], separator=",", ignore_nulls=True).alias(
            "o"
        )
    )
    return joined.select(
        pl.when(pl.col("o") != "").then(pl.concat_str(pl.lit(type_text), pl.col("o"), pl.lit("}"))).alias(owner)
    )[owner]


def gathered(rows: pl.Series, items: pl.Series, order: pl.Series | None = None) -> pl.DataFrame:
    """Return (`row`, `items`): the objects of each record joined by commas, in an order that the file's cannot change.

    Objects go by `order` (ascending, e.g. the accepted identification first) and then by their own text.
    """
    frame = pl.DataFrame({"row": rows, "item": items})
    if order is not None:
        frame = frame.with_columns(order.alias("order"))
    keys = ["row", "order", "item"] if order is not None else ["row", "item"]
    return (
        frame.filter(pl.col("item").is_not_null())
        .sort(keys)
        .group_by("row", maintain_order=True)
        .agg(pl.col("item").unique(maintain_order=True).str.join(",").alias("items"))
    )
