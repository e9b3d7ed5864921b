"""Columns to JSON: objects as text in the model's key order, without nulls, the same bytes for the same content.

Text is joined column by column (a record's document never exists as a Python object). What the columns hold is
`columns`; whether a document fits the schema is `schema`.
"""

from collections.abc import Sequence

import polars as pl

from dissco_platform.opends.doubts import MARK, doubt
from dissco_platform.opends.lists import escaped
from dissco_platform.opends.terms import Term, model
from dissco_platform.provenance import fingerprint

AT_ONCE = 1_000
"""Documents that are hashed at once: some six megabytes."""


def _brackets(term: Term) -> tuple[str, str]:
    """Return what stands before and behind a term's column in a document, without the comma."""
    key = f'"{term.name}":'
    if term.nested:
        return (f"{key}[", "]") if term.many else (key, "")
    if term.many:
        return f'{key}["', '"]'
    return (f'{key}"', '"') if term.range == "string" else (key, "")


def _value(term: Term) -> pl.Expr:
    column = pl.col(term.name)
    if term.nested:
        return column
    if term.many:
        return column.str.replace_all(r"\s*[|;]\s*", '","')
    return column if term.range == "string" else column.cast(pl.String)


def _pieces(present: list[Term], ready: pl.DataFrame, start: str, *, comma: bool) -> list[pl.Expr]:
    """Return the pieces of the objects' text up to their last brace: constant text and columns, each copied once.

    What surrounds a column with gaps is null where the column is, and nulls are left out of the whole.
    """
    pieces: list[pl.Expr] = []
    text = start
    for term in present:
        before, after = _brackets(term)
        before = f",{before}" if comma else before
        comma = True
        if ready[term.name].null_count():
            there = pl.col(term.name).is_not_null()
            pieces += [pl.lit(text)] if text else []
            pieces += [pl.when(there).then(pl.lit(before)), _value(term)]
            pieces += [pl.when(there).then(pl.lit(after))] if after else []
            text = ""
        else:
            pieces += [pl.lit(text + before), _value(term)]
            text = after
    return [*pieces, pl.lit(text)] if text else pieces


def objects(frame: pl.DataFrame, owner: str, *, with_type: bool = True) -> pl.Series:
    """Return one JSON object a row from the columns named as terms of `owner`; null where all are null.

    The frame's scalar text is escaped here; columns of nested terms hold JSON text already. An object that is not known
    to fit its class ends with a mark (`doubts`).
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
    full = [term for term in present if not ready[term.name].null_count()]
    if not with_type and present[0] not in full:  # the first key has no comma before it, and must be the same for all
        first = pl.concat_str(
            [pl.concat_str([pl.lit(before), _value(term), pl.lit(after)])
             for term in present for before, after in [_brackets(term)]],
            separator=",", ignore_nulls=True,
        )  # fmt: skip
        pieces = [pl.lit("{"), first]
    else:
        start = f'{{"@type":"{owner}"' if with_type else "{"
        pieces = _pieces(present, ready, start, comma=with_type)
    doubtful = doubt(owner, frame, whole=with_type)
    if doubtful is None:
        pieces.append(pl.lit("}"))
    else:
        ready = ready.with_columns(doubtful.alias("__doubt"))
        pieces.append(pl.when("__doubt").then(pl.lit("}" + MARK)).otherwise(pl.lit("}")))
    text = pl.concat_str(pieces, ignore_nulls=True)
    if not full:
        text = pl.when(pl.any_horizontal(pl.col(term.name).is_not_null() for term in present)).then(text)
    return ready.select(text.alias(owner))[owner]


def print_of_texts(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return the fingerprint of columns, long texts among them, as `content_hash`.

    A few rows at a time: what is hashed is a copy, and one of a whole batch's documents would go through memory that is
    asked of the system anew.
    """
    made = [
        frame.slice(start, AT_ONCE).select(fingerprint(columns).alias("content_hash"))
        for start in range(0, max(1, frame.height), AT_ONCE)
    ]
    return pl.concat(made)["content_hash"]


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
