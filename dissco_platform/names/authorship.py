"""Are two citations of authorship the same? Equal, different, or nothing to tell them by.

The rules are those of GBIF's and the Catalogue of Life's author comparison, written anew: surnames, their usual
abbreviations, initials and suffixes that must not contradict, years with some slack, combination and basionym authors
compared across only towards "equal". What the answer weighs is in `score.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import JaroWinkler

from dissco_platform.names.fold import ascii_fold

EQUAL, UNKNOWN, DIFFERENT = 1, 0, -1

ALIASES: Final[dict[str, str]] = {
    "l": "linnaeus", "linn": "linnaeus", "linne": "linnaeus", "linneus": "linnaeus", "linnaei": "linnaeus",
    "dc": "candolle", "decandolle": "candolle", "adc": "candolle", "hbk": "kunth", "rchb": "reichenbach",
    "fabr": "fabricius", "lam": "lamarck", "latr": "latreille", "juss": "jussieu", "cuv": "cuvier",
    "geoffr": "geoffroy", "schmdt": "schmidt", "mull": "mueller", "muell": "mueller", "ff": "forster",
    "hook": "hooker", "sw": "swartz", "sm": "smith", "st": "steven", "br": "brown", "rbr": "brown", "nebr": "brown",
    "mx": "michaux", "michx": "michaux", "hubn": "huebner", "hb": "huebner", "ds": "denis", "schiff": "schiffermuller",
}  # fmt: skip
"""Standard abbreviations (Brummitt & Powell; entomological use) that are no plain beginning of the surname."""

PARTICLES: Final = frozenset(
    [
        "von",
        "van",
        "v",
        "d",
        "de",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "do",
        "dos",
        "du",
        "da",
        "das",
        "la",
        "le",
        "les",
        "lo",
        "los",
        "las",
        "ter",
        "ten",
        "vom",
        "zu",
        "zum",
        "zur",
        "st",
    ]
)
SUFFIXES: Final[dict[str, str]] = {
    "f": "filius", "fil": "filius", "filius": "filius", "fils": "filius", "jr": "filius", "junior": "filius",
    "jun": "filius", "sr": "senior", "sen": "senior", "senior": "senior", "ii": "ii", "iii": "iii", "bis": "bis",
    "pere": "senior", "ter": "ter",
}  # fmt: skip

_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_SPLIT = re.compile(r"\s*(?:&|;|,|\+|\bet\b|\band\b|\bund\b)\s*", re.IGNORECASE)
_EX = re.compile(r"\s+(?:ex|apud)\.?\s+", re.IGNORECASE)
_IN = re.compile(r"(?:^|[\s,])in\s.*$", re.IGNORECASE)
_TAIL = re.compile(
    r"\b(?:nom\.?\s|nomen\s|sensu\s|auctt?\.?\b|non\s|nec\s|emend\.?\s|pro\s+parte|p\.\s?p\.|hort\.?\b|s\.\s?l\.|s\.\s?str\.|\[sic\]).*$",
    re.IGNORECASE,
)
MAX_CITATION: Final = 400
"""Characters: what follows in a longer citation adds nothing, and time must not grow with it."""


@dataclass(frozen=True, slots=True)
class Author:
    """One author: surname in ASCII lower case, initials, suffix; `short` where the source abbreviated the surname."""

    surname: str
    initials: str = ""
    suffix: str = ""
    short: bool = False
    other: str = ""
    """What stands before a particle within the name: authors of `Nees von Esenbeck` are cited as `Nees` too."""


@dataclass(frozen=True, slots=True)
class Citation:
    """An authorship taken apart."""

    combination: tuple[Author, ...]
    combination_ex: tuple[Author, ...]
    basionym: tuple[Author, ...]
    year: int | None

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to compare."""
        return not (self.combination or self.basionym or self.year)


