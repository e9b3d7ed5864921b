"""The forms in which an object can be had, and which of them a request asks for.

A form has a media type (for Accept) and a suffix (for an address of its own): `/{doi}.jsonld`. What each holds is made
in `identity.publications`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dissco_platform.archives.tables import PREFIXES


@dataclass(frozen=True)
class Form:
    """A form: its suffix, media type and what people call it."""

    suffix: str
    media_type: str
    title: str


FORMS: Final = (
    Form("jsonld", "application/ld+json", "openDS JSON-LD"),
    Form("json", "application/json", "openDS JSON"),
    Form("datacite.json", "application/vnd.datacite.datacite+json", "DataCite JSON"),
    Form("datacite.xml", "application/vnd.datacite.datacite+xml", "DataCite XML"),
    Form("csl.json", "application/vnd.citationstyles.csl+json", "CSL JSON"),
    Form("txt", "text/x-bibliography", "Citation"),
)
BY_SUFFIX: Final = {form.suffix: form for form in FORMS}
HTML: Final = "text/html"

# Prefixes of a document's terms. openDS publishes no namespace for its own terms: they stand under its schemas' address.
CONTEXT: Final[dict[str, str]] = {
    **{name: PREFIXES[name] for name in ("dwc", "dwciri", "dcterms", "ac", "chrono", "exif", "xmp", "xmpRights")},
    "Iptc4xmpExt": PREFIXES["Iptc4xmpExt"],
    "ods": "https://schemas.dissco.tech/schemas/fdo-type/#",
    "schema": "https://schema.org/",
    "prov": "http://www.w3.org/ns/prov#",
    "eco": "http://rs.tdwg.org/eco/terms/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}


def split(name: str) -> tuple[str, Form | None]:
    """Return a DOI suffix and the form that follows it after a full stop, if one does."""
    stem, dot, ending = name.partition(".")
    if dot and ending.lower() in BY_SUFFIX:
        return stem, BY_SUFFIX[ending.lower()]
    return name, None


def chosen(accept: str | None) -> Form | str | None:
    """Return what an Accept header asks for: a form, `HTML`, or None where nothing of it is on offer."""
    if not accept:
        return HTML
    offered: Sequence[tuple[str, Form | str]] = [(HTML, HTML), *((form.media_type, form) for form in FORMS)]
    best: tuple[float, int, Form | str] | None = None
    for part in accept.lower().split(",")[:50]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((_quality(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
        if quality <= 0:
            continue
        for order, (media_type, what) in enumerate(offered):
            if name in (media_type, "*/*", media_type.partition("/")[0] + "/*"):
                exact = 0 if name == media_type else 100
                found = (quality, -(order + exact), what)
                if best is None or found[:2] > best[:2]:
                    best = found
                break
    return best[2] if best else None


def _quality(text: str) -> float:
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 0.0
