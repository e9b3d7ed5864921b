"""Reading ABCD (2.06, 2.1, with EFG and other extensions): BioCASe responses, archives of pages, bare documents.

Units are streamed; each becomes one record whose columns are its own paths (`abcd:Gathering/LocalityText`), and one row
in a child table for each repeated element (`abcd_terms.CHILD_ROWS`). Values repeated under one path are joined with
` | `. Darwin Core columns are added where ABCD says them in lists or parts (`abcd_terms.py`). Fetching pages from a
BioCASe provider is not here.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from lxml import etree

from dissco_platform.archives.abcd_parser import Malformed, UnitStream
from dissco_platform.archives.abcd_rows import Node, Row, UnitRows, derive_columns
from dissco_platform.archives.abcd_terms import DATASET_COLUMNS, METADATA_PATHS, NAMESPACES
from dissco_platform.archives.container import Container
from dissco_platform.archives.contents import CONTENT, content_of, record_fingerprints, row_hash
from dissco_platform.archives.eml import empty_metadata
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits, ParsedArchive, Progress
from dissco_platform.archives.tables import RECORDS, VERBATIM, fixed_columns
from dissco_platform.archives.tablewriter import RejectWriter, TableWriter
from dissco_platform.archives.xmlsafe import local, refuse_doctype
from dissco_platform.errors import ArchiveError
from dissco_platform.provenance import ContentVersion, json_version

ROOTS = frozenset({"response", "datasets", "dataset"})
BATCH = 5_000
"""Units flattened before they become columns."""
MAX_COLUMNS = 1_500
"""Distinct paths kept as columns of records; further ones go to the verbatim table."""


def xml_root(member: Member) -> str | None:
    """Return the local name of an XML file's root element, None where it is not XML."""
    head = member.head(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<"))
    if not head.startswith(b"<") and not wide:
        return None
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, recover=True)
    try:
        parser.feed(member.head(65_536))
        for _, element in parser.read_events():
            return local(element)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None


def abcd_members(container: Container) -> list[Member]:
    """Return the files of a container that are ABCD documents or BioCASe responses, in the order of their names."""
    found = []
    for member in container.members:
        if member.suffix in {".xml", ".response", ".abcd", ""} or len(container.members) == 1:
            root = xml_root(member)
            if root is not None and root.lower() in ROOTS:
                found.append(member)
    return sorted(found, key=lambda member: member.name)


@dataclass
class _Table:
    """Scratch files of one table, and the columns met so far in order."""

    columns: dict[str, None] = field(default_factory=dict)
    parts: list[Path] = field(default_factory=list)
    rows: int = 0


def read_abcd(
    container: Container, members: list[Member], out: Path, limits: Limits, progress: Progress | None
) -> ParsedArchive:
    """Read ABCD documents into `out`.

    Raises:
        ArchiveError: `malformed_xml` (no unit could be read), `provider_error` (a BioCASe error instead of data),
            `xml_doctype`, `not_abcd`.
    """
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=out) as scratch:
        return _Reading(container, out, Path(scratch), limits, progress).run(members)


