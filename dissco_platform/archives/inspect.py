"""The report that is sent to an institution: what an archive is, what it holds, what would be refused and why.

Reads the archive whole into a scratch folder, so every figure is a count and not an estimate. Nothing outside the
archive is looked at: no registry, no network. The command line (`cli/`) prints it.
"""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from dissco_platform.archives.model import DEFAULT_LIMITS, Limits, ParsedArchive, Progress
from dissco_platform.archives.reading import read_any
from dissco_platform.archives.tables import REASONS, RECORDS, REJECTS, holds_specimens
from dissco_platform.errors import ArchiveError
from dissco_platform.opends.licences import parse_licence

SPECIMEN_BASES = frozenset(
    # Values of basisOfRecord (letters only, upper case) that are physical specimens.
    [
        "PRESERVEDSPECIMEN",
        "FOSSILSPECIMEN",
        "LIVINGSPECIMEN",
        "MATERIALSAMPLE",
        "MATERIALENTITY",
        "FOSSIL",
        "ROCK",
        "MINERAL",
        "METEORITE",
        "ROCKSPECIMEN",
        "MINERALSPECIMEN",
        "METEORITESPECIMEN",
        "HERBARIUMSHEET",
        "DRIED",
        "OTHER",
        "OTHERSPECIMEN",
        "DRIEDSPECIMEN",
        "DNASAMPLE",
        "TISSUE",
        "TYPESPECIMEN",
        "MUSEUMSPECIMEN",
    ]
)
MATERIAL_CORES = ("dwc:MaterialSample", "dwc:MaterialEntity")
BASIS_COLUMNS = ("dwc:basisOfRecord", "abcd:RecordBasis")
LICENCE_COLUMNS = ("dcterms:license", "dcterms:rights", "dc:rights", "dc:license", "abcd:DataSet/License")
IDENTIFIERS = (
    "core_id",
    "dwc:occurrenceID",
    "dwc:catalogNumber",
    "dwc:materialEntityID",
    "dwc:materialSampleID",
    "abcd:UnitGUID",
    "abcd:UnitID",
)
PHYSICAL_ID = (
    # The first of these with a value is what a specimen would be known by.
    "dwc:occurrenceID",
    "dwc:catalogNumber",
    "dwc:materialSampleID",
    "dwc:materialEntityID",
    "abcd:UnitGUID",
    "abcd:UnitID",
)
EXAMPLES = 5
TOP = 20


