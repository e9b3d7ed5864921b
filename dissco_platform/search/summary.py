"""Which of a published document's values are searched, counted and listed: one summary a specimen.

Terms: openDS DigitalSpecimen 0.4.0. How a question is asked is `query`; where summaries lie is `tables`.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dissco_platform.opends.licences import parse_licence

Json = Mapping[str, Any]

RANKS: Final = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
GROUP_DEPTH: Final = RANKS.index("order") + 1  # how much of the classification is counted without looking at specimens
SEPARATOR: Final = "|"
UNKNOWN: Final = "–"  # a rank that the source leaves out between two others

# Facets in the order in which they are shown: values that are counted for every question.
FACETS: Final = (
    "country", "institution", "collection", "dataset", "type_status", "discipline", "basis", "mids", "licence", "media",
    "match",
)  # fmt: skip
# Kept beside the facets, so that existence filters are counted as cheaply.
FLAGS: Final = ("located", "dated")
CELL: Final = (*FACETS, *FLAGS, "taxon_group")

MEDIA_SHOWN: Final = 12
NO_TYPE: Final = "notAType"  # of the vocabulary: said of what is no type
LONGEST_TEXT: Final = 20_000
LONGEST_VALUE: Final = 250
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(slots=True)
class Summary:
    """What the index holds of one specimen.

    `cell` has the values of `CELL`, null where the document says nothing; `taxon` is the classification from the kingdom
    down, joined by `SEPARATOR`; dates are yyyymmdd (a year alone spans its days); `identifiers` are folded; `words` are
    what full text finds; `card` is what a list shows.
    """

    cell: tuple[str | None, ...]
    taxon: str = ""
    name: str = ""
    catalog_number: str | None = None
    first_day: int | None = None
    last_day: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    identifiers: list[str] = field(default_factory=list)
    words: str = ""
    card: dict[str, Any] = field(default_factory=dict)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)


def summarise(document: Json, dataset: str, match: str | None = None, missing: Sequence[str] = ()) -> Summary:
    """Return the summary of a published specimen document.

    Args:
        document: openDS DigitalSpecimen.
        dataset: its slug.
        match: how its name was matched (`opends` match type), where known.
        missing: the information elements that its next MIDS level needs, where known.
    """
    events = document.get("ods:hasEvents") or [{}]
    event = events[0]
    location = event.get("ods:hasLocation") or {}
    place = location.get("ods:hasGeoreference") or {}
    identification, taxon = accepted(document)
    latitude, longitude = place.get("dwc:decimalLatitude"), place.get("dwc:decimalLongitude")
    if latitude is None or longitude is None:
        latitude = longitude = None
    first, last = days(event.get("dwc:eventDate"))
    path = classification(taxon)
    country = location.get("dwc:countryCode") or location.get("dwc:country")
    licence, licence_label = licence_of(document.get("dcterms:license"))
    institution = document.get("ods:organisationID") or document.get("ods:organisationName")
    type_status = next(
        (
            found["dwc:typeStatus"]
            for found in _identifications(document)
            if found.get("dwc:typeStatus") not in (None, NO_TYPE)
        ),
        None,
    )
    media = links(document, "hasDigitalMedia")
    values = {
        "country": country,
        "institution": institution,
        "collection": document.get("dwc:collectionCode") or document.get("dwc:collectionID"),
        "dataset": dataset,
        "type_status": type_status,
        "discipline": document.get("ods:topicDiscipline"),
        "basis": document.get("dwc:basisOfRecord"),
        "mids": _text(document.get("ods:midsLevel")),
        "licence": licence,
        "media": "true" if media or document.get("ods:isKnownToContainMedia") else "false",
        "match": match,
        "located": "true" if latitude is not None else None,
        "dated": "true" if first is not None else None,
        "taxon_group": SEPARATOR.join(path[:GROUP_DEPTH]) or None,
    }
    labels = {
        ("country", country): location.get("dwc:country"),
        ("institution", institution): document.get("ods:organisationName"),
        ("licence", licence): licence_label,
        ("dataset", dataset): document.get("ods:sourceSystemName") or document.get("dwc:datasetName"),
    }
    identifiers = [
        document.get("ods:physicalSpecimenID"),
        document.get("ods:normalisedPhysicalSpecimenID"),
        *(found.get("dcterms:identifier") for found in document.get("ods:hasIdentifiers") or []),
    ]
    catalog_number = identifier_named(document, "catalogNumber")
    name = document.get("ods:specimenName") or taxon.get("dwc:scientificName") or ""
    collectors = people(event)
    verbatim = identification.get("dwc:verbatimIdentification")
    spoken: list[object] = [
        name, verbatim, *path, *_values(taxon, "dwc:scientificName", "dwc:vernacularName", "dwc:genus"),
        *(found.get("dwc:verbatimIdentification") for found in _identifications(document)),
        catalog_number, *identifiers, event.get("dwc:fieldNumber"), *collectors,
        *(one for found in _identifications(document) for one in people(found)),
        *_values(
            location, "dwc:continent", "dwc:country", "dwc:stateProvince", "dwc:county", "dwc:municipality", "dwc:island",
            "dwc:islandGroup", "dwc:locality", "dwc:verbatimLocality", "dwc:waterBody", "dwc:higherGeography",
        ),
        *(location.get("ods:hasGeologicalContext") or {}).values(),
        event.get("dwc:habitat"), event.get("dwc:eventRemarks"), document.get("ods:organisationName"),
        document.get("ods:organisationCode"), document.get("dwc:collectionCode"), document.get("dwc:preparations"),
        document.get("ods:topicDiscipline"), document.get("ods:topicCategory"), type_status,
        document.get("dwc:verbatimLabel"),
    ]  # fmt: skip
    card = {
        "verbatim": verbatim if verbatim and verbatim != name else None,
        "family": path[RANKS.index("family")] if len(path) > RANKS.index("family") else None,
        "collector": "; ".join(collectors[:3]) or None,
        "date": event.get("dwc:eventDate") or event.get("dwc:verbatimEventDate"),
        "country": location.get("dwc:country") or country,
        "locality": location.get("dwc:locality") or location.get("dwc:verbatimLocality"),
        "institution": document.get("ods:organisationName") or institution,
        "media": [address.rpartition("/")[2] for address in media[:MEDIA_SHOWN]],
        "media_count": len(media),
        "match": match,
        "mids_missing": list(missing),
        "type_status": type_status,
        "mids": values["mids"],
    }
    return Summary(
        cell=tuple(_short(values[name]) for name in CELL),
        taxon=SEPARATOR.join(path),
        name=_short(name) or "",
        catalog_number=_short(catalog_number),
        first_day=first,
        last_day=last,
        latitude=latitude,
        longitude=longitude,
        identifiers=_folded(identifiers),
        words=words(spoken),
        card={key: (_short(value) if isinstance(value, str) else value) for key, value in card.items() if value},
        labels=_labels(labels),
    )


def summarise_closed(told: Json, dataset: str) -> Summary:
    """Return the summary of a specimen that is DOI only, from what DataCite is told of it."""
    host = (told.get("creators") or [{}])[0]
    identifiers = [entry.get("alternateIdentifier") for entry in told.get("alternateIdentifiers") or []]
    catalog = next(
        (
            entry["alternateIdentifier"]
            for entry in told.get("alternateIdentifiers") or []
            if entry.get("alternateIdentifierType") == "catalogNumber"
        ),
        None,
    )
    institution = next((entry.get("nameIdentifier") for entry in host.get("nameIdentifiers") or []), host.get("name"))
    rights = next((entry.get("rightsUri") or entry.get("rights") for entry in told.get("rightsList") or []), None)
    licence, licence_label = licence_of(rights)
    name = next((entry["title"] for entry in told.get("titles") or []), "")
    values: dict[str, str | None] = dict.fromkeys(CELL)
    values |= {"institution": institution, "dataset": dataset, "licence": licence, "media": "false"}
    return Summary(
        cell=tuple(_short(values[key]) for key in CELL),
        name=_short(name) or "",
        catalog_number=_short(catalog),
        identifiers=_folded(identifiers),
        words=words([name, *identifiers, host.get("name")]),
        card={"institution": _short(host.get("name")), "doi_only": True},
        labels=_labels({("institution", institution): host.get("name"), ("licence", licence): licence_label}),
    )


def medium(document: Json) -> dict[str, str | None]:
    """Return what lists show of a published medium: `address, type, format, title, licence`."""
    return {
        "address": str(document.get("ac:accessURI") or "")[:2000] or None,
        "type": _short(document.get("dcterms:type")),
        "format": _short(document.get("dcterms:format")),
        "title": _short(document.get("dcterms:title") or document.get("dcterms:description")),
        "licence": licence_of(document.get("dcterms:rights"))[0],
    }


def accepted(document: Json) -> tuple[Json, Json]:
    """Return the identification that holds and the taxon that it comes to: the checklist's where there is one."""
    found = _identifications(document)
    if not found:
        return {}, {}
    chosen = next((one for one in found if one.get("ods:isVerifiedIdentification")), found[0])
    taxa = chosen.get("ods:hasTaxonIdentifications") or [{}]
    return chosen, next((taxon for taxon in taxa if taxon.get("dwc:taxonomicStatus")), taxa[0])


