"""Reading Darwin Core Archives and bare tables into the parsed tables.

Order of work: extension rows to a scratch folder (`extensions.py`), core rows to `records.parquet`, extension tables in
the order of the records. Understanding descriptor and headers is `plan.py`; parsing text is `blocks.py`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dissco_platform.archives.blocks import SOURCE_LINE, Block, column_names, read_blocks
from dissco_platform.archives.columns import arrays, one_array, series
from dissco_platform.archives.container import Container
from dissco_platform.archives.contents import CONTENT, content_of, content_of_columns, id_hash, record_fingerprints
from dissco_platform.archives.eml import empty_metadata, read_eml
from dissco_platform.archives.extensions import CORE_ID, KEY, Extensions, Group
from dissco_platform.archives.hashindex import HashIndex, HashTable
from dissco_platform.archives.lines import SetAside
from dissco_platform.archives.material_parts import DERIVED, READ, Materials, understood
from dissco_platform.archives.model import FileReport, Limits, ParsedArchive, Progress
from dissco_platform.archives.partrows import (
    ASSOCIATED_MEDIA,
    associated_media,
    columns_of,
    identity_of,
    nameless_rows,
    origin_of,
    value_of,
)
from dissco_platform.archives.plan import Lookup, Part, Plan, TableSet, make_plan, specimens_possible
from dissco_platform.archives.tables import PART, PARTS, RECORDS, holds_specimens, local_name
from dissco_platform.archives.tablewriter import RejectWriter, TableWriter
from dissco_platform.errors import ArchiveError
from dissco_platform.provenance import ContentVersion, json_version

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
        self.keys = HashTable(np.uint32, "first")
        self.keyless = 0
        self.row = 0
        self.by_event = False
        self.other_keys = HashTable(np.uint32, "first")
        """Other keys by which rows may hang on records: of their events, or of `plan.alias`."""
        self.other: pl.Series | None = None
        """These keys of the block at hand."""
        self.looked_up: dict[int, pl.DataFrame] = {}
        self.materials: Materials | None = None

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
        if self.plan.hierarchy and core.parts:
            self.materials = understood(frame for part in core.parts for frame in self._quietly(part, list(READ)))
        for extension in others:
            self._read_extension(extension)
        with TableWriter(self.out, RECORDS, core.terms, self.limits) as writer:
            self._read_core(core, writer)
            writer.end()
            if self.materials is not None:
                for part in core.parts:  # a row is counted where it ends: as a record or as a part
                    own = (part.report.name, PARTS)
                    part.report.rows_read -= sum(one.rows_read for one in self.reports if (one.name, one.table) == own)
            return {RECORDS: list(writer.schema)} | self._write_extensions()

    def _write_extensions(self) -> dict[str, list[str]]:
        """Write the rows that hang on records; return the columns of their tables."""
        filled = self.row - self.keyless
        if len(self.keys) < filled:
            self.plan.flags.append("duplicate_core_ids")
        if self.keyless and filled:
            self.plan.flags.append("records_without_core_id")
        # Rows that hang on an event and not on one of its occurrences go to the event's first record.
        self.keys.put(*self.other_keys.index().items())
        return self.extensions.write(self.out, self.keys.index(), self.rejects)

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

    def _blocks(self, part: Part) -> Iterator[Block]:
        """Yield a file's rows, set its rejects aside, tell how far it is."""
        self.reports.append(part.report)
        is_core = part.report.table == RECORDS
        for block in read_blocks(part.member, part.dialect, part.report, self.limits):
            self._set_aside(part, block.rejects, core=is_core)
            yield block
            if self.progress is not None:
                self.progress(part.report.table, part.report.rows_read)

    def _quietly(self, part: Part, terms: list[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows of a file that is read for a second purpose: nothing is counted or set aside again."""
        report = FileReport(part.member.name, part.report.table)
        return self._frames(part, terms, read_blocks(part.member, part.dialect, report, self.limits))

    def _frames(self, part: Part, terms: list[str], blocks: Iterator[Block] | None = None) -> Iterator[pl.DataFrame]:
        """Yield a file's rows with `__core_id`, `source_file`, `source_line` and all of `terms`."""
        positions = column_names(part.dialect.width)
        named = {column: positions[p] for p, column in enumerate(part.columns) if column is not None}
        identity = pl.lit(None, dtype=pl.String) if part.id_position is None else pl.col(positions[part.id_position])
        select = [
            identity.alias(CORE_ID),
            pl.lit(part.member.name).alias("source_file"),
            pl.col(SOURCE_LINE),
            *[value_of(term, named, part.defaults).alias(term) for term in terms],
        ]
        for block in self._blocks(part) if blocks is None else blocks:
            yield block.frame.select(select)

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
        if extension.table == PARTS:
            self._read_parts(extension)
            return
        if self.materials is not None:
            terms = [*terms, PART]
        group = self.extensions.group(extension.row_type, extension.table, terms)
        for part in extension.parts:
            if extension.lookups or self.materials is not None or (self.by_event and "dwc:occurrenceID" in terms):
                for rows in self._frames(part, terms):
                    frame = self._look_up(self._placed(rows, extension), extension, part, terms)
                    if self.by_event and "dwc:occurrenceID" in terms:
                        frame = frame.with_columns(pl.coalesce("dwc:occurrenceID", CORE_ID).alias(CORE_ID))
                    columns = arrays(frame)
                    self._hang(group, columns, columns.pop(CORE_ID), part)
            else:
                for block in self._blocks(part):
                    if block.rows:
                        columns = columns_of(block, part, terms)
                        self._hang(group, columns | origin_of(block, part), identity_of(block, part), part)

    def _placed(self, rows: pl.DataFrame, extension: TableSet) -> pl.DataFrame:
        if self.materials is None:
            return rows
        return self.materials.placed(self.materials.dated(rows) if extension.by_event else rows)

    def _read_parts(self, extension: TableSet) -> None:
        """Keep the materials that are parts of others; their files are the core's, read again."""
        if self.materials is None or not self.materials.count:
            return
        terms = list(dict.fromkeys([*extension.terms, DERIVED]))
        group = self.extensions.group(extension.row_type, extension.table, terms)
        for part in extension.parts:
            self.reports.append(part.report)
            for rows in self._quietly(part, terms):
                frame = self._look_up(self.materials.only_parts(rows), extension, part, terms)
                part.report.rows_read += frame.height
                columns = arrays(frame)
                self._hang(group, columns, columns.pop(CORE_ID), part)

    def _hang(self, group: Group, columns: dict[str, pa.Array], core_id: pa.Array, part: Part) -> None:
        """Keep extension rows; those that name no record are set aside."""
        if core_id.null_count:
            nameless = core_id.is_null()
            rows = pa.table(columns).filter(nameless)
            part.report.rows_rejected += rows.num_rows
            self._set_aside(part, nameless_rows(rows, group.terms), core=False)
            kept = pa.table({**columns, CORE_ID: core_id}).filter(pc.invert(nameless))
            columns = {name: one_array(kept.column(name)) for name in kept.column_names}
            core_id = columns.pop(CORE_ID)
        if len(core_id):
            self.extensions.add(group, columns, core_id, part.report)

    def _read_core(self, core: TableSet, writer: TableWriter) -> None:
        terms = core.terms
        sums = self.extensions.sums()
        media: Group | None = None
        if ASSOCIATED_MEDIA in terms:
            media = self.extensions.group(ASSOCIATED_MEDIA, "media", ["ac:accessURI"])
        self.version.schema(RECORDS, [])
        for part in core.parts:
            if self.by_event or core.lookups or self.materials is not None:
                for rows in self._frames(part, terms):
                    whole = rows if self.materials is None else self.materials.without_parts(rows)
                    frame = self._bounded(whole, part)
                    if frame.height:
                        frame = self._own_id(self._look_up(frame, core, part, terms), terms)
                        self._keep_frame(frame, part, terms, sums, writer=writer, media=media)
            else:
                for block in self._blocks(part):
                    self._bound(block, part)
                    if block.rows:
                        self._keep_block(block, part, terms, sums, writer=writer, media=media)

    def _keep_frame(
        self,
        frame: pl.DataFrame,
        part: Part,
        terms: list[str],
        sums: HashIndex | None,
        *,
        writer: TableWriter,
        media: Group | None,
    ) -> None:
        """Write records that took terms of other rows."""
        content = content_of(frame, terms)
        both = content.select(CONTENT).to_numpy()
        if self.plan.alias in terms:
            self._also_known_as(frame[CORE_ID], frame[self.plan.alias])
        prints = self._number(frame[CORE_ID], both, sums)
        numbered = frame.rename({CORE_ID: "core_id"}).with_columns(
            pl.int_range(self.row - frame.height, self.row, dtype=pl.Int64).alias("row"),
            pl.Series("fingerprint", pl.from_arrow(prints)),
        )
        writer.write(numbered)
        if media is not None:
            self._add_links(media, numbered, part)

    def _keep_block(
        self,
        block: Block,
        part: Part,
        terms: list[str],
        sums: HashIndex | None,
        *,
        writer: TableWriter,
        media: Group | None,
    ) -> None:
        """Write records that stand in their file as they are: no frame is made of them."""
        columns = columns_of(block, part, terms)
        identity = identity_of(block, part)
        if self.plan.alias in terms:
            self._also_known_as(series(CORE_ID, identity), series(CORE_ID, columns[self.plan.alias]))
        prints = self._number(series(CORE_ID, identity), content_of_columns(columns, block.rows), sums)
        rows = np.arange(self.row - block.rows, self.row, dtype=np.int64)
        fixed = {"row": pa.array(rows), "core_id": identity, "fingerprint": prints, **origin_of(block, part)}
        writer.write_columns(fixed | columns)
        if media is not None and columns[ASSOCIATED_MEDIA].null_count < block.rows:
            frame = pl.DataFrame(
                [
                    pl.Series("row", rows),
                    pl.Series("source_line", block.lines),
                    series(ASSOCIATED_MEDIA, columns[ASSOCIATED_MEDIA]),
                ]
            )
            self._add_links(media, frame.with_columns(pl.lit(part.member.name).alias("source_file")), part)

    def _add_links(self, media: Group, records: pl.DataFrame, part: Part) -> None:
        links = associated_media(records, part.lists.get(ASSOCIATED_MEDIA))
        if links.height:
            self.extensions.add_numbered(media, arrays(links.drop("row", "row_type")), links["row"].to_numpy())

    def _own_id(self, frame: pl.DataFrame, terms: list[str]) -> pl.DataFrame:
        """Occurrences of an event core: keep the event's hash aside; the core id is the occurrence's own."""
        if not self.by_event:
            return frame
        self._also_by(frame.select(id_hash(CORE_ID).alias(KEY))[KEY])
        identity = pl.col("dwc:occurrenceID") if "dwc:occurrenceID" in terms else pl.lit(None, dtype=pl.String)
        return frame.with_columns(identity.alias(CORE_ID))

    def _also_known_as(self, identity: pl.Series, alias: pl.Series) -> None:
        """Keep the keys of records' other identifiers, where they differ from the core ids."""
        both = pl.DataFrame([identity.alias(CORE_ID), alias.alias(KEY)])
        self._also_by(both.select(pl.when(pl.col(KEY).ne_missing(pl.col(CORE_ID))).then(id_hash(KEY)))[KEY])

    def _also_by(self, keys: pl.Series) -> None:
        self.other = keys
        self.other_keys.put(keys, np.arange(self.row, self.row + len(keys), dtype=np.uint32))

    def _beyond(self, rows: int, part: Part, lines: Sequence[int]) -> int:
        """Return how many of the next rows the dataset may have, and set the others aside."""
        allowed = rows if self.limits.max_rows is None else min(rows, max(self.limits.max_rows - self.row, 0))
        part.report.rows_rejected += rows - allowed
        message = f"the dataset may have {self.limits.max_rows or 0:,} rows"
        aside = [SetAside(int(line), "row_limit", message, "") for line in lines[allowed:]]
        self._set_aside(part, aside, core=True)
        return allowed

    def _bounded(self, frame: pl.DataFrame, part: Part) -> pl.DataFrame:
        return frame.slice(0, self._beyond(frame.height, part, frame[SOURCE_LINE].to_list()))

    def _bound(self, block: Block, part: Part) -> None:
        if self.limits.max_rows is not None:
            allowed = self._beyond(block.rows, part, block.lines.tolist())
            block.table, block.lines = block.table.slice(0, allowed), block.lines[:allowed]

    def _number(self, identity: pl.Series, content: np.ndarray, sums: HashIndex | None) -> pa.StringArray:
        """Count the next records in; return their fingerprints."""
        keys = identity.to_frame(CORE_ID).select(id_hash(CORE_ID).alias(KEY))[KEY]
        self.keys.put(keys, np.arange(self.row, self.row + len(identity), dtype=np.uint32))
        self.keyless += keys.null_count()
        hanging = np.zeros(len(identity), np.uint64)
        if sums is not None:
            for wanted in [keys] if self.other is None else [keys, self.other]:
                found, total = sums.find(wanted)
                hanging += np.where(found, total, np.uint64(0))
        prints = record_fingerprints(content, hanging)
        self.version.add(RECORDS, pl.Series("fingerprint", pl.from_arrow(prints)))
        self.row += len(identity)
        return prints

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
