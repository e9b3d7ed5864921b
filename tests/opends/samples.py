"""Archives with a value in every column that a mapping reads: Darwin Core as a zip, ABCD as XML."""

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from dissco_platform.archives.abcd_terms import CHILD_ROWS, CHILD_TERMS
from dissco_platform.archives.tables import PREFIXES
from dissco_platform.opends.mapping import Mapping, rule_columns
from dissco_platform.opends.terms import model

# Parsed table → row type of the extension that fills it.
ROW_TYPES = {
    "records": "dwc:Occurrence", "identifications": "dwc:Identification", "media": "ac:Multimedia",
    "measurements": "http://rs.iobis.org/obis/terms/ExtendedMeasurementOrFact", "relationships": "dwc:ResourceRelationship",
    "references": "gbif:Reference", "ages": "chrono:ChronometricAge", "identifiers": "gbif:Identifier",
    "genomics": "ggbn:MaterialSample",
}  # fmt: skip
# Columns of which any text will not do.
VALUES = {
    "dwc:occurrenceID": "https://data.example.org/specimen/1", "dwc:basisOfRecord": "PreservedSpecimen",
    "dcterms:license": "CC0 1.0", "dc:license": "CC0 1.0", "xmpRights:WebStatement": "https://creativecommons.org/licenses/by/4.0/",
    "dwc:eventDate": "1901-05-06", "dwc:year": "1901", "dwc:month": "5", "dwc:day": "6", "dwc:verbatimEventDate": "6 May 1901",
    "dwc:startDayOfYear": "126", "dwc:endDayOfYear": "126", "dwc:dateIdentified": "1950-05-03", "dcterms:modified": "2024-01-02",
    "dwc:decimalLatitude": "-12.5", "dwc:decimalLongitude": "-77", "dwc:verbatimLatitude": "12°30'S",
    "dwc:verbatimLongitude": "77°W",
    "dwc:country": "Peru", "dwc:countryCode": "PE", "dwc:kingdom": "Animalia", "dwc:class": "Insecta",
    "dwc:scientificName": "Puma concolor (Linnaeus, 1771)", "dwc:recordedByID": "https://orcid.org/0000-0002-5669-2769",
    "dcterms:type": "StillImage", "dc:type": "StillImage", "gbif:mediaType": "StillImage", "ggbn:preparationDate": "2019-05-03",
    "ac:accessURI": "https://img.example.org/1.jpg", "dwc:associatedMedia": "https://img.example.org/2.jpg",
    "dwc:relationshipEstablishedDate": "2020-01-02T03:04:05Z", "dwc:relatedResourceID": "https://data.example.org/other",
    "dwc:sex": "female", "dwc:lifeStage": "adult", "dwc:typeStatus": "holotype", "dwc:preparations": "skin",
    "dwc:otherCatalogNumbers": "old 1 | old 2", "dcterms:language": "en",
    "abcd:UnitGUID": "https://data.example.org/unit/1", "abcd:RecordBasis": "PreservedSpecimen",
    "abcd:DataSet/License": "CC0 1.0",
    "abcd:Gathering/DateTime/ISODateTimeBegin": "1901-05-06", "abcd:Gathering/DateTime/ISODateTimeEnd": "1901-05-06",
    "abcd:Gathering/Country/Name": "Peru", "abcd:Gathering/Country/ISO3166Code": "PE", "abcd:DateLastEdited": "2024-01-02",
}  # fmt: skip
LINKS = {"iri", "uri", "url"}


def value(column: str, feeds: set[tuple[str, str]]) -> str:
    """Return a value that every term which a column feeds can take."""
    if column in VALUES:
        return VALUES[column]
    terms = [model().term(owner, name) for owner, name in feeds]
    if any(term.range in {"integer", "number"} for term in terms):
        return "12"
    if any(term.range == "boolean" for term in terms):
        return "true"
    if any(term.name == "@id" or term.format in LINKS for term in terms) or column.endswith("IRI"):
        return f"https://data.example.org/{column.partition(':')[2]}"
    return f"text of {column.partition(':')[2].rpartition('/')[2]}"