def classification(taxon: Json) -> list[str]:
    """Return a taxon's names from the kingdom down, as far as they are known; a rank between is `UNKNOWN`."""
    names: list[str] = [str(taxon.get(f"dwc:{rank}") or "").replace(SEPARATOR, " ").strip() for rank in RANKS[:-1]]
    genus, epithet = names[-1], str(taxon.get("dwc:specificEpithet") or "").strip()
    names.append(f"{genus} {epithet}" if genus and epithet else "")
    while names and not names[-1]:
        names.pop()
    return [name[:LONGEST_VALUE] or UNKNOWN for name in names]


def days(text: object) -> tuple[int | None, int | None]:
    """Return the first and last day (yyyymmdd) of an ISO 8601 date or interval; None twice where it is neither."""
    if not isinstance(text, str):
        return None, None
    begin, _, end = text.partition("/")
    first, last = _span(begin), _span(end or begin)
    if first is None or last is None:
        return None, None
    return first[0], max(first[1], last[1])


def _span(text: str) -> tuple[int, int] | None:
    matched = re.match(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T.*)?$", text.strip())
    if not matched:
        return None
    year, month, day = int(matched[1]), int(matched[2] or 0), int(matched[3] or 0)
    return (
        year * 10_000 + (month or 1) * 100 + (day or 1),
        year * 10_000 + (month or 12) * 100 + (day or 31),
    )


