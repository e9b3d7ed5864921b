"""The zoological collection: local numbers as identifiers, every trouble with names, and rows that are simply bad."""

from dataclasses import replace

from making import names
from making.archive import CC_BY, CC_BY_NC, Dialect, TextFile
from making.checklist import Usage, taxa_of
from making.facts import PLACE_COLUMNS, Draw, Record, cells, columns, day, institution, people, person_id, places

SLUG = "zoology"
TITLE = "Birds, mammals, insects, molluscs and other animals of the Imaginary Museum of Zoology (invented specimens)"
ABSTRACT = (
    "Sample data. Names, authors and classification are true (apart from the misspelt ones, which are there on "
    "purpose); the institution, the specimens, the people and all their numbers are invented. Some rows are broken "
    "on purpose."
)
LICENCE = "CC-BY-4.0"
DIALECT = Dialect(",", '"')
COUNT, NEW, VANISHED = 500, 15, 9
CHANGES = {"name": 10, "locality": 9, "coordinates": 6, "sex": 7}
MUSEUM = institution(SLUG)

CORE = TextFile(
    "occurrence.csv",
    "dwc:Occurrence",
    columns(SLUG, "occurrence.csv"),
)
MEASUREMENT = TextFile(
    "measurementorfact.csv",
    "dwc:MeasurementOrFact",
    columns(SLUG, "measurementorfact.csv"),
)
EXTENSIONS = (MEASUREMENT,)
TYPES = ("Holotype", "PARATYPE", "paratype(s)", "Syntypus", "no type")
LICENCES = (CC_BY, CC_BY, CC_BY, "CC_BY_4_0", "https://creativecommons.org/licenses/by/4.0/")
BAD_COORDINATES = {
    60: ("521.057", "5.84"),  # the point slipped
    61: ("5.8436", "52.0561"),  # latitude and longitude changed places
    62: ("0", "0"),  # nothing known, zero entered
    63: ("52,0561", "5,8436"),  # decimal commas
    64: ("N 52° 03' 22\"", "E 5° 50' 37\""),  # degrees in the decimal columns
    65: ("-91.2", "200.5"),  # nowhere on Earth
}
BAD_ROWS = {
    90: "too_many_columns",
    150: "too_few_columns",
    210: "duplicate_identifier",
    211: "duplicate_identifier",
    270: "missing_identifier",
    330: "not_a_specimen",
    331: "not_a_specimen",
}
NON_COMMERCIAL = 390
ORPHANS = ("IMZB.ZOO.99901", "IMZB.ZOO.99902", "IMZB.ZOO.99903")
TIERS = (3, 2, 2, 1, 1, 1, 0)
"""How much a record says, roughly its MIDS level; drawn with equal chances."""
WET, DRY, PINNED = "wet (ethanol 70 %)", "skin", "pinned"
PREPARATIONS = {
    "Insecta": PINNED,
    "Aves": DRY,
    "Mammalia": "skin | skull",
    "Gastropoda": "shell (dry)",
    "Bivalvia": "shell (dry)",
}


def catalogue_number(number: int) -> str:
    return f"IMZB.ZOO.{10_000 + number}"


