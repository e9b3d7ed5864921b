"""What a medium's page shows, read out of its document."""

from typing import Any, Final

from dissco_platform.identity.publications import Published, PublishedVersion
from dissco_platform.portal.context import Portal
from dissco_platform.portal.facts import facts
from dissco_platform.portal.specimen_view import citation, holder, is_image, title_of, withdrawn
from dissco_platform.search.summary import licence_of, links

Json = dict[str, Any]

_MEDIUM: Final = {
    "dcterms:title": "Title", "dcterms:description": "Description", "dcterms:type": "Type", "dcterms:format": "Format",
    "ac:subtypeLiteral": "Subtype", "xmp:CreateDate": "Made on", "ac:digitizationDate": "Digitised on",
    "ac:captureDevice": "Device", "ac:resourceCreationTechnique": "Technique", "exif:PixelXDimension": "Width (pixels)",
    "exif:PixelYDimension": "Height (pixels)", "ac:subjectPartLiteral": "Part shown",
    "ac:subjectOrientationLiteral": "Orientation", "xmpRights:UsageTerms": "Terms of use", "dcterms:source": "Source",
    "ac:comments": "Comments", "ac:tag": "Tags",
}  # fmt: skip


def media_view(
    portal: Portal, found: Published, version: PublishedVersion, document: Json | None, told: Json
) -> dict[str, Any]:
    """Return what the template of a medium shows."""
    cited = portal.publications.csl_json(found, version.number)
    common = {
        "citation": citation(cited, found, version),
        "held_by": holder(document, told),
        "dataset_title": found.dataset.title or portal.finder.labelled("dataset", found.dataset.slug),
    }
    if document is None:
        return {**common, "title": title_of(told), "image": None, "tombstone": withdrawn(told)}
    known = portal.provenance.sources(found.dataset.slug, version.made_from)
    address = document.get("ac:accessURI")
    shows = {"address": address, "format": document.get("dcterms:format"), "type": document.get("dcterms:type")}
    specimens = [one.rpartition("/")[2] for one in links(document, "hasDigitalSpecimen")]
    shown = [
        (suffix, portal.finder.card(suffix).get("name") or f"{portal.settings.doi_prefix}/{suffix}")
        for suffix in specimens[:20]
    ]
    title = document.get("dcterms:title") or document.get("dcterms:description") or _named(document, shown) or found.doi
    if not cited.get("title") or cited["title"] == address:
        # Nobody cites a picture by the address of its file.
        common["citation"] = citation({**cited, "title": title}, found, version)
    return {
        **common,
        "title": title,
        "address": address,
        "image": address if is_image(shows) else None,
        "sound": address if str(shows["format"] or "").startswith("audio/") else None,
        "facts_of": facts(
            document,
            "ods:DigitalMedia",
            _MEDIUM,
            known or (lambda _owner, _term: []),
        ),
        "agents": [
            (str(agent.get("schema:name") or agent.get("schema:identifier") or ""), _roles(agent))
            for agent in document.get("ods:hasAgents") or []
        ],
        "specimens": shown,
        "licence_name": licence_of(document.get("dcterms:rights"))[1],
        "licence_address": document.get("dcterms:rights"),
        "mapping_known": known is not None,
        "tombstone": document.get("ods:hasTombstoneMetadata"),
    }


def _named(document: Json, specimens: list[tuple[str, str]]) -> str | None:
    """Return a name for a medium that has none of its own: what it is, of which specimen."""
    if not specimens:
        return None
    kind = str(document.get("dcterms:type") or "Medium")
    kind = {"StillImage": "Image", "MovingImage": "Film"}.get(kind, kind)
    return f"{kind} of {specimens[0][1]}"


def _roles(agent: Json) -> str:
    return ", ".join(str(role.get("schema:roleName")) for role in agent.get("ods:hasRoles") or [])
