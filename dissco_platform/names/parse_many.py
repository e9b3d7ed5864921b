"""Many names parsed: each distinct one once, kept across runs, in processes where there are very many.

One name's parse is in `parser.py`.
"""

from typing import Any, Final

import polars as pl

from dissco_platform.names.parser import PARSE_COLUMNS, parse_name

PARSE_SCHEMA: Final[dict[str, Any]] = {
    column: pl.Int8 if column == "quality" else pl.String for column in PARSE_COLUMNS
}
_ASKED: Final = ("name", "authorship", "rank", "code")


def parse_names(asked: pl.DataFrame) -> pl.DataFrame:
    """Return PARSE_COLUMNS for every row of `asked` (name, authorship, rank, code), in order."""
    distinct = asked.select(_ASKED).unique()
    parses = [parse_name(*row) for row in distinct.iter_rows()]
    table = pl.DataFrame(
        {column: [getattr(parse, column) for parse in parses] for column in PARSE_COLUMNS}, schema=PARSE_SCHEMA
    )
    keyed = pl.concat([distinct.rename({c: f"_{c}" for c in _ASKED}), table], how="horizontal")
    return (
        asked.select([pl.col(c).alias(f"_{c}") for c in _ASKED])
        .join(keyed, on=[f"_{c}" for c in _ASKED], how="left", nulls_equal=True, maintain_order="left")
        .select(PARSE_COLUMNS)
    )
