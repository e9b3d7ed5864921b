"""All identifications of a specimen, one of them accepted, names as written beside what the matching found.

Accepted is, in this order: what a status or flag says; the core record's own identification (Darwin Core's core states
the current one); the latest date; the first in the file. How it was decided is kept in `accepted_by`. Names are matched
in `names/`, laid out in `taxa`.
"""

import polars as pl

from dissco_platform.names.keys import name_key
from dissco_platform.opends import vocabularies
from dissco_platform.opends.columns import NO_TYPE, Findings, evaluate
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.render import objects

_NAME_PARTS = (
    "dwc:genus", "dwc:family", "dwc:order", "dwc:class", "dwc:phylum", "dwc:kingdom"
)  # fmt: skip
# Concepts that are said of names, not of specimens, are no reason to mark a specimen as a type.
TYPES = sorted(set(vocabularies.load("typeStatus").concepts) - {NO_TYPE, "typeSpecies", "typeGenus"})
RESULT = {
    "row": pl.Int64, "items": pl.String, "accepted_by": pl.String, "name": pl.String, "col_name": pl.String,
    "col_link": pl.String, "vernacularName": pl.String, "verbatimIdentification": pl.String,
    "scientificNameID": pl.String, "matchType": pl.String, "kingdom": pl.String, "phylum": pl.String,
    "class": pl.String, "order": pl.String, "code": pl.String, "identifierID": pl.Boolean,
    "is_marked_as_type": pl.Boolean, "verbatim_type": pl.String,
}  # fmt: skip


def identify(
    records: pl.DataFrame,
    extension: pl.DataFrame | None,
    taxa: pl.DataFrame,
    mapping: Mapping,
    findings: Findings,
    table: str = "records",
) -> pl.DataFrame:
    """Return one row a record that has an identification, with the columns of RESULT.

    Args:
        records: the batch's records (`row` and columns as parsed).
        extension: rows of the identifications table for the same records, or None.
        taxa: result of `taxa.read_names`.
        mapping: for the blocks of ods:Identification and ods:TaxonIdentification.
        findings: where unknown vocabulary values are counted.
        table: the mapping's table of `records`: that of the specimens, or one of their parts.
    """
    parts = [_evaluated(records, table, mapping, findings)]
    if extension is not None and extension.height:
        parts.append(_evaluated(extension, "identifications", mapping, findings))
    both = pl.concat([part for part in parts if part.height] or parts, how="diagonal_relaxed")
    both = _with_columns(both)
    both = both.filter(pl.any_horizontal(pl.col(_content(both)).is_not_null()))
    if both.is_empty():
        return pl.DataFrame(schema=RESULT)
    bare = pl.DataFrame()
    if len(parts) > 1:
        both, bare = _without_bare_types(both)
        both = _merged(both)
    both = both.join(taxa, on="name_key", how="left", maintain_order="left")
    both = _accepted(both)
    if bare.height:
        both = _with_bare_types(both, bare)
    return _rendered(both)


def _evaluated(frame: pl.DataFrame, table: str, mapping: Mapping, findings: Findings) -> pl.DataFrame:
    identification = evaluate(frame, mapping, "ods:Identification", table, findings)
    taxon = evaluate(frame, mapping, "ods:TaxonIdentification", table, findings)
    taxon = taxon.rename({column: f"taxon {column}" for column in taxon.columns})
    return pl.concat(
        [
            frame.select(
                "row",
                pl.lit(table != "identifications").alias("core"),
                pl.col("source_line").alias("line"),
                pl.col("name_key") if "name_key" in frame.columns else name_key(frame.columns),
            ),
            identification,
            taxon,
        ],
        how="horizontal",
    )