def make(number: int) -> Record:
    """Return the record with this number (from 1; the first ones are the labels of verbatim_names.tsv)."""
    draw = Draw(SLUG, number)
    tier = draw.one(TIERS)
    labels = names.verbatim_rows(SLUG)
    verbatim = labels[number - 1] if number <= len(labels) else None
    taxon = draw.skewed(taxa_of(SLUG))
    current = names.as_labelled(taxon, draw)
    taxon = names.taxon_meant(verbatim, taxon) if verbatim else taxon
    name = names.verbatim_cells(verbatim) if verbatim else names.taxon_cells(current, draw, author_in_name=False)
    collector, determiner = draw.one(people(SLUG)), draw.one(people(SLUG))
    collected = day(draw, 1871, 2022)
    insect = taxon.classification["class"] == "Insecta"
    sexed = insect or taxon.classification["phylum"] == "Chordata"
    values = {
        "id": catalogue_number(number),
        "dwc:catalogNumber": catalogue_number(number),
        "dwc:institutionCode": MUSEUM["code"],
        "dwc:collectionCode": MUSEUM["collectionCode"],
        "dwc:institutionID": MUSEUM["id"] if tier == 3 or draw.chance(40) else "",
        "dcterms:modified": f"{day(draw, 2010, 2025)}T10:{draw.below(60):02d}:00Z",
        "dcterms:license": draw.one(LICENCES) if tier >= 1 else "",
        "dwc:basisOfRecord": "Preserved Specimen" if number % 53 == 0 else "PreservedSpecimen",
        "dwc:recordNumber": f"{collector[0]}-{draw.below(900) + 1}" if tier >= 2 or draw.chance(30) else "",
        "dwc:recordedBy": collector if tier >= 1 or draw.chance(50) else "",
        "dwc:recordedByID": person_id(collector) if tier == 3 else "",
        "dwc:individualCount": str(1 + draw.below(4)) if draw.chance(60) else "",
        "dwc:sex": draw.one(("male", "female", "♂", "♀", "M", "unknown", "")) if sexed else "",
        "dwc:lifeStage": draw.one(
            ("adult", "ad.", "imago" if insect else "juvenile", "larva" if insect else "subad.", "")
        ),
        "dwc:preparations": PREPARATIONS.get(taxon.classification["class"], WET)
        if tier >= 1 or draw.chance(50)
        else "",
        "dwc:typeStatus": draw.one(TYPES) if number % 41 == 0 else "",
        "dwc:associatedMedia": _picture(number) if tier >= 2 or draw.chance(15) else "",
        "dwc:eventDate": collected if tier >= 2 or draw.chance(75) else "",
        "dwc:verbatimEventDate": f"summer {collected[:4]}" if tier < 2 and draw.chance(30) else "",
        "dwc:identifiedBy": determiner if draw.chance(80) else "",
        "dwc:identifiedByID": person_id(determiner) if tier == 3 else "",
        "dwc:dateIdentified": collected[:4] if draw.chance(50) else "",
        "dwc:scientificNameID": current.id if tier == 3 and not verbatim else "",
        "dwc:occurrenceRemarks": _remarks(number, draw),
        **{f"dwc:{key}": value for key, value in name.items()},
        **_where(taxon.environment, draw, tier),
    }
    record = Record(number, {}, watch="name" if verbatim else "")
    if number in BAD_COORDINATES:
        values["dwc:decimalLatitude"], values["dwc:decimalLongitude"] = BAD_COORDINATES[number]
        record.watch = "bad_coordinates"
    if number == NON_COMMERCIAL:
        values["dcterms:license"], values["dwc:associatedMedia"] = CC_BY_NC, ""
        record.watch = "non_commercial"
    if number in BAD_ROWS:
        _spoil(record, values, BAD_ROWS[number])
    elif not record.watch and draw.chance(40):
        record.extensions[MEASUREMENT.name] = _measurements(catalogue_number(number), taxon, draw)
    record.cells = cells(CORE.columns, values)
    return record


def _spoil(record: Record, values: dict[str, str], reason: str) -> None:
    """Make a row bad in the way that `reason` says."""
    record.watch = reason
    if reason == "duplicate_identifier":
        values["id"] = values["dwc:catalogNumber"] = catalogue_number(record.number - 10)
    elif reason == "missing_identifier":
        values["id"] = values["dwc:catalogNumber"] = ""
    elif reason == "not_a_specimen":
        values["dwc:basisOfRecord"] = "HumanObservation"
        values["dwc:preparations"] = ""
    elif reason == "too_many_columns":
        # Plain cells only, so that the one comma too many is the whole trouble.
        values["dwc:occurrenceRemarks"] = "wing worn"
        values["dwc:preparations"] = "pinned"
        values["dwc:locality"] = "Beispielhausen"
        values["dwc:scientificNameAuthorship"] = ""
        record.damage = "too_many"
    else:
        values["dwc:occurrenceRemarks"] = ""
        record.damage = "too_few"


def _picture(number: int) -> str:
    return f"https://images.example.org/zoology/{catalogue_number(number)}.jpg"


def _remarks(number: int, draw: Draw) -> str:
    if number % 17 == 0:
        return "Label (two lines):\n\"Beispielhausen, coll. 'B', det. unsure\""
    return draw.one(
        ("", "", "", "wing worn", 'said to be "the last one"', "from an old teaching collection, no data card")
    )


