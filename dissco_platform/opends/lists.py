"""Objects of a nested class made from columns of the same row: agents, identifiers, relationships, citations, assertions.

Each entry of a list rule makes a column of JSON text without brackets; what a rule may say is `mapping.LIST_KEYS`. Columns
of single terms are `columns`.
"""

from collections.abc import Collection
from functools import lru_cache

import numpy as np
import polars as pl

from dissco_platform.opends import vocabularies
from dissco_platform.opends.agents import agents_json
from dissco_platform.opends.distinct import distinct, distinct_rows
from dissco_platform.opends.doubts import MARK, UNSAFE, checked_fragment, plain_address, template_mark
from dissco_platform.opends.identifiers import by_scheme, scheme_gupris, scheme_of, scheme_types
from dissco_platform.opends.mapping import ListRule


def _dirty(frame: pl.DataFrame, texts: list[str]) -> list[str]:
    """Return the text columns with a character that JSON must escape, looking at a column's texts all at once."""
    whole = frame.select(pl.col(texts).str.join("").cast(pl.Binary)).row(0)
    found = []
    for name, text in zip(texts, whole, strict=True):
        codes = np.frombuffer(text, dtype=np.uint8)
        if ((codes < 0x20) | (codes == ord('"')) | (codes == ord("\\"))).any():
            found.append(name)
    return found


def escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its text columns escaped for JSON (RFC 8259, section 7).

    Columns in which nothing needs escaping (the most) are left alone: looking costs a tenth of replacing.
    """
    texts = [name for name, dtype in zip(frame.columns, frame.dtypes, strict=True) if dtype == pl.String]
    if not texts or frame.is_empty():
        return frame
    dirty = _dirty(frame, texts)
    if not dirty:
        return frame
    column = pl.col(dirty)
    return frame.with_columns(
        column.str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
        .str.replace_all("\n", "\\n", literal=True)
        .str.replace_all("\r", "\\r", literal=True)
        .str.replace_all("\t", "\\t", literal=True)
        .str.replace_all(r"[\x00-\x1f]", "")
    )


def _coalesced(columns: object, available: Collection[str]) -> pl.Expr | None:
    listed = [str(column) for column in (columns if isinstance(columns, list) else [columns])]
    present = [pl.col(column) for column in listed if column in available]
    if not present:
        return None
    return present[0] if len(present) == 1 else pl.coalesce(present)


def list_items(frame: pl.DataFrame, rule: ListRule) -> pl.Series | None:
    """Return the objects of a list rule as JSON text without brackets, one row a record; None where nothing feeds it."""
    columns: list[pl.Series] = []
    for entry in rule.entries:
        column = _MAKERS[rule.of](frame, entry)
        if column is not None:
            columns.append(column.alias(str(len(columns))))
    if not columns:
        return None
    if len(columns) == 1:
        return columns[0].replace("", None).alias(rule.term)
    joined = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=",", ignore_nulls=True).alias(rule.term))
    return joined.select(pl.when(pl.col(rule.term) != "").then(pl.col(rule.term)).alias(rule.term))[rule.term]


@lru_cache(maxsize=100_000)
def _people(names: str | None, ids: str | None, role: str) -> str | None:
    text = agents_json(names, ids, role)
    return None if text is None else checked_fragment("ods:Agent", text)


def _agents(frame: pl.DataFrame, entry: dict[str, object]) -> pl.Series | None:
    names = _coalesced(entry.get("names") or [], frame.columns)
    ids = _coalesced(entry.get("ids") or [], frame.columns)
    if names is None and ids is None:
        return None
    role = str(entry["role"])
    if ids is None and names is not None:
        column = frame.select(names.alias("names"))["names"]
        return distinct(lambda text: _people(text, None, role), pl.String)(column)
    both = frame.select(
        (names if names is not None else pl.lit(None, dtype=pl.String)).alias("names"),
        ids.alias("ids"),  # type: ignore[union-attr]
    )
    if both["ids"].null_count() == both.height:
        return distinct(lambda text: _people(text, None, role), pl.String)(both["names"])
    return distinct_rows(lambda name, id_: _people(name, id_, role), pl.String)([both["names"], both["ids"]])


def _split_rows(frame: pl.DataFrame, entry: dict[str, object]) -> pl.DataFrame | None:
    """Return (at, value): the escaped values of an entry's column, split into rows where the entry says so."""
    value = _coalesced(entry["from"], frame.columns)
    if value is None:
        return None
    column = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"), value.alias("value")).filter(
        pl.col("value").is_not_null()
    )
    separators = entry.get("split")
    if separators:
        pattern = "[" + "".join(f"\\{mark}" for mark in str(separators)) + "]"
        column = (
            column.with_columns(pl.col("value").str.replace_all(pattern, "\x1f").str.split("\x1f"))
            .explode("value", empty_as_null=True)
            .with_columns(pl.col("value").str.strip_chars())
            .filter(pl.col("value") != "")
        )
    return escaped(column) if column.height else None


