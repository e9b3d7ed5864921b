"""Reading Darwin Core Archives and bare tables into the parsed tables.

Order of work: extension rows to a scratch folder (`extensions.py`), core rows to `records.parquet`, extension tables in
the order of the records. Understanding descriptor and headers is `plan.py`; parsing text is `blocks.py`.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.archives.blocks import SOURCE_LINE, column_names, read_blocks
from dissco_platform.archives.container import Container
from dissco_platform.archives.eml import empty_metadata, read_eml
from dissco_platform.archives.extensions import CORE_ID, KEY, Extensions, Group, HashIndex
from dissco_platform.archives.lines import SetAside
from dissco_platform.archives.model import FileReport, Limits, ParsedArchive, Progress
from dissco_platform.archives.plan import Lookup, Part, Plan, TableSet, make_plan, specimens_possible
from dissco_platform.archives.tables import RECORDS, holds_specimens, local_name
from dissco_platform.archives.tablewriter import CONTENT, RejectWriter, TableWriter, content_of, id_hash
from dissco_platform.errors import ArchiveError
from dissco_platform.provenance import ContentVersion, fingerprint, json_version

ASSOCIATED_MEDIA = "dwc:associatedMedia"
LOOKED_UP = "\x1flooked up"
KNOWN = "__known"
METADATA_NAMES = ("eml.xml", "metadata.xml", "metadata.eml.xml")


def read_dwca(
    container: Container, out: Path, limits: Limits, progress: Progress | None, *, any_core: bool = False
) -> ParsedArchive:
    """Read a container of delimited files into `out`.

    With `any_core`, checklists and event tables without specimens are read too (to report on them).

    Raises:
        ArchiveError: `no_specimens` for cores that hold none; what `make_plan` raises.
    """
    plan = make_plan(container, limits)
    if not any_core and not specimens_possible(plan):
        raise ArchiveError(
            f"{container.name} has {plan.core.row_type} rows, which are not specimens; "
            "a dataset needs an Occurrence, MaterialSample or MaterialEntity core, or an Event core with occurrences",
            reason="no_specimens",
        )
    return read_plan(container, plan, out, limits, progress)


def read_plan(container: Container, plan: Plan, out: Path, limits: Limits, progress: Progress | None) -> ParsedArchive:
    """Read a container by a plan that is already made (also for data packages)."""
    metadata = _metadata(container, plan, limits)
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=out) as scratch:
        return _Reading(container, plan, out, Path(scratch), limits, progress=progress).run(metadata)


def _metadata(container: Container, plan: Plan, limits: Limits) -> dict[str, Any]:
    """Return the dataset's metadata; a missing or broken document is a flag, never a refusal."""
    wanted = [plan.metadata] if plan.metadata and "://" not in plan.metadata else []
    named = container.find(wanted[0]) if wanted else None
    if wanted and named is None:
        plan.flags.append("metadata_file_absent")
    documents = [m for m in container.members if m.suffix == ".xml" and m.base.lower() != "meta.xml"]
    elsewhere = documents if len(documents) == 1 else []
    for member in [named, *(container.find(name) for name in METADATA_NAMES), *elsewhere]:
        if member is None or member.base.lower() == "meta.xml":
            continue
        try:
            return read_eml(member.name, member.read(limits.max_document))
        except ArchiveError as error:
            plan.flags.append("metadata_unreadable" if error.reason == "malformed_xml" else f"metadata_{error.reason}")
    if "metadata_file_absent" not in plan.flags and "metadata_unreadable" not in plan.flags:
        plan.flags.append("no_metadata")
    return empty_metadata()


