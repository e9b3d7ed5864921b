"""The herbarium: sheets with addresses as identifiers, images, and the history of their determinations."""

from dataclasses import replace

from making import names
from making.archive import CC0, CC_BY, CC_BY_NC, Dialect, TextFile
from making.checklist import Usage, sisters_of, synonyms_of, taxa_of
from making.facts import (
    PLACE_COLUMNS,
    Draw,
    Record,
    cells,
    columns,
    day,
    degrees,
    institution,
    people,
    person_id,
    places,
)

SLUG = "herbarium"
TITLE = "Vascular plants, mosses, fungi, lichens and algae of the Herbarium Fictum (invented specimens)"
ABSTRACT = (
    "Sample data. Names, authors and classification are true; the institution, the specimens, the people and all their "
    "numbers are invented. Sheets have images (addresses that lead nowhere) and, for many, the determinations of "
    "several generations of botanists."
)
LICENCE = "CC0-1.0"
DIALECT = Dialect("\t")
COUNT, NEW, VANISHED = 400, 12, 8
CHANGES = {"locality": 8, "determination": 9, "image": 7, "georeference": 6}
MUSEUM = institution(SLUG)

CORE = TextFile(
    "occurrence.txt",
    "dwc:Occurrence",
    columns(SLUG, "occurrence.txt"),
)
IDENTIFICATION = TextFile(
    "identification.txt",
    "dwc:Identification",
    columns(SLUG, "identification.txt"),
)
MULTIMEDIA = TextFile(
    "multimedia.txt",
    "gbif:Multimedia",
    columns(SLUG, "multimedia.txt"),
)
EXTENSIONS = (IDENTIFICATION, MULTIMEDIA)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
TYPES = ("holotype", "isotype", "lectotype", "paratype", "syntype", "not a type", "Iso-Type?")
SHARED_IMAGES = {41: 40, 121: 120, 201: 200}  # two plants on one sheet: the second is shown on the first one's image
NON_COMMERCIAL_IMAGE = 100  # the record itself is CC0
TIERS = (3, 2, 2, 2, 1, 1, 0)
"""How much a record says, roughly its MIDS level; drawn with equal chances."""


def address(number: int) -> str:
    return f"https://herbarium.example.org/specimen/HFX{number:06d}"


def terms(values: dict[str, str]) -> dict[str, str]:
    return {key if ":" in key else f"dwc:{key}": value for key, value in values.items()}


def make(number: int) -> Record:
    """Return the record with this number (from 1; the first ones are the labels of verbatim_names.tsv)."""
    draw = Draw(SLUG, number)
    tier = draw.one(TIERS)
    labels = names.verbatim_rows(SLUG)
    verbatim = labels[number - 1] if number <= len(labels) else None
    taxon = draw.skewed(taxa_of(SLUG))
    current = names.as_labelled(taxon, draw)
    taxon = names.taxon_meant(verbatim, taxon) if verbatim else taxon
    name = names.verbatim_cells(verbatim) if verbatim else names.taxon_cells(current, draw, author_in_name=True)
    collected = day(draw, 1887, 2019)
    collector, determiner = draw.one(people(SLUG)), draw.one(people(SLUG))
    values = {
        "dwc:occurrenceID": address(number),
        "dcterms:modified": f"20{15 + draw.below(11)}-{1 + draw.below(12):02d}-{1 + draw.below(28):02d}",
        "dcterms:license": CC0,
        "dcterms:rightsHolder": MUSEUM["name"],
        "dwc:institutionID": MUSEUM["id"] if tier == 3 or draw.chance(50) else "",
        "dwc:institutionCode": MUSEUM["code"],
        "dwc:collectionCode": MUSEUM["collectionCode"],
        "dwc:datasetName": TITLE,
        "dwc:basisOfRecord": "Herbarium sheet" if number % 67 == 0 else "PreservedSpecimen",
        "dwc:catalogNumber": f"HFX{number:06d}",
        "dwc:otherCatalogNumbers": f"Acc. {1890 + draw.below(120)}.{draw.below(900) + 1}" if draw.chance(15) else "",
        "dwc:recordNumber": str(draw.below(4800) + 1),
        "dwc:recordedBy": collector + (f" & {draw.one(people(SLUG)[:4])}" if draw.chance(10) else ""),
        "dwc:recordedByID": person_id(collector) if tier == 3 or draw.chance(10) else "",
        "dwc:preparations": _preparation(taxon),
        "dwc:habitat": "",
        "dwc:identifiedBy": determiner,
        "dwc:identifiedByID": person_id(determiner) if tier == 3 or draw.chance(10) else "",
        "dwc:dateIdentified": str(int(collected[:4]) + draw.below(6)),
        "dwc:scientificNameID": current.id if tier == 3 and not verbatim else "",
        **terms(name),
        **_when(collected, draw),
        **_where(taxon.environment, draw, georeferenced=tier == 3),
    }
    if number % 29 == 0:
        values["dwc:typeStatus"] = draw.one(TYPES)
    record = Record(number, {}, watch="name" if verbatim else "")
    if tier >= 2 or draw.chance(40):
        record.extensions[MULTIMEDIA.name] = [_image(number, sheet + 1) for sheet in range(1 + draw.chance(15))]
    if number in SHARED_IMAGES:
        record.extensions[MULTIMEDIA.name] = [_image(SHARED_IMAGES[number], 1) | {"coreid": address(number)}]
    if number in {*SHARED_IMAGES.values(), NON_COMMERCIAL_IMAGE}:
        record.extensions[MULTIMEDIA.name] = [_image(number, 1)]
    _leave_out(tier, values, record, draw)
    record.cells = cells(CORE.columns, values)
    if not verbatim and draw.chance(45):
        history = _history(current, taxon, collected, draw)
        record.extensions[IDENTIFICATION.name] = [*history, _determination(record, "1", "current determination")]
        _number_determinations(record)
    return record