class _Reading:
    """One pass over the documents; holds what the steps share."""

    def __init__(
        self, container: Container, out: Path, scratch: Path, limits: Limits, progress: Progress | None
    ) -> None:
        self.container = container
        self.out = out
        self.scratch = scratch
        self.limits = limits
        self.progress = progress
        self.version = ContentVersion()
        self.rejects = RejectWriter(out, self.version, limits)
        self.tables: dict[str, _Table] = {RECORDS: _Table()}
        self.reports: list[FileReport] = []
        self.flags: list[str] = []
        self.trees: dict[str, Node] = {}
        self.metadata: dict[str, Any] = empty_metadata()
        self.number = 0
        self.row = 0
        self.errors: list[ArchiveError] = []

    def run(self, members: list[Member]) -> ParsedArchive:
        try:
            for member in members:
                self._read_member(member)
            if not self.row and self.errors and len(self.errors) == len(members):
                raise self.errors[0]
            columns = self._write_tables()
        except BaseException:
            self.rejects.abandon()
            raise
        self.rejects.close()
        for report in self.reports:
            report.rows_parsed = report.rows_read - report.rows_rejected
        (self.out / "dataset.json").write_bytes(orjson.dumps(self.metadata, option=orjson.OPT_INDENT_2))
        return ParsedArchive(
            kind="abcd",
            files=self.reports,
            records=self.row,
            rejects=dict(self.rejects.core),
            extension_rejects=dict(self.rejects.extension),
            metadata=self.metadata,
            flags=list(dict.fromkeys(self.flags)),
            columns=columns,
            data_version=json_version({"content": self.version.hexdigest(), "metadata": self.metadata}),
            path=self.out,
        )

    def _read_member(self, member: Member) -> None:
        report = FileReport(member.name, RECORDS)
        self.reports.append(report)
        refuse_doctype(member.name, member.head(65_536))
        batch: list[UnitRows] = []
        try:
            for unit in self._units(member, report):
                report.rows_read += 1
                batch.append(unit)
                if len(batch) >= BATCH:
                    self._keep(batch, member)
                    batch = []
                    if self.progress is not None:
                        self.progress(RECORDS, self.row)
        except Malformed as error:
            self._broken(member, report, error)
        self._keep(batch, member)

    def _broken(self, member: Member, report: FileReport, error: Exception) -> None:
        """Count what could not be read: everything from the error on is one reject."""
        message = f"{member.name} is not well-formed XML: {error}"
        self.errors.append(ArchiveError(message, reason="malformed_xml"))
        report.flag("malformed_xml")
        report.rows_read += 1
        report.rows_rejected += 1
        self.rejects.add(
            [
                {
                    "source_file": member.name,
                    "table": RECORDS,
                    "source_line": report.rows_read,
                    "reason": "malformed_xml",
                    "message": message,
                    "raw": "",
                    "core_id": None,
                }
            ],
            core=True,
        )

    def _units(self, member: Member, report: FileReport) -> Iterator[UnitRows]:
        """Yield the flattened units of one document; note what the response says about itself."""
        document = UnitStream(member.name, self.trees)
        values: dict[str, list[str]] | None = None
        columns: Row = {}
        ordinal = 0
        try:
            with member.open() as stream:
                for unit in document.units(stream):
                    if unit.dataset is not values:
                        values = unit.dataset
                        columns = self._dataset(values, document)
                    ordinal += 1
                    unit.ordinal = ordinal
                    unit.record.update(columns)
                    yield unit
        finally:
            report.encoding = document.encoding
            for namespace in sorted(document.namespaces & NAMESPACES.keys()):
                self.metadata.setdefault("standard", NAMESPACES[namespace])
        if values is None:
            self._dataset(document.dataset, document)
        self._judge(member, report, ordinal, document)

    def _judge(self, member: Member, report: FileReport, units: int, document: UnitStream) -> None:
        """Compare what the response says about itself with what it held."""
        if document.dropped:
            report.flag("records_dropped_by_provider")
            self.metadata["recordsDropped"] = self.metadata.get("recordsDropped", 0) + document.dropped
        if document.stated is not None and document.stated != units:
            report.flag("record_count_differs")
        if document.problem:
            report.flag("provider_error")
            if not units:
                message = f"{member.name}: the provider answered with an error: {document.problem}"
                self.errors.append(ArchiveError(message, reason="provider_error"))

    def _dataset(self, values: dict[str, list[str]], document: UnitStream) -> Row:
        """Return the columns that a DataSet gives to its units; the first one also fills the metadata."""
        if values and self.metadata["title"] is None:
            for key, paths in METADATA_PATHS.items():
                found = _first(values, paths)
                if found is not None:
                    self.metadata[key] = found
            self.metadata["contacts"] = list(document.contacts)
        elif values and self.metadata["title"] != _first(values, METADATA_PATHS["title"]):
            self.flags.append("several_datasets")
        found_columns = {column: _first(values, paths) for column, paths in DATASET_COLUMNS.items()}
        return {column: value for column, value in found_columns.items() if value is not None}

    def _keep(self, batch: list[UnitRows], member: Member) -> None:
        """Turn a batch of units into frames: number them, fingerprint them, write them to scratch."""
        if not batch:
            return
        records = [unit.record for unit in batch]
        rows = pl.int_range(self.row, self.row + len(batch), dtype=pl.Int64, eager=True)
        hanging = pl.Series("h", [0] * len(batch), dtype=pl.UInt64)
        children: dict[str, list[tuple[int, int, str, Row]]] = {}
        for offset, unit in enumerate(batch):
            for table, row_type, row in unit.children:
                children.setdefault(table, []).append((self.row + offset, unit.ordinal, row_type, row))
        for table, found in children.items():
            hanging = hanging + self._keep_children(table, found, member.name, rows)
        known = self.tables[RECORDS].columns
        columns = list(dict.fromkeys(column for record in records for column in record))
        kept = [column for column in columns if column in known or len(known) + columns.index(column) < MAX_COLUMNS]
        frame = _frame(records, kept).with_columns(
            rows.alias("row"),
            pl.lit(member.name).alias("source_file"),
            pl.Series("source_line", [unit.ordinal for unit in batch], dtype=pl.Int64),
            pl.Series("core_id", [unit.identifier for unit in batch], dtype=pl.String),
        )
        content = content_of(frame, kept)
        both = content.select(CONTENT).to_numpy()
        prints = record_fingerprints(both, hanging.to_numpy())
        frame = frame.with_columns(pl.Series("fingerprint", pl.from_arrow(prints)))
        self.version.add(RECORDS, frame["fingerprint"])
        self._spill(RECORDS, frame, kept)
        overflow = [column for column in columns if column not in kept]
        if overflow:
            long = _frame(records, overflow).with_columns(
                rows.alias("row"),
                pl.lit(member.name).alias("source_file"),
                pl.Series("source_line", [unit.ordinal for unit in batch], dtype=pl.Int64),
                pl.lit("abcd:Unit").alias("row_type"),
            )
            fixed = [*list(fixed_columns(RECORDS))[:3], "row_type"]
            melted = long.unpivot(on=overflow, index=fixed, variable_name="term", value_name="value")
            self._spill(VERBATIM, melted.drop_nulls("value").sort("row", maintain_order=True), [])
        self.row += len(batch)

    def _keep_children(
        self, table: str, found: list[tuple[int, int, str, Row]], name: str, rows: pl.Series
    ) -> pl.Series:
        """Write child rows to scratch; return the sum of their hashes for each record of the batch."""
        values = [row for _, _, _, row in found]
        columns = list(dict.fromkeys(column for row in values for column in row))
        frame = derive_columns(table, _frame(values, columns))
        columns = frame.columns
        frame = frame.with_columns(
            pl.Series("row", [row for row, _, _, _ in found], dtype=pl.Int64),
            pl.lit(name).alias("source_file"),
            pl.Series("source_line", [ordinal for _, ordinal, _, _ in found], dtype=pl.Int64),
            pl.Series("row_type", [row_type for _, _, row_type, _ in found], dtype=pl.String),
        )
        content = content_of(frame, columns).with_columns(frame["row_type"])
        sums = frame.select("row").with_columns(row_hash(pl.col("row_type"), content).alias("h"))
        sums = sums.group_by("row").agg(pl.col("h").sum())
        self._spill(table, frame, columns)
        return rows.to_frame("row").join(sums, on="row", how="left", maintain_order="left")["h"].fill_null(0)

    def _spill(self, table: str, frame: pl.DataFrame, columns: list[str]) -> None:
        kept = self.tables.setdefault(table, _Table())
        kept.columns.update(dict.fromkeys(columns))
        path = self.scratch / f"{self.number}.parquet"
        self.number += 1
        frame.write_parquet(path, compression="lz4")
        kept.parts.append(path)
        kept.rows += frame.height

    def _write_tables(self) -> dict[str, list[str]]:
        written: dict[str, list[str]] = {}
        for table, kept in self.tables.items():
            with TableWriter(self.out, table, list(kept.columns), self.limits) as writer:
                for path in kept.parts:
                    writer.write(pl.read_parquet(path))
                    path.unlink()
                written[table] = list(writer.schema)
        return written


def _frame(rows: list[Row], columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        [pl.Series(column, [row.get(column) for row in rows], dtype=pl.String) for column in columns]
        or {"__none": pl.Series([None] * len(rows), dtype=pl.String)}
    )


def _first(values: dict[str, list[str]], paths: tuple[str, ...]) -> str | None:
    for path in paths:
        if values.get(path):
            return values[path][0]
    return None
