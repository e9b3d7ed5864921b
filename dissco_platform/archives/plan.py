"""What an archive of delimited files holds: which file is the core, which are extensions, what each column is.

With a descriptor its word counts as far as the files bear it out; without one, headers decide. Reading the rows by this
plan is `dwca.py`.
"""

from dataclasses import dataclass, field

from dissco_platform.archives.container import Container
from dissco_platform.archives.descriptor import Descriptor, FileSet, read_descriptor
from dissco_platform.archives.dialect import Dialect, sniff
from dissco_platform.archives.encodings import public_name
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.tables import RECORDS, extension_table, holds_specimens, local_name
from dissco_platform.archives.terms import column_of, term_of
from dissco_platform.errors import ArchiveError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".tab", ".text", ".data", ".dwca"})
DOCUMENT_SUFFIXES = frozenset(
    {".xml", ".json", ".yaml", ".yml", ".md", ".html", ".htm", ".pdf", ".rtf", ".doc", ".docx", ".png", ".jpg", ".bib"}
)
DOCUMENT_NAMES = frozenset({"readme", "license", "licence", "citations.txt", "rights.txt", "readme.txt", "license.txt"})
ID_HEADERS = ("id", "coreid", "core_id", "gbifid", "dwca:id", "dwcaid")
ID_TERMS = (
    "gbif:gbifID",
    "dwc:occurrenceID",
    "dwc:materialEntityID",
    "dwc:materialSampleID",
    "dwc:taxonID",
    "dwc:eventID",
    "dcterms:identifier",
    "dwc:catalogNumber",
)


@dataclass
class Part:
    """One file and how to read it: `columns` by position (None: not kept), the id's position, defaults, and by term the
    separator of lists that its descriptor states."""

    member: Member
    dialect: Dialect
    columns: list[str | None]
    id_position: int | None
    defaults: dict[str, str]
    report: FileReport
    lists: dict[str, str] = field(default_factory=dict)

    @property
    def terms(self) -> list[str]:
        """All columns that rows of this file have."""
        named = [column for column in self.columns if column is not None]
        return list(dict.fromkeys([*named, *self.defaults]))


@dataclass
class TableSet:
    """The files of the core or of one extension."""

    row_type: str
    table: str
    parts: list[Part]
    lookups: list["Lookup"] = field(default_factory=list)
    by_event: bool = False
    """Whether rows name an event, and so hang on all that was collected then."""

    @property
    def terms(self) -> list[str]:
        """The columns of all files, and of the tables they refer to."""
        own = [term for part in self.parts for term in part.terms]
        return list(dict.fromkeys([*own, *(term for lookup in self.lookups for term in lookup.table.terms)]))


@dataclass
class Lookup:
    """A table whose rows add their terms to rows that name them in `column` (None: in their core id)."""

    column: str | None
    table: TableSet


@dataclass
class Plan:
    """Core, extensions and flags; `metadata` is the document a descriptor names."""

    core: TableSet
    extensions: list[TableSet]
    metadata: str | None = None
    flags: list[str] = field(default_factory=list)
    kind: str = "dwca"
    alias: str | None = None
    """Column of the core by whose value rows may name their record too."""
    hierarchy: bool = False
    """Whether records of the core may be parts of others, or rows hang on events (`material_parts.py`)."""


def make_plan(container: Container, limits: Limits) -> Plan:
    """Understand an archive's files.

    Raises:
        ArchiveError: `core_file_missing`, `no_table`, `ambiguous_without_descriptor`, and what `read_descriptor` and
            `sniff` raise.
    """
    member = _descriptor_member(container)
    if member is None:
        return _without_descriptor(container, limits)
    return _with_descriptor(container, read_descriptor(member.name, member.read(limits.max_document)), limits)


def _descriptor_member(container: Container) -> Member | None:
    found = [m for m in container.members if m.base.lower() == "meta.xml"]
    found.sort(key=lambda member: member.name.count("/"))
    return found[0] if found else None


