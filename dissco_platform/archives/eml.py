"""Dataset metadata from EML (GBIF profile) and Dublin Core documents: title, licence, publisher, contacts, version.

Namespaces are ignored, as GBIF does; paths follow the GBIF metadata profile 1.3 and its predecessors. ABCD's own
metadata is in `abcd.py`.
"""

from typing import Any

from dissco_platform.archives.xmlsafe import attribute, local, parse_xml, text_of
from dissco_platform.errors import ArchiveError

EMPTY: dict[str, Any] = {
    "title": None,
    "description": None,
    "license": None,
    "publisher": None,
    "contacts": [],
    "version": None,
    "pubDate": None,
    "packageId": None,
    "language": None,
}
ROLES = ("creator", "contact", "metadataProvider", "associatedParty")


def empty_metadata() -> dict[str, Any]:
    """Return metadata without values."""
    return {**EMPTY, "contacts": []}


def read_eml(name: str, content: bytes) -> dict[str, Any]:
    """Read an EML document (or another XML document with a title and rights) into the keys of `dataset.json`.

    `license` is verbatim: the licence's URL where the document gives one, else its text.

    Raises:
        ArchiveError: the document is not XML (`malformed_xml`) or declares entities (`xml_doctype`).
    """
    root = parse_xml(name, content)
    dataset = next((e for e in root.iter() if local(e).lower() == "dataset"), None)
    if dataset is None:
        if local(root).lower() in ("html", "archive"):
            raise ArchiveError(f"{name} is not a metadata document", reason="malformed_xml")
        dataset = root
    found = empty_metadata()
    found["title"] = _first_text(dataset, "title")
    found["description"] = _first_text(dataset, "abstract") or _first_text(dataset, "description")
    found["license"] = _licence(dataset)
    found["publisher"] = _publisher(dataset)
    found["contacts"] = _contacts(dataset)
    found["pubDate"] = _first_text(dataset, "pubDate") or _first_text(dataset, "issued")
    found["language"] = _first_text(dataset, "language") or attribute(dataset, "lang")
    package = attribute(root, "packageId") or _first_text(dataset, "identifier")
    found["packageId"] = package
    if package and "/v" in package:
        found["version"] = package.rsplit("/v", 1)[1]
    elif package and attribute(root, "scope"):
        found["version"] = None
    doi = [text_of(e) for e in dataset if local(e) == "alternateIdentifier"]
    if doi:
        found["identifiers"] = doi
    citation = next((text_of(e) for e in root.iter() if local(e) == "citation"), "")
    if citation:
        found["citation"] = citation
    return found


def _children(element: Any, name: str) -> list[Any]:
    return [child for child in element if local(child).lower() == name.lower()]


def _first_text(element: Any, name: str) -> str | None:
    for child in _children(element, name):
        text = text_of(child)
        if text:
            return text
    return None


def _licence(dataset: Any) -> str | None:
    for licensed in _children(dataset, "licensed"):
        for name in ("url", "identifier", "licenseName"):
            text = _first_text(licensed, name)
            if text:
                return text
    for rights in _children(dataset, "intellectualRights"):
        for link in rights.iter():
            url = attribute(link, "url")
            if local(link) == "ulink" and url and url.strip():
                return url.strip()
        text = text_of(rights)
        if text:
            return text
    for name in ("license", "rights"):
        text = _first_text(dataset, name)
        if text:
            return text
    return None


def _publisher(dataset: Any) -> str | None:
    for name in ("publisher", "creator", "contact", "metadataProvider"):
        for party in _children(dataset, name):
            organisation = _first_text(party, "organizationName")
            if organisation:
                return organisation
            if name == "publisher" and text_of(party):
                return text_of(party)
    return None


def _contacts(dataset: Any) -> list[dict[str, str]]:
    contacts: list[dict[str, str]] = []
    for role in ROLES:
        for party in _children(dataset, role):
            names = [text_of(e) for e in party.iter() if local(e) in ("givenName", "surName")]
            person = {
                "role": _first_text(party, "role") or role,
                "name": " ".join(part for part in names if part),
                "organisation": _first_text(party, "organizationName") or "",
                "email": _first_text(party, "electronicMailAddress") or "",
                "id": _user_id(party),
            }
            filled = {key: value for key, value in person.items() if value}
            if len(filled) > 1 and filled not in contacts:
                contacts.append(filled)
    return contacts


def _user_id(party: Any) -> str:
    for user in _children(party, "userId"):
        text = text_of(user)
        directory = (attribute(user, "directory") or "").strip()
        if text.startswith("http") or not directory.startswith("http"):
            return text
        return directory.rstrip("/") + "/" + text if text else ""
    return ""
