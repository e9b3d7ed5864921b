"""What a specimen's page shows, read out of its document: name, images, place, people, provenance, citation.

Labels and their order are here; how they look is `templates/specimen.html`.
"""

from typing import Any, Final

from dissco_platform.identity.publications import Published, PublishedVersion
from dissco_platform.portal.context import Portal
from dissco_platform.portal.facts import Fact, Sources, facts, italic, listed
from dissco_platform.portal.maps import Locator, locator
from dissco_platform.portal.parts_view import age_facts, part_view, persons
from dissco_platform.search.summary import NO_TYPE, RANKS, accepted, licence_of, links, people

Json = dict[str, Any]

# Match type (names.harmonise) → what it means, and whether it deserves a doubt.
MATCHES: Final = {
    "exact": ("The name is in the checklist as it was written.", ""),
    "variant": ("The name is in the checklist in another spelling or with another authorship.", ""),
    "fuzzy": ("The name looks like a misspelling of this one; please check.", "warn"),
    "higherRank": ("Only a higher taxon of the name is in the checklist.", "warn"),
    "ambiguous": ("Several taxa of the checklist fit the name; none was chosen.", "warn"),
    "none": ("The name is not in the checklist.", "warn"),
}
MIDS_TITLES: Final = {0: "bare", 1: "basic", 2: "regular", 3: "extended"}
# MIDS information element → what a curator would add.
ELEMENTS: Final = {
    "Name": "a name", "ObjectType": "the kind of object or preparation", "License": "a licence",
    "Modified": "the date of its last change", "Chronostratigraphy": "its geological age", "CollectingAgent": "who collected it",
    "CollectingNumber": "the collector's number", "DateCollected": "when it was collected", "Media": "an image or other medium",
    "QualitativeLocation": "where it is from", "QuantitativeLocation": "coordinates",
    "StratigraphicContext": "its stratigraphic context", "CollectingAgentID": "an identifier of the collector (ORCID, Wikidata)",
    "GeographicalLocalityID": "an identifier of the place, or coordinates with datum, uncertainty and precision",
    "IdentifiedAsID": "an identifier of the taxon", "IdentifiedByID": "an identifier of who named it (ORCID, Wikidata)",
    "MediaID": "an identifier of its media", "OrganizationID": "an identifier of the institution (ROR)",
}  # fmt: skip

