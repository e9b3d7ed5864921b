"""FAIR Signposting: typed links that lead a machine from a landing page to all that belongs to it.

Level 1 is the Link header, level 2 a link set (RFC 9264) of its own. Source: signposting.org/FAIR. A header names at most
so many media that it stays below 8 KB; the link set names all.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from dissco_platform.identity.publications import Published
from dissco_platform.portal.formats import FORMS, Form
from dissco_platform.search.summary import licence_of

MEDIA_IN_HEADER: Final = 20
ABOUT_PAGE: Final = "https://schema.org/AboutPage"
_TYPES: Final = {"specimen": "https://schema.org/Dataset", "media": "https://schema.org/MediaObject"}

Link = tuple[str, str, str | None]  # relation, target, media type


def links(
    site: str, found: Published, document: dict[str, Any] | None, media: Sequence[str], number: int | None = None
) -> list[Link]:
    """Return the typed links of an object.

    Args:
        site: base address of the portal.
        found: the object.
        document: its openDS document, None where it is DOI only.
        media: addresses of its media's DOIs (of a specimen), or its access address (of a medium).
        number: version, where the page is one version's.
    """
    page = f"{site}/{found.doi}"
    of_version = "" if number is None else f"?version={number}"
    made: list[Link] = [("cite-as", found.url, None)]
    made += [("describedby", f"{page}.{form.suffix}{of_version}", form.media_type) for form in _told(document)]
    made += [("type", ABOUT_PAGE, None), ("type", _TYPES[found.kind], None)]
    licence = (document or {}).get("dcterms:license") or (document or {}).get("dcterms:rights")
    if address := licence_address(licence):
        made.append(("license", address, None))
    owner = (document or {}).get("ods:organisationID")
    if owner and str(owner).startswith("http"):
        made.append(("author", str(owner), None))
    made += [("item", address, None) for address in media if re.match(r"https?://\S+$", address)]
    made += [
        ("version-history", f"{page}/versions", "text/html"),
        ("linkset", f"{page}/linkset", "application/linkset+json"),
    ]
    return made


def header(made: Sequence[Link]) -> str:
    """Return the links as a Link header."""
    kept: list[Link] = []
    items = 0
    for link in made:
        items += link[0] == "item"
        if link[0] != "item" or items <= MEDIA_IN_HEADER:
            kept.append(link)
    return ", ".join(_header(*link) for link in kept)


def linkset(site: str, found: Published, made: Sequence[Link]) -> dict[str, Any]:
    """Return the links as a link set in JSON, those of the descriptions included."""
    page = f"{site}/{found.doi}"
    context: dict[str, Any] = {"anchor": page}
    for relation, target, media_type in made:
        if relation != "linkset":
            context.setdefault(relation, []).append({"href": target} | ({"type": media_type} if media_type else {}))
    described = [
        {"anchor": target, "describes": [{"href": page, "type": "text/html"}]}
        for relation, target, _ in made
        if relation == "describedby"
    ]
    return {"linkset": [context, *described]}


def licence_address(licence: object) -> str | None:
    """Return a licence as an address: of Creative Commons or SPDX where it is known."""
    if not licence:
        return None
    text = str(licence)
    if re.match(r"^https?://[^\s<>\"]+$", text):
        return text
    known, _ = licence_of(text)
    return f"https://spdx.org/licenses/{known}" if known and re.fullmatch(r"[A-Za-z0-9.+-]+", known) else None


def _told(document: dict[str, Any] | None) -> Sequence[Form]:
    return (
        FORMS
        if document is not None
        else [form for form in FORMS if not form.media_type.endswith(("ld+json", "/json"))]
    )


def _header(relation: str, target: str, media_type: str | None) -> str:
    # Addresses come from archives: what could end the bracket or is not ASCII is percent-encoded.
    safe = "".join(
        part
        if 0x21 <= ord(part) < 0x7F and part not in '<>"\\^`{|}'
        else "".join(f"%{byte:02X}" for byte in part.encode())
        for part in target
    )
    return f'<{safe}>; rel="{relation}"' + (f'; type="{media_type}"' if media_type else "")
