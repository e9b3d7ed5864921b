"""What a question to the index is, however it was asked: words, facets, taxon, dates, place, identifiers, existence.

Values of one facet are alternatives, different facets hold together. Answers are made in `find`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from dissco_platform.errors import UsageError
from dissco_platform.search.summary import FACETS, RANKS, SEPARATOR, days, fold, tokens

SORTS: Final = ("name", "modified")
LARGEST_PAGE: Final = 100
MOST_IDENTIFIERS: Final = 1000
MOST_VALUES: Final = 100
_MOST_WORDS: Final = 32

# Existence filters: name → facet, flag or rank whose presence is asked for.
EXISTENCE: Final = {
    **{name: name for name in FACETS if name != "dataset"},
    "coordinates": "located",
    "date": "dated",
    "taxon": "kingdom",
    **{rank: rank for rank in RANKS},
}


@dataclass(frozen=True)
class Words:
    """Full text: all of `all` (a tuple is a phrase; the last may be a beginning), none of `none`."""

    all: tuple[tuple[str, ...], ...] = ()
    beginnings: tuple[str, ...] = ()
    none: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.all or self.beginnings or self.none)


@dataclass(frozen=True)
class Question:
    """A question; each field narrows it.

    `facets`: facet → values. `taxon`: classification from the kingdom down. `ranks`: rank → name. `days`: first and last
    day, yyyymmdd. `box`: west, south, east, north in degrees; west > east crosses the date line. `identifiers`: any of
    them. `exists`: name of `EXISTENCE` → whether it has to be there. `after`: where the last page ended.
    """

    text: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taxon: str = ""
    ranks: Mapping[str, str] = field(default_factory=dict)
    days: tuple[int | None, int | None] = (None, None)
    box: tuple[float, float, float, float] | None = None
    identifiers: tuple[str, ...] = ()
    exists: Mapping[str, bool] = field(default_factory=dict)
    sort: str = "name"
    after: tuple[str, int] | None = None
    size: int = 25

    @property
    def words(self) -> Words:
        """The words of the text: quoted ones are a phrase, `word*` a beginning, `-word` must be absent."""
        every: list[tuple[str, ...]] = []
        beginnings: list[str] = []
        none: list[tuple[str, ...]] = []
        for minus, phrase, word in re.findall(r'(-?)"([^"]*)"|(\S+)', self.text):
            absent = bool(minus) or (word.startswith("-") and len(word) > 1)
            found = tuple(tokens(phrase or word))
            if not found:
                continue
            if absent:
                none.append(found)
            elif word.endswith("*") and len(found) == 1:
                beginnings.append(found[0])
            else:
                every.append(found)
        return Words(tuple(every[:_MOST_WORDS]), tuple(beginnings[:_MOST_WORDS]), tuple(none[:_MOST_WORDS]))

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it."""
        return replace(self, sort="name", after=None, size=25) == Question()

    def cursor(self, value: str, number: int) -> str:
        """Return the text that stands for the place behind an entry, for `after`."""
        return base64.urlsafe_b64encode(orjson.dumps([self.sort, value, number])).decode().rstrip("=")


def question(values: Mapping[str, Sequence[str]]) -> Question:
    """Return the question that parameters ask; unknown names are left alone.

    Names: `q`, each facet, `taxon` (path joined by `|`), each rank, `from`, `to` (ISO 8601 dates), `bbox`
    (west,south,east,north), `id` (repeated), `has` (repeated; `-name` for absent), `sort`, `cursor`, `size`.

    Raises:
        UsageError: a value cannot be read; the sentence names the parameter.
    """

    def one(name: str) -> str:
        given = values.get(name) or ()
        return given[0].strip() if given else ""

    facets = {
        name: found
        for name in FACETS
        if (found := tuple(dict.fromkeys(value for value in values.get(name, ()) if value)))
    }
    for name, found in facets.items():
        if len(found) > MOST_VALUES:
            raise UsageError(f"{name}: at most {MOST_VALUES} values can be asked for at once.")
    sort = one("sort") or "name"
    if sort not in SORTS:
        raise UsageError(f"sort: {sort} is none of {', '.join(SORTS)}.")
    identifiers = tuple(dict.fromkeys(_identifier(value) for value in values.get("id", ()) if value.strip()))
    if len(identifiers) > MOST_IDENTIFIERS:
        raise UsageError(f"id: at most {MOST_IDENTIFIERS} identifiers can be looked up at once.")
    exists = {}
    for value in values.get("has", ()):
        name = value.lstrip("-").strip()
        if not name:
            continue
        if name not in EXISTENCE:
            raise UsageError(f"has: {name} is none of {', '.join(EXISTENCE)}.")
        exists[name] = not value.startswith("-")
    return Question(
        text=one("q")[:1000].replace("\x00", ""),
        facets=facets,
        taxon=SEPARATOR.join(
            part.strip() for part in one("taxon").replace("\x00", "").split(SEPARATOR) if part.strip()
        ),
        ranks={rank: one(rank).replace("\x00", "") for rank in RANKS if one(rank)},
        days=_days(one("from"), one("to")),
        box=_box(one("bbox")),
        identifiers=identifiers,
        exists=exists,
        sort=sort,
        after=_after(one("cursor"), sort),
        size=_size(one("size")),
    )


def _identifier(text: str) -> str:
    """Fold an identifier; of a DOI with prefix or resolver the suffix is what the index holds."""
    folded = fold(text.replace("\x00", "")).strip()
    matched = re.search(r"(?:^|doi\.org/|doi:)10\.\d{4,9}/([a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3})$", folded)
    return matched[1] if matched else folded


def _days(begin: str, end: str) -> tuple[int | None, int | None]:
    first, last = days(begin)[0] if begin else None, days(end)[1] if end else None
    for name, given, read in (("from", begin, first), ("to", end, last)):
        if given and read is None:
            raise UsageError(f"{name}: {given[:40]} is no date; write 1890, 1890-05 or 1890-05-17.")
    if first is not None and last is not None and first > last:  # the two in the other order
        return days(end)[0], days(begin)[1]
    return first, last


def _box(given: str) -> tuple[float, float, float, float] | None:
    if not given:
        return None
    try:
        west, south, east, north = (float(part) for part in given.split(","))
    except ValueError as error:
        raise UsageError("bbox: four numbers are needed: west,south,east,north in degrees.") from error
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise UsageError("bbox: west and east lie between -180 and 180, south and north between -90 and 90.")
    return west, min(south, north), east, max(south, north)


def _after(cursor: str, sort: str) -> tuple[str, int] | None:
    if not cursor:
        return None
    try:
        kept, value, number = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if kept != sort or not isinstance(value, str) or type(number) is not int or not 0 <= number < 2**63:
            raise ValueError
        value.encode()
    except (ValueError, TypeError, binascii.Error) as error:
        raise UsageError("cursor: take it from the answer before, with the same sort order.") from error
    return value.replace("\x00", ""), number


def _size(given: str) -> int:
    if not given:
        return 25
    if not re.fullmatch(r"[0-9]{1,3}", given) or not 1 <= int(given) <= LARGEST_PAGE:
        raise UsageError(f"size: a number from 1 to {LARGEST_PAGE} is needed.")
    return int(given)
