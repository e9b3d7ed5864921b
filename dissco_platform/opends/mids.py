"""MIDS: how completely a specimen is digitised, level 0 to 3, and what is missing for the next level.

Computed on openDS columns, so that every source format is judged alike. An element counts when one of its alternatives
has all its terms; `unknown:undigitized` counts as blank (and `0`/`0` as no coordinates).

Source: TDWG MIDS (tdwg/mids, 2026-04-30), mapping sets for Darwin Core biology, geology and palaeontology. Geology's
`Mass` (level 3) has no mapping there, so it blocks nobody here. openDS's own reading (DiSSCo's processor) differs: it
asks dwc:fieldNumber alone for the collecting number, a known type status of geological and palaeontological specimens
for level 2, no media identifier for level 3, and gives fungi, algae and protists never more than level 1.
"""

from dataclasses import dataclass
from functools import cache

import polars as pl

BIOLOGY, GEOLOGY, PALAEONTOLOGY = "biology", "geology", "palaeontology"
DISCIPLINES = {
    "Botany": BIOLOGY, "Zoology": BIOLOGY, "Microbiology": BIOLOGY, "Other Biodiversity": BIOLOGY, "Ecology": BIOLOGY,
    "Anthropology": BIOLOGY, "Unclassified": BIOLOGY, "Palaeontology": PALAEONTOLOGY, "Geology": GEOLOGY,
    "Astrogeology": GEOLOGY, "Other Geodiversity": GEOLOGY,
}  # fmt: skip
_BLANK = ("unknown:undigitized", "unknown", "null")


@dataclass(frozen=True, slots=True)
class Element:
    """One information element: its level, who needs it, and the alternatives (each a set of columns) that give it."""

    name: str
    level: int
    disciplines: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]


def _any(*columns: str) -> tuple[tuple[str, ...], ...]:
    return tuple((column,) for column in columns)


_ALL = (BIOLOGY, GEOLOGY, PALAEONTOLOGY)
_GEO = (GEOLOGY, PALAEONTOLOGY)

# Columns are `<Class>|<term>` of the evaluated mapping, or one of the derived columns named in `build`.
ELEMENTS: tuple[Element, ...] = (
    Element("PhysicalSpecimenID", 0, _ALL, _any("Specimen|ods:physicalSpecimenID")),
    Element("Organization", 0, _ALL, _any("Specimen|ods:organisationID", "Specimen|ods:organisationCode")),
    Element("Name", 1, _ALL, _any(
        "name", "vernacularName", "verbatimIdentification", "scientificNameID", "Specimen|dwc:organismName",
    )),
    Element("ObjectType", 1, _ALL, _any("Specimen|dwc:preparations")),
    Element("License", 1, _ALL, _any("licence")),
    Element("Modified", 1, _ALL, _any("modified")),
    Element("Chronostratigraphy", 1, (PALAEONTOLOGY,), _any(
        *(f"GeologicalContext|dwc:{end}" for end in (
            "earliestEonOrLowestEonothem", "latestEonOrHighestEonothem", "earliestEraOrLowestErathem",
            "latestEraOrHighestErathem", "earliestPeriodOrLowestSystem", "latestPeriodOrHighestSystem",
            "earliestEpochOrLowestSeries", "latestEpochOrHighestSeries", "earliestAgeOrLowestStage",
            "latestAgeOrHighestStage",
        )))),
    Element("CollectingAgent", 2, (BIOLOGY,), _any("Event|ods:hasAgents")),
    Element("CollectingNumber", 2, (BIOLOGY,), _any("Event|dwc:fieldNumber")),
    Element("DateCollected", 2, (BIOLOGY,), _any("Event|dwc:eventDate", "Event|dwc:year", "Event|dwc:verbatimEventDate")),
    Element("Media", 2, (BIOLOGY,), _any("media")),
    Element("QualitativeLocation", 2, _ALL, (
        *_any(*(f"Location|dwc:{term}" for term in (
            "locality", "county", "municipality", "verbatimLocality", "island", "continent", "country", "countryCode",
            "islandGroup", "stateProvince", "waterBody", "higherGeography",
        )), "Georeference|dwc:verbatimCoordinates"),
        ("Georeference|dwc:verbatimLatitude", "Georeference|dwc:verbatimLongitude"),
    )),
    Element("QuantitativeLocation", 2, _ALL, (
        *_any("Location|dwc:locationID", "Georeference|dwc:footprintWKT"), ("latitude", "longitude"),
    )),
    Element("StratigraphicContext", 2, _GEO, _any(*(f"GeologicalContext|dwc:{term}" for term in (
        "bed", "formation", "group", "member", "highestBiostratigraphicZone", "lowestBiostratigraphicZone",
        "lithostratigraphicTerms",
    )))),
    Element("CollectingAgentID", 3, (BIOLOGY, PALAEONTOLOGY), _any("collectorID")),
    Element("GeographicalLocalityID", 3, _ALL, (
        ("Location|dwc:locationID",),
        ("latitude", "longitude", "Georeference|dwc:geodeticDatum", "Georeference|dwc:coordinateUncertaintyInMeters",
         "Georeference|dwc:coordinatePrecision"),
        ("Georeference|dwc:footprintWKT", "Georeference|dwc:footprintSRS"),
    )),
    Element("IdentifiedAsID", 3, _ALL, _any("scientificNameID")),
    Element("IdentifiedByID", 3, _ALL, _any("identifierID")),
    Element("MediaID", 3, _ALL, _any("mediaID")),
    Element("OrganizationID", 3, _ALL, _any("Specimen|ods:organisationID")),
)  # fmt: skip


