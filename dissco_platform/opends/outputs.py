"""What a build leaves behind: the columns of its Parquet files, and its report. Making them is `build`."""

from dataclasses import asdict, dataclass, field

import polars as pl

SPECIMENS: dict[str, pl.DataType] = {
    "row": pl.Int64(), "source_file": pl.String(), "source_line": pl.Int64(), "catalogNumber": pl.String(),
    "occurrenceID": pl.String(), "physicalSpecimenID": pl.String(), "physicalSpecimenIDType": pl.String(),
    "normalisedPhysicalSpecimenID": pl.String(), "fingerprint": pl.String(), "input_hash": pl.String(),
    "content_hash": pl.String(),
    "doi_only": pl.Boolean(), "doi_only_reason": pl.String(), "licence": pl.String(), "mids_level": pl.Int8(),
    "mids_missing": pl.List(pl.String()), "match_type": pl.String(), "accepted_by": pl.String(),
    "specimen_name": pl.String(), "topicDiscipline": pl.String(), "topicDomain": pl.String(), "topicOrigin": pl.String(),
    "topicCategory": pl.String(), "livingOrPreserved": pl.String(), "is_marked_as_type": pl.Boolean(),
    "basisOfRecord": pl.String(), "modified": pl.String(), "otherSpecimenIds": pl.String(),
    "media_keys": pl.List(pl.String()), "batch": pl.String(),
}  # fmt: skip
DOCUMENTS: dict[str, pl.DataType] = {"content_hash": pl.String(), "content": pl.String(), "relationships": pl.String()}
MEDIA: dict[str, pl.DataType] = {
    "media_key": pl.String(), "accessURI": pl.String(), "media_type": pl.String(), "format": pl.String(),
    "licence": pl.String(), "rights_holder": pl.String(), "doi_only": pl.Boolean(), "input_hash": pl.String(),
    "content_hash": pl.String(), "specimen_ids": pl.List(pl.String()), "batch": pl.String(),
}  # fmt: skip
MEDIA_ASIDE: dict[str, pl.DataType] = {"fingerprint": pl.String(), "reason": pl.String()}  # of the record; a row each
REJECTS: dict[str, pl.DataType] = {
    "row": pl.Int64(), "source_file": pl.String(), "source_line": pl.Int64(), "reason": pl.String(),
    "message": pl.String(), "core_id": pl.String(),
}  # fmt: skip


@dataclass
class BuildReport:
    """What a build made. `records` = `specimens` + the sum of `rejects`."""

    records: int = 0
    specimens: int = 0
    rendered: int = 0
    carried_over: int = 0
    doi_only: int = 0
    documents: int = 0
    media: int = 0
    media_rendered: int = 0
    media_doi_only: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    media_rejects: dict[str, int] = field(default_factory=dict)
    mids_levels: dict[str, int] = field(default_factory=dict)
    disciplines: dict[str, int] = field(default_factory=dict)
    match_types: dict[str, int] = field(default_factory=dict)
    accepted_by: dict[str, int] = field(default_factory=dict)
    doi_only_reasons: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, dict[str, int]] = field(default_factory=dict)
    invalid: dict[str, int] = field(default_factory=dict)
    placeholders: dict[str, int] = field(default_factory=dict)
    data_version: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return asdict(self)


def other_specimen_ids(built: pl.DataFrame) -> pl.Series:
    """Return the identifiers of a specimen for its PID record: JSON list of identifierType, identifierValue, resolvable."""
    parts = []
    for title, name in (
        ("physicalSpecimenID", "physicalSpecimenID"),
        ("catalogNumber", "catalogNumber"),
        ("occurrenceID", "occurrenceID"),
    ):
        value = pl.col(name)
        quoted = value.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        item = pl.concat_str(
            pl.lit(f'{{"identifierType":"{title}","identifierValue":"'), quoted, pl.lit('","resolvable":'),
            pl.when(value.str.contains("^(?i)https?://")).then(pl.lit("true")).otherwise(pl.lit("false")), pl.lit("}"),
        )  # fmt: skip
        parts.append(
            item if name == "physicalSpecimenID" else pl.when(value != pl.col("physicalSpecimenID")).then(item)
        )
    return built.select(
        pl.concat_str(pl.lit("["), pl.concat_str(parts, separator=",", ignore_nulls=True), pl.lit("]")).alias(
            "otherSpecimenIds"
        )
    )["otherSpecimenIds"]
