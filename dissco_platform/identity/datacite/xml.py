"""The DataCite XML of a record, made from its JSON attributes when somebody asks for it.

Element and attribute names: DataCite Metadata Schema 4.6.
"""

import base64
import re
from typing import Any, Final

from lxml import etree

from dissco_platform.identity.datacite.tables import SCHEMA_VERSION as KERNEL

Attributes = dict[str, Any]
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES: Final[Any] = {None: KERNEL, "xsi": _XSI}
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# attribute → (wrapper, element, key of the content, {JSON key: XML attribute})
_LISTS: Final[dict[str, tuple[str, str, str, dict[str, str]]]] = {
    "titles": ("titles", "title", "title", {"titleType": "titleType", "lang": "lang"}),
    "subjects": (
        "subjects",
        "subject",
        "subject",
        {
            "subjectScheme": "subjectScheme",
            "schemeUri": "schemeURI",
            "valueUri": "valueURI",
            "classificationCode": "classificationCode",
            "lang": "lang",
        },
    ),
    "dates": ("dates", "date", "date", {"dateType": "dateType", "dateInformation": "dateInformation"}),
    "identifiers": (
        "alternateIdentifiers",
        "alternateIdentifier",
        "identifier",
        {"identifierType": "alternateIdentifierType"},
    ),
    "relatedIdentifiers": (
        "relatedIdentifiers",
        "relatedIdentifier",
        "relatedIdentifier",
        {
            "relatedIdentifierType": "relatedIdentifierType",
            "relationType": "relationType",
            "relatedMetadataScheme": "relatedMetadataScheme",
            "schemeUri": "schemeURI",
            "schemeType": "schemeType",
            "resourceTypeGeneral": "resourceTypeGeneral",
        },
    ),
    "rightsList": (
        "rightsList",
        "rights",
        "rights",
        {
            "rightsUri": "rightsURI",
            "rightsIdentifier": "rightsIdentifier",
            "rightsIdentifierScheme": "rightsIdentifierScheme",
            "schemeUri": "schemeURI",
            "lang": "lang",
        },
    ),
    "descriptions": (
        "descriptions",
        "description",
        "description",
        {"descriptionType": "descriptionType", "lang": "lang"},
    ),
}
_PLACES: Final = {
    "geoLocationPoint": ("pointLongitude", "pointLatitude"),
    "geoLocationBox": ("westBoundLongitude", "eastBoundLongitude", "southBoundLatitude", "northBoundLatitude"),
}


def metadata_xml(doi: str, attributes: Attributes) -> bytes:
    """Return the kernel-4 document of a record (UTF-8)."""
    root = etree.Element(f"{{{KERNEL}}}resource", nsmap=_NAMESPACES)
    root.set(f"{{{_XSI}}}schemaLocation", f"{KERNEL} {KERNEL}/metadata.xsd")
    _add(root, "identifier", doi, {"identifierType": "DOI"})
    _agents(root, "creators", "creator", attributes.get("creators"))
    _list(root, "titles", attributes)
    publisher = attributes.get("publisher")
    named = publisher if isinstance(publisher, dict) else {"name": publisher}
    keys = {
        "publisherIdentifier": "publisherIdentifier",
        "publisherIdentifierScheme": "publisherIdentifierScheme",
        "schemeUri": "schemeURI",
        "lang": "lang",
    }
    if named.get("name"):
        _add(root, "publisher", named["name"], _picked(named, keys))
    if attributes.get("publicationYear"):
        _add(root, "publicationYear", attributes["publicationYear"])
    types = attributes.get("types") or {}
    if types:
        _add(
            root,
            "resourceType",
            types.get("resourceType"),
            _picked(types, {"resourceTypeGeneral": "resourceTypeGeneral"}),
        )
    _list(root, "subjects", attributes)
    _agents(root, "contributors", "contributor", attributes.get("contributors"))
    _list(root, "dates", attributes)
    if attributes.get("language"):
        _add(root, "language", attributes["language"])
    for name in ("identifiers", "relatedIdentifiers"):
        _list(root, name, attributes)
    for wrapper, element in (("sizes", "size"), ("formats", "format")):
        if attributes.get(wrapper):
            parent = _add(root, wrapper)
            for text in attributes[wrapper]:
                _add(parent, element, text)
    if attributes.get("version"):
        _add(root, "version", attributes["version"])
    for name in ("rightsList", "descriptions"):
        _list(root, name, attributes)
    _places(root, attributes.get("geoLocations"))
    _funding(root, attributes.get("fundingReferences"))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def encoded_xml(doi: str, attributes: Attributes) -> str:
    """Return the document as the `xml` attribute carries it."""
    return base64.b64encode(metadata_xml(doi, attributes)).decode("ascii")