def _with_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Add what later steps read and the mapping did not give, as nulls; make a name from its parts where there is none."""
    texts = [
        "dwc:dateIdentified", "dwc:typeStatus", "verbatim dwc:typeStatus", "dwc:verbatimIdentification", "ods:hasAgents",
        "taxon dwc:scientificName", "taxon dwc:scientificNameID", "taxon dwc:vernacularName", "taxon dwc:nomenclaturalCode",
        "taxon dwc:genericName", "taxon dwc:specificEpithet", "taxon dwc:infraspecificEpithet",
        *(f"taxon {part}" for part in _NAME_PARTS),
    ]  # fmt: skip
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in texts if name not in frame.columns]
    if "ods:isVerifiedIdentification" not in frame.columns:
        missing.append(pl.lit(None, dtype=pl.Boolean).alias("ods:isVerifiedIdentification"))
    frame = frame.with_columns(missing)
    genus = pl.coalesce("taxon dwc:genericName", "taxon dwc:genus")
    binomial = pl.concat_str(
        [genus, pl.col("taxon dwc:specificEpithet"), pl.col("taxon dwc:infraspecificEpithet")],
        separator=" ",
        ignore_nulls=True,
    )
    name = pl.coalesce(
        "taxon dwc:scientificName",
        pl.when(genus.is_not_null()).then(binomial),
        *(f"taxon {part}" for part in _NAME_PARTS),
    )
    return frame.with_columns(name.alias("taxon dwc:scientificName"))


def _content(frame: pl.DataFrame) -> list[str]:
    bookkeeping = {"row", "core", "line", "name_key", "ods:isVerifiedIdentification"}
    return [column for column in frame.columns if column not in bookkeeping and not column.startswith("verbatim ")]


_TYPE = ["dwc:typeStatus", "verbatim dwc:typeStatus"]


def _without_bare_types(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part a core record that says a type status and no name from records whose names are all in the extension."""
    other = [column for column in _content(frame) if column not in _TYPE]
    bare = (
        pl.col("core")
        & pl.col("name_key").is_null()
        & pl.all_horizontal(pl.col(other).is_null())
        & (pl.len().over("row") > 1)
    )
    return frame.filter(~bare), frame.filter(bare).select(
        "row", *(pl.col(name).alias(f"bare {name}") for name in _TYPE)
    )


def _with_bare_types(frame: pl.DataFrame, bare: pl.DataFrame) -> pl.DataFrame:
    """Give the accepted identification the record's type status, where none of its identifications states one."""
    frame = frame.join(bare, on="row", how="left", maintain_order="left")
    fits = pl.col("accepted") & pl.col("dwc:typeStatus").is_null().all().over("row")
    return frame.with_columns(
        pl.when(fits).then(pl.col(f"bare {name}")).otherwise(pl.col(name)).alias(name) for name in _TYPE
    ).drop(f"bare {name}" for name in _TYPE)


def _merged(frame: pl.DataFrame) -> pl.DataFrame:
    """Lay the core's identification over the extension row that says the same, so that it is not told twice."""
    key = ["row", "name_key"]
    core = frame.filter(pl.col("core") & pl.col("name_key").is_not_null())
    rows = frame.filter(~pl.col("core"))
    same = rows.select("row", "name_key", "line").join(core.select(key), on=key, how="semi")
    first = same.group_by(key, maintain_order=True).agg(pl.col("line").min())
    told = first.select(key)
    fill = _content(frame)
    merged = rows.join(first.with_columns(pl.lit(value=True).alias("same")), on=[*key, "line"], how="left").join(
        core.select(*key, *(pl.col(column).alias(f"core {column}") for column in fill)), on=key, how="left"
    )
    merged = merged.with_columns(
        pl.when("same").then(pl.coalesce(column, f"core {column}")).otherwise(column).alias(column) for column in fill
    ).with_columns(pl.col("same").fill_null(value=False).alias("core"))
    merged = merged.select(frame.columns)
    left = frame.filter(pl.col("core")).join(told, on=key, how="anti")
    return pl.concat([left, merged], how="vertical").sort("row", maintain_order=True)


def _accepted(frame: pl.DataFrame) -> pl.DataFrame:
    """Mark the accepted identification of each record and say how it was decided; records with a single one stand first."""
    flag = pl.col("ods:isVerifiedIdentification")
    rank = (
        pl.when(flag).then(0)
        .when(flag == False).then(9)  # noqa: E712  an expression, not a bool
        .when(pl.col("core")).then(1)
        .when(pl.col("dwc:dateIdentified").is_not_null()).then(2)
        .otherwise(3)
    )  # fmt: skip
    frame = frame.with_columns(rank.alias("rank"), pl.len().over("row").alias("of"))
    several = frame.filter(pl.col("of") > 1)
    frame = frame.with_columns(pl.lit(value=True).alias("accepted"))
    if several.height:
        several = several.sort(
            "row", "rank", "dwc:dateIdentified", "line", descending=[False, False, True, False],
            nulls_last=True, maintain_order=True,
        ).with_columns((pl.int_range(pl.len()).over("row") == 0).alias("accepted"))  # fmt: skip
        frame = pl.concat([frame.filter(pl.col("of") == 1), several])
    how = (
        pl.when(pl.col("rank") == 0).then(pl.lit("status"))
        .when(pl.col("of") == 1).then(pl.lit("only one"))
        .when(pl.col("rank") == 1).then(pl.lit("core record"))
        .when(pl.col("rank") == 2).then(pl.lit("latest date"))
        .otherwise(pl.lit("first in file"))
    )  # fmt: skip
    return frame.with_columns(how.alias("accepted_by"), pl.col("accepted").alias("ods:isVerifiedIdentification"))


