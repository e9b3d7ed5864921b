"""Darwin Core Archives from rows: descriptor, EML, text files in a dialect, zip with fixed times.

Which rows there are is decided in herbarium, zoology, fossils and editions.
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from making.facts import NAMESPACE, Record, institution, uuid

NAMESPACES = {
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dcterms": "http://purl.org/dc/terms/",
    "gbif": "http://rs.gbif.org/terms/1.0/",
}
LICENCES = {
    "CC0-1.0": (
        "http://creativecommons.org/publicdomain/zero/1.0/legalcode",
        "Public Domain (CC0 1.0)",
        "To the extent possible under law, the publisher has waived all rights to these data and has dedicated them "
        "to the",
    ),
    "CC-BY-4.0": (
        "http://creativecommons.org/licenses/by/4.0/legalcode",
        "Creative Commons Attribution (CC-BY) 4.0 License",
        "This work is licensed under a",
    ),
}
CC0, CC_BY = LICENCES["CC0-1.0"][0], LICENCES["CC-BY-4.0"][0]
CC_BY_NC = "http://creativecommons.org/licenses/by-nc/4.0/legalcode"


@dataclass(frozen=True)
class Dialect:
    """How a text file is written; `quote` blank means that nothing is quoted."""

    separator: str
    quote: str = ""
    line_end: str = "\n"

    def line(self, values: Sequence[str]) -> str:
        return self.separator.join(self._cell(value) for value in values) + self.line_end

    def _cell(self, value: str) -> str:
        if not self.quote:
            if self.separator in value or "\n" in value:
                raise ValueError(f"this dialect cannot hold {value!r}")
            return value
        if any(mark in value for mark in (self.separator, self.quote, "\n", "\r")):
            return self.quote + value.replace(self.quote, self.quote * 2) + self.quote
        return value

    def attributes(self) -> str:
        shown = {"\t": "\\t", "\n": "\\n", "\r\n": "\\r\\n"}
        return (
            f'encoding="UTF-8" fieldsTerminatedBy={quoteattr(shown.get(self.separator, self.separator))} '
            f'linesTerminatedBy="{shown[self.line_end]}" fieldsEnclosedBy="{escape(self.quote, {chr(34): "&quot;"})}" '
            'ignoreHeaderLines="1"'
        )


@dataclass(frozen=True)
class TextFile:
    """A file of the archive: its columns are terms as CURIEs; a column named `id` or `coreid` is no term.

    `defaults` gives values that stand in meta.xml: for a column of the file they fill its blank cells, else they are
    the value of a term that has no column at all.
    """

    name: str
    row_type: str
    columns: tuple[str, ...]
    defaults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Edition:
    """One week's archive before it is written."""

    collection: str
    title: str
    abstract: str
    licence: str
    dialect: Dialect
    core: TextFile
    extensions: tuple[TextFile, ...]
    records: Sequence[Record]
    orphans: dict[str, list[dict[str, str]]]
    week: int
    published: str


def iri(curie: str) -> str:
    prefix, _, name = curie.partition(":")
    return NAMESPACES[prefix] + name


def _table_xml(tag: str, identifier: str, file: TextFile, dialect: Dialect) -> str:
    lines = [
        f'  <{tag} {dialect.attributes()} rowType="{iri(file.row_type)}">',
        f"    <files><location>{file.name}</location></files>",
        f'    <{identifier} index="0"/>',
    ]
    for index, column in enumerate(file.columns):
        if ":" in column:
            default = f" default={quoteattr(file.defaults[column])}" if column in file.defaults else ""
            lines.append(f'    <field index="{index}" term="{iri(column)}"{default}/>')
    lines += [
        f'    <field term="{iri(term)}" default={quoteattr(value)}/>'
        for term, value in file.defaults.items()
        if term not in file.columns
    ]
    return "\n".join([*lines, f"  </{tag}>"])


def meta_xml(edition: Edition) -> str:
    """Return the descriptor of the archive (Darwin Core text guide)."""
    tables = [_table_xml("core", "id", edition.core, edition.dialect)]
    tables += [_table_xml("extension", "coreid", file, edition.dialect) for file in edition.extensions]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">\n'
        + "\n".join(tables)
        + "\n</archive>\n"
    )