@cache
def _given(column: str, dtype: pl.DataType) -> pl.Expr:
    expr = pl.col(column)
    if dtype == pl.Boolean:
        return expr.fill_null(value=False)
    if dtype == pl.String:
        return (~expr.str.contains(rf"^(?i)(?:{'|'.join(_BLANK)})$")).fill_null(value=False)
    return expr.is_not_null()


def _present(element: Element, dtypes: dict[str, pl.DataType]) -> pl.Expr:
    """Return whether an element is given, as a Boolean expression over a frame of these columns."""
    alternatives = [
        pl.all_horizontal([_given(column, dtypes[column]) for column in columns])
        for columns in element.alternatives
        if all(column in dtypes for column in columns)
    ]
    return pl.any_horizontal(alternatives) if alternatives else pl.lit(value=False)


def mids(frame: pl.DataFrame) -> pl.DataFrame:
    """Return (`level` Int8, `missing` List[String]) for the rows of a frame with the columns of ELEMENTS and `discipline`.

    `missing` names the elements that the next level still needs; empty at level 3. Level 0 is the floor: a record
    that lacks an identifier or an organisation is not built at all.
    """
    dtypes = dict(zip(frame.columns, frame.dtypes, strict=True))
    kinds = list(_ALL)
    kind = pl.col("discipline").replace_strict(
        list(DISCIPLINES), [kinds.index(kind) for kind in DISCIPLINES.values()], default=0, return_dtype=pl.UInt32
    )
    given = [_present(element, dtypes).cast(pl.UInt32) * 2**at for at, element in enumerate(ELEMENTS)]
    coded = frame.select((kind * 2 ** len(ELEMENTS) + pl.sum_horizontal(given)).alias("code"))
    return coded.join(_judged(coded.unique()), on="code", how="left", maintain_order="left").drop("code")


def _judged(coded: pl.DataFrame) -> pl.DataFrame:
    """Return `code`, `level` and `missing` of codes: a bit for each element that is given, and above them the discipline."""
    kind = pl.col("code") // 2 ** len(ELEMENTS)
    known = coded.with_columns(
        kind.replace_strict(list(range(len(_ALL))), list(_ALL), return_dtype=pl.String).alias("d"),
        *((pl.col("code") // 2**at % 2 == 1).alias(element.name) for at, element in enumerate(ELEMENTS)),
    )
    lacks = {element: pl.col("d").is_in(list(element.disciplines)) & ~pl.col(element.name) for element in ELEMENTS}
    fails = {
        level: pl.any_horizontal([lack for element, lack in lacks.items() if element.level == level])
        for level in (1, 2, 3)
    }
    level = pl.when(fails[1]).then(0).when(fails[2]).then(1).when(fails[3]).then(2).otherwise(3).cast(pl.Int8)
    known = known.with_columns(level.alias("level"))
    missing = pl.concat_str(
        [
            pl.when((pl.col("level") == element.level - 1) & lack).then(pl.lit(element.name))
            for element, lack in lacks.items()
            if element.level > 0
        ],
        separator="|",
        ignore_nulls=True,
    )
    return known.select(
        "code",
        "level",
        pl.when(missing != "")
        .then(missing.str.split("|"))
        .otherwise(pl.lit([], dtype=pl.List(pl.String)))
        .alias("missing"),
    )
