"""Licences in every spelling: what a statement means (SPDX), and whether it lets a whole document be published.

Rule: CC0, CC BY and public domain are open (the programme publishes a full digital specimen); any other licence, and
any statement that is not understood, leaves a DOI without a document.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

OPEN = frozenset({"CC0-1.0", "CC-PDM-1.0", "PDDL-1.0"})
_OPEN_PREFIX = re.compile(r"^CC-BY-\d")

_CC_URL = re.compile(
    r"creativecommons\.org/l(?:icen[sc]es)?/(?P<kind>by(?:-(?:nc|nd|sa))*)(?:/(?P<version>\d\.\d))?", re.IGNORECASE
)
_CC_TEXT = re.compile(
    r"(?:\b|_)(?:cc[\s_-]*by(?P<parts>(?:[\s_-]*(?:nc|nd|sa))*)|by(?P<bare>(?:[\s_-]*(?:nc|nd|sa))+))(?![a-z])"
    r"[\s_-]*(?:v(?:ersion)?\.?\s*)?(?P<version>[1-4][._]\d)?",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(?<![\d.])([1-4])[._]?([05])(?![\d])")

# Phrases, most restrictive first, in the languages of the collections' notices: (pattern, SPDX without version).
_PHRASES: tuple[tuple[str, str], ...] = (
    (
        r"non[\s-]?commercial.*(?:no[\s-]?deriv)|nicht[\s-]?kommerziell.*keine bearbeitung"
        r"|pas d.?utilisation commerciale.*pas de modification",
        "CC-BY-NC-ND",
    ),
    (
        r"non[\s-]?commercial.*share[\s-]?alike|nicht[\s-]?kommerziell.*gleichen bedingungen|no comercial.*compartir",
        "CC-BY-NC-SA",
    ),
    (
        r"attribution.*non[\s-]?commercial|namensnennung.*nicht[\s-]?kommerziell|by[\s-]?nc\b"
        r"|attribution.*pas d.?utilisation commerciale|reconocimiento.*no comercial"
        r"|naamsvermelding.*niet[\s-]?commercieel",
        "CC-BY-NC",
    ),
    (
        r"attribution.*share[\s-]?alike|namensnennung.*gleichen bedingungen|weitergabe unter gleichen"
        r"|partage dans les m|compartir ?igual|gelijk delen",
        "CC-BY-SA",
    ),
    (r"attribution.*no[\s-]?deriv|namensnennung.*keine bearbeitung", "CC-BY-ND"),
    (
        r"creative ?commons[\W_]*attribution|attribution[\s\d.]*international|namensnennung|naamsvermelding"
        r"|reconocimiento|\battribution 4",
        "CC-BY",
    ),
)
_CLOSED = re.compile(
    r"all rights reserved|alle rechte vorbehalten|tous droits r[ée]serv|nicht[\s-]?kommerziell|non[\s-]?commercial"
    r"|not[\s-]for[\s-]profit|todos los derechos|copyright|©|\(c\)",
    re.IGNORECASE,
)
_PUBLIC_DOMAIN = re.compile(
    r"\bcc[\s_-]*(?:0|zero)\b|\bcc0|creativecommons\.org/(?:publicdomain|licenses)/zero|public[\s_-]*domain|publicdomain"
    r"|gemeinfrei|domaine public|dominio p[uú]blico|publiek domein|no rights reserved|no known copyright"
    r"|keine rechte vorbehalten|openda?ta?commons\.org/licenses/pddl|\bcreative commons zero\b",
    re.IGNORECASE,
)
_OTHER: tuple[tuple[str, str], ...] = (
    (r"opendatacommons\.org/licenses/by/1\.0|\bodc[\s_-]?by\b", "ODC-By-1.0"),
    (r"opendatacommons\.org/licenses/odbl|\bodbl\b", "ODbL-1.0"),
    (r"etalab|licence ouverte|open licence 2", "etalab-2.0"),
    (r"open[\s-]?government[\s-]?licen[cs]e", "OGL-UK-3.0"),
)


@dataclass(frozen=True, slots=True)
class Licence:
    """An understood licence: SPDX identifier, canonical URL, and whether a document under it may be published."""

    spdx: str
    url: str

    @property
    def open(self) -> bool:
        """CC0, public domain, PDDL, CC BY of any version, ODC-By."""
        return self.spdx in OPEN or bool(_OPEN_PREFIX.match(self.spdx)) or self.spdx == "ODC-By-1.0"


_URLS = {
    "CC0-1.0": "http://creativecommons.org/publicdomain/zero/1.0/",
    "CC-PDM-1.0": "http://creativecommons.org/publicdomain/mark/1.0/",
    "PDDL-1.0": "http://opendatacommons.org/licenses/pddl/1.0/",
    "ODC-By-1.0": "http://opendatacommons.org/licenses/by/1.0/",
    "ODbL-1.0": "http://opendatacommons.org/licenses/odbl/1.0/",
    "etalab-2.0": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    "OGL-UK-3.0": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
}


def _licence(spdx: str) -> Licence:
    if spdx in _URLS:
        return Licence(spdx, _URLS[spdx].replace("http://creativecommons", "https://creativecommons"))
    match = re.match(r"^CC-(BY(?:-[A-Z]+)*)-(\d\.\d)$", spdx)
    if match is None:
        return Licence(spdx, spdx)
    return Licence(spdx, f"https://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/")


def _ordered(parts: str) -> str:
    found = re.findall(r"nc|nd|sa", parts.lower())
    return "".join(f"-{part.upper()}" for part in ("nc", "nd", "sa") if part in found)


@lru_cache(maxsize=20_000)
def parse_licence(text: str) -> Licence | None:
    """Return the licence that a statement names (URL, legal code, abbreviation or prose), None where it names none.

    A Creative Commons licence without a version is read as 4.0; a stated version is kept.
    """
    statement = unquote(text).strip()
    lowered = re.sub(r"\s+", " ", statement.lower())
    if match := _CC_URL.search(lowered):
        spdx = f"CC-BY{_ordered(match['kind'][2:])}-{match['version'] or '4.0'}"
        return _licence(spdx)
    # "not public domain" and the like: a closing phrase before any opening one means closed.
    if match := _CC_TEXT.search(lowered):
        version = match["version"] or _version(lowered)
        return _licence(f"CC-BY{_ordered(match['parts'] or match['bare'] or '')}-{version.replace('_', '.')}")
    for pattern, spdx in _PHRASES:
        if re.search(pattern, lowered):
            return _licence(f"{spdx}-{_version(lowered)}")
    if "publicdomain/mark" in lowered:
        return _licence("CC-PDM-1.0")
    if re.search(r"\b(?:not|no|nicht|pas)\b[^.]{0,20}public domain", lowered):
        return None
    for pattern, spdx in _OTHER:
        if re.search(pattern, lowered):
            return _licence(spdx)
    if match := _PUBLIC_DOMAIN.search(lowered):
        closed = _CLOSED.search(lowered[: match.start()])
        if closed is None or "no known copyright" in match[0]:
            return _licence("PDDL-1.0" if "pddl" in match[0] else "CC0-1.0")
    return None


def _version(text: str) -> str:
    match = _VERSION.search(text)
    return f"{match[1]}.{match[2]}" if match else "4.0"


def is_open(text: str | None) -> bool:
    """Return whether a statement names a licence under which documents are published in full."""
    licence = parse_licence(text) if text else None
    return licence is not None and licence.open
