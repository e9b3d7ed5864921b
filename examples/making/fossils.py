"""The palaeontological collection: UUIDs as identifiers, stratigraphy, several images in a cell, rocks and minerals."""

from dataclasses import replace

from making import names
from making.archive import CC0, Dialect, TextFile
from making.checklist import Usage, taxa_of
from making.facts import Draw, Record, cells, columns, day, institution, people, person_id, table, urn

SLUG = "fossils"
TITLE = "Fossils, and a few rocks and minerals, of Strata House (invented specimens)"
ABSTRACT = (
    "Sample data. Names, authors, classification and the ages of the rocks are true; the institution, the specimens, "
    "the people and all their numbers are invented."
)
LICENCE = "CC0-1.0"
DIALECT = Dialect(";", '"', "\r\n")
COUNT, NEW, VANISHED = 300, 10, 6
CHANGES = {"stratigraphy": 8, "media": 6, "preparation": 5, "locality": 5}
MUSEUM = institution(SLUG)
MINERALS = 12
"""The last ones of the first week's records are minerals and rocks."""

CORE = TextFile(
    "specimens.txt",
    "dwc:Occurrence",
    columns(SLUG, "specimens.txt"),
    defaults={
        "dcterms:license": CC0,
        "dcterms:rightsHolder": MUSEUM["name"],
        "dwc:institutionID": MUSEUM["id"],
        "dwc:institutionCode": MUSEUM["code"],
        "dwc:basisOfRecord": "FossilSpecimen",
        "dwc:geodeticDatum": "WGS84",
    },
)
EXTENSIONS = ()
TIERS = (3, 2, 2, 2, 1, 1, 0)
"""How much a record says, roughly its MIDS level; drawn with equal chances."""
SHARED_IMAGES = {56: 55, 156: 155}  # two fossils on one slab


def catalogue_number(number: int) -> str:
    return f"STRH-{number:05d}"


def make(number: int) -> Record:
    """Return the record with this number (from 1; the first ones are the labels of verbatim_names.tsv)."""
    draw = Draw(SLUG, number)
    tier = draw.one(TIERS)
    labels = names.verbatim_rows(SLUG)
    verbatim = labels[number - 1] if number <= len(labels) else None
    taxon = draw.skewed(taxa_of(SLUG))
    current = names.as_labelled(taxon, draw)
    if verbatim:
        name = names.verbatim_cells(verbatim)
        taxon = names.taxon_meant(verbatim, taxon)
    else:
        name = names.taxon_cells(current, draw, author_in_name=draw.chance(50))
    collector, determiner = draw.one(people(SLUG)), draw.one(people(SLUG))
    values = {
        **_common(number, tier, collector, draw),
        "dwc:identifiedBy": determiner,
        "dwc:identifiedByID": person_id(determiner) if tier == 3 else "",
        "dwc:scientificNameID": current.id if tier == 3 and not verbatim else "",
        "dwc:preparations": draw.one(("hand specimen", "prepared, on matrix", "cast", "thin section", "slab"))
        if tier >= 1 or draw.chance(30)
        else "",
        "dwc:typeStatus": draw.one(("holotype", "figured specimen", "paratype", "topotype"))
        if number % 37 == 0
        else "",
        **{f"dwc:{key}": value for key, value in name.items()},
        **_horizon(taxon, tier, draw),
    }
    if MINERALS and COUNT - MINERALS < number <= COUNT:
        values = _common(number, tier, collector, draw) | _mineral(number, tier)
    return Record(number, cells(CORE.columns, values), watch="name" if verbatim else "")


