"""Why a MIDS level is not higher: which elements the specimens of a build lack, and what would give them.

The levels themselves are `mids`.
"""

from pathlib import Path
from typing import Any

import polars as pl

from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.mids import ELEMENTS, Element

_CLASSES = {
    "Specimen": "ods:DigitalSpecimen", "Event": "ods:Event", "Location": "ods:Location",
    "Georeference": "ods:Georeference", "GeologicalContext": "ods:GeologicalContext",
}  # fmt: skip
# What the columns derived in `specimens` come from.
_DERIVED = {
    "name": ("ods:TaxonIdentification", "dwc:scientificName"),
    "vernacularName": ("ods:TaxonIdentification", "dwc:vernacularName"),
    "verbatimIdentification": ("ods:Identification", "dwc:verbatimIdentification"),
    "scientificNameID": ("ods:TaxonIdentification", "dwc:scientificNameID"),
    "licence": ("ods:DigitalSpecimen", "dcterms:license"),
    "modified": ("ods:DigitalSpecimen", "dcterms:modified"),
    "media": ("ods:DigitalMedia", "ac:accessURI"),
    "mediaID": ("ods:DigitalMedia", "ac:accessURI"),
    "latitude": ("ods:Georeference", "dwc:decimalLatitude"),
    "longitude": ("ods:Georeference", "dwc:decimalLongitude"),
    "collectorID": ("ods:Event", "ods:hasAgents"),
    "identifierID": ("ods:Identification", "ods:hasAgents"),
}
BY_NAME = {element.name: element for element in ELEMENTS}


def terms_of(element: Element) -> list[tuple[str, str]]:
    """Return the (class, term) pairs that give an element, each once."""
    found = []
    for alternative in element.alternatives:
        for column in alternative:
            short, _, term = column.partition("|")
            found.append((_CLASSES[short], term) if term else _DERIVED[short])
    return list(dict.fromkeys(found))


def lacking(specimens: Path, mapping: Mapping) -> list[dict[str, Any]]:
    """Return what the specimens of a build lack for their next MIDS level, the commonest first.

    Args:
        specimens: the build's specimens.parquet.
        mapping: tells which columns feed the terms.

    Returns:
        `level` (the one that it is missing for), `element`, `specimens` (how many lack it), `terms`, `columns`.
    """
    counts = (
        pl.scan_parquet(specimens)
        .select(pl.col("mids_missing").list.explode(keep_nulls=False, empty_as_null=False).alias("element"))
        .group_by("element")
        .agg(pl.len().alias("specimens"))
        .sort("specimens", "element", descending=[True, False])
        .collect()
    )
    rows = []
    for name, count in counts.iter_rows():
        element = BY_NAME[name]
        terms = terms_of(element)
        columns = [column for owner, term in terms for _, column in mapping.columns_of(owner, term)]
        rows.append(
            {
                "level": element.level, "element": name, "specimens": count,
                "terms": list(dict.fromkeys(term for _, term in terms)), "columns": list(dict.fromkeys(columns)),
            }
        )  # fmt: skip
    return rows


def lacks_of(specimens: Path, key: str) -> tuple[int, list[str]] | None:
    """Return one specimen's MIDS level and the elements that it lacks for the next; None where the build has it not.

    Args:
        specimens: the build's specimens.parquet, sorted by key.
        key: its normalisedPhysicalSpecimenID.
    """
    found = (
        pl.scan_parquet(specimens)
        .filter(pl.col("normalisedPhysicalSpecimenID") == key)
        .select("mids_level", "mids_missing")
        .collect()
    )
    return (found["mids_level"][0], found["mids_missing"][0].to_list()) if found.height else None
