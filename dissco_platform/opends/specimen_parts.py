"""Parts of a specimen: materials without a number of their own, and samples and preparations taken from it.

Each row of a table of parts is built as a specimen is: the mapping's blocks of identification, event, age and the rest for
that table, and the extension rows that name the part. Where parts come from: `archives/material_parts.py`, GGBN rows.
"""

import polars as pl

from dissco_platform.archives.tables import PART, PART_KEY, PARTS
from dissco_platform.opends.batch import Batch, agent_items, extension_items, joined, verbatim_assertions
from dissco_platform.opends.columns import Findings, evaluate
from dissco_platform.opends.gathering import EVENT, event_columns, gathering
from dissco_platform.opends.identifications import identify
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.render import gathered, objects
from dissco_platform.opends.terms import model
from dissco_platform.opends.topics import TOPIC_TERMS, with_topics

SPECIMEN_PART = "ods:SpecimenPart"
TABLES = (PARTS, "genomics")
# Extension tables whose rows may name a part: (table, class, term of the part)
EXTENSIONS = (
    ("measurements", "ods:Assertion", "ods:hasAssertions"),
    ("identifiers", "ods:Identifier", "ods:hasIdentifiers"),
    ("ages", "ods:ChronometricAge", "ods:hasChronometricAges"),
)


def apart(batch: Batch) -> tuple[Batch, dict[str, pl.DataFrame]]:
    """Return the batch with the extension rows of its records, and those that are about a part."""
    named = {table: frame for table, frame in batch.extensions.items() if PART in frame.columns}
    own = {
        table: frame.filter(pl.col(PART).is_null()).drop(PART) if table in named else frame
        for table, frame in batch.extensions.items()
    }
    hung = {table: frame.filter(pl.col(PART).is_not_null()) for table, frame in named.items()}
    return Batch(batch.records, own), {table: frame for table, frame in hung.items() if frame.height}


def specimen_parts(
    batch: Batch,
    hung: dict[str, pl.DataFrame],
    facts: pl.DataFrame,
    taxa: pl.DataFrame,
    mapping: Mapping,
    findings: Findings,
) -> pl.Series | None:
    """Return the parts of each record as JSON text without brackets; None where no record has any.

    Args:
        batch: records, and their extension rows with the tables of parts.
        hung: extension rows that name a part.
        facts: `row`, `basis` and `collection` of the records: a part is of the same kind.
        taxa: result of `taxa.read_names`.
        mapping: the resolved mapping.
        findings: counts of unmatched and invalid values, added to.
    """
    lists = []
    for table in TABLES:
        frame = batch.extensions.get(table)
        if frame is not None and frame.height:
            items = _parts(frame, table, hung, facts, taxa, mapping, findings)
            collected = gathered(frame["row"], items)
            lists.append(
                batch.records.select("row").join(collected, on="row", how="left", maintain_order="left")["items"]
            )
    return joined(lists)


def _parts(
    frame: pl.DataFrame,
    table: str,
    hung: dict[str, pl.DataFrame],
    facts: pl.DataFrame,
    taxa: pl.DataFrame,
    mapping: Mapping,
    findings: Findings,
) -> pl.Series:
    """Return one part a row of the table, null where it says nothing."""
    parts = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))
    rows: dict[str, pl.DataFrame] = {}
    if PART_KEY in frame.columns:
        where = frame.select("row", pl.col(PART_KEY).alias(PART), parts["row"].alias("__part"))
        rows = {
            name: own.join(where, on=["row", PART], how="inner").drop("row", PART).rename({"__part": "row"}).sort("row")
            for name, own in hung.items()
        }
    batch = Batch(parts, {name: own for name, own in rows.items() if own.height})
    evaluated = evaluate(parts, mapping, SPECIMEN_PART, table, findings)
    terms = model().classes[SPECIMEN_PART]
    lists: dict[str, list[pl.Series | None]] = {
        name: [evaluated[name]] for name in evaluated.columns if name in terms and terms[name].nested
    }
    who = identify(parts, batch.extensions.get("identifications"), taxa, mapping, findings, table)
    who = parts.select("row").join(who, on="row", how="left", maintain_order="left")
    lists["ods:hasIdentifications"] = [who["items"]]
    event = event_columns(gathering(parts, table, mapping, findings), mapping, table)
    lists["ods:hasEvents"] = [objects(event, EVENT) if event.width else None]
    said = [verbatim_assertions(evaluated) if evaluated.width else None]
    said.append(verbatim_assertions(who.select(pl.col("verbatim_type").alias("verbatim dwc:typeStatus"))))
    lists.setdefault("ods:hasAssertions", []).extend(said)
    for name, owner, term in EXTENSIONS:
        lists.setdefault(term, []).append(extension_items(batch, name, owner, mapping, findings))
    own_age = evaluate(parts, mapping, "ods:ChronometricAge", table, findings)
    lists["ods:hasChronometricAges"].append(objects(own_age, "ods:ChronometricAge") if own_age.width else None)
    lists.setdefault("ods:hasAgents", []).append(agent_items(batch, mapping, findings))
    scalars = evaluated.select(name for name in evaluated.columns if name in terms and not terms[name].nested)
    whole = pl.concat([parts.select("row"), scalars, _kind(frame, who, facts)], how="horizontal")
    whole = whole.with_columns(
        items.alias(term)
        for term, given in lists.items()
        if (items := joined([one for one in given if one is not None])) is not None
    )
    return objects(whole.drop("row"), SPECIMEN_PART)


def _kind(frame: pl.DataFrame, who: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Return name, type and topics of parts that are identified; the others are what their specimen is."""
    named = pl.coalesce("col_name", "name", "vernacularName")
    whole = frame.select("row").join(
        facts.select("row", "basis", "collection"), on="row", how="left", maintain_order="left"
    )
    known = with_topics(pl.concat([whole.drop("row"), who], how="horizontal"))
    return known.select(
        pl.col("is_marked_as_type").alias("ods:isMarkedAsType"),
        named.alias("ods:specimenName"),
        *(
            pl.when(named.is_not_null()).then(pl.col(term)).alias(term)
            for term in TOPIC_TERMS
            if term in model().classes[SPECIMEN_PART]
        ),
    )