def _with_descriptor(container: Container, descriptor: Descriptor, limits: Limits) -> Plan:
    flags: list[str] = []
    used: set[str] = {"meta.xml"}
    core = _declared(container, descriptor.core, RECORDS, limits, flags=flags, used=used)
    extensions = []
    for fileset in descriptor.extensions:
        table = extension_table(fileset.row_type)
        extension = _declared(container, fileset, table, limits, flags=flags, used=used)
        if extension.parts:
            extensions.append(extension)
    if not core.parts:
        core = _instead_of_core(container, descriptor, limits, used)
        flags.append("core_file_absent")
    if extensions and all(part.id_position is None for part in core.parts):
        flags.append("core_without_id")
    return Plan(core, extensions, descriptor.metadata, list(dict.fromkeys(flags)))


def _declared(
    container: Container, fileset: FileSet, table: str, limits: Limits, *, flags: list[str], used: set[str]
) -> TableSet:
    parts: list[Part] = []
    for location in fileset.locations:
        if "://" in location:
            flags.append("remote_location_ignored")
            continue
        member = container.find(location)
        if member is None:
            if table != RECORDS:
                flags.append("extension_file_absent")
            elif len(fileset.locations) > 1:
                flags.append("core_part_absent")
            continue
        used.add(member.name)
        parts.append(_declared_part(member, fileset, table, limits))
    flags += fileset.notes
    return TableSet(fileset.row_type, table, parts)


def _declared_part(member: Member, fileset: FileSet, table: str, limits: Limits) -> Part:
    dialect = sniff(member, fileset, limits)
    report = FileReport(member.name, table, public_name(dialect.codec))
    for flag in dialect.flags:
        report.flag(flag)
    lists = {one.term: one.delimited_by for one in fileset.fields if one.delimited_by}
    has_fields = any(one.index is not None for one in fileset.fields)
    if dialect.header is not None and (dialect.from_header or not has_fields):
        part = _part_by_header(member, dialect, report, core=table == RECORDS)
        for one in fileset.fields:
            if one.default is not None and (one.index is None or one.term in part.terms):
                part.defaults.setdefault(one.term, one.default)
        part.lists.update(lists)
        return part
    columns: list[str | None] = [None] * dialect.width
    defaults: dict[str, str] = {}
    for one in fileset.fields:
        if one.index is not None and one.index < dialect.width:
            columns[one.index] = one.term if columns[one.index] is None else columns[one.index]
            if one.default is not None:
                defaults[one.term] = one.default
        elif one.default is not None:
            defaults[one.term] = one.default
    id_position = fileset.id_index if fileset.id_index is not None and fileset.id_index < dialect.width else None
    if id_position is None and fileset.id_index is None and table != RECORDS:
        id_position = 0
        report.flag("core_id_column_not_declared")
    taken = {column for column in columns if column is not None} | set(defaults)
    for position, column in enumerate(columns):
        if column is None and position != id_position:
            header = dialect.header[position] if dialect.header and position < len(dialect.header) else ""
            columns[position] = _unique(column_of(header, position), taken)
    return Part(member, dialect, columns, id_position, defaults, report, lists)


def _unique(name: str, taken: set[str]) -> str:
    """Return the name, made different from those taken; a term twice keeps its second column as verbatim."""
    candidate, number = name, 2
    if candidate in taken and not candidate.startswith("verbatim:"):
        candidate = name = f"verbatim:{local_name(name)}"
    while candidate in taken:
        candidate = f"{name} ({number})"
        number += 1
    taken.add(candidate)
    return candidate


