"""Would DataCite accept this metadata? The kernel-4 XSD's rules walked over JSON attributes.

The errors have the REST service's shape: one entry per source, the first found, its title worded as libxml2 words it.
The rules themselves are tables in `vocabularies.py`; who may write what is `app.py`.
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from dissco_platform.sandbox.vocabularies import (
    KERNEL,
    LIST_RULES,
    REFUSED_SCHEMAS,
    VALIDATED_SCHEMAS,
    VOCABULARIES,
    VOCABULARY_SETS,
    ListRule,
)

# DOI names that may be created: DataCite REST service, identifiable records.
DOI_PATTERN: Final = re.compile(r"10\.\d{4,5}/[-._;()/:a-zA-Z0-9*~$=]+")
DOI_LENGTH: Final = 255
_YEAR: Final = re.compile(r"\d{4}")
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML 1.0 section 2.2, Char
_BOUNDS: Final = {
    "pointLongitude": 180,
    "westBoundLongitude": 180,
    "eastBoundLongitude": 180,
    "pointLatitude": 90,
    "southBoundLatitude": 90,
    "northBoundLatitude": 90,
}

Attributes = dict[str, Any]
Errors = list[dict[str, str]]


def doi_errors(doi: str) -> Errors:
    """Return the error of a DOI name that may not be created, or nothing."""
    if len(doi) <= DOI_LENGTH and DOI_PATTERN.fullmatch(doi):
        return []
    return [{"source": "doi", "title": "Is invalid", "uid": doi}]


def url_errors(doi: str, url: object, domains: tuple[str, ...]) -> Errors:
    """Return the error of a landing page address: absent, no web address, or outside the repository's `domains`."""
    if not isinstance(url, str) or not url.strip():
        return [{"source": "url", "title": "Can't be blank", "uid": doi}]
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https", "ftp"} or not host or re.search(r"\s", url):
        return [{"source": "url", "title": "URL is not valid", "uid": doi}]
    if not any(_in_domain(host, domain) for domain in domains):
        title = f"URL {url} is not allowed by repository {' or '.join(domains)} domain settings."
        return [{"source": "url", "title": title, "uid": doi}]
    return []


def metadata_errors(doi: str, attributes: Attributes) -> Errors:
    """Return what the kernel-4 XSD says of `attributes`: at most one error per source, in the order of the schema.

    A schemaVersion that names no known schema skips the check, as DataCite's own validator does.
    """
    schema = attributes.get("schemaVersion") or KERNEL
    if isinstance(schema, str) and schema.startswith(REFUSED_SCHEMAS):
        return [{"source": "xml", "title": f"DOI {doi}: Schema {schema} is no longer supported", "uid": doi}]
    if schema not in VALIDATED_SCHEMAS:
        return []
    found: dict[str, str] = {}
    for rule in LIST_RULES:
        entries = attributes.get(rule.attribute)
        if entries:
            error = _list_error(rule, entries)
        elif rule.attribute in {"creators", "titles"}:
            error = f"Missing child element(s). Expected is ( {{{KERNEL}}}{rule.element} )."
        else:
            error = None
        if error:
            found.setdefault(rule.source, error)
    for source, error in (
        ("publisher", _publisher_error(attributes.get("publisher"))),
        ("publication_year", _year_error(attributes.get("publicationYear"))),
        ("types", _types_error(attributes.get("types"))),
        ("language", _language_error(attributes.get("language"))),
        ("geo_locations", _places_error(attributes.get("geoLocations"))),
    ):
        if error:
            found.setdefault(source, error)
    return [
        {"source": source, "title": f"DOI {doi}: {title} at line 4, column 0", "uid": doi}
        for source, title in found.items()
    ]


def _in_domain(host: str, domain: str) -> bool:
    if domain == "*":
        return True
    if domain.startswith("*."):
        return host == domain[2:] or host.endswith(domain[1:])
    return host == domain


