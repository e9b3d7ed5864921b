"""JSON text made from columns: objects without nulls, by concatenation, in a fixed order of keys.

Each function gives a Polars expression of JSON text, null where there is nothing to say. Values are escaped as RFC 8259
section 7 asks; characters that XML 1.0 cannot hold are left out, since DataCite keeps its metadata as XML.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
import polars as pl

_KEPT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NOT_XML: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
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


def filled(value: pl.Expr) -> pl.Expr:
    """Return text without outer blanks and characters that XML cannot hold, null where nothing is left."""
    text = value.cast(pl.String).str.replace_all(_NOT_XML, "").str.strip_chars()
    return pl.when(text != "").then(text)


def quoted(value: pl.Expr) -> pl.Expr:
    """Return a JSON string, null for null."""
    escaped = value.cast(pl.String).str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
    return pl.concat_str([pl.lit('"'), escaped, pl.lit('"')])


def member(key: str, text: pl.Expr) -> pl.Expr:
    """Return `"key":text`, null where the text is null."""
    return pl.concat_str([pl.lit(f"{constant(key)}:"), text])


def entry(value: pl.Expr, before: str, after: str) -> pl.Expr:
    """Return `before` + JSON string of `value` + `after`, null for null."""
    return pl.concat_str([pl.lit(before), quoted(value), pl.lit(after)])


def entries(values: pl.Expr, before: str, after: str) -> pl.Expr:
    """Return one `entry` for each member of a List[String], separated by commas; null for an empty list."""
    joined = values.cast(pl.List(pl.String)).list.eval(entry(pl.element(), before, after)).list.join(",")
    return pl.when(joined != "").then(joined)


def array(items: Sequence[pl.Expr]) -> pl.Expr:
    """Return a JSON array of the items that are not null, null where none is left."""
    inner = pl.concat_str(list(items), separator=",", ignore_nulls=True)
    return pl.when(inner != "").then(pl.concat_str([pl.lit("["), inner, pl.lit("]")]))


def record(members: Sequence[pl.Expr]) -> pl.Expr:
    """Return a JSON object of the members that are not null."""
    inner = pl.concat_str(list(members), separator=",", ignore_nulls=True)
    return pl.concat_str([pl.lit("{"), inner, pl.lit("}")])
