"""The descriptor of a Darwin Core Archive (meta.xml): core, extensions, their files and fields.

Rules: Darwin Core text guide (tdwg, 2023-09-13) with the readings that publishers rely on in GBIF's dwca-io: a missing
`fieldsEnclosedBy` means the double quote, an empty one means none; escapes like `\\t` are two characters in the
attribute; attributes may carry a namespace. What the files really look like is decided in `dialect.py`.
"""

from dataclasses import dataclass, field
from typing import Any

from dissco_platform.archives.tables import PREFIXES, curie
from dissco_platform.archives.terms import settled, term_of
from dissco_platform.archives.xmlsafe import attribute, local, parse_xml, text_of
from dissco_platform.errors import ArchiveError

ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\f": "\f", "\\\\": "\\", "\\0": "", "\\u0009": "\t"}
NAMED_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "\\s": " ", "&#9;": "\t", "&tab;": "\t"}


@dataclass(frozen=True)
class Field:
    """One `<field>`: the term (CURIE), the column it is in (None: constant), default value and list delimiter."""

    term: str
    index: int | None
    default: str | None = None
    delimited_by: str | None = None


@dataclass
class FileSet:
    """One `<core>` or `<extension>`: row type (CURIE), locations, dialect as declared, id column and fields.

    `separator` is None where the descriptor leaves it open; `quote` is None for no enclosure.
    """

    row_type: str
    locations: list[str]
    encoding: str = "UTF-8"
    separator: str | None = ","
    quote: str | None = '"'
    line_end: str = "\n"
    header_lines: int = 0
    id_index: int | None = None
    fields: list[Field] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def highest_index(self) -> int:
        """The last column that the descriptor names (-1 for none)."""
        indexes = [one.index for one in self.fields if one.index is not None]
        return max([*indexes, -1 if self.id_index is None else self.id_index])


@dataclass
class Descriptor:
    """A read meta.xml."""

    core: FileSet
    extensions: list[FileSet]
    metadata: str | None = None


def unescape(value: str) -> str:
    """Return an attribute value with `\\t`, `\\n` and the like turned into the characters they stand for."""
    for escape, character in ESCAPES.items():
        value = value.replace(escape, character)
    return value


def read_descriptor(name: str, content: bytes) -> Descriptor:
    """Read a meta.xml.

    Raises:
        ArchiveError: `malformed_descriptor` (not XML, no core, no file named), `xml_doctype`.
    """
    try:
        root = parse_xml(name, content)
    except ArchiveError as error:
        reason = "malformed_descriptor" if error.reason == "malformed_xml" else error.reason
        raise ArchiveError(str(error), reason=reason) from error
    if local(root).lower() not in ("archive", "stararchive"):
        raise ArchiveError(
            f"{name} is not a Darwin Core descriptor: its root element is <{local(root)}>, not <archive>",
            reason="malformed_descriptor",
        )
    cores = [child for child in root if local(child).lower() == "core"]
    if not cores:
        raise ArchiveError(f"{name} describes no <core>", reason="malformed_descriptor")
    core = _fileset(name, cores[0], "id")
    if len(cores) > 1:
        core.notes.append("several_cores_in_descriptor")
    extensions = [_fileset(name, child, "coreid") for child in root if local(child).lower() == "extension"]
    metadata = (attribute(root, "metadata") or "").strip() or None
    return Descriptor(core, extensions, metadata)


def _fileset(name: str, element: Any, id_element: str) -> FileSet:
    locations = [text_of(child) for child in element.iter() if local(child).lower() == "location"]
    raw_type = (attribute(element, "rowType") or "").strip()
    fileset = FileSet(row_type=row_type_of(raw_type), locations=[one for one in locations if one])
    fileset.encoding = (attribute(element, "encoding") or "UTF-8").strip() or "UTF-8"
    fileset.separator = _separator(attribute(element, "fieldsTerminatedBy"))
    fileset.quote = _quote(attribute(element, "fieldsEnclosedBy"), fileset)
    fileset.line_end = unescape(attribute(element, "linesTerminatedBy") or "\n") or "\n"
    fileset.header_lines = _number(attribute(element, "ignoreHeaderLines"), fileset)
    id_names = ("id", "coreid")
    for child in element:
        kind = local(child).lower()
        if kind == id_element or (kind in id_names and fileset.id_index is None):
            fileset.id_index = _index(attribute(child, "index"), fileset)
            if (attribute(child, "term") or "").strip():
                _add_field(name, child, fileset)  # some writers give the id a term of its own
        elif kind == "field":
            _add_field(name, child, fileset)
    if not raw_type:
        fileset.notes.append("row_type_missing")
    return fileset


def row_type_of(text: str) -> str:
    """Return a row type as a CURIE; bare names (`Occurrence`) are Darwin Core's, none at all is an occurrence."""
    if not text:
        return "dwc:Occurrence"
    if "/" not in text and ":" not in text:
        return f"dwc:{text}"
    return curie(text)


def _separator(value: str | None) -> str | None:
    if value is None:
        return ","
    text = NAMED_SEPARATORS.get(value.strip().lower(), unescape(value))
    if text.strip("\t") == "" and text:
        return "\t"
    # A raw tab in an attribute reaches us as a blank: leave it to the data.
    return text if text.strip() else None


def _quote(value: str | None, fileset: FileSet) -> str | None:
    if value is None:
        return '"'
    text = unescape(value).strip()
    if text.lower() in ("&quot;", "quote"):
        text = '"'
    if len(text) > 1:
        fileset.notes.append("enclosure_not_one_character")
        return '"' if set(text) <= {'"', "\\"} else text[0]
    return text or None


def _number(value: str | None, fileset: FileSet) -> int:
    try:
        return max(int((value or "0").strip() or "0"), 0)
    except ValueError:
        fileset.notes.append("ignore_header_lines_not_a_number")
        return 0


def _index(value: str | None, fileset: FileSet) -> int | None:
    try:
        number = int((value or "").strip())
    except ValueError:
        fileset.notes.append("index_not_a_number")
        return None
    return number if number >= 0 else None


def _add_field(name: str, element: Any, fileset: FileSet) -> None:
    raw = (attribute(element, "term") or "").strip()
    if not raw:
        fileset.notes.append("field_without_term")
        return
    term = curie(raw)
    if term == raw and "/" not in raw:
        prefix = raw.split(":", 1)[0]
        term = raw if prefix in PREFIXES and ":" in raw else (term_of(raw) or raw)
    if settled(term) != term and all(one.term != settled(term) for one in fileset.fields):
        term = settled(term)
        fileset.notes.append("term_in_wrong_namespace")
    index_text = attribute(element, "index")
    index = _index(index_text, fileset) if index_text is not None and index_text.strip() else None
    default = attribute(element, "default")
    default = default if default and default.strip() else None
    if any(one.term == term for one in fileset.fields):
        fileset.notes.append("term_twice_in_descriptor")
        kept = [one for one in fileset.fields if one.term != term]
        if index is None and default is not None:
            # The same term once as a column and once as a constant: the constant fills the blanks.
            old = next(one for one in fileset.fields if one.term == term)
            fileset.fields[:] = [*kept, Field(term, old.index, default, old.delimited_by)]
            return
        fileset.fields[:] = kept
    fileset.fields.append(Field(term, index, default, attribute(element, "delimitedBy")))
