"""People and organisations of a record: one cell of names (and one of identifiers) to `ods:Agent` objects.

Splits at `|`, `;`, `&`, ` and `, ` und `, ` et `, `+`, and at commas where every part is a whole name; `et al.` is
nobody. Identifiers are given to names only where their numbers agree: a guess about a person is worse than none.
"""

import re
from functools import lru_cache
from typing import Any

import orjson

from dissco_platform.opends.identifiers import normalised_orcid
from dissco_platform.opends.terms import model

_HARD = re.compile(r"\s*(?:\||;|¦)\s*")
_SOFT = re.compile(r"\s+(?:&|and|und|et(?!\s+al)|en|och|og|y|with|mit|avec)\s+|\s*(?:&|\+)\s*", re.IGNORECASE)
_ET_AL = re.compile(r"[,\s]*(?:\bet\.?\s*al(?:ii|\.)?|\bu\.\s?a\.|\band others|\by otros)\s*\.?\s*$", re.IGNORECASE)
_INITIALS = re.compile(r"^(?:[^\W\d_]\.?[\s-]?){1,4}(?:\s?(?:van|von|de|der|den|jr|sr|ii|iii)\.?)*$", re.IGNORECASE)
_PREFIX = re.compile(
    r"^(?:coll(?:ector|\.)?|leg\.?|det\.?|legit|collected by|determined by|identified by)\s*[:.]?\s+", re.I
)
_GIVEN = re.compile(r"^(?:(?:[^\W\d_]\.\s?-?|[A-Z]\b\s?)+|[A-Z]{1,3}|(?i:jr|sr|ii|iii)\.?)$")  # J. B., JB, Jr.
_SUFFIX = re.compile(r"[\s,(]+(?:coll(?:ect(?:or|eur)s?)?|leg(?:it)?|det|rec)\s*\.?\)?$", re.I)
_NOBODY = re.compile(
    r"^(?:unknown|anon(?:ymous|\.)?|n/?a|none|null|s\.?\s?n\.?|s\.?\s?c\.?|not recorded|no data|-+|\?+|\.+|unbekannt"
    r"|inconnu|desconocido|unspecified|not stated)$",
    re.IGNORECASE,
)
_ORGANISATION = re.compile(
    r"\b(?:museum|mus[ée]um|museo|university|universit\w+|institut\w*|herbarium|expedition|exp[ée]dition|survey|department"
    r"|dept|society|staff|team|ltd|inc|gmbh|garden|botanic\w*|college|station|laborator\w*|centre|center|agency|academy"
    r"|commission|naturalis|project|consortium|service|ministry|foundation|collection)\b",
    re.IGNORECASE,
)
_ORGANISATION_ID = re.compile(r"^https?://(?:ror\.org|(?:www\.)?grid\.ac)/", re.IGNORECASE)
_URL = re.compile(r"https?://\S+")
_WIKIDATA = re.compile(r"^(?:https?://(?:www\.|m\.)?wikidata\.org/(?:wiki|entity)/)?(Q[1-9]\d+)$")


def split_names(text: str) -> list[str]:
    """Return the names in a cell, in order, without repeats and without placeholders.

    Example:
        >>> split_names("Smith, J. & Jones, B.; R. Brown et al.")
        ['Smith, J.', 'Jones, B.', 'R. Brown']
    """
    names: list[str] = []
    for part in _HARD.split(text):
        pieces = [_bare(piece) for piece in _SOFT.split(_ET_AL.sub("", part))]
        # Bouchet, Warén & Samadi: surnames alone; Smith, John & Jones, Bill: commas within names
        listed = len(pieces) > 1 and "," not in pieces[-1]
        for piece in pieces:
            names.extend(_surnames(piece) if listed else _comma_names(piece))
    cleaned = [re.sub(r"\s+", " ", name) for name in names]
    return list(dict.fromkeys(name for name in cleaned if name and not _NOBODY.match(name)))


def _bare(piece: str) -> str:
    return _SUFFIX.sub("", _PREFIX.sub("", _ET_AL.sub("", piece))).strip(" ,")


def _surnames(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if _ORGANISATION.search(text) or any(_GIVEN.match(part) for part in parts):
        return _comma_names(text)
    return parts


def _comma_names(text: str) -> list[str]:
    if "," not in text or _ORGANISATION.search(text):
        return [text]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) >= 4 and len(parts) % 2 == 0 and all(_INITIALS.match(part) for part in parts[1::2]):
        return [f"{surname}, {initials}" for surname, initials in zip(parts[::2], parts[1::2], strict=True)]
    whole = [" " in part or "." in part for part in parts]
    initials = [bool(_INITIALS.match(part)) for part in parts]
    if len(parts) >= 2 and all(whole) and not any(initials):
        return parts
    if len(parts) >= 3 and not any(initials):
        return parts
    return [text]


