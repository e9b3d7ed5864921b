"""Documents as typed tables: the model's classes as nested Arrow types, published documents as Parquet.

One column a term of the document's class, nested objects as structs and lists of structs, all from the model's table.
"""

from collections.abc import Iterable
from functools import cache
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dissco_platform.opends.terms import Term, model

_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()
}  # fmt: skip
ROWS = 2_000


def _type(term: Term) -> pa.DataType:
    one = _struct(term.range) if term.nested else _TYPES[term.range]
    return pa.list_(one) if term.many else one


@cache
def _struct(owner: str) -> pa.DataType:
    return pa.struct([pa.field(term.name, _type(term)) for term in model().classes[owner].values()])


@cache
def arrow_schema(owner: str) -> pa.Schema:
    """Return the typed schema of a class's documents: terms in the model's order, required ones not null.

    What the schema of openDS asks beyond types (values, patterns) is in the fields' metadata.
    """
    fields = []
    for term in model().classes[owner].values():
        asks: dict[str | bytes, str | bytes] = {
            name: str(value)
            for name, value in (("format", term.format), ("vocabulary", term.vocabulary), ("pattern", term.pattern),
                                ("enum", "|".join(term.enum)), ("const", term.const))
            if value
        }  # fmt: skip
        fields.append(pa.field(term.name, _type(term), nullable=not term.required, metadata=asks or None))
    return pa.schema(fields, metadata={"class": owner})


def write_typed(documents: Iterable[str], owner: str, path: Path) -> int:
    """Write documents (JSON text) of a class as typed Parquet; returns how many.

    Raises:
        pa.ArrowInvalid: a value is not of its term's type (no document that was published has one).
    """
    schema = arrow_schema(owner)
    written = 0
    left = iter(documents)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := [orjson.loads(text) for text in islice(left, ROWS)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            written += len(rows)
    return written
