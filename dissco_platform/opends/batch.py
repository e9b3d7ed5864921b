"""A batch of parsed rows, and what the rows of an extension make: objects of a class, gathered by record.

Whole specimens are put together in `specimens`, their parts in `specimen_parts`.
"""

from dataclasses import dataclass

import polars as pl

from dissco_platform.opends.agents import agent_json
from dissco_platform.opends.columns import Findings, evaluate
from dissco_platform.opends.distinct import distinct_rows
from dissco_platform.opends.doubts import checked_fragment
from dissco_platform.opends.identifiers import gupri_level, identifier_type
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.render import gathered, objects
from dissco_platform.opends.terms import model


@dataclass(frozen=True)
class Batch:
    """Parsed rows of one range of records."""

    records: pl.DataFrame
    extensions: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Read:
    """One batch as parsed: records whose media are looked at, those to render, and the rows of their extensions.

    `keys` has the identity columns of `records`, in the same order.
    """

    records: pl.DataFrame
    todo: pl.DataFrame
    keys: pl.DataFrame
    media: pl.DataFrame | None
    extensions: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Rendered:
    """What became of one batch."""

    built: pl.DataFrame | None
    links: pl.DataFrame
    aside: pl.DataFrame
    media: pl.DataFrame | None
    findings: Findings


def verbatim_assertions(evaluated: pl.DataFrame) -> pl.Series | None:
    """Return assertions that keep what was written where a vocabulary's concept stands in the term itself."""
    parts = []
    for name in evaluated.columns:
        if name.startswith("verbatim ") and evaluated[name].null_count() < evaluated.height:
            frame = pl.DataFrame({"dwc:measurementValue": evaluated[name]}).with_columns(
                pl.when(pl.col("dwc:measurementValue").is_not_null()).then(pl.lit(name)).alias("dwc:measurementType")
            )
            parts.append(objects(frame, "ods:Assertion").alias(name))
    return joined(parts)


def joined(parts: list[pl.Series]) -> pl.Series | None:
    """Return lists of objects joined row by row, as JSON text without brackets; None where there are none."""
    parts = [part for part in parts if len(part) and part.null_count() < len(part)]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0].replace("", None)
    frame = pl.DataFrame([part.alias(str(at)) for at, part in enumerate(parts)])
    return frame.select(pl.concat_str(pl.all(), separator=",", ignore_nulls=True).replace("", None).alias("j"))["j"]


def extension_items(batch: Batch, table: str, owner: str, mapping: Mapping, findings: Findings) -> pl.Series | None:
    """Return the objects of `owner` that a table's rows make, joined for each record; None where there are none."""
    frame = batch.extensions.get(table)
    if frame is None or frame.is_empty() or not mapping.block(owner, table):
        return None
    evaluated = evaluate(frame, mapping, owner, table, findings)
    if not evaluated.width:
        return None
    evaluated = _complete(evaluated, owner)
    item = objects(evaluated.drop([name for name in evaluated.columns if name.startswith("__")]), owner)
    required = [term.name for term in model().classes[owner].values() if term.required and term.name != "@type"]
    if required:
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in required if name in evaluated.columns)
        lacking = [name for name in required if name not in evaluated.columns]
        keep = evaluated.select((whole if not lacking else pl.lit(value=False)).alias("k"))["k"]
        if len(keep) == 1 and frame.height != 1:
            keep = keep.new_from_index(0, frame.height)
        dropped = int((~keep).sum())
        if dropped:
            findings.invalid[owner, ", ".join(required), "lacks a required term"] += dropped
        item = pl.DataFrame({"i": item, "k": keep}).select(pl.when("k").then(pl.col("i")))["i"]
    return _hung(batch, frame, item)


def _hung(batch: Batch, frame: pl.DataFrame, item: pl.Series) -> pl.Series:
    collected = gathered(frame["row"], item)
    return batch.records.select("row").join(collected, on="row", how="left", maintain_order="left")["items"]


def _complete(evaluated: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Add what follows from a value: the scheme of an identifier."""
    if owner == "ods:Identifier" and "dcterms:identifier" in evaluated.columns:
        value = pl.col("dcterms:identifier")
        return evaluated.with_columns(
            value.alias("@id"), identifier_type(value).alias("dcterms:type"), gupri_level(value).alias("ods:gupriLevel")
        )
    return evaluated


_AGENT = ("@type", "schema:name", "schema:identifier", "schema:email", "schema:url")
_ROLE = ("@id", "schema:roleName", "schema:position", "schema:startDate", "schema:endDate")


def agent_items(batch: Batch, mapping: Mapping, findings: Findings) -> pl.Series | None:
    """Return the agents of the table `agents`, each with its role, joined for each record; None where there are none."""
    frame = batch.extensions.get("agents")
    if frame is None or frame.is_empty() or not mapping.block("ods:Agent", "agents"):
        return None
    columns = []
    for owner, names in (("ods:Agent", _AGENT), ("schema:Role", _ROLE)):
        evaluated = evaluate(frame, mapping, owner, "agents", findings)
        empty = pl.Series([None] * frame.height, dtype=pl.String)
        columns += [evaluated[name] if name in evaluated.columns else empty for name in names]

    def one(*cells: str | int | None) -> str | None:
        text = agent_json(dict(zip(_AGENT, cells, strict=False)), dict(zip(_ROLE, cells[len(_AGENT) :], strict=True)))
        return None if text is None else checked_fragment("ods:Agent", text)

    return _hung(batch, frame, distinct_rows(one, pl.String)(columns))
