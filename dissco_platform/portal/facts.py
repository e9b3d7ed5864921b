"""Facts as pages show them: a label, its values, and where they came from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from markupsafe import Markup, escape

from dissco_platform.portal.pages import shown

Sources = Callable[[str, str], list[str]]


@dataclass(frozen=True)
class Fact:
    """A term with its values; `sources` are the columns that may have fed it, `term` the openDS term."""

    label: str
    values: list[str]
    term: str = ""
    sources: list[str] = field(default_factory=list)


def facts(item: Mapping[str, Any], owner: str, terms: Mapping[str, str], sources: Sources) -> list[Fact]:
    """Return the facts of an object of a document: one for each term that it has.

    Args:
        item: the object.
        owner: its class in the mapping.
        terms: term → label, in the order in which they are shown.
        sources: gives the source columns of (class, term).
    """
    return [
        Fact(label, values, term, sources(owner, term))
        for term, label in terms.items()
        if (values := listed(item.get(term)))
    ]


def listed(value: Any) -> list[str]:
    """Return a value as texts; empty where it says nothing."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [text for one in value for text in listed(one)]
    if isinstance(value, dict):
        return []
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def italic(label: object) -> Markup:
    """Return a name's HTML label with its <i> alone let through; everything else is text."""
    text = str(escape(shown(unescape(str(label)))))
    return Markup(re.sub(r"&lt;(/?)i&gt;", r"<\1i>", text) if _balanced(text) else text)  # noqa: S704  escaped above


def _balanced(text: str) -> bool:
    depth = 0
    for end in re.findall(r"&lt;(/?)i&gt;", text):
        depth += -1 if end else 1
        if depth not in (0, 1):
            return False
    return depth == 0