_TAXON: Final = {
    "dwc:scientificName": "Scientific name", "dwc:taxonRank": "Rank", "dwc:taxonomicStatus": "Status",
    "dwc:nomenclaturalCode": "Code", "dwc:vernacularName": "Common name", "dwc:taxonRemarks": "How it was matched",
}  # fmt: skip
_IDENTIFICATION: Final = {
    "dwc:verbatimIdentification": "As written", "dwc:identificationQualifier": "Qualifier", "dwc:typeStatus": "Type status",
    "dwc:dateIdentified": "Identified on", "dwc:identificationRemarks": "Remarks",
}  # fmt: skip
_EVENT: Final = {
    "dwc:eventDate": "Date", "dwc:verbatimEventDate": "Date as written", "dwc:fieldNumber": "Collector's number",
    "dwc:habitat": "Habitat", "dwc:samplingProtocol": "Collected by means of", "dwc:eventRemarks": "Remarks",
    "dwc:fieldNotes": "Field notes", "dwc:sex": "Sex", "dwc:lifeStage": "Life stage",
    "dwc:reproductiveCondition": "Reproductive condition", "dwc:establishmentMeans": "Establishment",
}  # fmt: skip
_LOCATION: Final = {
    "dwc:locality": "Locality", "dwc:verbatimLocality": "Locality as written", "dwc:island": "Island",
    "dwc:islandGroup": "Island group", "dwc:municipality": "Municipality", "dwc:county": "County",
    "dwc:stateProvince": "State or province", "dwc:country": "Country", "dwc:continent": "Continent",
    "dwc:waterBody": "Water body", "dwc:higherGeography": "Higher geography", "dwc:verbatimElevation": "Elevation as written",
    "dwc:minimumElevationInMeters": "Elevation from (m)", "dwc:maximumElevationInMeters": "Elevation to (m)",
    "dwc:minimumDepthInMeters": "Depth from (m)", "dwc:maximumDepthInMeters": "Depth to (m)",
    "dwc:locationRemarks": "Remarks",
}  # fmt: skip
_GEOREFERENCE: Final = {
    "dwc:verbatimCoordinates": "Coordinates as written", "dwc:verbatimLatitude": "Latitude as written",
    "dwc:verbatimLongitude": "Longitude as written", "dwc:geodeticDatum": "Datum",
    "dwc:coordinateUncertaintyInMeters": "Uncertainty (m)", "dwc:coordinatePrecision": "Precision",
    "dwc:georeferenceProtocol": "Georeferenced by means of", "dwc:georeferenceRemarks": "Georeference remarks",
}  # fmt: skip
_GEOLOGY: Final = {
    "dwc:earliestAgeOrLowestStage": "Age", "dwc:earliestEpochOrLowestSeries": "Epoch",
    "dwc:earliestPeriodOrLowestSystem": "Period", "dwc:earliestEraOrLowestErathem": "Era",
    "dwc:latestAgeOrHighestStage": "Age, at latest", "dwc:latestPeriodOrHighestSystem": "Period, at latest",
    "dwc:group": "Group", "dwc:formation": "Formation", "dwc:member": "Member", "dwc:bed": "Bed",
    "dwc:lowestBiostratigraphicZone": "Lowest zone", "dwc:highestBiostratigraphicZone": "Highest zone",
}  # fmt: skip
_SPECIMEN: Final = {
    "ods:physicalSpecimenID": "Physical specimen", "dwc:basisOfRecord": "Basis of record",
    "dwc:collectionCode": "Collection", "dwc:preparations": "Preparation", "dwc:disposition": "Disposition",
    "dwc:organismQuantity": "Quantity", "dwc:verbatimLabel": "Label as written",
    "dwc:informationWithheld": "Information withheld", "dwc:dataGeneralizations": "Generalised",
    "dcterms:rightsHolder": "Rights holder", "dcterms:accessRights": "Access",
}  # fmt: skip


def specimen_view(
    portal: Portal, found: Published, version: PublishedVersion, document: Json | None, told: Json
) -> dict[str, Any]:
    """Return what the template of a specimen shows."""
    cited = portal.publications.csl_json(found, version.number)
    common = {
        "citation": citation(cited, found, version),
        "held_by": holder(document, told),
        "dataset_title": found.dataset.title or portal.finder.labelled("dataset", found.dataset.slug),
    }
    if document is None:
        return {**common, "title": title_of(told), "named": None, "images": [], "tombstone": withdrawn(told)}
    known = portal.provenance.sources(found.dataset.slug, version.made_from)
    sources = known or _unknown
    card = portal.finder.card(found.suffix) if version.number == found.version().number else {}
    identification, taxon = accepted(document)
    events = [_event(event, sources) for event in document.get("ods:hasEvents") or []]
    media = links(document, "hasDigitalMedia")
    level = document.get("ods:midsLevel")
    return {
        **common,
        "title": document.get("ods:specimenName") or taxon.get("dwc:scientificName") or title_of(told),
        "named": _named(document, identification, taxon, card, sources),
        "others": [
            _named(document, one, (one.get("ods:hasTaxonIdentifications") or [{}])[-1], {}, sources)
            for one in document.get("ods:hasIdentifications") or []
            if one is not identification
        ],
        "images": images(portal, media),
        "media_count": len(media),
        "events": events,
        "specimen": facts(document, "ods:DigitalSpecimen", _SPECIMEN, sources),
        "identifiers": [
            (str(one.get("dcterms:title") or "").rpartition(":")[2], str(one.get("dcterms:identifier") or ""))
            for one in document.get("ods:hasIdentifiers") or []
        ],
        "said": [_assertion(one) for one in document.get("ods:hasAssertions") or []],
        "persons": persons(document),
        "ages": [age_facts(age, sources) for age in document.get("ods:hasChronometricAges") or []],
        "parts": [
            {**part_view(part, sources), **_whereabouts(part, sources)}
            for part in document.get("ods:hasSpecimenParts") or []
        ],
        "citations": listed(
            [one.get("dcterms:bibliographicCitation") for one in document.get("ods:hasCitations") or []]
        ),
        "relations": [
            (str(one.get("dwc:relationshipOfResource")), str(one.get("dwc:relatedResourceID")))
            for one in document.get("ods:hasEntityRelationships") or []
            if one.get("dwc:relationshipOfResource") not in _SAID_ELSEWHERE
        ],
        "mids": level,
        "mids_title": MIDS_TITLES.get(level if isinstance(level, int) else -1, ""),
        "mids_missing": [ELEMENTS.get(name, name) for name in card.get("mids_missing", [])],
        "type_status": [
            one["dwc:typeStatus"]
            for one in document.get("ods:hasIdentifications") or []
            if one.get("dwc:typeStatus") not in (None, NO_TYPE)
        ],
        "licence_name": licence_of(document.get("dcterms:license"))[1],
        "licence_address": document.get("dcterms:license"),
        "mapping_known": known is not None,
        "tombstone": document.get("ods:hasTombstoneMetadata"),
    }


