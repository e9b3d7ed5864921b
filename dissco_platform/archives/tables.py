"""The parsed tables' one definition: names, fixed columns, namespaces, row types and which table takes them.

Every value column is a String named by its term's CURIE (`dwc:catalogNumber`). The list of known terms, used to
understand headers of files without a descriptor, is `terms.py`. Who writes the tables is `tablewriter.py`.
"""

import polars as pl

PREFIXES: dict[str, str] = {
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dwciri": "http://rs.tdwg.org/dwc/iri/",
    "dcterms": "http://purl.org/dc/terms/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dctype": "http://purl.org/dc/dcmitype/",
    "ac": "http://rs.tdwg.org/ac/terms/",
    "gbif": "http://rs.gbif.org/terms/1.0/",
    "chrono": "http://rs.tdwg.org/chrono/terms/",
    "ggbn": "http://data.ggbn.org/schemas/ggbn/terms/",
    "obis": "http://rs.iobis.org/obis/terms/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "eol": "http://eol.org/schema/",
    "col": "https://terms.catalogueoflife.org/",
    "mixs": "http://w3id.org/mixs/terms/",
    "eco": "http://rs.tdwg.org/eco/terms/",
    "geoext": "http://rs.tdwg.org/mineralogy/terms/",
}
"""Namespace of each prefix; the house writes terms as `prefix:localName`."""

NAMESPACE_ALIASES: dict[str, str] = {
    # Older spellings met in published descriptors, and the prefix their terms are kept under.
    "http://zooarchnet.org/dwc/terms/": "chrono",
    "http://rs.tdwg.org/dwc/dwcore/": "dwc",
    "http://rs.tdwg.org/dwc/curatorial/": "dwc",
    "http://rs.tdwg.org/dwc/geospatial/": "dwc",
    "http://digir.net/schema/conceptual/darwin/2003/1.0/": "dwc",
    "http://rs.tdwg.org/dwc/xsd/simpledarwincore/": "dwc",
    "http://rs.tdwg.org/dwc/dwctype/": "dwc",
    "http://rs.tdwg.org/ontology/voc/": "tdwg",
    "http://iptc.org/std/Iptc4xmpExt/1.0/xmlns/": "Iptc4xmpExt",
    "http://terms.catalogueoflife.org/": "col",
}

_BY_LENGTH = sorted(
    [(namespace, prefix) for prefix, namespace in PREFIXES.items()] + list(NAMESPACE_ALIASES.items()),
    key=lambda pair: -len(pair[0]),
)


def curie(iri: str) -> str:
    """Return the CURIE of a term, or the IRI itself where its namespace is unknown.

    `https` counts as `http` and the reverse. Example: `curie("http://rs.tdwg.org/dwc/terms/sex")` is `dwc:sex`.
    """
    iri = iri.strip()
    other = iri.replace("https://", "http://", 1) if iri.startswith("https://") else iri
    for namespace, prefix in _BY_LENGTH:
        for spelled in (iri, other):
            if spelled.startswith(namespace) and len(spelled) > len(namespace):
                return f"{prefix}:{spelled[len(namespace) :]}"
    return iri


def local_name(term: str) -> str:
    """Return what follows the last `/`, `#` or `:` of a term or CURIE."""
    for mark in ("/", "#", ":"):
        term = term.rsplit(mark, 1)[-1]
    return term


RECORDS = "records"
PARTS = "parts"
REJECTS = "rejects"
VERBATIM = "verbatim"

TABLES: dict[str, str] = {
    RECORDS: "one row a core record (or ABCD unit, or material of a data package)",
    "identifications": "rows of Identification extensions; for ABCD all identifications of a unit",
    "media": "rows of media extensions and the links of associatedMedia lists",
    "measurements": "MeasurementOrFact and ExtendedMeasurementOrFact rows",
    "relationships": "ResourceRelationship rows; ABCD associations",
    "references": "literature references",
    "ages": "ChronometricAge rows; ABCD-EFG datings",
    "identifiers": "further identifiers of a record",
    "vernaculars": "vernacular names",
    "genomics": "GGBN rows: samples, preparations, permits, loans, amplifications",
    PARTS: "materials of a data package that are parts of a record and have no number of their own",
    "types": "nomenclatural type designations (ABCD)",
    "agents": "people and organisations of a record (ABCD gathering agents, data package agent roles)",
    VERBATIM: "rows of extensions and XML paths that no table takes, one value a row",
    REJECTS: "what was read and set aside, with the reason",
}

