"""Who a record is, before anything is rendered: its physical specimen id, the id's type, and whether it is a specimen.

The normal form of identifiers is `identity/keys.py`; their schemes are `identifiers`.
"""

import polars as pl

from dissco_platform.identity.keys import normalised_physical_specimen_id
from dissco_platform.opends.columns import Findings, evaluate
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.identifiers import physical_id_type
from dissco_platform.opends.mapping import ListRule, Mapping, Rule, rule_columns
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.topics import NOT_SPECIMENS

SPECIMEN = "ods:DigitalSpecimen"
IDENTITY = {
    "row": pl.Int64, "source_file": pl.String, "source_line": pl.Int64, "core_id": pl.String, "fingerprint": pl.String,
    "physicalSpecimenID": pl.String, "physicalSpecimenIDType": pl.String, "normalisedPhysicalSpecimenID": pl.String,
    "basis": pl.String, "reason": pl.String, "message": pl.String,
}  # fmt: skip


def _rules(mapping: Mapping) -> dict[str, Rule | ListRule]:
    return {
        name: rule
        for name, rule in mapping.block(SPECIMEN, "records").items()
        if name in {"ods:physicalSpecimenID", "ods:physicalSpecimenIDType", "dwc:basisOfRecord"}
    }


def needed(mapping: Mapping) -> set[str]:
    """Return the columns of records that `identity` reads, where there are such."""
    columns = {column for rule in _rules(mapping).values() for column in rule_columns(rule)}
    return columns | {"dwc:institutionCode", "row", "source_file", "source_line", "core_id", "fingerprint"}


def identity(records: pl.DataFrame, mapping: Mapping, context: DatasetContext) -> pl.DataFrame:
    """Return one row a record with the columns of IDENTITY; `reason` is null where the record is accepted so far."""
    small: Mapping | None = mapping.made.get("identity")
    if small is None:
        blocks = {(SPECIMEN, "records"): _rules(mapping)}
        small = mapping.made["identity"] = Mapping(mapping.name, {}, blocks, mapping.vocabulary_folder)
    findings = Findings()
    values = evaluate(without_placeholders(records, small, "records"), small, SPECIMEN, "records", findings)
    for name in ("ods:physicalSpecimenID", "ods:physicalSpecimenIDType", "dwc:basisOfRecord"):
        if name not in values.columns:
            values = values.with_columns(pl.Series(name, [None] * records.height, dtype=pl.String))
    institution = (
        records["dwc:institutionCode"]
        if "dwc:institutionCode" in records.columns
        else pl.Series([None] * records.height, dtype=pl.String)
    )
    frame = pl.concat(
        [
            records.select("row", "source_file", "source_line", "core_id", "fingerprint"),
            values.select("ods:physicalSpecimenID", "ods:physicalSpecimenIDType", "dwc:basisOfRecord"),
            institution.alias("institution").to_frame(),
        ],
        how="horizontal",
    )
    identifier = pl.col("ods:physicalSpecimenID")
    kind = pl.coalesce("ods:physicalSpecimenIDType", physical_id_type(identifier, pl.col("institution")))
    frame = frame.with_columns(kind.alias("kind"))
    key = normalised_physical_specimen_id(identifier, pl.col("kind"), context.source_system_id)
    frame = frame.with_columns(key.alias("key"))
    basis = pl.col("dwc:basisOfRecord")
    reason = (
        pl.when(pl.col("key").is_null()).then(pl.lit("missing_identifier"))
        .when(basis.is_in(NOT_SPECIMENS)).then(pl.lit("not_a_specimen"))
    )  # fmt: skip
    message = (
        pl.when(pl.col("key").is_null())
        .then(pl.lit("none of the columns mapped to ods:physicalSpecimenID has a value"))
        .when(basis.is_in(NOT_SPECIMENS))
        .then(pl.concat_str(pl.lit("basisOfRecord says "), basis))
    )
    return frame.select(
        "row", "source_file", "source_line", "core_id", "fingerprint",
        identifier.alias("physicalSpecimenID"),
        pl.col("kind").alias("physicalSpecimenIDType"),
        pl.col("key").alias("normalisedPhysicalSpecimenID"),
        basis.alias("basis"), reason.alias("reason"), message.alias("message"),
    )  # fmt: skip
