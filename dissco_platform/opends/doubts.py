"""Which documents the JSON Schema must look at whole: objects carry a mark until everything in them is known to fit.

A document is text put together from columns. Whether an object fits its class is known column by column: its keys are
the model's, its types the columns', and what the schema asks of a value (enum, pattern, range, format) is asked of the
columns, each distinct odd value by the JSON Schema of its term itself. An object of which that cannot be said gets a
MARK behind its last brace. The mark travels with the text through every join into the whole document; a document with a
mark is parsed and validated by the JSON Schema (`schema.problems`), which alone decides and gives the reason; one without
is known to be valid. Doubt is cheap and harmless, so the rules here may doubt too much and never too little
(`tests/opends/test_doubts.py` holds both sides together).
"""

from functools import cache, lru_cache
from typing import Any

import jsonschema_rs
import orjson
import polars as pl

from dissco_platform.opends.schema import json_schema, term_schema
from dissco_platform.opends.terms import Term, model

MARK = "\x00"  # no JSON text holds it: `columns.escaped` takes it out of values, other makers write it as an escape
UNSAFE = r'["\\\x00-\x1f]'  # what a value put between quotes as it is must not hold

# Addresses of which the formats iri and uri need not be asked (RFC 3986, ASCII alone).
_PLAIN_ADDRESS = (
    r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?"
    r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$"
)
_DTYPES: dict[str, tuple[pl.DataType, ...]] = {
    "string": (pl.String(),),
    "integer": (pl.Int64(), pl.Int32(), pl.Int16(), pl.Int8(), pl.UInt32(), pl.UInt8()),
    "number": (pl.Float64(), pl.Int64(), pl.Int32(), pl.Int8()),
    "boolean": (pl.Boolean(),),
}


def plain_address(column: pl.Expr) -> pl.Expr:
    """Return where a column holds an address that is a URI and an IRI beyond doubt."""
    return column.str.contains(_PLAIN_ADDRESS)


@cache
def _term_validator(owner: str, name: str) -> Any:
    return jsonschema_rs.validator_for(term_schema(model().term(owner, name)), validate_formats=True)


@lru_cache(maxsize=50_000)
def _fits(owner: str, name: str, value: str) -> bool:
    return bool(_term_validator(owner, name).is_valid(value))


@cache
def fragment_validator(owner: str) -> Any:
    """Return the JSON Schema validator of one object of a class, as it stands inside a document."""
    schema = json_schema("ods:DigitalSpecimen" if owner != "ods:MediaDerivative" else "ods:DigitalMedia", content=True)
    return jsonschema_rs.validator_for({**schema, "$ref": f"#/$defs/{owner}"}, validate_formats=True)


def checked_fragment(owner: str, text: str) -> str:
    """Return JSON text of an object (or of several, separated by commas) with a mark where it does not fit its class."""
    try:
        objects = orjson.loads(f"[{text}]")
    except orjson.JSONDecodeError:
        return text + MARK
    validator = fragment_validator(owner)
    return text if all(validator.is_valid(one) for one in objects) else text + MARK


@lru_cache(maxsize=10_000)
def template_mark(owner: str, before: str, after: str = "") -> str:
    """Return the mark where constant text around a value does not make an object of the class, else empty text."""
    return checked_fragment(owner, f"{before}x{after}")[len(before) + 1 + len(after) :]


def doubt(owner: str, frame: pl.DataFrame, *, whole: bool = True) -> pl.Series | None:
    """Return which rows' objects of a class may not fit it, by their own members; None where all are known to fit.

    Args:
        owner: the class.
        frame: typed columns named as terms of the class, scalars not yet escaped; nested ones hold marked JSON text.
        whole: the object has its `@type`; without it, it is the content of a document, which publication completes.
    """
    terms = model().classes[owner]
    rules: list[pl.Expr] = []
    surely = False
    if whole and not ("@type" in terms and _fits(owner, "@type", owner)):
        surely = True
    for term in terms.values():
        if not whole and term.filled == "publication":
            if term.name in frame.columns and frame[term.name].null_count() < frame.height:
                rules.append(pl.col(term.name).is_not_null())
            continue
        if term.name == "@type":
            continue
        if term.name not in frame.columns:
            surely = surely or term.required
            continue
        column = frame[term.name]
        empty = column.null_count()
        if term.required and empty:
            rules.append(pl.col(term.name).is_null())
        if empty < frame.height and (rule := _doubtful(term, column)) is not None:
            rules.append(rule)
    if surely:
        return pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    if not rules:
        return None
    found = frame.select(pl.any_horizontal(rules).fill_null(value=True).alias("doubt"))["doubt"]
    if len(found) == 1 and frame.height != 1:
        found = found.new_from_index(0, frame.height)
    return found if found.any() else None


def _doubtful(term: Term, column: pl.Series) -> pl.Expr | None:
    """Return where a term's values may not fit; nulls do not count. None where every value of the column's type fits."""
    own = pl.col(term.name)
    if term.nested:
        return own.is_not_null() & (own == "")
    constrained = bool(term.const or term.enum or term.pattern or (term.format and term.format != "url"))
    numeric = term.range in {"integer", "number"}
    if term.many:
        plain = term.range == "string" and column.dtype == pl.String and not constrained
        return None if plain and not term.min_items else own.is_not_null()
    if column.dtype not in _DTYPES[term.range] or (constrained and term.range != "string"):
        return own.is_not_null()
    if numeric:
        return _out_of_range(term, column)
    return _odd(term, column) if constrained else None


def _out_of_range(term: Term, column: pl.Series) -> pl.Expr | None:
    own = pl.col(term.name)
    rules = [~own.is_finite()] if column.dtype == pl.Float64 else []
    if term.minimum is not None:
        rules.append(own < term.minimum)
    if term.maximum is not None:
        rules.append(own > term.maximum)
    return pl.any_horizontal(rules).fill_null(value=False) if rules else None


def _odd(term: Term, column: pl.Series) -> pl.Expr | None:
    """Ask the schema of each distinct value of a constrained text, but for plain addresses, of which most differ."""
    asked = column
    if term.format in {"iri", "uri"} and not term.pattern:
        frame = column.to_frame()
        asked = frame.filter(~plain_address(pl.col(term.name)))[term.name]
    misfits = [
        value for value in asked.unique().drop_nulls().to_list() if not _fits(term.owner, term.name, value)
    ]  # fmt: skip
    return pl.col(term.name).is_in(misfits).fill_null(value=False) if misfits else None


def without_marks(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the marks out of `content` and `relationships`; `doubtful` says which rows had any."""
    marked = [
        pl.col(name).str.contains(MARK, literal=True).fill_null(value=True) for name in ("content", "relationships")
    ]
    frame = frame.with_columns(pl.any_horizontal(marked).alias("doubtful"))
    if not frame["doubtful"].any():
        return frame
    return frame.with_columns(
        pl.when("doubtful").then(pl.col(name).str.replace_all(MARK, "", literal=True)).otherwise(name).alias(name)
        for name in ("content", "relationships")
    )
