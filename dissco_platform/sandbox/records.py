"""One registered name: what a write makes of it and how it is shown.

Pure functions over `Record`; validation of the metadata is `validation.py`, keeping records is `storage.py`.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from dissco_platform.sandbox.vocabularies import (
    EVENTS,
    KERNEL,
    LIST_ATTRIBUTES,
    OBJECT_ATTRIBUTES,
    PERMITTED,
    TEXT_ATTRIBUTES,
)

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A DOI as the service keeps it; times are ISO 8601 UTC text, `attributes` is never changed in place."""

    doi: str  # lower case
    client: str  # lower case
    state: str
    attributes: Attributes
    created: str
    updated: str
    registered: str | None = None
    published: str | None = None
    version: int = 0

    @property
    def is_public(self) -> bool:
        """Whether anybody may read it."""
        return self.state == "findable"


def permitted(attributes: Attributes) -> Attributes:
    """Return the attributes a write may set; unknown names and wrong shapes are dropped, as the service does."""
    kept: Attributes = {}
    for name, value in attributes.items():
        if name not in PERMITTED:
            continue
        if value is None:
            kept[name] = None
        elif isinstance(value, list):
            if name in LIST_ATTRIBUTES:
                kept[name] = [entry for entry in value if entry is not None]
        elif isinstance(value, dict):
            if name in OBJECT_ATTRIBUTES:
                kept[name] = value
        elif name in TEXT_ATTRIBUTES:
            kept[name] = _text(name, value)
    if "alternateIdentifiers" in kept:
        alternates = kept.pop("alternateIdentifiers") or []
        kept.setdefault("identifiers", [_identifier(entry) for entry in alternates])
    if kept.get("identifiers"):
        kept["identifiers"] = [entry for entry in kept["identifiers"] if _kind(entry) != "DOI"]
    return kept


def written(before: Record | None, doi: str, client: str, sent: Attributes, now: str, *, resolvable: bool) -> Record:
    """Return the record after a write of `sent` (the request's attributes, `event` included).

    Attributes that are present replace, absent ones stay, null and [] clear. An event that does not fit the state is
    ignored. `resolvable` says whether the Handle System took the address; without it `registered` stays null.
    """
    if before is None:
        before = Record(doi, client, "draft", {"schemaVersion": KERNEL, "source": "api"}, now, now)
    changes = permitted(sent)
    attributes = {**before.attributes, **changes}
    event = sent.get("event")
    state = EVENTS.get(event, {}).get(before.state, before.state) if isinstance(event, str) else before.state
    registered = before.registered
    if registered is None and state != "draft" and resolvable:
        registered = now
    published = before.published or (now if state == "findable" else None)
    if before.version and state == before.state and registered == before.registered and attributes == before.attributes:
        return before
    return replace(
        before,
        state=state,
        attributes=attributes,
        registered=registered,
        published=published,
        updated=now,
        version=before.version + 1,
    )


def changed(before: Record | None, after: Record) -> Attributes:
    """Return {attribute: [old, new]} of an update (state included), nothing for a creation."""
    if before is None:
        return {}
    names = before.attributes.keys() | after.attributes.keys()
    changes = {
        name: [before.attributes.get(name), after.attributes.get(name)]
        for name in names
        if before.attributes.get(name) != after.attributes.get(name)
    }
    if before.state != after.state:
        changes["aasm_state"] = [before.state, after.state]
    return changes


_COUNTS: Final = ("viewCount", "downloadCount", "referenceCount", "citationCount", "partCount", "partOfCount")
_EMPTY_LISTS: Final = (
    "creators",
    "titles",
    "subjects",
    "contributors",
    "dates",
    "relatedIdentifiers",
    "relatedItems",
    "sizes",
    "formats",
    "rightsList",
    "descriptions",
    "geoLocations",
    "fundingReferences",
)
_SHAPE: Final[Attributes] = {
    "doi": None,
    "prefix": None,
    "suffix": None,
    "identifiers": None,
    "alternateIdentifiers": None,
    "publisher": None,
    "container": {},
    "publicationYear": None,
    **{name: [] for name in _EMPTY_LISTS},
    "types": {},
    "language": None,
    "version": None,
    "url": None,
    "contentUrl": None,
    "landingPage": None,
    **dict.fromkeys(_COUNTS, 0),
}


def resource(record: Record, *, xml: str | None = None, publisher_object: bool = False) -> dict[str, Any]:
    """Return the JSON:API resource of a record; `xml` is its base64 text where asked for."""
    stored = record.attributes
    prefix, _, suffix = record.doi.partition("/")
    attributes: Attributes = {**_SHAPE, **stored}
    for name in _EMPTY_LISTS:
        if attributes[name] is None:
            attributes[name] = []
    attributes["doi"] = record.doi
    attributes["prefix"] = prefix
    attributes["suffix"] = suffix
    identifiers = stored.get("identifiers") or []
    attributes["identifiers"] = identifiers
    attributes["alternateIdentifiers"] = [
        {
            "alternateIdentifierType": entry.get("identifierType"),
            "alternateIdentifier": entry.get("identifier"),
        }
        for entry in identifiers
        if isinstance(entry, dict)
    ]
    publisher = stored.get("publisher")
    if publisher_object:
        attributes["publisher"] = {"name": publisher} if isinstance(publisher, str) else publisher
    elif isinstance(publisher, dict):
        attributes["publisher"] = publisher.get("name")
    attributes["xml"] = xml
    attributes["state"] = record.state
    attributes["isActive"] = record.is_public
    attributes["metadataVersion"] = record.version - 1
    attributes["created"] = record.created
    attributes["registered"] = record.registered
    attributes["published"] = stored.get("publicationYear") and str(stored["publicationYear"])
    attributes["updated"] = record.updated
    client = {"id": record.client, "type": "clients"}
    return {
        "id": record.doi,
        "type": "dois",
        "attributes": attributes,
        "relationships": {
            "client": {"data": client},
            "provider": {"data": {"id": record.client.partition(".")[0], "type": "providers"}},
            "media": {"data": {"id": record.doi, "type": "media"}},
        },
    }


def _text(name: str, value: object) -> object:
    if name == "publicationYear":
        text = str(value).strip()
        return int(text) if len(text) <= 9 and text.isascii() and text.isdigit() else value
    if name == "publisher" or isinstance(value, str):
        return value
    return str(value)


def _identifier(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {
        "identifier": entry.get("alternateIdentifier"),
        "identifierType": entry.get("alternateIdentifierType"),
    }


def _kind(entry: object) -> object:
    return entry.get("identifierType") if isinstance(entry, dict) else None