def eml_xml(edition: Edition) -> str:
    """Return the metadata as GBIF's EML profile has it."""
    museum = {key: escape(value) for key, value in institution(edition.collection).items()}
    package = uuid.uuid5(NAMESPACE, edition.collection)
    address, name, words = LICENCES[edition.licence]
    agent = f"""\
      <individualName><givenName>{museum["contact_given"]}</givenName><surName>{museum["contact_family"]}</surName></individualName>
      <organizationName>{museum["name"]}</organizationName>
      <positionName>Collection manager</positionName>
      <address><city>{museum["city"]}</city></address>
      <electronicMailAddress>{museum["email"]}</electronicMailAddress>
      <onlineUrl>https://{edition.collection}.example.org/</onlineUrl>"""
    agents = "\n".join(f"    <{role}>\n{agent}\n    </{role}>" for role in ("creator", "metadataProvider"))
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<eml:eml xmlns:eml="https://eml.ecoinformatics.org/eml-2.2.0" xmlns:dc="http://purl.org/dc/terms/"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="https://eml.ecoinformatics.org/eml-2.2.0 https://rs.gbif.org/schema/eml-gbif-profile/1.3/eml.xsd"
         packageId="{package}/v1.{edition.week}" system="http://gbif.org" scope="system" xml:lang="eng">
  <dataset>
    <alternateIdentifier>{package}</alternateIdentifier>
    <title xml:lang="eng">{escape(edition.title)}</title>
{agents}
    <pubDate>{edition.published}</pubDate>
    <language>eng</language>
    <abstract><para>{escape(edition.abstract)}</para></abstract>
    <keywordSet><keyword>Occurrence</keyword><keywordThesaurus>GBIF Dataset Type Vocabulary: \
http://rs.gbif.org/vocabulary/gbif/dataset_type.xml</keywordThesaurus></keywordSet>
    <intellectualRights>
      <para>{words} <ulink url="{address}"><citetitle>{name}</citetitle></ulink>.</para>
    </intellectualRights>
    <maintenance>
      <description><para/></description>
      <maintenanceUpdateFrequency>weekly</maintenanceUpdateFrequency>
    </maintenance>
    <contact>
{agent}
    </contact>
  </dataset>
  <additionalMetadata><metadata><gbif>
    <dateStamp>{edition.published}T06:00:00Z</dateStamp>
    <hierarchyLevel>dataset</hierarchyLevel>
    <citation>{museum["name"]} ({edition.published[:4]}): {escape(edition.title)}. Version 1.{edition.week}.</citation>
    <collection><parentCollectionIdentifier>{museum["code"]}</parentCollectionIdentifier>\
<collectionIdentifier>{museum["collectionCode"]}</collectionIdentifier>\
<collectionName>{museum["collectionName"]}</collectionName></collection>
  </gbif></metadata></additionalMetadata>
</eml:eml>
"""


def header(columns: Iterable[str]) -> list[str]:
    return [column.partition(":")[2] or column for column in columns]


def damaged(line: str, damage: str, file: TextFile, dialect: Dialect) -> str:
    """Return a line as a careless export would leave it.

    `too_many`: the comma in a locality was not quoted, so that every later cell sits one column too far right;
    `too_few`: the line was cut off after its fourth cell.
    """
    if not damage:
        return line
    values = line.removesuffix(dialect.line_end).split(dialect.separator)
    if damage == "too_few":
        return dialect.separator.join(values[:4]) + dialect.line_end
    position = file.columns.index("dwc:locality") + 1
    return dialect.separator.join([*values[:position], " by the old mill", *values[position:]]) + dialect.line_end


def members(edition: Edition) -> dict[str, bytes]:
    """Return the files of the archive by name."""
    texts = {}
    core = edition.core
    lines = [edition.dialect.line(header(core.columns))]
    for record in edition.records:
        line = edition.dialect.line([record.cells[column] for column in core.columns])
        lines.append(damaged(line, record.damage, core, edition.dialect))
    texts[core.name] = "".join(lines)
    for file in edition.extensions:
        rows = [row for record in edition.records for row in record.extensions.get(file.name, [])]
        rows += edition.orphans.get(file.name, [])
        rows.sort(key=lambda row: row["coreid"])
        texts[file.name] = edition.dialect.line(header(file.columns)) + "".join(
            edition.dialect.line([row[column] for column in file.columns]) for row in rows
        )
    texts["meta.xml"] = meta_xml(edition)
    texts["eml.xml"] = eml_xml(edition)
    return {name: text.encode() for name, text in texts.items()}


def zipped(files: dict[str, bytes], date: str, *, level: int = 9) -> bytes:
    """Return a zip whose members all carry six in the morning of `date` (ISO) as their time."""
    year, month, day = (int(part) for part in date.split("-"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, (year, month, day, 6, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, wherever it is made
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, compresslevel=level)
    return packed.getvalue()