def _part_by_header(member: Member, dialect: Dialect, report: FileReport, *, core: bool) -> Part:
    header = list(dialect.header or [])[: dialect.width]
    header += [""] * (dialect.width - len(header))
    id_position = _id_position(header, core=core)
    taken: set[str] = set()
    columns: list[str | None] = []
    for position, cell in enumerate(header):
        if position == id_position and cell.strip().lower() in ("id", "coreid", "core_id", "dwca:id", "dwcaid"):
            columns.append(None)
        else:
            columns.append(_unique(column_of(cell, position), taken))
    return Part(member, dialect, columns, id_position, {}, report)


def _id_position(header: list[str], *, core: bool) -> int | None:
    lowered = [cell.strip().lower() for cell in header]
    for name in ID_HEADERS:
        if name in lowered:
            return lowered.index(name)
    terms = [term_of(cell) for cell in header]
    for term in ID_TERMS:
        if term in terms:
            return terms.index(term)
    return None if core else 0


def _tables(container: Container, used: set[str]) -> list[Member]:
    """Return the members that may be tables, by their names."""
    return [
        member
        for member in container.members
        if member.name not in used
        and member.suffix in TABLE_SUFFIXES
        and member.base.lower() not in DOCUMENT_NAMES
        and member.size != 0
    ]


def _by_headers(members: list[Member], limits: Limits) -> list[tuple[Member, Dialect]]:
    found = []
    for member in members:
        dialect = sniff(member, None, limits)
        if dialect.header is not None:
            found.append((member, dialect))
    return found


def row_type_by_header(header: list[str]) -> str:
    """Say what a table's rows are by its header; `unknown` where no rule holds.

    Rules (GBIF's dwca-io takes the first of occurrenceID, taxonID, eventID), more specific extensions first.
    """
    terms = {term for term in (term_of(cell) for cell in header) if term}
    names = {local_name(term) for term in terms}
    if "dwc:measurementType" in terms and "dwc:basisOfRecord" not in terms:
        return "dwc:MeasurementOrFact"
    if names & {"accessURI", "goodQualityAccessURI"}:
        return "ac:Multimedia"
    if "dwc:resourceRelationshipID" in terms or "dwc:relationshipOfResource" in terms:
        return "dwc:ResourceRelationship"
    if names & {"occurrenceID", "basisOfRecord", "catalogNumber", "recordedBy", "individualCount"}:
        return "dwc:Occurrence"
    if names & {"materialEntityID", "materialSampleID"}:
        return "dwc:MaterialEntity"
    if "identifiedBy" in names or "dateIdentified" in names:
        return "dwc:Identification"
    if "vernacularName" in names and "scientificName" not in names:
        return "gbif:VernacularName"
    if {"identifier", "format"} <= names and "scientificName" not in names:
        return "gbif:Multimedia"
    if names & {"decimalLatitude", "verbatimLatitude"} and names & {"scientificName", "genus"}:
        return "dwc:Occurrence"
    if names & {"taxonID", "scientificName", "acceptedNameUsageID", "parentNameUsageID", "taxonRank"}:
        return "dwc:Taxon"
    if names & {"eventID", "samplingProtocol", "eventDate"}:
        return "dwc:Event"
    return "dwc:Occurrence" if len(terms) >= 5 else "unknown"


CORE_ORDER = ("dwc:Occurrence", "dwc:MaterialEntity", "dwc:Event", "dwc:Taxon")


def _instead_of_core(container: Container, descriptor: Descriptor, limits: Limits, used: set[str]) -> TableSet:
    """The descriptor's core file is absent: read a table that explains itself by its header."""
    wanted = ", ".join(descriptor.core.locations) or "(none named)"
    for member, dialect in _by_headers(_tables(container, used), limits):
        row_type = row_type_by_header(dialect.header or [])
        if row_type in CORE_ORDER:
            part = _header_part(member, dialect, RECORDS)
            part.report.flag("not_named_by_descriptor")
            if dialect.separator != (descriptor.core.separator or dialect.separator):
                part.report.flag("separator_differs_from_descriptor")
            return TableSet(row_type if row_type != "dwc:Taxon" else descriptor.core.row_type, RECORDS, [part])
    raise ArchiveError(
        f"{container.name}: the descriptor's core file ({wanted}) is not in the archive, and no other table has a "
        "header of Darwin Core terms",
        reason="core_file_missing",
    )