@lru_cache(maxsize=200_000)
def analyse(text: str) -> Citation:
    """Take an authorship apart. Never raises; what cannot be read as an author is left out."""
    text = text[:MAX_CITATION]
    years = _YEAR.findall(text)
    year = int(years[0]) if years else None
    text = _YEAR.sub(
        "", re.sub(r"\[[^\]]*\]|\b\d+\b|\((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w*\.?\)", "", text)
    )
    text = _TAIL.sub("", text)
    basionym = ""
    opened, closed = text.find("("), text.find(")")
    if opened >= 0:
        basionym = text[opened + 1 : closed if closed > opened else None]
        text = text[closed + 1 :] if closed > opened else ""
        if not text.strip(" ,.()") and years and closed > opened:
            text = ""
    combination, ex = _authors(text)
    return Citation(combination, ex, _authors(basionym)[0], year)


def _authors(text: str) -> tuple[tuple[Author, ...], tuple[Author, ...]]:
    text = _IN.sub("", text.strip(" ,.()") if text.strip(" ,()") != text else text)
    text = text.split(":")[0]
    parts = _EX.split(text)
    ex = _list(parts[0]) if len(parts) > 1 else ()
    return _list(parts[-1]), ex


def _list(text: str) -> tuple[Author, ...]:
    authors: list[Author] = []
    for piece in _SPLIT.split(text):
        author = _author(piece)
        if author is None:
            continue
        if not author.surname and author.suffix and authors:
            last = authors[-1]
            authors[-1] = Author(last.surname, last.initials, author.suffix, last.short)
        elif not author.surname and author.initials and authors and not authors[-1].initials:
            last = authors[-1]  # "Smith, J." : initials behind
            authors[-1] = Author(last.surname, author.initials, last.suffix, last.short)
        elif author.surname or author.initials:
            if not author.surname:
                author = Author(author.initials, "", author.suffix, True)
            authors.append(author)
    return tuple(authors)


def _author(piece: str) -> Author | None:
    piece = ascii_fold(piece).strip()
    if not piece or piece.lower().rstrip(".") in {"al", "alii", "et al", "alia", "anon", "anonymous"}:
        return None
    tokens = re.findall(r"[A-Za-z][A-Za-z'-]*\.?", piece)
    initials, suffix, short, other = "", "", False, ""
    surname: list[str] = []
    for place, token in enumerate(tokens):
        # a particle written as one with the surname is the same surname: d'Orbigny, DeGeer
        bare = _GLUED_PARTICLE.sub("", token.rstrip("."))
        low = bare.lower().replace("'", "")
        if (
            low in SUFFIXES
            and (surname or (place and initials))
            and (token[0].islower() or low in {"jr", "sr", "ii", "iii"})
        ):
            suffix = SUFFIXES[low]
        elif (
            low in {"al", "alii"}
            or (low in PARTICLES and token[0].islower())
            or (low in PARTICLES and len(tokens) > place + 1 and len(low) > 1)
        ):
            continue
        elif (len(bare) == 1 and bare.isupper()) or re.fullmatch(r"[A-Z](?:-[A-Z])+", bare):
            initials += low.replace("-", "")
        elif bare.isupper() and len(bare) <= 3 and place + 1 < len(tokens) and not token.endswith("."):
            initials += low
        elif (
            surname
            and token[0].isupper()
            and place == len(tokens) - 1
            and len(surname) == 1
            and not short
            and len(surname[0]) > 1
        ):
            # a given name written out comes before the surname
            initials += surname[0][0]
            if tokens[place - 1].lower() in PARTICLES:
                other = surname[0]
            surname, short = [low], token.endswith(".")
        elif token[0].isupper() or not surname:
            surname.append(low)
            short = token.endswith(".")
    name = re.sub(r"[^a-z]", "", "".join(surname[-1:]))
    if not name and initials:
        return Author("", initials, suffix, True)
    return Author(name, initials, suffix, short, other) if name or suffix else None


_GLUED_PARTICLE: Final = re.compile(r"^(?:[dDlL]'|De|Du|La|Le|Van|Von)(?=[A-Z])")