def inspect_archive(path: Path, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> dict[str, Any]:
    """Report on a file or folder, JSON-able. Never raises for what is wrong with the archive.

    Keys: `path`, `kind` (dwca, abcd, dwc-dp; None if refused), `outcome` (opened, refused), `reason` and `message`
    (refusals), `core` (row type), `files` (name, table, encoding, rows_read, rows_parsed, rows_rejected, flags),
    `title`, `publisher`, `licence` (the dataset's, else the most frequent of its records), `licences` (value → records),
    `records`, `specimens` (records whose basisOfRecord is a physical specimen), `basisOfRecord` (value → records),
    `doi_only` (why → records that would get a DOI and no document, as their licence is not open or not stated),
    `identifiers` (column → filled, distinct, duplicates), `would_be_refused` (reason → records), `rejects` and
    `extension_rejects` (reason → count, meaning, examples), `tables` (table → rows), `columns`, `flags`, `problems`
    (sentences), `data_version`.
    """
    report: dict[str, Any] = {"path": str(path), "kind": None, "outcome": "refused", "reason": None, "message": None}
    with tempfile.TemporaryDirectory(prefix="dissco-inspect-") as scratch:
        out = Path(scratch)
        try:
            parsed = read_any(path, out, limits=limits, progress=progress, any_core=True)
        except ArchiveError as error:
            return report | {
                "reason": error.reason,
                "message": str(error),
                "files": [],
                "licence": None,
                "specimens": 0,
            }
        return report | {"outcome": "opened", "kind": parsed.kind} | _describe(parsed, out)


def _describe(parsed: ParsedArchive, out: Path) -> dict[str, Any]:
    records = pl.scan_parquet(out / f"{RECORDS}.parquet")
    columns = parsed.columns[RECORDS]
    bases = _counts(records, next((c for c in BASIS_COLUMNS if c in columns), None))
    licences = _counts(records, next((c for c in LICENCE_COLUMNS if c in columns), None))
    stated = {value: n for value, n in licences.items() if value != "(blank)"}
    licence = parsed.metadata.get("license") or next(iter(stated), None)
    specimens = _specimens(parsed, bases)
    described = {
        "core": parsed.core,
        "files": [file.to_json() for file in parsed.files],
        "title": parsed.metadata.get("title"),
        "publisher": parsed.metadata.get("publisher"),
        "licence": licence,
        "licences": dict(list(licences.items())[:TOP]),
        "records": parsed.records,
        "specimens": specimens,
        "basisOfRecord": dict(list(bases.items())[:TOP]),
        "doi_only": _doi_only(licences, parsed.metadata.get("license"), parsed.records),
        "identifiers": _identifiers(records, columns),
        "would_be_refused": _would_be_refused(records, columns, parsed.records - specimens),
        "rejects": _rejects(out, parsed.rejects, core=True),
        "extension_rejects": _rejects(out, parsed.extension_rejects, core=False),
        "tables": {
            table: pl.scan_parquet(out / f"{table}.parquet").select(pl.len()).collect().item()
            for table in parsed.columns
        },
        "columns": parsed.columns,
        "metadata": parsed.metadata,
        "flags": sorted({*parsed.flags, *(flag for file in parsed.files for flag in file.flags)}),
        "data_version": parsed.data_version,
    }
    return described | {"problems": _problems(parsed, described)}


def _counts(records: pl.LazyFrame, column: str | None) -> dict[str, int]:
    """Return value → rows, most frequent first; nulls as `(blank)`."""
    if column is None:
        return {}
    counted = (
        records.group_by(pl.col(column).fill_null("(blank)").str.slice(0, 300).alias("value"))
        .agg(pl.len().alias("rows"))
        .sort(["rows", "value"], descending=[True, False])
        .collect()
    )
    return {str(value): int(rows) for value, rows in counted.iter_rows()}


def is_specimen_basis(value: str) -> bool:
    """Return whether a basisOfRecord is a physical specimen, whatever its case, blanks and underscores."""
    return "".join(c for c in value.upper() if c.isalpha()) in SPECIMEN_BASES


def _specimens(parsed: ParsedArchive, bases: dict[str, int]) -> int:
    if parsed.core in MATERIAL_CORES:
        return parsed.records
    if parsed.kind == "dwca" and not holds_specimens(parsed.core) and parsed.core != "dwc:Event":
        return 0
    return sum(rows for value, rows in bases.items() if is_specimen_basis(value))


def _doi_only(licences: dict[str, int], of_dataset: str | None, records: int) -> dict[str, int]:
    """Count the records whose licence, else the dataset's, does not allow a document to be published."""
    counts = dict.fromkeys(("licence_not_open", "licence_not_understood", "no_licence"), 0)
    for value, rows in (licences or {"(blank)": records}).items():
        stated = of_dataset if value == "(blank)" else value
        understood = parse_licence(stated) if stated else None
        if not stated:
            counts["no_licence"] += rows
        elif understood is None:
            counts["licence_not_understood"] += rows
        elif not understood.open:
            counts["licence_not_open"] += rows
    return {why: rows for why, rows in counts.items() if rows}


DOI_ONLY = {
    "licence_not_open": "under a licence that is not open",
    "licence_not_understood": "under a licence that is not understood",
    "no_licence": "without a licence",
}


def _identifiers(records: pl.LazyFrame, columns: list[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for column in IDENTIFIERS:
        if column not in columns:
            continue
        filled, distinct = (
            records.select(pl.col(column).count().alias("n"), pl.col(column).drop_nulls().n_unique().alias("u"))
            .collect()
            .row(0)
        )
        found[column] = {"filled": filled, "distinct": distinct, "duplicates": filled - distinct}
    return found


def _would_be_refused(records: pl.LazyFrame, columns: list[str], others: int) -> dict[str, int]:
    """Return how many records a run would refuse, by reason (a record may count under more than one)."""
    present = [column for column in PHYSICAL_ID if column in columns]
    counts = {"not_a_specimen": others}
    if present:
        identity = pl.coalesce(present)
        total, filled, distinct = (
            records.select(
                pl.len().alias("all"), identity.count().alias("n"), identity.drop_nulls().n_unique().alias("u")
            )
            .collect()
            .row(0)
        )
        counts |= {"missing_identifier": total - filled, "duplicate_identifier": filled - distinct}
    return {reason: count for reason, count in counts.items() if count}


def _rejects(out: Path, counts: dict[str, int], *, core: bool) -> dict[str, dict[str, Any]]:
    if not counts:
        return {}
    table = pl.scan_parquet(out / f"{REJECTS}.parquet")
    table = table.filter((pl.col("table") == RECORDS) if core else (pl.col("table") != RECORDS))
    result: dict[str, dict[str, Any]] = {}
    for reason, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        examples = (
            table.filter(pl.col("reason") == reason)
            .select("source_file", "source_line", "message", pl.col("raw").str.slice(0, 300))
            .head(EXAMPLES)
            .collect()
        )
        result[reason] = {"count": count, "meaning": REASONS.get(reason, reason), "examples": examples.to_dicts()}
    return result


def _problems(parsed: ParsedArchive, described: dict[str, Any]) -> list[str]:
    """Return what the institution should know, one sentence each."""
    found: list[str] = []
    for reason, details in {**described["rejects"], **described["extension_rejects"]}.items():
        found.append(f"Rows set aside ({reason}): {details['count']:,}: {details['meaning']}.")
    if not described["licence"]:
        found.append("No licence is stated, neither for the dataset nor for its records.")
    for why, rows in described["doi_only"].items():
        found.append(f"Records {DOI_ONLY[why]}: {rows:,}. They would get a DOI only, and no published document.")
    if parsed.records and not described["specimens"]:
        found.append("None of the records is a physical specimen by its basisOfRecord.")
    elif described["specimens"] < parsed.records:
        others = parsed.records - described["specimens"]
        found.append(f"Records that are no physical specimens by their basisOfRecord, or state none: {others:,}.")
    for column, numbers in described["identifiers"].items():
        if numbers["duplicates"]:
            found.append(f"Records that repeat a {column} that another record has: {numbers['duplicates']:,}.")
    occurrence_ids = described["identifiers"].get("dwc:occurrenceID")
    if parsed.records and occurrence_ids is not None and not occurrence_ids["filled"]:
        found.append(
            "No record has an occurrenceID, which is what others cite it by; a catalogNumber is unique only here."
        )
    nameless = described["would_be_refused"].get("missing_identifier", 0)
    if nameless:
        found.append(f"Records without any identifier (occurrenceID, catalogNumber or another): {nameless:,}.")
    found += [FLAG_SENTENCES[flag] for flag in described["flags"] if flag in FLAG_SENTENCES]
    return found


FLAG_SENTENCES: dict[str, str] = {
    "no_descriptor": "There is no meta.xml; the columns were understood from the header.",
    "no_header": "There is neither a meta.xml nor a header; the columns have no meaning.",
    "no_metadata": "There is no metadata document (EML).",
    "metadata_file_absent": "The metadata document that meta.xml names is not in the archive.",
    "metadata_unreadable": "The metadata document cannot be read.",
    "metadata_xml_doctype": "The metadata document declares a document type, which is not accepted.",
    "core_file_absent": "The core file that meta.xml names is not in the archive; another table was read instead.",
    "core_part_absent": "One of the core's files is not in the archive.",
    "extension_file_absent": "The file of an extension is not in the archive.",
    "remote_location_ignored": "A file named by an internet address is not fetched.",
    "core_without_id": "meta.xml names no id column for the core, so extensions cannot be joined.",
    "duplicate_core_ids": "Core ids repeat; extension rows go to the first record of an id.",
    "records_without_core_id": "Some records have no core id.",
    "encoding_differs_from_descriptor": "The encoding is not the declared one.",
    "unknown_encoding_declared": "The declared encoding is unknown.",
    "mixed_encoding": "Some lines are in another encoding than the rest of their file.",
    "separator_differs_from_descriptor": "The separator is not the one that meta.xml declares.",
    "enclosure_differs_from_descriptor": "Values stand in quotation marks, which meta.xml does not declare.",
    "header_line_not_declared": "There is a header line that meta.xml does not declare.",
    "descriptor_columns_disagree_with_header": "meta.xml and the header disagree on the columns; the header was used.",
    "descriptor_names_absent_columns": "meta.xml names columns that the file does not have.",
    "header_width_differs": "The header has another number of columns than the rows.",
    "trailing_columns_left_out": "Rows leave out trailing empty columns.",
    "broken_rows_joined": "Rows broken by line breaks inside values were joined again.",
    "stray_quotation_marks": "Quotation marks stand inside values without being escaped.",
    "records_dropped_by_provider": "The provider left out records it could not write.",
    "record_count_differs": "A response holds another number of units than it states.",
    "provider_error": "The provider reported an error.",
    "malformed_xml": "An XML document is broken off or not well-formed.",
    "reference_absent": "Some rows point at a row of another table that is not there.",
    "event_absent": "Some occurrences name an event that the archive does not have.",
    "several_datasets": "The documents hold several datasets.",
    "row_type_missing": "meta.xml does not say what the rows are.",
    "term_in_wrong_namespace": "Terms of Dublin Core are named as Darwin Core's (dwc:license); they were read as meant.",
    "term_twice_in_descriptor": "meta.xml names a term twice for one file.",
    "field_without_term": "meta.xml has a field without a term; its column is kept under its header or number.",
    "index_not_a_number": "An index in meta.xml is not a number.",
    "ignore_header_lines_not_a_number": "ignoreHeaderLines in meta.xml is not a number.",
    "enclosure_not_one_character": "fieldsEnclosedBy in meta.xml is more than one character; the first was used.",
    "several_cores_in_descriptor": "meta.xml has several cores; the first was read.",
    "core_id_column_not_declared": "meta.xml names no column that joins an extension to its core.",
    "not_named_by_descriptor": "A table that meta.xml does not name was read, as the file that it names is absent.",
    "trailing_separators": "Rows end with separators beyond their last column.",
    "blank_lines": "There are empty lines between the rows.",
    "metadata_too_large": "The metadata document is too large to be read.",
    "metadata_damaged": "The metadata document is damaged.",
    "metadata_encrypted": "The metadata document is encrypted.",
}
