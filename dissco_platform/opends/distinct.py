"""Work once for each distinct value, or combination of values, of a column or of several: those of a batch mostly repeat.

What is worked out is in `transforms` and where else values are parsed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

Params = Mapping[str, Any]


def distinct(parse: Callable[[str], Any], dtype: pl.DataType | type[pl.DataType]) -> Callable[[pl.Series], pl.Series]:
    """Return a column function that calls `parse` once per distinct non-null value."""

    def run(series: pl.Series) -> pl.Series:
        values = series.unique().drop_nulls()
        if values.is_empty():
            return pl.Series(series.name, [None], dtype=dtype).new_from_index(0, len(series))
        parsed = pl.Series([parse(value) for value in values], dtype=dtype)
        return series.replace_strict(values, parsed, default=None, return_dtype=dtype)

    return run


def distinct_rows(
    parse: Callable[..., Any], dtype: pl.DataType | type[pl.DataType]
) -> Callable[[Sequence[pl.Series]], pl.Series]:
    """Return a function of several columns that calls `parse` once per distinct combination of their values."""

    def run(series: Sequence[pl.Series]) -> pl.Series:
        return _of_each(
            series, lambda keys: pl.Series("parsed", [parse(*row) for row in keys.iter_rows()], dtype=dtype)
        )

    return run


def _of_each(series: Sequence[pl.Series], made: Callable[[pl.DataFrame], pl.Series]) -> pl.Series:
    """Return for each row what `made` gives for its combination of values; it gets each combination once."""
    height = max(len(one) for one in series)  # a column that the table lacks comes as one null
    whole = [one if len(one) == height else one.new_from_index(0, height) for one in series]
    frame = pl.DataFrame([one.alias(str(at)) for at, one in enumerate(whole)])
    keys = frame.unique(maintain_order=True)
    parsed = made(keys).alias("parsed")
    if keys.height == height:
        return parsed
    if keys.height == 1:
        return parsed.new_from_index(0, height)
    joined = frame.join(
        keys.with_columns(parsed), on=frame.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined["parsed"]


Made = Callable[[pl.DataFrame, Params], pl.Series]
"""Works on a frame of texts, the columns of a source in order; steps of their own, as no part is then worked out twice."""


def by_combination(make: Made, dtype: pl.Struct) -> Callable[[Sequence[pl.Expr], Params], pl.Expr]:
    """Return a transform that is worked out once for each combination of values: those of a batch mostly repeat."""

    def build(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
        return pl.map_batches(
            columns, lambda series: _of_each(series, lambda keys: make(keys, params)), return_dtype=dtype
        )

    return build


def read_odd(
    frame: pl.DataFrame, plain: Mapping[str, pl.Expr], parse: Callable[..., Any], dtype: pl.Struct
) -> pl.Series:
    """Return the parts that `plain` gives in the rows that are `plain`; in the others, what `parse` makes of their texts."""
    texts = [name for name in frame.columns if name.isdigit()]
    result = frame.select(pl.when("plain").then(part).alias(name) for name, part in plain.items())
    odd = frame.filter(~pl.col("plain")).select(texts)
    if odd.height:
        at = (~frame["plain"]).arg_true()
        parsed = zip(*[parse(*row) for row in odd.iter_rows()], strict=True)
        result = pl.DataFrame(
            result[part.name].scatter(at, pl.Series(values, dtype=part.dtype))
            for part, values in zip(dtype.fields, parsed, strict=True)
        )
    return result.to_struct("parsed")