def fold(text: object) -> str:
    """Return text as it is compared: lower case, accents and compatibility forms gone."""
    parts = unicodedata.normalize("NFKD", str(text).casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def tokens(text: object) -> list[str]:
    """Return the words of a text, folded."""
    return _WORD.findall(fold(text))


def words(values: Iterable[object]) -> str:
    """Return the words of all values once per value, bounded, for full text."""
    seen = dict.fromkeys(str(value)[:LONGEST_TEXT] for value in values if value not in (None, "", {}, []))
    return " ".join(token for value in seen for token in tokens(value))[:LONGEST_TEXT]


def identifier_named(document: Json, name: str) -> str | None:
    """Return the identifier that the source keeps under a term's name (`catalogNumber`), or None."""
    return next(
        (
            str(found["dcterms:identifier"])
            for found in document.get("ods:hasIdentifiers") or []
            if str(found.get("dcterms:title") or "").rpartition(":")[2] == name and found.get("dcterms:identifier")
        ),
        None,
    )


def links(document: Json, relationship: str) -> list[str]:
    """Return the DOIs that a document is linked with by a relationship (`hasDigitalMedia`, `hasDigitalSpecimen`)."""
    return [
        str(found["dwc:relatedResourceID"])
        for found in document.get("ods:hasEntityRelationships") or []
        if found.get("dwc:relationshipOfResource") == relationship and found.get("dwc:relatedResourceID")
    ]


def people(item: Json) -> list[str]:
    """Return the names of an event's or identification's agents."""
    return [str(agent["schema:name"]) for agent in item.get("ods:hasAgents") or [] if agent.get("schema:name")]


def licence_of(text: object) -> tuple[str | None, str | None]:
    """Return a licence as it is counted (SPDX identifier, the source's own words where unknown) and as it is shown."""
    if not text:
        return None, None
    known = parse_licence(str(text))
    return (known.spdx, known.spdx) if known else (str(text), str(text))


def _identifications(document: Json) -> list[Any]:
    return document.get("ods:hasIdentifications") or []


def _values(item: Json, *names: str) -> list[object]:
    return [item.get(name) for name in names]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _short(value: object) -> str | None:
    return None if value in (None, "") else str(value).replace("\x00", "")[:LONGEST_VALUE]


def _folded(values: Iterable[object]) -> list[str]:
    return sorted({fold(value).replace("\x00", "").strip()[:LONGEST_VALUE] for value in values if value})


def _labels(labels: Mapping[tuple[str, Any], str | None]) -> dict[tuple[str, str], str]:
    return {
        (facet, _short(value) or ""): _short(label) or "" for (facet, value), label in labels.items() if value and label
    }