PART_KEY = "verbatim:materialEntity_pk"
"""Column of `parts`: the part's key."""
PART = "dwcdp:part"
"""Column: key of the part that an extension row is about; empty where it is about the record itself."""

RECORD_COLUMNS: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "source_file": pl.String(),
    "source_line": pl.Int64(),
    "core_id": pl.String(),
    "fingerprint": pl.String(),
}
EXTENSION_COLUMNS: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "source_file": pl.String(),
    "source_line": pl.Int64(),
    "row_type": pl.String(),
}
VERBATIM_COLUMNS: dict[str, pl.DataType] = EXTENSION_COLUMNS | {"term": pl.String(), "value": pl.String()}
REJECT_COLUMNS: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "table": pl.String(),
    "source_line": pl.Int64(),
    "reason": pl.String(),
    "message": pl.String(),
    "raw": pl.String(),
    "core_id": pl.String(),
}


def fixed_columns(table: str) -> dict[str, pl.DataType]:
    """Return the columns that every file of `table` starts with, before the term columns."""
    fixed = {RECORDS: RECORD_COLUMNS, VERBATIM: VERBATIM_COLUMNS, REJECTS: REJECT_COLUMNS}
    return fixed.get(table, EXTENSION_COLUMNS)


EXTENSION_TABLES: dict[str, str] = {
    # Local name of a row type, lower case (namespaces vary with the age of the archive) → table.
    "identification": "identifications",
    "identificationhistory": "identifications",
    "multimedia": "media",
    "simplemultimedia": "media",
    "image": "media",
    "document": "media",  # http://eol.org/schema/media/Document
    "measurementorfact": "measurements",
    "measurementorfacts": "measurements",
    "extendedmeasurementorfact": "measurements",
    "resourcerelationship": "relationships",
    "reference": "references",
    "references": "references",
    "chronometricage": "ages",
    "chronometricdate": "ages",
    "identifier": "identifiers",
    "alternativeidentifiers": "identifiers",
    "vernacularname": "vernaculars",
}
GGBN_ROW_TYPES = frozenset(
    ["amplification", "cloning", "gelimage", "loan", "materialsample", "permit", "preparation", "preservation", "dna"]
)
"""Local names of the GGBN extensions (http://data.ggbn.org/schemas/ggbn/terms/)."""

OCCURRENCE_TYPES = frozenset(
    [
        "occurrence",
        "simpledarwinrecord",
        "darwinrecord",
        "materialsample",
        "materialentity",
        "preservedspecimen",
        "fossilspecimen",
        "livingspecimen",
        "specimen",
        "materialcitation",
    ]
)
"""Local names of core row types whose rows may be specimens."""


def extension_table(row_type: str) -> str:
    """Return the table that takes rows of an extension's row type (CURIE or IRI)."""
    name = local_name(row_type).lower()
    if row_type.startswith(("ggbn:", PREFIXES["ggbn"])):
        return "genomics" if name in GGBN_ROW_TYPES else VERBATIM
    return EXTENSION_TABLES.get(name, VERBATIM)


def holds_specimens(row_type: str) -> bool:
    """Return whether a core of this row type (CURIE or IRI) can hold specimens."""
    return local_name(row_type).lower() in OCCURRENCE_TYPES


REASONS: dict[str, str] = {
    # Reason codes of `rejects.parquet`, as a person should read them.
    "too_few_columns": "the row has fewer columns than the file, as after a line break or a cut inside a value",
    "too_many_columns": "the row has more columns than the file, as after an unescaped separator inside a value",
    "truncated_row": "the file ends in the middle of this row",
    "unbalanced_quote": "a quotation mark opens and does not close",
    "blank_row": "every value of the row is empty",
    "field_too_long": "a value is longer than the limit",
    "row_too_long": "the row is longer than the limit",
    "orphan_extension_row": "the row names a core record that the archive does not have",
    "missing_core_id": "the extension row does not say which core record it belongs to",
    "row_limit": "the row is beyond the number of rows allowed",
    "malformed_xml": "the XML is not well-formed from here on",
    "unit_too_deep": "the unit is nested too deeply",
    "unknown_event": "the record names an event that the archive does not have",
}
