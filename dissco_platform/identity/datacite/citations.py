"""Citations of a DOI, made from what DataCite is told of it.

Source: Citation Style Language 1.0.2, CSL-JSON; types as DataCite's own content negotiation gives them.
"""

from collections.abc import Mapping
from typing import Any, Final

# resourceTypeGeneral → CSL type
_TYPES: Final = {"Dataset": "dataset", "Image": "graphic", "Audiovisual": "motion_picture", "Sound": "song"}
_OTHER: Final = "document"


def csl_json(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return CSL-JSON of DataCite attributes (with `doi`)."""
    types = told.get("types") or {}
    issued = next((date["date"] for date in told.get("dates") or [] if date.get("dateType") == "Issued"), None)
    parts = str(issued or told.get("publicationYear") or "").split("-")
    publisher = told.get("publisher") or {}
    citation = {
        "id": f"https://doi.org/{told['doi']}",
        "type": _TYPES.get(str(types.get("resourceTypeGeneral")), _OTHER),
        "genre": types.get("resourceType"),
        "title": next((entry["title"] for entry in told.get("titles") or []), None),
        "author": [_author(agent) for agent in told.get("creators") or []],
        "publisher": publisher.get("name"),
        "issued": {"date-parts": [[int(part) for part in parts]]} if parts[0].isdigit() else None,
        "version": told.get("version"),
        "DOI": told["doi"],
        "URL": told.get("url"),
        "copyright": next((entry.get("rights") for entry in told.get("rightsList") or []), None),
        "abstract": next((entry["description"] for entry in told.get("descriptions") or []), None),
    }
    return {key: value for key, value in citation.items() if value not in (None, [], {})}


def _author(agent: Mapping[str, Any]) -> dict[str, str]:
    if agent.get("nameType") != "Organizational" and agent.get("familyName"):
        return {name: agent[key] for name, key in (("family", "familyName"), ("given", "givenName")) if agent.get(key)}
    return {"literal": str(agent.get("name"))}
