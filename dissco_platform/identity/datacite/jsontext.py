"""JSON text made from columns: objects without nulls, by concatenation, in a fixed order of keys.

Each function gives a Polars expression of JSON text, null where there is nothing to say. Values are escaped as RFC 8259
section 7 asks; characters that XML 1.0 cannot hold are left out, since DataCite keeps its metadata as XML. Looking for them in
every value takes two thirds of the time of making a record, so it is asked of whole rows first whether any value `needs_care`;
with `plain`, values are taken as they are.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
import polars as pl

_KEPT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NOT_XML: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
_NEEDS_CARE: Final = r"""["\\\x00-\x1f\x{fffe}\x{ffff}]|^\s|\s$|^$"""
_ESCAPES: Final = {
    **{chr(code): "" for code in range(32)},
    **_KEPT,
    "\ufffe": "",
    "\uffff": "",
    '"': '\\"',
    "\\": "\\\\",
}


def constant(value: Any) -> str:
    """Return the JSON text of a Python value."""
    return orjson.dumps(value).decode()


def needs_care(value: pl.Expr) -> pl.Expr:
    """Return whether text is another one once it is `filled` and `quoted`, its quotation marks aside; false for null."""
    return value.cast(pl.String).str.contains(_NEEDS_CARE).fill_null(False)


def filled(value: pl.Expr, *, plain: bool = False) -> pl.Expr:
    """Return text without outer blanks and characters that XML cannot hold, null where nothing is left."""
    if plain:
        return value.cast(pl.String)
    text = value.cast(pl.String).str.replace_all(_NOT_XML, "").str.strip_chars()
    return pl.when(text != "").then(text)


def quoted(value: pl.Expr, *, plain: bool = False) -> pl.Expr:
    """Return a JSON string, null for null."""
    return pl.concat_str([pl.lit('"'), escaped(value, plain=plain), pl.lit('"')])


def member(key: str, text: pl.Expr) -> pl.Expr:
    """Return `"key":text`, null where the text is null."""
    return pl.concat_str([pl.lit(f"{constant(key)}:"), text])


def entry(value: pl.Expr, before: str, after: str, *, plain: bool = False) -> pl.Expr:
    """Return `before` + JSON string of `value` + `after`, null for null."""
    return pl.concat_str([pl.lit(before + '"'), escaped(value, plain=plain), pl.lit('"' + after)])


def entries(values: pl.Expr, before: str, after: str, *, plain: bool = False) -> pl.Expr:
    """Return one `entry` for each member of a List[String], separated by commas; null for an empty list."""
    made = entry(pl.element(), before, after, plain=plain)
    joined = values.cast(pl.List(pl.String)).list.eval(made).list.join(",")
    return pl.when(joined != "").then(joined)


def escaped(value: pl.Expr, *, plain: bool = False) -> pl.Expr:
    """Return the inside of a JSON string, null for null."""
    text = value.cast(pl.String)
    return text if plain else text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))


def members(each: Sequence[pl.Expr]) -> pl.Expr:
    """Return the members that are not null as the inside of a JSON object."""
    return pl.concat_str(list(each), separator=",", ignore_nulls=True)


def joined(*pieces: str | pl.Expr) -> pl.Expr:
    """Return pieces of text as one, put together in one pass: none of the expressions is null."""
    parts: list[str | pl.Expr] = []
    for piece in pieces:
        if isinstance(piece, str) and parts and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def optional(before: str, value: pl.Expr, after: str) -> pl.Expr:
    """Return `before` + `value` + `after`, empty text for null."""
    return pl.concat_str([pl.lit(before), value, pl.lit(after)]).fill_null("")


def listed(items: Sequence[pl.Expr]) -> pl.Expr:
    """Return the items that are not null, separated by commas: the inside of a JSON array, empty text for none."""
    return pl.concat_str(list(items), separator=",", ignore_nulls=True)


def record(each: Sequence[pl.Expr]) -> pl.Expr:
    """Return a JSON object of the members that are not null."""
    return pl.concat_str([pl.lit("{"), members(each), pl.lit("}")])
