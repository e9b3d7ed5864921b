"""A batch of records to Digital Specimens: columns of every class, derived fields, MIDS, documents.

Which records and in what batches is `build`; identifications, media, topics and MIDS have modules of their own.
"""

import polars as pl

from dissco_platform.archives.tables import PARTS
from dissco_platform.names.keys import name_key
from dissco_platform.opends.batch import Batch, agent_items, extension_items, joined, verbatim_assertions
from dissco_platform.opends.columns import Findings, evaluate
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.distinct import distinct
from dissco_platform.opends.doubts import without_marks
from dissco_platform.opends.gathering import EVENT, GEOLOGY, GEOREFERENCE, LOCATION, event_columns, gathering
from dissco_platform.opends.identifications import identify
from dissco_platform.opends.licences import parse_licence
from dissco_platform.opends.lists import constant_relationships, list_items, relationship_pieces, with_kinds
from dissco_platform.opends.mapping import ListRule, Mapping, Rule
from dissco_platform.opends.mids import mids
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.render import objects, print_of_texts
from dissco_platform.opends.specimen_parts import apart, specimen_parts
from dissco_platform.opends.terms import SPECIMEN_FDO_TYPE, model
from dissco_platform.opends.topics import TOPIC_TERMS, with_topics

SPECIMEN = "ods:DigitalSpecimen"

# Extension tables whose rows become lists of a class on the specimen: (table, class, term of the specimen)
EXTENSIONS = (
    ("measurements", "ods:Assertion", "ods:hasAssertions"),
    ("references", "ods:Citation", "ods:hasCitations"),
    ("ages", "ods:ChronometricAge", "ods:hasChronometricAges"),
    ("identifiers", "ods:Identifier", "ods:hasIdentifiers"),
    ("relationships", "ods:EntityRelationship", "ods:hasEntityRelationships"),
)
# Classes that records may also feed with one object each
RECORD_LISTS = (
    ("ods:Assertion", "ods:hasAssertions"),
    ("ods:Citation", "ods:hasCitations"),
    ("ods:ChronometricAge", "ods:hasChronometricAges"),
    ("ods:SpecimenPart", "ods:hasSpecimenParts"),
)


def build_batch(
    batch: Batch,
    keys: pl.DataFrame,
    links: pl.DataFrame,
    taxa: pl.DataFrame,
    mapping: Mapping,
    context: DatasetContext,
    findings: Findings,
) -> pl.DataFrame:
    """Return one row a record of the batch: the specimen's facts, `content`, `relationships`, and whether these are
    `doubtful`: not known to fit the schema.

    Args:
        batch: records to build and the rows of their extensions.
        keys: `row` and identity columns of the same records, in the same order.
        links: media of these records (`media.media_links`).
        taxa: result of `taxa.read_names`.
        mapping: the resolved mapping.
        context: the dataset's settings.
        findings: counts of unmatched and invalid values, added to.
    """
    batch, hung = apart(_stated(batch, mapping, findings))
    records = batch.records
    columns = gathering(records, "records", mapping, findings)
    columns[SPECIMEN] = evaluate(records, mapping, SPECIMEN, "records", findings)
    who = identify(records, batch.extensions.get("identifications"), taxa, mapping, findings)
    who = records.select("row").join(who, on="row", how="left", maintain_order="left")
    facts = _facts(records, columns, who, links, context, keys)
    columns[EVENT] = event_columns(columns, mapping)
    parts = specimen_parts(batch, hung, facts, taxa, mapping, findings)
    specimen = _specimen(batch, columns, facts, parts, mapping, context, findings)
    content = objects(specimen, SPECIMEN, with_type=False)
    relationships = _relationships(specimen, facts, keys, context, batch, mapping, findings)
    result = without_marks(facts.with_columns(content.alias("content"), relationships.alias("relationships")))
    return result.with_columns(
        print_of_texts(result, ["content", "relationships", "__media", "doi_only", "doi_only_reason"])
    ).drop("__media")


