"""The check as one self-contained page for a collection manager: plain words, printable, nothing loaded from elsewhere.

What it says was judged in `requirements`; the words are in `templates/report.html`.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dissco_platform.enrolment.notifications import TEMPLATES

# How figures are called for people who do not know our words, in the order of the page.
FIGURES = (
    ("records", "Records in the dataset"),
    ("specimens", "Specimens"),
    ("media", "Images and other media"),
    ("dois_needed", "DOIs the dataset would need"),
    ("type_specimens", "Type specimens"),
)

MIDS_WORDS = {
    "0": "bare: identifier and holder only",
    "1": "basic: named or described",
    "2": "regular: with place, date and collector",
    "3": "extended: ready for research without further work",
}
MATCH_WORDS = {
    "exact": "found as written",
    "variant": "found under another spelling",
    "fuzzy": "found, with a small difference in spelling",
    "higherRank": "only the genus or a higher group was found",
    "ambiguous": "several names are possible",
    "none": "not found",
}

# Columns of examples from the left: where the row is, what it is known by, what is the matter.
_COLUMNS = (
    "file", "line", "catalogNumber", "occurrenceID", "UnitID", "UnitGUID", "institutionCode", "collectionCode",
    "SourceInstitutionID", "SourceID", "basisOfRecord", "RecordBasis", "scientificName", "licence", "medium", "what",
)  # fmt: skip

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def page(found: Mapping[str, Any], date: str) -> str:
    """Return the HTML page of a check (`requirements.CheckReport.to_json`, or as the desk stored it).

    Args:
        found: the check.
        date: when it was made.
    """
    return _environment.get_template("report.html").render(date=date[:10], **parts(found))


def parts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page's template is rendered with, for faces that have a frame of their own."""
    facts = found["facts"]
    found = {
        **found,
        "requirements": [
            {**requirement, "examples": [_in_order(example) for example in requirement["examples"]]}
            for requirement in found["requirements"]
        ],
    }
    return {
        "found": found,
        "facts": facts,
        "figures": [(words, facts[name]) for name, words in FIGURES if facts.get(name) is not None],
        "mids": [
            (level, MIDS_WORDS.get(level, ""), count)
            for level, count in sorted((facts.get("mids_levels") or {}).items())
        ],
        "names": [(MATCH_WORDS.get(kind, kind), count) for kind, count in (facts.get("names") or {}).items() if count],
        "stopping": [requirement for requirement in found["requirements"] if requirement["code"] in found["not_met"]],
    }


def _in_order(example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example with its columns in the order of the page: what was stored has lost its own."""
    known = {name: example[name] for name in _COLUMNS if name in example}
    return {**known, **{name: value for name, value in example.items() if name not in known}}