def columns(mapping: Mapping, table: str) -> dict[str, str]:
    """Return the columns of a table that the mapping reads, each with a value."""
    feeds: dict[str, set[tuple[str, str]]] = {}
    for (owner, of), rules in mapping.blocks.items():
        for name, rule in rules.items() if of == table else ():
            for column in rule_columns(rule):
                feeds.setdefault(column, set()).add((owner, name))
    return {column: value(column, of) for column, of in feeds.items()}


def _iri(term: str) -> str:
    prefix, _, name = term.partition(":")
    return term if "://" in term else PREFIXES[prefix] + name


def darwin_core(path: Path, mapping: Mapping) -> Path:
    """Write a Darwin Core Archive of one record with a row in every extension."""
    files = []
    with zipfile.ZipFile(path, "w") as archive:
        for table, row_type in ROW_TYPES.items():
            known = ("dataset:", "verbatim:", "abcd:", "efg:")
            cells = {column: text for column, text in columns(mapping, table).items() if not column.startswith(known)}
            core = table == "records"
            fields = "".join(f'<field index="{at}" term="{_iri(column)}"/>' for at, column in enumerate(cells, start=1))
            tag, key = ("core", "id") if core else ("extension", "coreid")
            files.append(
                f'<{tag} encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" '
                f'ignoreHeaderLines="1" rowType="{_iri(row_type)}"><files><location>{table}.txt</location></files>'
                f'<{key} index="0"/>{fields}</{tag}>'
            )
            lines = ["\t".join(["id", *cells]), "\t".join(["1", *cells.values()])]
            archive.writestr(f"{table}.txt", "\n".join(lines) + "\n")
        archive.writestr(
            "meta.xml",
            f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(files)}</archive>'.replace("\\n", "\\n"),
        )
    return path


def abcd(path: Path, mapping: Mapping, cells: dict[str, str] | None = None) -> Path:
    """Write an ABCD 2.06 response of one unit: a value at every path that the mapping reads, or the cells given.

    Repeated elements (identifications, media …) get one row with every path that is read of them.
    """
    own = cells if cells is not None else columns(mapping, "records")
    tree: dict[str, object] = {}
    dataset: dict[str, object] = {}
    for column, text in own.items():
        if column.startswith("abcd:DataSet/"):
            _put(dataset, column.removeprefix("abcd:DataSet/"), text)
        elif column.startswith(("abcd:", "efg:")) and text is not None:
            _put(tree, column, text)
    if cells is None:
        for place, (table, _) in CHILD_ROWS.items():
            for term, paths in CHILD_TERMS.get(table, {}).items():
                _put(tree, f"{place}/{paths[0]}", value(term, set()))
    unit = _xml(tree)
    title = f"<abcd:Title>{escape(str(dataset.get('Title', '')))}</abcd:Title>"
    for tag in ("Representation", "Description", "Metadata"):
        title = f"<abcd:{tag}>{title}</abcd:{tag}>"
    path.write_text(
        "<abcd:DataSets xmlns:abcd='http://www.tdwg.org/schemas/abcd/2.06' xmlns:efg='http://www.synthesys.info/ABCDEFG/1.0'>"
        f"<abcd:DataSet>{title}<abcd:Units><abcd:Unit>{unit}</abcd:Unit></abcd:Units></abcd:DataSet></abcd:DataSets>",
        encoding="utf-8",
    )
    return path


def _put(tree: dict[str, object], path: str, text: str) -> None:
    """Put text at a path of elements; a step without a prefix has the one before it."""
    prefix = "abcd"
    *steps, last = path.split("/")
    node = tree
    for step in steps:
        prefix = step.partition(":")[0] if ":" in step else prefix
        name = step if ":" in step else f"{prefix}:{step}"
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            return
        node = child
    name = last if ":" in last else f"{prefix}:{last}"
    if not isinstance(node.get(name), dict):
        node[name] = text


def _xml(tree: dict[str, object]) -> str:
    return "".join(
        f"<{name}>{_xml(child) if isinstance(child, dict) else escape(str(child))}</{name}>"
        for name, child in tree.items()
    )