def _stated(batch: Batch, mapping: Mapping, findings: Findings) -> Batch:
    """Return the batch without placeholders; names keep the key that they were matched under, as written."""

    def stated(frame: pl.DataFrame, table: str) -> pl.DataFrame:
        if table in {"records", "identifications", PARTS} and "name_key" not in frame.columns:
            frame = frame.with_columns(name_key(frame.columns))
        return without_placeholders(frame, mapping, table, findings.placeholders)

    return Batch(
        stated(batch.records, "records"), {table: stated(frame, table) for table, frame in batch.extensions.items()}
    )


def _column(frame: pl.DataFrame, name: str, dtype: type[pl.DataType] = pl.String) -> pl.Series:
    return frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=dtype)


def _facts(
    records: pl.DataFrame,
    columns: dict[str, pl.DataFrame],
    who: pl.DataFrame,
    links: pl.DataFrame,
    context: DatasetContext,
    keys: pl.DataFrame,
) -> pl.DataFrame:
    """Return what is derived for the specimen as a whole, and its row of the specimens table."""
    height = records.height

    def col(owner: str, name: str, dtype: type[pl.DataType] = pl.String) -> pl.Series:
        series = _column(columns[owner], name, dtype)
        return series if len(series) == height else pl.Series(name, [None] * height, dtype=dtype)

    keys_of = pl.col("media_key").sort()
    media = links.group_by("row", maintain_order=True).agg(
        keys_of.alias("media_keys"), keys_of.str.join("\x1f").alias("__media")
    )
    media = records.select("row").join(media, on="row", how="left", maintain_order="left")
    written = col(SPECIMEN, "dcterms:license")
    licence = written.fill_null(context.licence) if context.licence else written
    understood = distinct(lambda text: (found := parse_licence(text)) and found.spdx, pl.String)(licence)
    is_open = distinct(lambda text: bool((found := parse_licence(text)) and found.open), pl.Boolean)(licence)
    url = distinct(lambda text: (found := parse_licence(text)) and found.url, pl.String)(licence)
    frame = keys.select(
        "row", "source_file", "source_line", "physicalSpecimenID", "physicalSpecimenIDType",
        "normalisedPhysicalSpecimenID", "basis",
    ).with_columns(
        pl.coalesce(_column(records, "dwc:catalogNumber"), _column(records, "abcd:UnitID")).alias("catalogNumber"),
        pl.coalesce(_column(records, "dwc:occurrenceID"), _column(records, "abcd:UnitGUID")).alias("occurrenceID"),
        _column(records, "dwc:otherCatalogNumbers").alias("other_numbers"),
        licence.alias("licence_text"), understood.alias("spdx"), is_open.alias("open"), url.alias("licence_url"),
        col(SPECIMEN, "dcterms:modified").alias("modified"),
        media["media_keys"].fill_null([]), media["__media"].fill_null(""),
        *(who[name] for name in (
            "name", "col_name", "col_link", "vernacularName", "verbatimIdentification", "scientificNameID", "kingdom",
            "phylum", "class", "order", "code", "is_marked_as_type", "accepted_by", "verbatim_type",
        )),
        who["matchType"].alias("match_type"), who["identifierID"].fill_null(value=False), who["items"].alias("identifications"),
        pl.concat_str(
            [
                col(SPECIMEN, "dwc:collectionCode"), _column(records, "dwc:collectionCode"),
                col(SPECIMEN, "dwc:datasetName"), _column(records, "dwc:basisOfRecord"),
            ],
            separator=" ", ignore_nulls=True,
        ).alias("collection"),
        col(EVENT, "ods:hasAgents").str.contains('"@id"', literal=True).fill_null(value=False).alias("collectorID"),
        col(GEOREFERENCE, "dwc:decimalLatitude", pl.Float64).alias("latitude"),
        col(GEOREFERENCE, "dwc:decimalLongitude", pl.Float64).alias("longitude"),
    )  # fmt: skip
    frame = with_topics(frame).with_columns(
        pl.coalesce("col_name", "name", "vernacularName").alias("specimen_name"),
        (pl.col("media_keys").list.len() > 0).alias("media"),
        (pl.col("media_keys").list.len() > 0).alias("mediaID"),
        pl.coalesce("spdx", "licence_text").alias("licence"),
    )
    reason = (
        pl.when(pl.lit(context.doi_only)).then(pl.lit("dataset"))
        .when(pl.col("licence_text").is_null()).then(pl.lit("no_licence"))
        .when(pl.col("spdx").is_null()).then(pl.lit("licence_not_understood"))
        .when(~pl.col("open")).then(pl.lit("licence_not_open"))
    )  # fmt: skip
    frame = frame.with_columns(reason.alias("doi_only_reason")).with_columns(
        pl.col("doi_only_reason").is_not_null().alias("doi_only")
    )
    return frame.with_columns(_mids(frame, columns, context))