class _Reading:
    """One pass over an archive; holds what the steps share."""

    def __init__(
        self, container: Container, plan: Plan, out: Path, scratch: Path, limits: Limits, *, progress: Progress | None
    ) -> None:
        self.container = container
        self.plan = plan
        self.out = out
        self.limits = limits
        self.progress = progress
        self.version = ContentVersion()
        self.rejects = RejectWriter(out, self.version, limits)
        self.extensions = Extensions(scratch, limits)
        self.reports: list[FileReport] = []
        self.keys: list[pl.Series] = []
        self.row = 0
        self.by_event = False
        self.event_keys: list[pl.Series] = []
        self.looked_up: dict[int, pl.DataFrame] = {}

    def run(self, metadata: dict[str, Any]) -> ParsedArchive:
        core, others = self.plan.core, self.plan.extensions
        if local_name(core.row_type).lower() == "event":
            occurrences = next((one for one in others if holds_specimens(one.row_type)), None)
            if occurrences is not None:
                others = [one for one in others if one is not occurrences]
                core = self._occurrences_of_events(core, occurrences)
        try:
            columns = self._read_tables(core, others)
        except BaseException:
            self.rejects.abandon()
            raise
        self.rejects.close()
        return self._finish(metadata, columns)

    def _occurrences_of_events(self, events: TableSet, occurrences: TableSet) -> TableSet:
        """Make the occurrences of an event core the records; they take their events' terms."""
        self.by_event = True
        for part in events.parts:
            part.report.table = "events"
        for part in occurrences.parts:
            part.report.table = RECORDS
        return TableSet(events.row_type, RECORDS, occurrences.parts, [Lookup(None, events)])

    def _read_tables(self, core: TableSet, others: list[TableSet]) -> dict[str, list[str]]:
        for extension in others:
            self._read_extension(extension)
        columns = {RECORDS: self._read_core(core)}
        keys = pl.concat(self.keys) if self.keys else pl.Series(KEY, [], dtype=pl.UInt64)
        self.keys = []
        rows = pl.int_range(keys.len(), dtype=pl.UInt32, eager=True)
        index = HashIndex(keys, rows)
        filled = keys.len() - keys.null_count()
        if len(index) < filled:
            self.plan.flags.append("duplicate_core_ids")
        if keys.null_count() and filled:
            self.plan.flags.append("records_without_core_id")
        if self.event_keys:
            # Rows that hang on an event and not on one of its occurrences go to the event's first record.
            index = HashIndex(pl.concat([keys, *self.event_keys]), pl.concat([rows, rows]))
        return columns | self.extensions.write(self.out, index, self.rejects)

    def _finish(self, metadata: dict[str, Any], columns: dict[str, list[str]]) -> ParsedArchive:
        for report in self.reports:
            report.rows_parsed = report.rows_read - report.rows_rejected
        (self.out / "dataset.json").write_bytes(orjson.dumps(metadata, option=orjson.OPT_INDENT_2))
        version = json_version({"content": self.version.hexdigest(), "metadata": metadata})
        return ParsedArchive(
            kind=self.plan.kind,
            files=self.reports,
            records=self.row,
            rejects=dict(self.rejects.core),
            extension_rejects=dict(self.rejects.extension),
            metadata=metadata,
            flags=list(dict.fromkeys(self.plan.flags)),
            columns=columns,
            data_version=version,
            core=self.plan.core.row_type,
            path=self.out,
        )

    def _frames(self, part: Part, terms: list[str]) -> Iterator[pl.DataFrame]:
        """Yield a file's rows with `__core_id`, `source_file`, `source_line` and all of `terms`."""
        self.reports.append(part.report)
        positions = column_names(part.dialect.width)
        named = {column: positions[p] for p, column in enumerate(part.columns) if column is not None}
        identity = pl.lit(None, dtype=pl.String) if part.id_position is None else pl.col(positions[part.id_position])
        select = [
            identity.alias(CORE_ID),
            pl.lit(part.member.name).alias("source_file"),
            pl.col(SOURCE_LINE),
            *[_value(term, named, part.defaults).alias(term) for term in terms],
        ]
        is_core = part.report.table == RECORDS
        for block in read_blocks(part.member, part.dialect, part.report, self.limits):
            self._set_aside(part, block.rejects, core=is_core)
            yield block.frame.select(select)
            if self.progress is not None:
                self.progress(part.report.table, part.report.rows_read)

    def _set_aside(self, part: Part, aside: list[SetAside], *, core: bool) -> None:
        self.rejects.add(
            (
                {
                    "source_file": part.member.name,
                    "table": part.report.table,
                    "source_line": one.line,
                    "reason": one.reason,
                    "message": one.message,
                    "raw": one.raw,
                    "core_id": None,
                }
                for one in aside
            ),
            core=core,
        )

    def _read_extension(self, extension: TableSet) -> None:
        terms = extension.terms
        group = self.extensions.group(extension.row_type, extension.table, terms)
        for part in extension.parts:
            for rows in self._frames(part, terms):
                frame = self._look_up(rows, extension, part, terms)
                if self.by_event and "dwc:occurrenceID" in terms:
                    frame = frame.with_columns(pl.coalesce("dwc:occurrenceID", CORE_ID).alias(CORE_ID))
                nameless = frame.filter(pl.col(CORE_ID).is_null())
                if nameless.height:
                    part.report.rows_rejected += nameless.height
                    self._set_aside(part, _nameless(nameless, terms), core=False)
                    frame = frame.filter(pl.col(CORE_ID).is_not_null())
                self.extensions.add(
                    group, frame.with_columns(pl.lit(extension.row_type).alias("row_type")), part.report
                )

    def _read_core(self, core: TableSet) -> list[str]:
        terms = core.terms
        sums = self.extensions.sums()
        media: Group | None = None
        if ASSOCIATED_MEDIA in terms:
            media = self.extensions.group(ASSOCIATED_MEDIA, "media", ["ac:accessURI"])
        self.version.schema(RECORDS, [])
        with TableWriter(self.out, RECORDS, terms, self.limits) as writer:
            for part in core.parts:
                for rows in self._frames(part, terms):
                    frame = self._bounded(rows, part)
                    if not frame.height:
                        continue
                    frame = self._look_up(frame, core, part, terms)
                    numbered = self._number(self._own_id(frame, terms), terms, sums)
                    writer.write(numbered)
                    if media is not None:
                        links = associated_media(numbered)
                        if links.height:
                            self.extensions.add_numbered(media, links)
            return list(writer.schema)

    def _own_id(self, frame: pl.DataFrame, terms: list[str]) -> pl.DataFrame:
        """Occurrences of an event core: keep the event's hash aside; the core id is the occurrence's own."""
        if not self.by_event:
            return frame
        self.event_keys.append(frame.select(id_hash(CORE_ID).alias(KEY))[KEY])
        identity = pl.col("dwc:occurrenceID") if "dwc:occurrenceID" in terms else pl.lit(None, dtype=pl.String)
        return frame.with_columns(identity.alias(CORE_ID))

    def _bounded(self, frame: pl.DataFrame, part: Part) -> pl.DataFrame:
        if self.limits.max_rows is None or self.row + frame.height <= self.limits.max_rows:
            return frame
        allowed = max(self.limits.max_rows - self.row, 0)
        beyond = frame.slice(allowed)
        part.report.rows_rejected += beyond.height
        message = f"the dataset may have {self.limits.max_rows:,} rows"
        aside = [SetAside(line, "row_limit", message, "") for line in beyond[SOURCE_LINE]]
        self._set_aside(part, aside, core=True)
        return frame.slice(0, allowed)

    def _number(self, frame: pl.DataFrame, terms: list[str], sums: HashIndex | None) -> pl.DataFrame:
        keys = frame.select(id_hash(CORE_ID).alias(KEY))[KEY] if frame[CORE_ID].null_count() < frame.height else None
        if keys is None:
            keys = pl.Series(KEY, [None] * frame.height, dtype=pl.UInt64)
        self.keys.append(keys)
        hanging: pl.Expr = pl.lit(0, dtype=pl.UInt64)
        if sums is not None:
            hanging = pl.lit(sums.find(keys)).fill_null(0)
            if self.by_event:
                hanging = hanging + pl.lit(sums.find(self.event_keys[-1])).fill_null(0)
        prints = content_of(frame, terms).select(fingerprint([*CONTENT, hanging]).alias("fingerprint"))
        numbered = frame.rename({CORE_ID: "core_id"}).with_columns(
            pl.int_range(self.row, self.row + frame.height, dtype=pl.Int64).alias("row"), prints["fingerprint"]
        )
        self.version.add(RECORDS, numbered["fingerprint"])
        self.row += frame.height
        return numbered

    def _look_up(self, frame: pl.DataFrame, rows: TableSet, part: Part, terms: list[str]) -> pl.DataFrame:
        """Give rows the terms of the tables they refer to, where they have no value of their own."""
        for lookup in rows.lookups:
            table = self._table(lookup.table)
            column = CORE_ID if lookup.column is None else lookup.column
            joined = frame.with_columns(id_hash(column).alias(KEY)).join(
                table, on=KEY, how="left", suffix=LOOKED_UP, maintain_order="left"
            )
            if joined.filter(pl.col(KEY).is_not_null() & pl.col(KNOWN).is_null()).height:
                part.report.flag("event_absent" if lookup.column is None else "reference_absent")
            both = [term for term in terms if f"{term}{LOOKED_UP}" in joined.columns]
            joined = joined.with_columns(pl.coalesce(term, f"{term}{LOOKED_UP}").alias(term) for term in both)
            frame = joined.select(frame.columns)
        return frame

    def _table(self, table: TableSet) -> pl.DataFrame:
        """Return a table that others refer to, with the hash of its rows' ids; of two with one id the first counts."""
        if id(table) not in self.looked_up:
            terms = table.terms
            frames = [
                self._look_up(rows, table, part, terms) for part in table.parts for rows in self._frames(part, terms)
            ]
            whole = pl.concat(frames).with_columns(id_hash(CORE_ID).alias(KEY)).drop_nulls(KEY) if frames else None
            if whole is None:
                whole = pl.DataFrame(schema={KEY: pl.UInt64(), **dict.fromkeys(terms, pl.String())})
            whole = whole.unique(KEY, keep="first", maintain_order=True).select(KEY, *terms)
            self.looked_up[id(table)] = whole.with_columns(pl.lit(value=True).alias(KNOWN))
        return self.looked_up[id(table)]