def _list_error(rule: ListRule, entries: object) -> str | None:
    name = f"Element '{{{KERNEL}}}{rule.element}'"
    if not isinstance(entries, list):
        return f"{name}: This element is not expected."
    for entry in entries:
        if not isinstance(entry, dict):
            return f"{name}: This element is not expected."
        text = entry.get(rule.text)
        if rule.filled and (not isinstance(text, str) or not text.strip()):
            return (
                f"{name}: [facet 'minLength'] The value has a length of '0'; this underruns the minimum length of '1'."
            )
        for key, attribute in rule.required.items():
            if not entry.get(key):
                return f"{name}: missing a required element. The attribute '{attribute}' is required but missing."
        for key, vocabulary in rule.closed.items():
            value = entry.get(key)
            if value and not _is_in(value, vocabulary):
                return f"{name}, attribute '{key}': {_enumeration(value, vocabulary)}"
        error = _name_error(entry.get("nameIdentifiers")) or _text_error(name, entry)
        if error:
            return error
    return None


def _name_error(identifiers: object) -> str | None:
    if not identifiers:
        return None
    name = f"Element '{{{KERNEL}}}nameIdentifier'"
    if not isinstance(identifiers, list) or not all(isinstance(entry, dict) for entry in identifiers):
        return f"{name}: This element is not expected."
    for entry in identifiers:
        if not entry.get("nameIdentifier"):
            return (
                f"{name}: [facet 'minLength'] The value has a length of '0'; this underruns the minimum length of '1'."
            )
        if not entry.get("nameIdentifierScheme"):
            return f"{name}: The attribute 'nameIdentifierScheme' is required but missing."
    return None


def _text_error(name: str, entry: Attributes) -> str | None:
    for value in entry.values():
        if isinstance(value, str) and not value.isprintable() and _NOT_XML.search(value):
            return f"{name}: PCDATA invalid Char value."
    return None


def _publisher_error(publisher: object) -> str | None:
    name = publisher.get("name") if isinstance(publisher, dict) else publisher
    if isinstance(name, str) and name.strip():
        return None
    return (
        f"Element '{{{KERNEL}}}publisher': [facet 'minLength'] The value has a length of '0'; "
        "this underruns the minimum length of '1'."
    )


def _year_error(year: object) -> str | None:
    text = "" if year is None else str(year).strip()
    if _YEAR.fullmatch(text):
        return None
    return (
        f"Element '{{{KERNEL}}}publicationYear': [facet 'pattern'] The value '{text}' is not accepted by the pattern "
        r"'[\d]{4}'."
    )


def _types_error(types: object) -> str | None:
    general = types.get("resourceTypeGeneral") if isinstance(types, dict) else None
    name = f"Element '{{{KERNEL}}}resourceType'"
    if not general:
        return f"{name}: The attribute 'resourceTypeGeneral' is required but missing."
    if not _is_in(general, "resourceTypeGeneral"):
        return f"{name}, attribute 'resourceTypeGeneral': {_enumeration(general, 'resourceTypeGeneral')}"
    return None


def _language_error(language: object) -> str | None:
    if language is None or (isinstance(language, str) and _LANGUAGE.fullmatch(language)):
        return None
    return f"Element '{{{KERNEL}}}language': '{language}' is not a valid value of the atomic type 'xs:language'."


def _places_error(places: object) -> str | None:
    if isinstance(places, dict):
        for key, value in places.items():
            bound = _BOUNDS.get(key)
            if bound is not None and not _within(value, bound):
                return f"Element '{{{KERNEL}}}{key}': '{value}' is not a valid value of the local atomic type."
            if isinstance(value, dict | list) and (error := _places_error(value)):
                return error
    elif isinstance(places, list):
        for place in places:
            if error := _places_error(place):
                return error
    return None


def _within(value: object, bound: int) -> bool:
    try:
        return -bound <= float(str(value)) <= bound
    except ValueError:
        return False


def _is_in(value: object, vocabulary: str) -> bool:
    return isinstance(value, str) and value in VOCABULARY_SETS[vocabulary]


def _enumeration(value: object, vocabulary: str) -> str:
    allowed = ", ".join(f"'{allowed}'" for allowed in VOCABULARIES[vocabulary])
    return f"[facet 'enumeration'] The value '{value}' is not an element of the set {{{allowed}}}."