def _preparation(taxon: Usage) -> str:
    kinds = {"Fungi": "dried", "Chromista": "pressed, wet-mounted"}
    return kinds.get(taxon.kingdom, "herbarium sheet")


def _when(date: str, draw: Draw) -> dict[str, str]:
    year, month, day_of_month = date.split("-")
    roman = ROMAN[int(month) - 1]
    verbatim = f"{int(day_of_month)}.{roman}.{year}"
    if draw.chance(10):
        return {"dwc:year": year, "dwc:verbatimEventDate": f"{roman}.{year}"}
    if draw.chance(8):
        return {"dwc:eventDate": f"{date}/{year}-{month}-28", "dwc:year": year}
    parts = {"dwc:year": year, "dwc:month": str(int(month)), "dwc:day": str(int(day_of_month))}
    return {"dwc:eventDate": date, **parts} | ({"dwc:verbatimEventDate": verbatim} if draw.chance(40) else {})


def _where(environment: str, draw: Draw, *, georeferenced: bool) -> dict[str, str]:
    place = draw.one(places(environment))
    found = {f"dwc:{term}": place[term] for term in (*PLACE_COLUMNS, "habitat")}
    latitude, longitude = float(place["decimalLatitude"]), float(place["decimalLongitude"])
    latitude, longitude = latitude + (draw.below(41) - 20) / 10_000, longitude + (draw.below(41) - 20) / 10_000
    style = draw.below(100)
    if georeferenced or style < 55:
        found |= {"dwc:decimalLatitude": f"{latitude:.4f}", "dwc:decimalLongitude": f"{longitude:.4f}"}
        found["dwc:geodeticDatum"] = "WGS84" if georeferenced or draw.chance(80) else "ED50"
    if georeferenced:
        found["dwc:coordinateUncertaintyInMeters"] = place["coordinateUncertaintyInMeters"]
        found["dwc:coordinatePrecision"] = "0.0001"
    if not georeferenced and style % 4 == 0:
        found["dwc:verbatimCoordinates"] = degrees(latitude, longitude)
    if place["minimumElevationInMeters"]:
        low, high = place["minimumElevationInMeters"], place["maximumElevationInMeters"]
        found["dwc:verbatimElevation"] = f"{low}-{high} m" if draw.chance(60) else f"ca. {high} m a.s.l."
        if draw.chance(70):
            found |= {"dwc:minimumElevationInMeters": low, "dwc:maximumElevationInMeters": high}
    return found


def _image(number: int, sheet: int) -> dict[str, str]:
    draw = Draw(SLUG, number, "image", sheet)
    values = {
        "coreid": address(number),
        "dcterms:type": "StillImage",
        "dcterms:format": "image/jpeg",
        "dcterms:identifier": f"https://images.example.org/herbarium/HFX{number:06d}_{sheet}.jpg",
        "dcterms:references": f"{address(number)}#image-{sheet}" if draw.chance(50) else "",
        "dcterms:title": f"HFX{number:06d}, sheet {sheet}",
        "dcterms:created": f"20{12 + draw.below(14)}-{1 + draw.below(12):02d}-{1 + draw.below(28):02d}",
        "dcterms:creator": "Imaging room of the Herbarium Fictum",
        "dcterms:license": CC_BY_NC if number == NON_COMMERCIAL_IMAGE else CC0 if number % 5 == 0 else CC_BY,
        "dcterms:rightsHolder": MUSEUM["name"],
    }
    return cells(MULTIMEDIA.columns, values)


