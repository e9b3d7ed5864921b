"""A file's rows as columns of terms: defaults, ids, where rows stood, links inside a value.

Which column is which term is `plan.py`; what becomes of the rows is `dwca.py`.
"""

import polars as pl
import pyarrow as pa

from dissco_platform.archives.blocks import SOURCE_LINE, Block
from dissco_platform.archives.columns import constant, filled, one_array, plain
from dissco_platform.archives.lines import SetAside
from dissco_platform.archives.plan import Part

ASSOCIATED_MEDIA = "dwc:associatedMedia"


def columns_of(block: Block, part: Part, terms: list[str]) -> dict[str, pa.Array]:
    """Return a column for each term: the file's, blanks filled by the default; the constant; or nulls."""
    positions = {column: p for p, column in enumerate(part.columns) if column is not None}
    columns: dict[str, pa.Array] = {}
    for term in terms:
        default = (part.defaults.get(term) or "").strip()
        if term in positions:
            array = one_array(block.table.column(positions[term]))
            columns[term] = filled(array, default) if default else array
        else:
            columns[term] = constant(default or None, block.rows)
    return columns


def value_of(term: str, named: dict[str, str], defaults: dict[str, str]) -> pl.Expr:
    """Return a term's value: its column, blanks filled by the default; the constant; or null."""
    default = defaults.get(term)
    if term in named:
        column = pl.col(named[term])
        return column if default is None else column.fill_null(pl.lit(default.strip()))
    return pl.lit(default.strip() if default else None, dtype=pl.String)


def identity_of(block: Block, part: Part) -> pa.Array:
    """Return the column with the core's ids, nulls where there is none."""
    if part.id_position is None:
        return constant(None, block.rows)
    return one_array(block.table.column(part.id_position))


def origin_of(block: Block, part: Part) -> dict[str, pa.Array]:
    """Return where each row stood."""
    return {
        "source_file": constant(part.member.name, block.rows),
        "source_line": pa.array(block.lines, pa.int64()),
    }


def nameless_rows(rows: pa.Table, terms: list[str]) -> list[SetAside]:
    """Return rows that do not say which record they belong to, as they are set aside."""
    message = "the row does not say which record it belongs to"
    cells = [plain(one_array(rows.column(term))).to_pylist() for term in terms]
    raws = zip(*cells, strict=True) if cells else [()] * rows.num_rows
    lines = rows.column(SOURCE_LINE).to_pylist()
    return [
        SetAside(line, "missing_core_id", message, "\t".join(cell or "" for cell in raw))
        for line, raw in zip(lines, raws, strict=True)
    ]


def associated_media(records: pl.DataFrame, separator: str | None = None) -> pl.DataFrame:
    """Return one row a link of `dwc:associatedMedia` (separated by what the descriptor says, by `|`, or by `;`, `,` or
    blanks before a scheme)."""
    value = pl.col(ASSOCIATED_MEDIA)
    if separator:
        value = value.str.replace_all(separator, "|", literal=True)
    links = (
        records.filter(pl.col(ASSOCIATED_MEDIA).is_not_null())
        .select(
            "row",
            "source_file",
            "source_line",
            pl.lit(ASSOCIATED_MEDIA).alias("row_type"),
            value.str.replace_all(r"[\s;,]+((?:https?|ftp)://)", "|${1}").str.split("|").alias("ac:accessURI"),
        )
        .explode("ac:accessURI")
        .with_columns(pl.col("ac:accessURI").str.strip_chars(" \t\r\n;,"))
    )
    return links.filter(pl.col("ac:accessURI") != "")