def _header_part(member: Member, dialect: Dialect, table: str) -> Part:
    report = FileReport(member.name, table, public_name(dialect.codec))
    for flag in dialect.flags:
        report.flag(flag)
    return _part_by_header(member, dialect, report, core=table == RECORDS)


def _without_descriptor(container: Container, limits: Limits) -> Plan:
    """No meta.xml: tables explain themselves by their headers, if one core can be told among them."""
    if container.packed:
        _refuse_unexplained(container)
    candidates = _tables(container, set())
    if container.form == "file":
        candidates = container.members
    typed: list[tuple[str, Member, Dialect]] = []
    for member, dialect in _by_headers(candidates, limits):
        row_type = row_type_by_header(dialect.header or [])
        if row_type != "unknown":
            typed.append((row_type, member, dialect))
    flags = ["no_descriptor"]
    if not typed:
        return Plan(_headerless(container, candidates, limits), [], None, [*flags, "no_header"])
    core_type = next((one for one in CORE_ORDER if any(t == one for t, _, _ in typed)), None)
    if core_type is None:
        raise ArchiveError(
            f"{container.name} has no meta.xml, and none of its tables is a core (occurrences, material, events, taxa)",
            reason="no_table",
        )
    cores = [(member, dialect) for t, member, dialect in typed if t == core_type]
    if len(cores) > 1:
        raise ArchiveError(
            f"{container.name} has no meta.xml and several tables that may be its core "
            f"({', '.join(member.name for member, _ in cores[:5])}); add a meta.xml that says which",
            reason="ambiguous_without_descriptor",
        )
    extensions: list[TableSet] = []
    for row_type, member, dialect in typed:
        if row_type == core_type:
            continue
        table = extension_table(row_type)
        extensions.append(TableSet(row_type, table, [_header_part(member, dialect, table)]))
    return Plan(TableSet(core_type, RECORDS, [_header_part(*cores[0], RECORDS)]), extensions, None, flags)


def _refuse_unexplained(container: Container) -> None:
    """Refuse a packed archive without descriptor that holds more than tables and documents."""
    for member in container.members:
        known = member.suffix in TABLE_SUFFIXES | DOCUMENT_SUFFIXES or member.base.lower() in DOCUMENT_NAMES
        if not known and len(container.members) > 1:
            raise ArchiveError(
                f"{container.name} has no meta.xml and holds {member.name}, whose purpose nothing states; "
                "add a meta.xml or leave the file out",
                reason="ambiguous_without_descriptor",
            )


def _headerless(container: Container, candidates: list[Member], limits: Limits) -> TableSet:
    """A single table without a header: rows can be counted and shown, but its columns have no meaning."""
    if len(candidates) != 1:
        raise ArchiveError(
            f"{container.name} has no meta.xml and no table with a header of Darwin Core terms", reason="no_table"
        )
    dialect = sniff(candidates[0], None, limits)
    if dialect.width < 2:
        raise ArchiveError(
            f"{container.name} is neither a Darwin Core Archive, nor ABCD, nor a table with a header", reason="no_table"
        )
    report = FileReport(candidates[0].name, RECORDS, public_name(dialect.codec))
    columns: list[str | None] = [f"verbatim:column {position + 1}" for position in range(dialect.width)]
    return TableSet("unknown", RECORDS, [Part(candidates[0], dialect, columns, None, {}, report)])


def specimens_possible(plan: Plan) -> bool:
    """Return whether the archive's rows can be specimens: an occurrence-like core, or events with occurrences."""
    if holds_specimens(plan.core.row_type):
        return True
    return local_name(plan.core.row_type).lower() == "event" and any(
        holds_specimens(extension.row_type) for extension in plan.extensions
    )