_SAID_ELSEWHERE: Final = frozenset(
    {"hasDigitalMedia", "hasOrganisationID", "hasSourceSystemID", "hasFDOType", "hasPhysicalIdentifier", "hasCOLID",
     "hasURL", "hasLicense"}
)  # fmt: skip


def _unknown(_owner: str, _term: str) -> list[str]:
    return []


def citation(cited: Json, found: Published, version: PublishedVersion) -> str:
    """Return the citation of a version as one line: holder (year). Title. Version. Publisher. Type. DOI."""
    authors = "; ".join(
        author.get("literal") or ", ".join(part for part in (author.get("family"), author.get("given")) if part)
        for author in cited.get("author") or []
    )
    kind = "Digital Specimen" if found.kind == "specimen" else "Digital Media"
    held_by = authors or found.dataset.organisation_name or ""
    title = (cited.get("title") or found.doi).rstrip(".")
    return (
        f"{held_by} ({version.created[:4]}). {title}. "
        f"Version {version.number}. {cited.get('publisher') or ''}. {kind}. {found.url}"
    )


def images(portal: Portal, addresses: list[str], most: int = 12) -> list[dict[str, Any]]:
    """Return the first media of a specimen, with what their page and their picture are."""
    suffixes = [address.rpartition("/")[2] for address in addresses[:most]]
    known = portal.finder.media(suffixes)
    return [
        {
            "suffix": suffix,
            "page": f"/{portal.settings.doi_prefix}/{suffix}",
            "is_image": is_image(known.get(suffix, {})),
            **{key: known.get(suffix, {}).get(key) for key in ("address", "title", "licence", "type", "format")},
        }
        for suffix in suffixes
    ]


def is_image(medium: Json) -> bool:
    """Say whether a browser can show a medium as a picture."""
    form, kind = str(medium.get("format") or "").lower(), str(medium.get("type") or "")
    if not str(medium.get("address") or "").startswith(("http://", "https://")):
        return False
    if form:
        return form in {
            "image/jpeg",
            "image/png",
            "image/gif",
            "image/webp",
            "image/avif",
            "image/svg+xml",
            "image/jpg",
        }
    return kind in {"StillImage", "Image"}