def _value(term: str, named: dict[str, str], defaults: dict[str, str]) -> pl.Expr:
    """Return a term's value: its column, blanks filled by the default; the constant; or null."""
    default = defaults.get(term)
    if term in named:
        column = pl.col(named[term])
        return column if default is None else column.fill_null(pl.lit(default.strip()))
    return pl.lit(default.strip() if default else None, dtype=pl.String)


def _nameless(frame: pl.DataFrame, terms: list[str]) -> list[SetAside]:
    message = "the row does not say which record it belongs to"
    return [
        SetAside(row[0], "missing_core_id", message, "\t".join(cell or "" for cell in row[1:]))
        for row in frame.select(SOURCE_LINE, *terms).iter_rows()
    ]


def associated_media(records: pl.DataFrame) -> pl.DataFrame:
    """Return one row a link of `dwc:associatedMedia` (separated by `|`, or by `;`, `,` or blanks before a scheme)."""
    links = (
        records.filter(pl.col(ASSOCIATED_MEDIA).is_not_null())
        .select(
            "row",
            "source_file",
            "source_line",
            pl.lit(ASSOCIATED_MEDIA).alias("row_type"),
            pl.col(ASSOCIATED_MEDIA)
            .str.replace_all(r"[\s;,]+((?:https?|ftp)://)", "|${1}")
            .str.split("|")
            .alias("ac:accessURI"),
        )
        .explode("ac:accessURI")
        .with_columns(pl.col("ac:accessURI").str.strip_chars(" \t\r\n;,"))
    )
    return links.filter(pl.col("ac:accessURI") != "")