def split_ids(text: str) -> list[str]:
    """Return the identifiers in a cell, ORCID and Wikidata in their canonical forms."""
    pieces = [piece for piece in re.split(r"\s*[|;]\s*|\s*,\s*(?=https?:)|\s+(?=https?:)", text.strip()) if piece]
    return list(dict.fromkeys(_canonical_id(piece) for piece in pieces))


def _canonical_id(text: str) -> str:
    if orcid := normalised_orcid(text):
        return orcid
    if match := _WIKIDATA.match(text):
        return f"http://www.wikidata.org/entity/{match[1]}"
    return text


def _title(identifier: str) -> tuple[str, str, str]:
    """Return title, dcterms:type and GUPRI level of an agent's identifier."""
    for mark, title in (("orcid.org", "ORCID"), ("wikidata.org", "Wikidata"), ("ror.org", "ROR"), ("viaf.org", "VIAF")):
        if mark in identifier:
            return title, "URL", "GloballyUniqueStablePersistentResolvable"
    if identifier.startswith("http"):
        return "URL", "URL", "GloballyUniqueStableResolvable"
    return "agent identifier", "Locally unique identifier", "LocallyUniqueStable"


@lru_cache(maxsize=100_000)
def agents_json(names: str | None, ids: str | None, role: str) -> str | None:
    """Return the `ods:Agent` objects of a cell as JSON text without the brackets, None where there is nobody.

    Identifiers go to names where as many places are marked off as there are names (a place may be empty, or hold
    several of one person); several of a single name are all that person's; others stand as agents without a name.
    """
    people = split_names(names) if names else []
    places = [split_ids(place) for place in re.split(r"[|;]", ids)] if ids else []
    identifiers = list(dict.fromkeys(identifier for place in places for identifier in place))
    pairs: list[tuple[str | None, tuple[str, ...]]] = []
    for name in people:
        if match := _URL.search(name):
            rest = name.replace(match[0], "").strip(" ()[]<>,")
            pairs.append((rest or None, (_canonical_id(match[0].rstrip(")]>,.")),)))
        else:
            pairs.append((name, ()))
    if identifiers and len(pairs) == 1:
        places = [identifiers]
    elif identifiers and len(places) != len(pairs):
        places = [[identifier] for identifier in identifiers]
    if identifiers and len(places) == len(pairs):
        pairs = [(name, own or tuple(given)) for (name, own), given in zip(pairs, places, strict=True)]
    else:
        pairs.extend((None, (identifier,)) for identifier in identifiers)
    if not pairs:
        return None
    listed = [
        _agent(name, sorted(own, key=lambda one: "orcid.org" not in one), role, at + 1 if len(pairs) > 1 else None)
        for at, (name, own) in enumerate(pairs)
    ]
    return orjson.dumps(listed).decode()[1:-1]


def agent_json(agent: dict[str, Any], role: dict[str, Any]) -> str | None:
    """Return one `ods:Agent` whose name, identifier and role stand in cells of their own; None where nobody is named.

    Args:
        agent: terms of ods:Agent; without an `@type` the name and identifier tell.
        role: terms of schema:Role.
    """
    name = agent.get("schema:name")
    name = None if name and _NOBODY.match(name) else name
    given = agent.get("schema:identifier")
    identifiers = split_ids(given) if given else []
    if not name and not identifiers:
        return None
    known = {term: value for term, value in role.items() if value is not None}
    made = _agent(name, identifiers, str(known.get("schema:roleName", "agent")), None)
    if agent.get("@type"):
        made["@type"] = agent["@type"]
    further = {term: agent[term] for term in ("schema:email", "schema:url") if agent.get(term)}
    made["ods:hasRoles"] = [{"@type": "schema:Role", "schema:roleName": "agent", **known}]
    ordered = {term: (made | further)[term] for term in model().classes["ods:Agent"] if term in made | further}
    ordered["ods:hasRoles"] = [
        {term: one[term] for term in model().classes["schema:Role"] if term in one} for one in ordered["ods:hasRoles"]
    ]
    return orjson.dumps(ordered).decode()


def _agent(name: str | None, identifiers: list[str], role: str, position: int | None) -> dict[str, Any]:
    agent: dict[str, Any] = {}
    identifier = identifiers[0] if identifiers else None
    if identifier:
        agent["@id"] = identifier
    organisation = bool(identifier and _ORGANISATION_ID.match(identifier)) or bool(name and _ORGANISATION.search(name))
    agent["@type"] = "schema:Organization" if organisation else "schema:Person"
    if identifier:
        agent["schema:identifier"] = identifier
    if name:
        agent["schema:name"] = name
    entry: dict[str, object] = {"@type": "schema:Role", "schema:roleName": role}
    if position is not None:
        entry["schema:position"] = position
    agent["ods:hasRoles"] = [entry]
    if identifiers:
        agent["ods:hasIdentifiers"] = [
            {
                "@id": one, "@type": "ods:Identifier", "dcterms:title": title, "dcterms:type": kind,
                "dcterms:identifier": one, "ods:gupriLevel": level,
            }
            for one in identifiers
            for title, kind, level in [_title(one)]
        ]  # fmt: skip
    return agent