def _gathered(frame: pl.DataFrame, rows: pl.DataFrame, item: pl.Expr, repeats: bool) -> pl.Series:
    """Return the items of each row joined by commas, aligned with the frame."""
    rows = rows.select("at", item.alias("item"))
    if repeats:
        rows = rows.group_by("at", maintain_order=True).agg(pl.col("item").str.join(","))
    if rows.height == frame.height:  # each has some, in order
        return rows["item"]
    index = pl.DataFrame({"at": pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
    return index.join(rows, on="at", how="left", maintain_order="left")["item"]


def _text(value: str) -> pl.Expr:
    return pl.lit(value)


def _identifiers(frame: pl.DataFrame, entry: dict[str, object]) -> pl.Series | None:
    rows = _split_rows(frame, entry)
    if rows is None:
        return None
    rows = rows.with_columns(scheme_of(pl.col("value")).alias("scheme"), _on_label(frame, rows, entry).alias("label"))
    value, scheme = pl.col("value"), pl.col("scheme")
    status = f',"ods:identifierStatus":"{entry["status"]}"' if "status" in entry else ""
    between = f'","@type":"ods:Identifier","dcterms:title":"{entry["title"]}","dcterms:type":"'
    middles = [f'{between}{kind}","dcterms:identifier":"' for kind in scheme_types()]

    def end(label: str) -> pl.Expr:  # by scheme, each looked at by the schema
        ends = [f'"{label},"ods:gupriLevel":"{level}"{status}}}' for level in scheme_gupris()]
        marks = [
            template_mark("ods:Identifier", f'{{"@id":"x{middle}', end)
            for middle, end in zip(middles, ends, strict=True)
        ]
        return by_scheme(scheme, [end + mark for end, mark in zip(ends, marks, strict=True)])

    ended = end("")
    if rows["label"].count():
        ended = (
            pl.when(pl.col("label")).then(end(',"ods:isPartOfLabel":true'))
            .when(~pl.col("label")).then(end(',"ods:isPartOfLabel":false')).otherwise(ended)
        )  # fmt: skip
    item = pl.concat_str(_text('{"@id":"'), value, by_scheme(scheme, middles), value, ended)
    return _gathered(frame, rows, item, repeats="split" in entry)


def _on_label(frame: pl.DataFrame, rows: pl.DataFrame, entry: dict[str, object]) -> pl.Series:
    """Return whether each identifier stands on the label, as whole words; null where nobody wrote the label down."""
    label = _coalesced(entry.get("label") or [], frame.columns)
    if label is None:
        return pl.Series([None] * rows.height, dtype=pl.Boolean)
    texts = frame.select(label.alias("label"))["label"].gather(rows["at"])
    words = pl.DataFrame([texts, rows["value"]]).select(
        pl.concat_str(pl.lit(" "), pl.col(name).str.to_lowercase(), pl.lit(" "))
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .alias(name)
        for name in ("label", "value")
    )
    return words.select(pl.col("label").str.contains(pl.col("value"), literal=True).alias("l"))["l"]


MACHINE = (
    '"ods:hasAgents":[{"@type":"schema:SoftwareApplication","schema:name":"dissco_platform",'
    '"ods:hasRoles":[{"@type":"schema:Role","schema:roleName":"data-translator"}]}]'
)


_LINK = r"^(?i)https?://[^\s<>\"{}|\\^`]+$"
_SURE_LINK, _ODD_LINK, _SURE_TEXT, _ODD_TEXT = range(4)


def with_kinds(frame: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """Return the frame with a column `kind of <name>` for each of these columns: what `relationship_pieces` asks of them."""
    return frame.with_columns(_kinds(frame[name]).alias(f"kind of {name}") for name in names)


def _kinds(values: pl.Series) -> pl.Series:
    """Return whether each identifier is a link, and fits its object beyond doubt; null for null. Most are plain addresses."""
    text = pl.col("text")
    frame = values.alias("text").to_frame().with_columns(plain_address(text).alias("plain"))
    sure = pl.when("plain").then(pl.lit(_SURE_LINK))
    kind: pl.Expr = sure
    if not frame["plain"].all():  # nulls do not count
        kind = (
            sure.when(text.str.contains(_LINK)).then(pl.lit(_ODD_LINK))
            .when(~text.str.contains(UNSAFE)).then(pl.lit(_SURE_TEXT))
            .when(text.is_not_null()).then(pl.lit(_ODD_TEXT))
        )  # fmt: skip
    return frame.select(kind.cast(pl.UInt8).alias("kind"))["kind"]


def relationship_pieces(relationship: str, name: str, before: str = "") -> list[pl.Expr]:
    """Return the pieces of `ods:EntityRelationship`s to the identifiers in a column, behind a text `before` each of them.

    Each piece is null where the identifier is. The identifier is put in as it is: escaped, or one that needs no escaping
    (else the object is marked); links also carry the URI. The frame has the column's kinds (`with_kinds`).
    """
    value, kind = pl.col(name), pl.col(f"kind of {name}")
    start, end = _relationship(relationship)
    mark = template_mark("ods:EntityRelationship", start, end)
    link = kind <= _ODD_LINK
    return [
        pl.when(kind.is_not_null()).then(_text(before + start)), value,
        pl.when(link).then(_text('","ods:relatedResourceURI":"')), pl.when(link).then(value),
        pl.when(kind.is_in([_SURE_LINK, _SURE_TEXT])).then(_text(end + mark)).when(kind.is_not_null()).then(_text(end + MARK)),
    ]  # fmt: skip


def _relationship(relationship: str) -> tuple[str, str]:
    start = (
        f'{{"@type":"ods:EntityRelationship","dwc:relationshipOfResource":"{relationship}","dwc:relatedResourceID":"'
    )
    return start, f'",{MACHINE}}}'


def relationship_items(values: pl.Series, relationship: str) -> pl.Series:
    """Return an `ods:EntityRelationship` to each identifier as JSON text (`relationship_pieces`); null for null."""
    frame = with_kinds(values.alias("value").to_frame(), ["value"])
    item = pl.concat_str(relationship_pieces(relationship, "value"), ignore_nulls=True)
    return frame.select(pl.when(pl.col("value").is_not_null()).then(item).alias("item"))["item"]


@lru_cache(maxsize=1_000)
def constant_relationships(*told: tuple[str, str]) -> str:
    """Return `ods:EntityRelationship`s of (relationship, identifier) as JSON text without brackets."""
    return ",".join(relationship_items(pl.Series([value]), relationship).item() for relationship, value in told)


def _relationships(frame: pl.DataFrame, entry: dict[str, object]) -> pl.Series | None:
    rows = _split_rows(frame, entry)
    if rows is None:
        return None
    rows = rows.with_columns(relationship_items(rows["value"], str(entry["relationship"])))
    return _gathered(frame, rows, pl.col("item"), repeats="split" in entry)


def _citations(frame: pl.DataFrame, entry: dict[str, object]) -> pl.Series | None:
    rows = _split_rows(frame, entry)
    if rows is None:
        return None
    value = pl.col("value")
    link = value.str.contains(r"^(?i)https?://\S+$")
    identifier = (
        pl.when(link).then(pl.concat_str(_text('"dcterms:identifier":"'), value, _text('",'))).otherwise(_text(""))
    )
    mark = template_mark("ods:Citation", '{"@type":"ods:Citation","dcterms:bibliographicCitation":"', '"}')
    item = pl.concat_str(
        _text('{"@type":"ods:Citation",'), identifier, _text('"dcterms:bibliographicCitation":"'), value,
        _text('"}' + mark),
    )  # fmt: skip
    return _gathered(frame, rows, item, repeats="split" in entry)


def _assertions(frame: pl.DataFrame, entry: dict[str, object]) -> pl.Series | None:
    rows = _split_rows(frame, entry)
    if rows is None:
        return None
    if "pattern" in entry:  # what the pattern's group finds
        found = pl.col("value").str.extract(str(entry["pattern"]), 1).str.strip_chars()
        rows = rows.with_columns(found.alias("value")).filter(pl.col("value").is_not_null())
        if rows.is_empty():
            return None
    if "vocabulary" in entry:  # the concept beside the term that keeps what was written
        match = vocabularies.load(str(entry["vocabulary"])).match
        rows = rows.with_columns(distinct(match, pl.String)(rows["value"]).alias("value"))
        rows = rows.filter(pl.col("value").is_not_null()).unique(maintain_order=True)
        if rows.is_empty():
            return None
    unit = entry.get("unit")
    tail = f'","dwc:measurementUnit":"{unit}"}}' if unit else '"}'
    start = f'{{"@type":"ods:Assertion","dwc:measurementType":"{entry["type"]}","dwc:measurementValue":"'
    item = pl.concat_str(_text(start), pl.col("value"), _text(tail + template_mark("ods:Assertion", start, tail)))
    return _gathered(frame, rows, item, repeats="split" in entry)


_MAKERS = {
    "ods:Agent": _agents,
    "ods:Identifier": _identifiers,
    "ods:EntityRelationship": _relationships,
    "ods:Citation": _citations,
    "ods:Assertion": _assertions,
}