def _add(parent: Any, name: str, text: object = None, attributes: dict[str, str] | None = None) -> Any:
    element = etree.SubElement(parent, f"{{{KERNEL}}}{name}")
    if text is not None:
        element.text = _NOT_XML.sub("", str(text))
    for key, value in (attributes or {}).items():
        element.set(f"{{{_XML}}}lang" if key == "lang" else key, _NOT_XML.sub("", value))
    return element


def _picked(entry: Attributes, keys: dict[str, str]) -> dict[str, str]:
    return {xml: str(entry[key]) for key, xml in keys.items() if entry.get(key)}


def _entries(value: object) -> list[Attributes]:
    # drafts are not checked: whatever has another shape is left out
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _list(root: Any, name: str, attributes: Attributes) -> None:
    entries = _entries(attributes.get(name))
    if not entries:
        return
    wrapper, element, content, keys = _LISTS[name]
    parent = _add(root, wrapper)
    for entry in entries:
        _add(parent, element, entry.get(content), _picked(entry, keys))


def _agents(root: Any, wrapper: str, element: str, entries: object) -> None:
    agents = _entries(entries)
    if not agents:
        return
    parent = _add(root, wrapper)
    for agent in agents:
        node = _add(parent, element, None, _picked(agent, {"contributorType": "contributorType"}))
        _add(node, f"{element}Name", agent.get("name"), _picked(agent, {"nameType": "nameType", "lang": "lang"}))
        for name in ("givenName", "familyName"):
            if agent.get(name):
                _add(node, name, agent[name])
        for identifier in _entries(agent.get("nameIdentifiers")):
            keys = {"nameIdentifierScheme": "nameIdentifierScheme", "schemeUri": "schemeURI"}
            _add(node, "nameIdentifier", identifier.get("nameIdentifier"), _picked(identifier, keys))
        affiliations = agent.get("affiliation")
        for affiliation in affiliations if isinstance(affiliations, list) else []:
            if isinstance(affiliation, dict):
                keys = {
                    "affiliationIdentifier": "affiliationIdentifier",
                    "affiliationIdentifierScheme": "affiliationIdentifierScheme",
                    "schemeUri": "schemeURI",
                }
                _add(node, "affiliation", affiliation.get("name"), _picked(affiliation, keys))
            else:
                _add(node, "affiliation", affiliation)


def _places(root: Any, places: object) -> None:
    if not _entries(places):
        return
    parent = _add(root, "geoLocations")
    for place in _entries(places):
        node = _add(parent, "geoLocation")
        if place.get("geoLocationPlace"):
            _add(node, "geoLocationPlace", place["geoLocationPlace"])
        for shape, corners in _PLACES.items():
            if isinstance(place.get(shape), dict):
                _corners(_add(node, shape), place[shape], corners)
        if points := _entries(place.get("geoLocationPolygon")):
            polygon = _add(node, "geoLocationPolygon")
            for point in points:
                for name in ("polygonPoint", "inPolygonPoint"):
                    if isinstance(point.get(name), dict):
                        _corners(_add(polygon, name), point[name], _PLACES["geoLocationPoint"])


def _corners(node: Any, values: Attributes, names: tuple[str, ...]) -> None:
    for name in names:
        _add(node, name, values.get(name))


def _funding(root: Any, references: object) -> None:
    if not _entries(references):
        return
    parent = _add(root, "fundingReferences")
    for reference in _entries(references):
        node = _add(parent, "fundingReference")
        _add(node, "funderName", reference.get("funderName"))
        if reference.get("funderIdentifier"):
            keys = {"funderIdentifierType": "funderIdentifierType", "schemeUri": "schemeURI"}
            _add(node, "funderIdentifier", reference["funderIdentifier"], _picked(reference, keys))
        if reference.get("awardNumber"):
            _add(node, "awardNumber", reference["awardNumber"], _picked(reference, {"awardUri": "awardURI"}))
        if reference.get("awardTitle"):
            _add(node, "awardTitle", reference["awardTitle"])