def _leave_out(tier: int, values: dict[str, str], record: Record, draw: Draw) -> None:
    """Blank what a record of this tier does not say."""
    if tier == 0:
        values[draw.one(("dwc:preparations", "dcterms:modified", "dcterms:license"))] = ""
    if tier <= 1:
        missing = draw.one(("dwc:recordedBy", "dwc:recordNumber", "coordinates", "date", "dwc:recordNumber"))
        if missing == "coordinates":
            values |= {"dwc:decimalLatitude": "", "dwc:decimalLongitude": "", "dwc:geodeticDatum": ""}
        elif missing == "date":
            values |= dict.fromkeys(("dwc:eventDate", "dwc:year", "dwc:month", "dwc:day", "dwc:verbatimEventDate"), "")
        else:
            values[missing] = "s.n." if missing == "dwc:recordNumber" and draw.chance(30) else ""
        if missing == "dwc:recordedBy":
            values["dwc:recordedByID"] = ""
            values["dwc:recordedBy"] = "unknown:undigitized" if draw.chance(50) else ""


def _history(current: Usage, taxon: Usage, collected: str, draw: Draw) -> list[dict[str, str]]:
    """Return one or two earlier determinations: an older name, a sister species, or the genus alone."""
    others = [*synonyms_of(taxon), *sisters_of(taxon)]
    earlier = [draw.one(others)] if others and draw.chance(75) else [None]
    if draw.chance(35):
        earlier = [None, *earlier] if earlier != [None] else earlier
    rows = []
    for step, usage in enumerate(other for other in earlier if other != current):
        botanist = draw.one(people(SLUG))
        if usage:
            name = names.taxon_cells(usage, draw, author_in_name=True)
        else:
            family = current.classification["family"]
            name = {"scientificName": f"{current.words[0]} sp.", "taxonRank": "genus", "family": family}
        values = {
            "dwc:identifiedBy": botanist,
            "dwc:identifiedByID": person_id(botanist) if draw.chance(30) else "",
            "dwc:dateIdentified": str(int(collected[:4]) - len(earlier) + step + 1),
            "dwc:identificationVerificationStatus": "0",
            "dwc:identificationRemarks": draw.one(
                ("", "on the label", "on a slip glued to the sheet", "in the register")
            ),
            **terms(name),
        }
        rows.append(values)
    return rows


def _determination(record: Record, status: str, remarks: str) -> dict[str, str]:
    """Return the record's own determination as an extension row."""
    own = {column: record.cells[column] for column in IDENTIFICATION.columns if column in record.cells}
    return own | {"dwc:identificationVerificationStatus": status, "dwc:identificationRemarks": remarks}


def _number_determinations(record: Record) -> None:
    core = record.cells["dwc:occurrenceID"]
    rows = record.extensions[IDENTIFICATION.name]
    record.extensions[IDENTIFICATION.name] = [
        cells(IDENTIFICATION.columns, row | {"coreid": core, "dwc:identificationID": f"{core}#det-{place}"})
        for place, row in enumerate(rows, 1)
    ]


def orphans() -> dict[str, list[dict[str, str]]]:
    return {}


def may_vanish(record: Record) -> bool:
    return record.number not in {*SHARED_IMAGES, *SHARED_IMAGES.values(), NON_COMMERCIAL_IMAGE}


def change(record: Record, kind: str) -> Record:
    """Return the record as the next week's edition has it."""
    draw = Draw(SLUG, record.number, "week 2")
    values = dict(record.cells)
    extensions = dict(record.extensions)
    if values["dcterms:modified"]:
        values["dcterms:modified"] = f"2026-11-0{3 + draw.below(5)}"
    if kind == "locality":
        values["dwc:locality"] += ", eastern edge"
    elif kind == "georeference":
        values |= {"dwc:decimalLatitude": f"{51 + draw.below(900) / 1000:.4f}", "dwc:decimalLongitude": "5.8125"}
        values |= {"dwc:geodeticDatum": "WGS84", "dwc:coordinateUncertaintyInMeters": "1000"}
    elif kind == "image":
        images = extensions.get(MULTIMEDIA.name, [])
        extensions[MULTIMEDIA.name] = [*images, _image(record.number, 9)]
    else:
        return _redetermined(replace(record, cells=values, extensions=extensions), draw)
    return replace(record, cells=values, extensions=extensions)


def _redetermined(record: Record, draw: Draw) -> Record:
    """Return the record with a new current determination; the one it had becomes history."""
    rows = record.extensions.get(IDENTIFICATION.name) or [_determination(record, "1", "")]
    older = [row | {"dwc:identificationVerificationStatus": "0"} for row in rows]
    taxon = draw.one([usage for usage in taxa_of(SLUG) if usage.label != record.cells["dwc:scientificName"]])
    botanist = people(SLUG)[0]
    record.cells |= terms(names.taxon_cells(taxon, draw, author_in_name=True))
    record.cells |= {
        "dwc:identifiedBy": botanist,
        "dwc:identifiedByID": person_id(botanist),
        "dwc:scientificNameID": "",
    }
    record.cells["dwc:identificationQualifier"] = ""
    record.cells["dwc:dateIdentified"] = "2026-11-04"
    record.extensions[IDENTIFICATION.name] = [*older, _determination(record, "1", "revision of the week")]
    _number_determinations(record)
    return record