def _named(document: Json, identification: Any, taxon: Any, card: Json, sources: Sources) -> dict[str, Any]:
    verbatim = identification.get("dwc:verbatimIdentification")
    name = taxon.get("dwc:scientificName") or verbatim
    matched = card.get("match")
    words, doubt = MATCHES.get(matched or "", ("", ""))
    return {
        "label": italic(taxon.get("ods:scientificNameHTMLLabel") or name or ""),
        "name": name,
        "verbatim": verbatim if verbatim != name else None,
        "is_checklist": bool(taxon.get("dwc:taxonomicStatus")),
        "taxon_id": taxon.get("dwc:taxonID"),
        "match": matched,
        "match_words": words,
        "doubt": doubt,
        "path": [(rank, str(taxon[f"dwc:{rank}"])) for rank in RANKS[:-1] if taxon.get(f"dwc:{rank}")],
        "people": people(identification),
        "facts": facts(identification, "ods:Identification", _IDENTIFICATION, sources)
        + facts(taxon, "ods:TaxonIdentification", _TAXON, sources),
    }


def _event(event: Json, sources: Sources) -> dict[str, Any]:
    location = event.get("ods:hasLocation") or {}
    place = location.get("ods:hasGeoreference") or {}
    latitude, longitude = place.get("dwc:decimalLatitude"), place.get("dwc:decimalLongitude")
    at: Locator | None = None
    coordinates = []
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        at = locator(float(latitude), float(longitude), place.get("dwc:coordinateUncertaintyInMeters"))
        both = [sources("ods:Georeference", f"dwc:decimal{axis}") for axis in ("Latitude", "Longitude")]
        columns = list(dict.fromkeys(both[0] + both[1]))
        coordinates = [Fact("Coordinates", [f"{latitude:g}, {longitude:g}"], "dwc:decimalLatitude", columns)]
    return {
        "map": at,
        "collectors": persons(event),
        "collector_sources": sources("ods:Event", "ods:hasAgents"),
        "when": facts(event, "ods:Event", _EVENT, sources),
        "where": facts(location, "ods:Location", _LOCATION, sources)
        + coordinates
        + facts(place, "ods:Georeference", _GEOREFERENCE, sources),
        "geology": facts(location.get("ods:hasGeologicalContext") or {}, "ods:GeologicalContext", _GEOLOGY, sources),
        "assertions": [_assertion(one) for one in event.get("ods:hasAssertions") or []],
    }


def _whereabouts(part: Json, sources: Sources) -> dict[str, Any]:
    """Return the events and assertions of a part."""
    return {
        "events": [_event(event, sources) for event in part.get("ods:hasEvents") or []],
        "assertions": [_assertion(one) for one in part.get("ods:hasAssertions") or []],
    }


def _assertion(one: Json) -> tuple[str, str, str]:
    value = " ".join(listed(one.get("dwc:measurementValue")) + listed(one.get("dwc:measurementUnit")))
    about = "; ".join(
        text
        for key, words in (
            ("dwc:measurementAccuracy", "± "),
            ("dwc:measurementMethod", "by "),
            ("dwc:measurementRemarks", ""),
        )
        for text in [words + found for found in listed(one.get(key))]
    )
    return str(one.get("dwc:measurementType") or ""), value, about


def holder(document: Json | None, told: Json) -> tuple[str, str | None]:
    """Return the name and identifier of the institution that holds an object."""
    creator = (told.get("creators") or [{}])[0]
    name = (document or {}).get("ods:organisationName") or creator.get("name") or ""
    identifier = (document or {}).get("ods:organisationID") or next(
        (one.get("nameIdentifier") for one in creator.get("nameIdentifiers") or []), None
    )
    return str(name), identifier


def title_of(told: Json) -> str:
    """Return the title that DataCite is told."""
    return next((str(one["title"]) for one in told.get("titles") or []), str(told["doi"]))


def withdrawn(told: Json) -> Json | None:
    """Return a tombstone as DataCite is told of it, None for a living object."""
    date = next((one for one in told.get("dates") or [] if one.get("dateType") == "Withdrawn"), None)
    return date and {"ods:tombstoneDate": date.get("date"), "ods:tombstoneText": date.get("dateInformation")}