def _rendered(frame: pl.DataFrame) -> pl.DataFrame:
    taxon = frame.select(
        pl.col(column).alias(column.removeprefix("taxon ")) for column in frame.columns if column.startswith("taxon ")
    )
    # openDS: a TaxonIdentification must have a scientific name; a vernacular name alone stays in verbatimIdentification
    written = objects(taxon, "ods:TaxonIdentification")
    named = frame["taxon dwc:scientificName"].is_not_null()
    items = pl.DataFrame({"written": written, "named": named, "found": frame["col_item"]}).select(
        pl.concat_str([pl.when("named").then(pl.col("written")), pl.col("found")], separator=",", ignore_nulls=True)
        .replace("", None).alias("i")
    )["i"]  # fmt: skip
    identification = frame.select(
        column for column in frame.columns
        if column in {"@id", "ods:isVerifiedIdentification", "ods:hasAgents", "ods:hasCitations"}
        or (column.startswith("dwc:"))
    ).with_columns(
        items.alias("ods:hasTaxonIdentifications"),
        pl.when(items.is_not_null()).then(pl.lit("TaxonIdentification")).alias("ods:identificationType"),
        pl.coalesce("dwc:verbatimIdentification", frame["taxon dwc:vernacularName"]).alias("dwc:verbatimIdentification"),
        pl.when(pl.col("dwc:typeStatus") != NO_TYPE).then("dwc:typeStatus").alias("dwc:typeStatus"),
    )  # fmt: skip
    item = objects(identification, "ods:Identification")
    # "not a type" alone identifies nothing: it is said in isMarkedAsType, and as written in an assertion
    told = [column for column in identification.columns if column != "ods:isVerifiedIdentification"]
    says = identification.select(pl.any_horizontal(pl.col(told).is_not_null()).alias("s"))["s"]
    item = pl.DataFrame({"item": item, "says": says}).select(pl.when("says").then("item").alias("item"))["item"]
    frame = frame.with_columns(
        item.alias("item"),
        pl.col("ods:hasAgents").str.contains('"@id"', literal=True).alias("has_id"),
        # what no vocabulary knows ("figured in publication") says neither yes nor no
        pl.when(pl.col("dwc:typeStatus").is_in(TYPES))
        .then(pl.lit(value=True))
        .when(pl.col("dwc:typeStatus") == NO_TYPE)
        .then(pl.lit(value=False))
        .alias("type"),
    )
    single = int(frame["of"].eq(1).sum())
    found = [_single(frame.head(single)), _of_several(frame.tail(frame.height - single))]
    return pl.concat([part for part in found if part.height] or found)


_FIRST = {
    "name": "taxon dwc:scientificName", "col_name": "col_name", "col_link": "col_link",
    "vernacularName": "taxon dwc:vernacularName", "verbatimIdentification": "dwc:verbatimIdentification",
    "scientificNameID": "taxon dwc:scientificNameID", "matchType": "matchType", "accepted_by": "accepted_by",
    "verbatim_type": "verbatim dwc:typeStatus",
}  # fmt: skip
_RANKS = {rank: pl.coalesce(f"col_{rank}", f"taxon dwc:{rank}") for rank in ("kingdom", "phylum", "class", "order")}
_CODE = pl.coalesce("col_code", "taxon dwc:nomenclaturalCode")
_LINK = pl.coalesce("scientificNameID", "col_link").alias("scientificNameID")


def _single(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of RESULT for records with one identification."""
    return frame.select(
        "row", pl.col("item").replace("", None).alias("items"),
        *(pl.col(column).alias(name) for name, column in _FIRST.items()),
        *(expr.alias(rank) for rank, expr in _RANKS.items()),
        _CODE.alias("code"), pl.col("has_id").fill_null(value=False).alias("identifierID"),
        pl.col("type").alias("is_marked_as_type"),
    ).with_columns(_LINK).select(list(RESULT))  # fmt: skip


def _of_several(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of RESULT for records with several identifications."""
    accepted = pl.col("accepted")
    rows = frame.sort("row", accepted, "item", descending=[False, True, False], maintain_order=True)
    return rows.group_by("row", maintain_order=True).agg(
        pl.col("item").drop_nulls().unique(maintain_order=True).str.join(",").replace("", None).alias("items"),
        *(pl.col(column).filter(accepted).first().alias(name) for name, column in _FIRST.items() if name != "verbatim_type"),
        *(expr.filter(accepted).first().alias(rank) for rank, expr in _RANKS.items()),
        _CODE.filter(accepted).first().alias("code"),
        pl.col("has_id").any().fill_null(value=False).alias("identifierID"),
        pl.col("type").any().alias("any_type"),
        pl.col("type").is_not_null().any().alias("said_type"),
        pl.col(_FIRST["verbatim_type"]).drop_nulls().first().alias("verbatim_type"),
    ).with_columns(
        pl.when("said_type").then(pl.col("any_type").fill_null(value=False)).alias("is_marked_as_type"), _LINK,
    ).select(list(RESULT))  # fmt: skip
