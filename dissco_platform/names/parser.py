"""One name into its parts: the adapter over gbif-name-parser, with what it leaves undone.

What a record gives beside the name (authorship, rank, code) goes in as hints. Parsing many names at once, with a cache
and processes, is in `parse_many.py`; matching keys are made in `words.py`.
"""

import re
from dataclasses import dataclass
from typing import Final

import nameparser

from dissco_platform.names.fold import ascii_fold

PARSER_VERSION: Final = "gbif-name-parser 0.4/1"
"""Part of the key of every cached parse: raise the last number whenever a rule here changes a result."""

MAX_NAME: Final = 1000
"""Characters of a name that are looked at; the longest real name with authorship has about 300."""

PARSE_COLUMNS: Final = (
    "canonicalName",
    "canonicalStem",
    "authorship",
    "year",
    "genericName",
    "specificEpithet",
    "infraspecificEpithet",
    "rank",
    "notho",
    "outcome",
    "quality",
)


@dataclass(frozen=True, slots=True)
class Parse:
    """What a name says. `outcome`: parsed, informal, formula, virus, identifier, placeholder, unparsable or blank.

    `quality`: 1 clean, 2 small repairs, 3 doubtful, 4 badly damaged or only partly read, 0 no name.
    """

    canonicalName: str | None = None  # noqa: N815  the field's own term
    canonicalStem: str | None = None  # noqa: N815
    authorship: str | None = None
    year: str | None = None
    genericName: str | None = None  # noqa: N815
    specificEpithet: str | None = None  # noqa: N815
    infraspecificEpithet: str | None = None  # noqa: N815
    rank: str | None = None
    notho: str | None = None
    outcome: str = "blank"
    quality: int = 0


def parse_name(
    name: str | None, authorship: str | None = None, rank: str | None = None, code: str | None = None
) -> Parse:
    """Parse one name as written. Never raises; time grows with the length of the name only up to MAX_NAME."""
    text = re.sub(r"[\x00-\x1f\x7f\s]+", " ", (name or "")[: MAX_NAME * 4]).strip()[:MAX_NAME]
    if not text:
        return Parse()
    try:
        parsed = nameparser.parse(text, authorship or None, None, None)
    except nameparser.UnparsableNameError as error:
        kind = {"FORMULA": "formula", "PLACEHOLDER": "placeholder", "IDENTIFIER": "identifier"}
        outcome = "virus" if error.code == "VIRUS" else kind.get(error.name_type, "unparsable")
        return Parse(outcome=outcome)
    if isinstance(parsed, nameparser.Informal):
        word = ascii_fold(parsed.taxon)
        return Parse(word, word, None, None, parsed.taxon, rank="genus", outcome="informal", quality=3)
    generic = parsed.uninomial or parsed.genus
    parts = [generic, parsed.specific_epithet, parsed.infraspecific_epithet]
    if not parsed.specific_epithet and parsed.infrageneric_epithet:
        parts = [parsed.infrageneric_epithet]
    canonical = " ".join(ascii_fold(p) for p in parts if p)
    rank_word = str(parsed.rank).lower().replace("_", " ")
    authors = parsed.combination_authorship
    year = authors.year or parsed.basionym_authorship.year
    return Parse(
        canonical, canonical, parsed.authorship_complete(), year, generic, parsed.specific_epithet,
        parsed.infraspecific_epithet, rank_word, None, "parsed", 1,
    )  # fmt: skip
