"""The search page: words, facets, a tree of taxa, dates and place, and the specimens that were found."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from dissco_platform import __version__
from dissco_platform.errors import UsageError
from dissco_platform.names.match_types import MATCH_TYPES
from dissco_platform.portal.context import Portal, portal_of
from dissco_platform.portal.freshness import etag, freshness, unchanged
from dissco_platform.portal.pages import page
from dissco_platform.portal.specimen_view import is_image
from dissco_platform.search.find import Counted, Found
from dissco_platform.search.query import Question, question
from dissco_platform.search.summary import FACETS, RANKS, SEPARATOR

router = APIRouter(include_in_schema=False)

TITLES: Final = {
    "country": "Country", "institution": "Institution", "collection": "Collection", "dataset": "Dataset",
    "type_status": "Type status", "discipline": "Discipline", "basis": "Basis of record", "mids": "MIDS level",
    "licence": "Licence", "media": "Media", "match": "Name in the checklist",
}  # fmt: skip
_WORDS: Final = {
    ("media", "true"): "with media",
    ("media", "false"): "without media",
    **{("match", kind): words for kind, words in MATCH_TYPES.items()},
}
NOTHING: Final = "not stated"
_OPEN: Final = ("discipline", "country", "institution", "type_status")


@router.get("/search")
def search(request: Request, portal: Annotated[Portal, Depends(portal_of)]) -> Response:
    """Answer a question with a page."""
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    problem = None
    try:
        asked = question(given)
    except UsageError as error:
        asked, problem = Question(), str(error)
    headers = freshness(etag(__version__, portal.finder.generation, sorted(given.items())), None)
    if problem is None and (same := unchanged(request, headers)) is not None:
        return same
    counted = portal.finder.count(asked) if problem is None else Counted(0)
    found = portal.finder.find(asked, total=counted.total) if problem is None else Found(0, [], None)
    pictures = portal.finder.media([one["media"][0] for one in found.entries if one.get("media")])
    return page(
        request,
        "search.html",
        400 if problem else 200,
        headers if problem is None else None,
        asked=asked,
        problem=problem,
        given=given,
        total=counted.total,
        entries=[_entry(portal, one, pictures) for one in found.entries],
        next=_address(given, cursor=[found.cursor]) if found.cursor else None,
        first=_address(given, cursor=[]) if asked.after else None,
        facets=[_facet(portal, given, name, counted) for name in FACETS],
        taxa=_taxa(given, counted),
        lineage=_lineage(given, asked),
        chosen=_chosen(portal, given),
        more_open=any(given.get(name) for name in ("from", "to", "bbox", "has", "id")),
    )


def _entry(portal: Portal, one: dict[str, Any], pictures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    picture = pictures.get((one.get("media") or [""])[0], {})
    return {
        **one,
        "doi": f"{portal.settings.doi_prefix}/{one['suffix']}",
        "picture": picture.get("address") if is_image(picture) else None,
    }


def _facet(portal: Portal, given: dict[str, list[str]], name: str, counted: Counted) -> dict[str, Any]:
    chosen = given.get(name, [])
    values = []
    for value, label, count in counted.facets.get(name, []):
        is_chosen = value is not None and value in chosen
        changed = [one for one in chosen if one != value] if is_chosen else [*chosen, value or ""]
        values.append(
            {
                "label": _WORDS.get((name, value or ""), label or NOTHING) if value else NOTHING,
                "count": count,
                "chosen": is_chosen,
                "href": _address(given, **{name: changed}, cursor=[])
                if value is not None
                else _address(given, has=[*given.get("has", []), f"-{name}"], cursor=[]),
            }
        )
    missing = [{"label": portal.finder.labelled(name, one), "count": 0, "chosen": True,
                "href": _address(given, **{name: [other for other in chosen if other != one]}, cursor=[])}
               for one in chosen if one not in {value for value, _, _ in counted.facets.get(name, [])}]  # fmt: skip
    return {"name": name, "title": TITLES[name], "values": values + missing, "open": name in _OPEN or bool(chosen)}


def _taxa(given: dict[str, list[str]], counted: Counted) -> list[dict[str, Any]]:
    return [
        {"label": name, "count": count, "href": _address(given, taxon=[path], cursor=[])}
        for path, name, count in counted.taxa[:30]
    ]


def _lineage(given: dict[str, list[str]], asked: Question) -> list[dict[str, Any]]:
    parts = asked.taxon.split(SEPARATOR) if asked.taxon else []
    return [
        {
            "rank": RANKS[depth] if depth < len(RANKS) else "",
            "label": name,
            "href": _address(given, taxon=[SEPARATOR.join(parts[: depth + 1])], cursor=[]),
            "up": _address(given, taxon=[SEPARATOR.join(parts[:depth])] if depth else [], cursor=[]),
        }
        for depth, name in enumerate(parts)
    ]


def _chosen(portal: Portal, given: dict[str, list[str]]) -> list[dict[str, str]]:
    """Return what narrows the search, each with the address without it."""
    listed = []
    for name, values in given.items():
        for value in values:
            if not value or name in ("cursor", "size", "sort", "q"):
                continue
            if name in FACETS:
                words = f"{TITLES[name]}: {_WORDS.get((name, value), portal.finder.labelled(name, value))}"
            elif name == "taxon":
                words = value.rpartition(SEPARATOR)[2]
            elif name == "has":
                words = f"{'without' if value.startswith('-') else 'with'} {value.lstrip('-').replace('_', ' ')}"
            elif name in ("from", "to", "bbox", "id", *RANKS):
                words = f"{name}: {value}"
            else:
                continue
            rest = [other for other in values if other != value]
            listed.append({"label": words, "href": _address(given, **{name: rest}, cursor=[])})
    return listed


def _address(given: dict[str, list[str]], **changed: Any) -> str:
    kept = {name: [one for one in values if one] for name, values in {**given, **changed}.items()}
    query = urlencode([(name, one) for name, values in kept.items() for one in values])
    return f"/search?{query}" if query else "/search"
