"""The specimens table of a build: written in the order of identifiers, counted for the report, versioned by content.

What a row says is made in `specimens`; which rows are carried over is `carried`.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from dissco_platform.opends.outputs import SPECIMENS, BuildReport, other_specimen_ids
from dissco_platform.opends.spill import ParquetOut
from dissco_platform.provenance import fingerprint

_COUNTED = ("mids_level", "topicDiscipline", "match_type", "accepted_by", "doi_only_reason")
_OF_MANY_VALUES = (
    "row", "source_line", "catalogNumber", "occurrenceID", "physicalSpecimenID", "normalisedPhysicalSpecimenID",
    "fingerprint", "content_hash", "otherSpecimenIds", "media_keys",
)  # fmt: skip


def table_rows(built: pl.DataFrame, batch: str) -> pl.DataFrame:
    """Return rows of the table for rendered specimens (`specimens.build_batch` with `fingerprint` and `input_hash`)."""
    rows = built.select(
        "row", "source_file", "source_line", "catalogNumber", "occurrenceID", "physicalSpecimenID",
        "physicalSpecimenIDType", "normalisedPhysicalSpecimenID", "fingerprint", "input_hash", "content_hash", "doi_only",
        "doi_only_reason", "licence", "mids_level", "mids_missing", "match_type", "accepted_by", "specimen_name",
        pl.col("ods:topicDiscipline").alias("topicDiscipline"), pl.col("ods:topicDomain").alias("topicDomain"),
        pl.col("ods:topicOrigin").alias("topicOrigin"), pl.col("ods:topicCategory").alias("topicCategory"),
        pl.col("ods:livingOrPreserved").alias("livingOrPreserved"), "is_marked_as_type",
        pl.col("basis").alias("basisOfRecord"), "modified", other_specimen_ids(built),
        "media_keys", pl.lit(batch).alias("batch"),
    )  # fmt: skip
    return rows.with_columns(pl.col(name).cast(dtype) for name, dtype in SPECIMENS.items())


def version_prints(rows: pl.DataFrame) -> pl.Series:
    """Return what each row adds to the content's version."""
    return rows.select(fingerprint(["normalisedPhysicalSpecimenID", "content_hash", "doi_only", "licence"]).alias("f"))[
        "f"
    ]


class SpecimenTable:
    """Writes `specimens.parquet`; rows come in the order of their identifiers."""

    def __init__(self, folder: Path) -> None:
        self._out = ParquetOut(folder / "specimens.parquet", SPECIMENS, 50_000, plain=_OF_MANY_VALUES)
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
        self._doi_only = 0

    def write(self, rows: pl.DataFrame) -> None:
        """Append rows."""
        self._out.write(rows)
        self._doi_only += int(rows["doi_only"].sum())
        for name, counter in self._counts.items():
            for value, count in rows[name].value_counts().iter_rows():
                if value is not None:
                    counter[str(value)] += count

    def close(self, report: BuildReport) -> None:
        """Finish the file and say in the report what it holds."""
        self._out.close()
        report.specimens = self._out.rows
        report.doi_only = self._doi_only
        report.mids_levels = dict(sorted(self._counts["mids_level"].items()))
        report.disciplines = dict(self._counts["topicDiscipline"].most_common())
        report.match_types = dict(self._counts["match_type"].most_common())
        report.accepted_by = dict(self._counts["accepted_by"].most_common())
        report.doi_only_reasons = dict(self._counts["doi_only_reason"].most_common())


COUNTS = ("specimens", "doi_only", "mids_levels", "disciplines", "match_types", "accepted_by", "doi_only_reasons")
"""What the report says of the table."""