def _common(number: int, tier: int, collector: str, draw: Draw) -> dict[str, str]:
    pictures = [
        f"https://images.example.org/fossils/{catalogue_number(SHARED_IMAGES.get(number, number))}_{view}.jpg"
        for view in ("a", "b", "c")[: 1 + draw.below(3)]
    ]
    collected = day(draw, 1902, 2018)
    return {
        "dwc:occurrenceID": urn(SLUG, number),
        "dwc:catalogNumber": catalogue_number(number),
        "dwc:collectionCode": MUSEUM["collectionCode"],
        "dcterms:modified": f"20{12 + draw.below(14)}-{1 + draw.below(12):02d}-{1 + draw.below(28):02d}"
        if tier or draw.chance(50)
        else "",
        "dwc:recordedBy": collector if tier >= 1 or draw.chance(50) else "",
        "dwc:recordedByID": person_id(collector) if tier == 3 else "",
        "dwc:fieldNumber": f"{collected[2:4]}/{draw.below(200) + 1}" if draw.chance(50) else "",
        "dwc:individualCount": str(1 + draw.below(3)) if draw.chance(30) else "",
        "dwc:associatedMedia": " | ".join(pictures) if tier >= 2 or draw.chance(30) or number in SHARED_IMAGES else "",
        "dwc:eventDate": collected[: draw.one((4, 7, 10))] if draw.chance(70) else "",
    }


def _horizon(taxon: Usage, tier: int, draw: Draw) -> dict[str, str]:
    """Return place and age: a horizon that the species is known from."""
    known = [row for row in table("horizons") if taxon.name in row["taxa"].split(";")]
    row = draw.one(known or table("horizons"))
    place = ("country", "countryCode", "stateProvince", "municipality", "locality")
    found = {f"dwc:{column}": row[column] for column in place}
    found["dwc:earliestPeriodOrLowestSystem"] = row["period"]
    if tier == 0 and draw.chance(50):
        found["dwc:earliestPeriodOrLowestSystem"] = ""
    elif tier >= 1:
        found |= {
            "dwc:earliestEonOrLowestEonothem": row["eon"],
            "dwc:earliestEraOrLowestErathem": row["era"],
            "dwc:latestPeriodOrHighestSystem": row["period"] if draw.chance(40) else "",
            "dwc:earliestEpochOrLowestSeries": row["epoch"],
            "dwc:earliestAgeOrLowestStage": row["stage"],
            "dwc:latestAgeOrHighestStage": row["stage"] if draw.chance(40) else "",
        }
    if tier >= 2 or draw.chance(30):
        found |= {f"dwc:{column}": row[column] for column in ("group", "formation", "member", "bed")}
        found["dwc:lowestBiostratigraphicZone"] = row["biozone"]
        found["dwc:highestBiostratigraphicZone"] = row["biozone"] if draw.chance(50) else ""
    if tier >= 2 or draw.chance(40):
        found |= {"dwc:decimalLatitude": row["decimalLatitude"], "dwc:decimalLongitude": row["decimalLongitude"]}
    if tier == 3:
        found |= {"dwc:coordinateUncertaintyInMeters": "500", "dwc:coordinatePrecision": "0.001"}
    return found


def _mineral(number: int, tier: int) -> dict[str, str]:
    rows = table("minerals")
    row = rows[number % len(rows)]
    found = {f"dwc:{column}": value for column, value in row.items()}
    if tier < 2:
        found |= {"dwc:decimalLatitude": "", "dwc:decimalLongitude": ""}
    return found | {
        "dwc:preparations": "hand specimen" if tier else "",
        "dwc:occurrenceRemarks": "named by its look, not analysed",
    }


def orphans() -> dict[str, list[dict[str, str]]]:
    return {}


def may_vanish(record: Record) -> bool:
    return record.number not in {*SHARED_IMAGES, *SHARED_IMAGES.values()}


def change(record: Record, kind: str) -> Record:
    """Return the record as the next week's edition has it."""
    draw = Draw(SLUG, record.number, "week 2")
    values = dict(record.cells)
    if values["dcterms:modified"]:
        values["dcterms:modified"] = f"2026-11-0{3 + draw.below(5)}"
    if kind == "stratigraphy":
        values["dwc:bed"] = f"bed {1 + draw.below(40)}"
    elif kind == "media":
        more = f"https://images.example.org/fossils/{catalogue_number(record.number)}_new.jpg"
        values["dwc:associatedMedia"] = " | ".join(filter(None, (values["dwc:associatedMedia"], more)))
    elif kind == "preparation":
        values["dwc:preparations"] = "prepared, CT-scanned"
    else:
        values["dwc:locality"] += ", lower level"
    return replace(record, cells=values)