def _mids(frame: pl.DataFrame, columns: dict[str, pl.DataFrame], context: DatasetContext) -> list[pl.Series]:
    parts = [
        evaluated.select(pl.all().name.prefix(f"{short}|"))
        for short, owner in (
            ("Specimen", SPECIMEN), ("Event", EVENT), ("Location", LOCATION), ("Georeference", GEOREFERENCE),
            ("GeologicalContext", GEOLOGY),
        )
        if (evaluated := columns[owner]).height == frame.height
    ]  # fmt: skip
    whole = pl.concat([frame, *parts], how="horizontal").with_columns(
        pl.lit(context.organisation_id).alias("Specimen|ods:organisationID"),
        pl.col("ods:topicDiscipline").alias("discipline"),
    )
    result = mids(whole)
    return [result["level"].alias("mids_level"), result["missing"].alias("mids_missing")]


def _specimen(
    batch: Batch,
    columns: dict[str, pl.DataFrame],
    facts: pl.DataFrame,
    parts: pl.Series | None,
    mapping: Mapping,
    context: DatasetContext,
    findings: Findings,
) -> pl.DataFrame:
    records = batch.records
    lists: dict[str, list[pl.Series]] = {"ods:hasIdentifications": [facts["identifications"]]}
    evaluated = columns[SPECIMEN]
    specimen_terms = model().classes[SPECIMEN]
    own = evaluated.select(
        name for name in evaluated.columns if name in specimen_terms and not specimen_terms[name].nested
    )
    for name in evaluated.columns:
        if name in specimen_terms and specimen_terms[name].nested and name != "ods:hasEntityRelationships":
            lists.setdefault(name, []).append(evaluated[name])
    said = [verbatim_assertions(evaluated)] if evaluated.width else []
    if facts["verbatim_type"].null_count() < facts.height:
        said.append(verbatim_assertions(facts.select(pl.col("verbatim_type").alias("verbatim dwc:typeStatus"))))
    lists.setdefault("ods:hasAssertions", []).extend(part for part in said if part is not None)
    for owner, term in RECORD_LISTS:
        frame = evaluate(records, mapping, owner, "records", findings)
        if frame.width and frame.height == records.height:
            lists.setdefault(term, []).append(objects(frame, owner))
    for table, owner, term in EXTENSIONS:
        if (
            term != "ods:hasEntityRelationships"
            and (items := extension_items(batch, table, owner, mapping, findings)) is not None
        ):
            lists.setdefault(term, []).append(items)
    if (agents := agent_items(batch, mapping, findings)) is not None:
        lists.setdefault("ods:hasAgents", []).append(agents)
    if parts is not None:
        lists.setdefault("ods:hasSpecimenParts", []).append(parts)
    event = objects(columns[EVENT], EVENT) if columns[EVENT].width else None
    if event is not None:
        lists.setdefault("ods:hasEvents", []).append(event)
    derived = [
        pl.lit(SPECIMEN_FDO_TYPE).alias("ods:fdoType"),
        pl.col("mids_level").cast(pl.Int64).alias("ods:midsLevel"),
        pl.col("normalisedPhysicalSpecimenID").alias("ods:normalisedPhysicalSpecimenID"),
        pl.col("physicalSpecimenID").alias("ods:physicalSpecimenID"),
        pl.col("physicalSpecimenIDType").alias("ods:physicalSpecimenIDType"),
        pl.col("media").alias("ods:isKnownToContainMedia"),
        pl.lit(context.source_system_id).alias("ods:sourceSystemID"),
        pl.lit(context.source_system_name, dtype=pl.String).alias("ods:sourceSystemName"),
        pl.lit(context.organisation_id).alias("ods:organisationID"),
        pl.coalesce("licence_url", "licence_text").alias("dcterms:license"),
        pl.col("specimen_name").alias("ods:specimenName"),
        pl.col("is_marked_as_type").alias("ods:isMarkedAsType"),
        pl.col("basis").alias("dwc:basisOfRecord"),
    ]
    frame = facts.select(
        *derived,
        *TOPIC_TERMS,
    )
    fixed = {
        term
        for term, rule in mapping.block(SPECIMEN, "records").items()
        if isinstance(rule, Rule) and rule.constant is not None
    }
    kept = own.select(
        name for name in own.columns if name != "dcterms:modified" and (name not in frame.columns or name in fixed)
    )
    frame = frame.drop(name for name in kept.columns if name in frame.columns)
    frame = pl.concat([frame, kept], how="horizontal") if kept.width else frame
    code = _column(own, "ods:organisationCode") if own.width else pl.Series([None] * facts.height, dtype=pl.String)
    name_given = context.organisation_name or context.publisher
    frame = frame.with_columns(
        (pl.lit(name_given) if name_given else code).alias("ods:organisationName")
        if "ods:organisationName" not in frame.columns
        else pl.col("ods:organisationName")
    )
    if not name_given and len(code) == facts.height:
        frame = frame.with_columns(code.alias("ods:organisationName"))
    whole = {term: column for term, given in lists.items() if (column := joined(given)) is not None}
    return frame.with_columns(**whole)