def _where(environment: str, draw: Draw, tier: int) -> dict[str, str]:
    place = draw.one(places(environment))
    given = PLACE_COLUMNS if tier else ("country", "locality")
    found = {f"dwc:{column}": place[column] for column in given}
    if tier >= 2 or draw.chance(50):
        for column, shift in (("decimalLatitude", draw.below(21)), ("decimalLongitude", draw.below(21))):
            found[f"dwc:{column}"] = f"{float(place[column]) + (shift - 10) / 10_000:.4f}"
        found["dwc:geodeticDatum"] = "EPSG:4326"
    if tier == 3:
        found["dwc:coordinateUncertaintyInMeters"] = place["coordinateUncertaintyInMeters"]
        found["dwc:coordinatePrecision"] = "0.0001"
    if place["minimumElevationInMeters"] and draw.chance(40):
        found["dwc:minimumElevationInMeters"] = place["minimumElevationInMeters"]
        found["dwc:maximumElevationInMeters"] = place["maximumElevationInMeters"]
    if place["waterBody"] and place["habitat"] and draw.chance(60):
        depth = draw.below(12)
        found |= {"dwc:minimumDepthInMeters": str(depth), "dwc:maximumDepthInMeters": str(depth + draw.below(6))}
    return found


def _measurements(core: str, taxon: Usage, draw: Draw) -> list[dict[str, str]]:
    kinds = {
        "Aves": (("wing length", "mm", 60, 250), ("body mass", "g", 8, 900)),
        "Mammalia": (("tail length", "mm", 20, 300), ("body mass", "g", 5, 900)),
        "Insecta": (("body length", "mm", 5, 60),),
        "Gastropoda": (("shell height", "mm", 8, 60), ("shell width", "mm", 8, 60)),
        "Bivalvia": (("shell length", "mm", 10, 160),),
    }
    rows = []
    for place, (kind, unit, low, high) in enumerate(
        kinds.get(taxon.classification["class"], (("total length", "mm", 15, 400),)), 1
    ):
        values = {
            "coreid": core,
            "dwc:measurementID": f"{core}/m{place}",
            "dwc:measurementType": kind,
            "dwc:measurementValue": f"{low + draw.below(high - low)}.{draw.below(10)}",
            "dwc:measurementUnit": unit,
            "dwc:measurementAccuracy": "0.5" if draw.chance(40) else "",
            "dwc:measurementDeterminedBy": draw.one(people(SLUG)),
            "dwc:measurementMethod": "calliper" if unit == "mm" else "spring balance",
            "dwc:measurementRemarks": "damaged, perhaps more" if draw.chance(5) else "",
        }
        rows.append(cells(MEASUREMENT.columns, values))
    return rows


def orphans() -> dict[str, list[dict[str, str]]]:
    """Return measurements of specimens that the core does not have."""
    taxon = taxa_of(SLUG)[0]
    return {MEASUREMENT.name: [_measurements(core, taxon, Draw(SLUG, core))[0] for core in ORPHANS]}


def may_vanish(record: Record) -> bool:
    """Say whether a record may vanish: one with measurements stays, so that their file stays the same."""
    return not record.extensions and record.number + 10 not in BAD_ROWS


def change(record: Record, kind: str) -> Record:
    """Return the record as the next week's edition has it; its measurements never change."""
    draw = Draw(SLUG, record.number, "week 2")
    values = dict(record.cells)
    if values["dcterms:modified"]:
        values["dcterms:modified"] = f"2026-11-0{3 + draw.below(5)}T16:{draw.below(60):02d}:00Z"
    if kind == "locality":
        values["dwc:locality"] += ", north side"
    elif kind == "coordinates":
        values |= {"dwc:decimalLatitude": f"{52 + draw.below(900) / 1000:.3f}", "dwc:decimalLongitude": "6.125"}
        values["dwc:geodeticDatum"] = "EPSG:4326"
    elif kind == "sex":
        values["dwc:sex"] = "female" if values["dwc:sex"] in ("male", "♂", "M") else "male"
        values["dwc:lifeStage"] = "adult"
    else:
        taxon = draw.one([usage for usage in taxa_of(SLUG) if usage.name != values["dwc:scientificName"]])
        name = names.taxon_cells(taxon, draw, author_in_name=False)
        values |= {f"dwc:{key}": value for key, value in name.items()}
        values |= {"dwc:identifiedBy": people(SLUG)[0], "dwc:dateIdentified": "2026-11-05", "dwc:scientificNameID": ""}
    return replace(record, cells=values)
