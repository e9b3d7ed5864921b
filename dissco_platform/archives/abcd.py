"""Reading ABCD (2.06, 2.1, with EFG and other extensions): BioCASe responses, archives of pages, bare documents.

Units are streamed; each becomes one record whose columns are its own paths (`abcd:Gathering/LocalityText`), and one row
in a child table for each repeated element (`abcd_terms.CHILD_ROWS`). Values repeated under one path are joined with
` | `. Darwin Core columns are added where ABCD says them in lists or parts (`abcd_terms.py`). Parsing documents is
`abcd_pages.py`, fetching them from a BioCASe provider `harvest.py`.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from lxml import etree

from dissco_platform.archives.abcd_pages import Batch, Facts, first_of, read_pages
from dissco_platform.archives.abcd_terms import METADATA_PATHS, NAMESPACES
from dissco_platform.archives.container import Container
from dissco_platform.archives.eml import empty_metadata
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits, ParsedArchive, Progress
from dissco_platform.archives.tables import RECORDS, VERBATIM, fixed_columns
from dissco_platform.archives.tablewriter import RejectWriter, TableWriter
from dissco_platform.archives.xmlsafe import local
from dissco_platform.errors import ArchiveError
from dissco_platform.provenance import ContentVersion, json_version

ROOTS = frozenset({"response", "datasets", "dataset"})
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
        self.metadata: dict[str, Any] = empty_metadata()
        self.number = 0
        self.row = 0
        self.errors: list[ArchiveError] = []

    def run(self, members: list[Member]) -> ParsedArchive:
        try:
            for group, facts, batches in read_pages(members):
                self._read_group(group, facts, batches)
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

    def _read_group(self, members: list[Member], facts: list[Facts], batches: Iterator[Batch]) -> None:
        for batch in batches:
            self._keep(batch)
            if self.progress is not None:
                self.progress(RECORDS, self.row)
        for member, said in zip(members, facts, strict=True):
            report = FileReport(member.name, RECORDS, said.encoding, rows_read=said.units)
            self.reports.append(report)
            if said.malformed:
                self._broken(member, report, said.malformed)
            for namespace in sorted(said.namespaces & NAMESPACES.keys()):
                self.metadata.setdefault("standard", NAMESPACES[namespace])
            for values, contacts in said.datasets:
                self._dataset(values, contacts)
            self._judge(member, report, said)

    def _broken(self, member: Member, report: FileReport, error: str) -> None:
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

    def _judge(self, member: Member, report: FileReport, facts: Facts) -> None:
        """Compare what the response says about itself with what it held."""
        if facts.dropped:
            report.flag("records_dropped_by_provider")
            self.metadata["recordsDropped"] = self.metadata.get("recordsDropped", 0) + facts.dropped
        if facts.malformed:
            return
        if facts.stated is not None and facts.stated != facts.units:
            report.flag("record_count_differs")
        if facts.problem:
            report.flag("provider_error")
            if not facts.units:
                message = f"{member.name}: the provider answered with an error: {facts.problem}"
                self.errors.append(ArchiveError(message, reason="provider_error"))

    def _dataset(self, values: dict[str, list[str]], contacts: list[dict[str, str]]) -> None:
        """Take the metadata from the first DataSet; note where there are several."""
        if values and self.metadata["title"] is None:
            for key, paths in METADATA_PATHS.items():
                found = first_of(values, paths)
                if found is not None:
                    self.metadata[key] = found
            self.metadata["contacts"] = list(contacts)
        elif values and self.metadata["title"] != first_of(values, METADATA_PATHS["title"]):
            self.flags.append("several_datasets")

    def _keep(self, batch: Batch) -> None:
        """Number a batch's records and write its frames to scratch."""
        for table, (frame, columns) in batch.frames.items():
            frame = frame.with_columns(pl.col("row") + self.row)  # noqa: PLW2901
            if table != RECORDS:
                self._spill(table, frame, columns)
                continue
            self.version.add(RECORDS, frame["fingerprint"])
            known = self.tables[RECORDS].columns
            kept = [column for column in columns if column in known or len(known) + columns.index(column) < MAX_COLUMNS]
            overflow = [column for column in columns if column not in kept]
            self._spill(RECORDS, frame.drop(overflow), kept)
            if overflow:
                fixed = [*list(fixed_columns(RECORDS))[:3], "row_type"]
                long = frame.with_columns(pl.lit("abcd:Unit").alias("row_type")).unpivot(
                    on=overflow, index=fixed, variable_name="term", value_name="value"
                )
                self._spill(VERBATIM, long.drop_nulls("value").sort("row", maintain_order=True), [])
        self.row += batch.units

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