def _relationships(
    specimen: pl.DataFrame,
    facts: pl.DataFrame,
    keys: pl.DataFrame,
    context: DatasetContext,
    batch: Batch,
    mapping: Mapping,
    findings: Findings,
) -> pl.Series:
    """Return the entity relationships of each record as JSON array text."""
    constant = constant_relationships(
        ("hasOrganisationID", context.organisation_id),
        ("hasSourceSystemID", context.source_system_id),
        ("hasFDOType", SPECIMEN_FDO_TYPE),
    )
    told = {
        "hasPhysicalIdentifier": pl.when(pl.col("physicalSpecimenIDType") == "Resolvable").then(
            pl.col("physicalSpecimenID").str.replace_all('"', "%22", literal=True)
        ),
        "hasLicense": pl.when(pl.col("spdx").is_not_null()).then(pl.col("licence_url")),
        "hasCOLID": pl.col("col_link"),
    }
    frame = with_kinds(facts.select(value.alias(name) for name, value in told.items()), told)
    pieces = [piece for name in told for piece in relationship_pieces(name, name, ",")]
    further: list[pl.Series] = []
    rule = mapping.block(SPECIMEN, "records").get("ods:hasEntityRelationships")
    if isinstance(rule, ListRule) and (own := list_items(batch.records, rule)) is not None:
        further.append(own)
    if (more := extension_items(batch, "relationships", "ods:EntityRelationship", mapping, findings)) is not None:
        further.append(more)
    for at, column in enumerate(further):
        frame = frame.with_columns(column.alias(str(at)))
        items = pl.col(str(at))
        pieces += [pl.when(items.is_not_null() & (items != "")).then(pl.lit(",")), items]
    whole = pl.concat_str([pl.lit("[" + constant), *pieces, pl.lit("]")], ignore_nulls=True)
    return frame.select(whole.alias("relationships"))["relationships"]