def _same(one: Author, two: Author) -> bool:
    if one.suffix != two.suffix:
        return False
    if one.initials and two.initials and not _initials_agree(one.initials, two.initials):
        return False
    a, b = ALIASES.get(one.surname, one.surname), ALIASES.get(two.surname, two.surname)
    if a == b or _umlaut(a) == _umlaut(b):
        return True
    if (one.other and one.other == b) or (two.other and two.other == a):
        return True
    short, full = (one.surname, b) if len(one.surname) <= len(b) else (two.surname, a)
    abbreviated = one.short if short == one.surname else two.short
    if full.startswith(short) and (abbreviated or len(short) >= 3 or len(short) == 1):
        return True
    if abbreviated and len(short) >= 3 and full[:1] == short[:1] and _subsequence(short, full):
        return True
    if min(len(a), len(b)) < 4 or a[0] != b[0]:
        return False
    if len(a) >= 4 and len(b) >= 4 and a[:4] == b[:4] and (one.short or two.short):
        return True
    return float(JaroWinkler.normalized_similarity(a, b)) > (0.9 if max(len(a), len(b)) > 5 else 0.93)


def _umlaut(name: str) -> str:
    return re.sub(r"([aou])e", r"\1", name).replace("ss", "s")


def _initials_agree(one: str, two: str) -> bool:
    short, long = sorted((one, two), key=len)
    return long.startswith(short) or (len(short) == 1 and short in long)


def _subsequence(short: str, full: str) -> bool:
    letters = iter(full)
    return all(letter in letters for letter in short)


def _any_same(some: Iterable[Author], others: tuple[Author, ...]) -> bool:
    return any(_same(one, two) for one in some for two in others)


ACTIVE_YEARS: Final[dict[str, tuple[int, int]]] = {"linnaeus": (1735, 1800)}
"""Years of an author's works (posthumous editions included) where an abbreviation is otherwise never contradicted."""


def _out_of_time(dated: Citation, undated: Citation) -> bool:
    """Return whether a bare year cannot be that of the authors named on the other side."""
    for author in undated.combination or undated.basionym:
        span = ACTIVE_YEARS.get(ALIASES.get(author.surname, author.surname))
        if span and not author.suffix and dated.year and not span[0] <= dated.year <= span[1]:
            return True
    return False


def identity_key(text: str) -> str:
    """Return an authorship's letters and digits, for "written the same but for punctuation"."""
    return re.sub(r"[^a-z0-9]", "", ascii_fold(text).lower())


@lru_cache(maxsize=500_000)
def compare(one: str | None, two: str | None) -> int:
    """Return EQUAL, UNKNOWN or DIFFERENT for two authorships as written."""
    if not one or not two:
        return UNKNOWN
    if one == two:
        return EQUAL
    a, b = analyse(one), analyse(two)
    if a.empty or b.empty:
        return UNKNOWN
    gap = abs(a.year - b.year) if a.year and b.year else None
    verdict = _compare_authors(a, b)
    if verdict == EQUAL:
        return EQUAL if gap is None or gap <= 11 else DIFFERENT
    if verdict == UNKNOWN:
        if gap is None:
            return DIFFERENT if _out_of_time(a, b) or _out_of_time(b, a) else UNKNOWN
        return EQUAL if gap <= 1 else DIFFERENT
    return DIFFERENT


def _compare_authors(a: Citation, b: Citation) -> int:
    mine, theirs = a.combination, b.combination
    if mine and theirs:
        if _any_same(mine, theirs) or _any_same(a.combination_ex, theirs) or _any_same(b.combination_ex, mine):
            if a.basionym and b.basionym and not _any_same(a.basionym, b.basionym):
                return DIFFERENT
            return EQUAL
        # an original author given without brackets, or the reverse, is the commonest slip
        if (b.basionym and not a.basionym and _any_same(mine, b.basionym)) or (
            a.basionym and not b.basionym and _any_same(theirs, a.basionym)
        ):
            return EQUAL
        return DIFFERENT
    if a.basionym and b.basionym:
        return EQUAL if _any_same(a.basionym, b.basionym) else DIFFERENT
    all_mine, all_theirs = mine + a.basionym, theirs + b.basionym
    if not all_mine or not all_theirs:
        return UNKNOWN
    return EQUAL if _any_same(all_mine, all_theirs) else DIFFERENT
