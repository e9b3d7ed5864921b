"""Names of countries as labels and card files write them: misspelt, cut short, with the words that stand around them.

Only for whole values; the labels themselves are the table's (`country.tsv`). A value that names two places, or a sea, names
no country.
"""

import re

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

_EITHER = re.compile(r"\s+(?:or|ou|oder|of|o|to|and)\s+")
# A sea, a gulf or a continent is no country, whoever's name it bears.
_WATERS = re.compile(
    r"\b(?:sea|seas|ocean|gulf|golfe|golfo|mer|mar|meer|strait|straits|bay|baie|channel|pacific|atlantic|atlantique|pacifique"
    r"|ocean indien|asia|asie|africa|afrique|europe|america|amerique|between|entre)\b"
)
# Words of islands go first: without its points of the compass South Georgia is another country.
_ISLANDS_WORDS = (
    "is isl isls island islands isle isles i id ids iss ile iles isla islas ilha ilhas ins insel inseln arch archip"
    " archipelago archipel atoll atolls group grp reef reefs cluster groups"
)
_ISLANDS = frozenset(_ISLANDS_WORDS.split())
_AROUND_WORDS = (
    "penin peninsula pen prov province territory terr colony rep republic republik republique republica the of de du la le"
    " l state states kingdom n s e w ne nw se sw north south east west northern southern eastern western northeast northwest"
    " southeast southwest centr central center cent mid middle off near nr coast coasts interior end possibly presumably"
    " prob probably evidently cf so no great gt gr lesser upper lower old ssr province mission district distr region dept"
    " frontier border"
)
_AROUND = _ISLANDS | frozenset(_AROUND_WORDS.split())
# What says where on the globe, beside a country.
_WIDER = re.compile(
    r"\b(?:(?:indian|pacific|atlantic) ocean|(?:w|west) indies|lesser antilles|(?:n|north|s|south|c|central) america"
    r"|(?:e|east|w|west|n|north) africa|antarctica(?=$)(?<!^antarctica))\b"
)
# Names that two countries bear, or that were divided since; with words taken away they tell nothing.
_SHARED_WORDS = (
    "congo samoa korea guinea georgia guiana guyane malaya lapland caribbean indies antilles ussr urss land virgin borneo"
    " timor macedonia cocos"
)
# Codes of three letters that are words, or points of the compass: left of a longer text they tell nothing either.
_WORDS = frozenset({"and", "est", "sur"})
_SHARED = (
    _WORDS | frozenset(_SHARED_WORDS.split()) | {"new guinea", "n guinea", "nouvelle guinee", "netherlands antilles"}
)
_SHORTEST = 4
# States, colonies and regions that were divided since: beside another name they say where that was, alone they name none.
_DIVIDED = re.compile(
    r"\b(?:ussr|urss|udssr|soviet union|yugoslavia|jugoslavia|jugoslawien|yugoslavie|czecho ?slovakia|tschechoslowakei|csr|cssr"
    r"|indo ?china|indochine|(?:fr|french) (?:w|west|eq|equatorial) africa|(?:br|brit|british) (?:e|east) africa|malaya"
    r"|(?:br|brit|british) india|(?:new|nueva) gr[ae]nada|netherlands antilles)\b"
)
_ALONE = re.compile(rf"^(?:(?:french|fr|the|former) )?(?:{_DIVIDED.pattern})$")
# A water named beside a country says which of its shores.
_WATER = re.compile(
    r"\b(?:off )?(?:(?:gulf|bay|strait|straits|sea) of \w+|\w+ (?:sea|ocean|channel)"
    r"|ocean (?:indien|pacifique|atlantique))\b"
)
# Letters of a name that was written with points: U. S. A.
_INITIALS = re.compile(r"\b(?:u s a|u s s r|u k|u s|p n g|r s a|n z|u a e|f r g|d d r|n w t|p r c)\b")
_LONG_FORMS = {
    "n": "north", "s": "south", "e": "east", "w": "west", "northern": "north", "southern": "south", "eastern": "east",
    "western": "west", "br": "british", "brit": "british", "fr": "french", "dem": "democratic", "rep": "republic",
    "belg": "belgian", "bel": "belgian", "port": "portuguese", "span": "spanish", "st": "saint", "is": "islands",
    "isl": "islands", "isls": "islands", "island": "islands", "i": "islands", "terr": "territory", "cent": "central",
    "centr": "central", "ind": "independent", "eq": "equatorial", "equat": "equatorial", "republica": "republic",
    "republique": "republic", "fed": "federal", "prot": "protectorate",
}  # fmt: skip
_GENERIC = frozenset(_LONG_FORMS.values())
# Names of former times that are cut short as often as today's.
_FORMER = ("abyssinia", "burma", "ceylon", "dahomey", "formosa", "nyasaland", "persia", "siam", "tanganyika", "zaire")
_SMALL_WORDS = "of the de du des del la le les and et y d"
_SMALL = frozenset(_SMALL_WORDS.split())


class Places:
    """Loose look-ups over the labels of countries."""

    def __init__(self, labels: dict[str, str], titles: dict[str, str]) -> None:
        """Take normalised label → code; `titles` are the English names, which alone may be cut short."""
        self.labels = labels
        self.long = [label for label in labels if len(label) >= 6 and label.isascii()]
        self.names = sorted(
            {name.lower() for name in titles.values() if name.isascii() and name.isalpha() and len(name) > 4}
        )
        self.codes = {name.lower(): code for code, name in titles.items()}
        self.unordered = _unordered(labels)
        plain = {(name.lower(), code) for code, name in titles.items() if name.isascii() and name.isalpha()}
        self.shortened = sorted(plain | {(name, labels[name]) for name in _FORMER if name in labels})

    def names_none(self, key: str) -> bool:
        """Return whether a normalised value is a state or region that was divided since, and nothing else."""
        return bool(_ALONE.match(key))

    def match(self, key: str) -> str | None:
        """Return the code that a normalised value means; None where it means none, or more than one."""
        parts = _EITHER.split(key)
        if len(parts) > 1 and re.search(r" (?:or|ou|oder|to) ", f" {key} "):
            found = {self._one(part) for part in parts}
            return found.pop() if len(found) == 1 else None
        return self._one(key)

    def _one(self, key: str) -> str | None:
        if found := self.labels.get(key):
            return found
        for beside_it in (_DIVIDED, _WATER):
            rest = " ".join(beside_it.sub(" ", key).split())
            if rest != key and rest and not _WATERS.search(rest) and (found := self._named(rest)):
                return found
        beside = " ".join(_WIDER.sub(" ", key).split())
        if beside != key:
            return self._one(beside) if beside else None
        if _WATERS.search(key):
            return None
        bare = key
        for aside in (_ISLANDS, _AROUND):
            bare = " ".join(word for word in key.split() if word not in aside)
            if len(bare) > 2 and bare not in _SHARED and (found := self.labels.get(bare)):
                return found
        if found := self.unordered.get(_words(key)):
            return found
        if bare in _SHARED or key in _SHARED:
            return None
        if found := self._cut(key):
            return found
        for text in dict.fromkeys((key, bare)):
            if found := self._misspelt(text):
                return found
        return None

    def _named(self, text: str) -> str | None:
        """Return what a text names exactly, but for points of the compass and words of islands; nothing guessed."""
        if len(text) > 2 and (found := self.labels.get(text)):
            return found
        bare = " ".join(word for word in text.split() if word not in _AROUND)
        if len(bare) > 2 and bare not in _SHARED and (found := self.labels.get(bare)):
            return found
        return self.unordered.get(_words(text))

    def _cut(self, text: str) -> str | None:
        if len(text) < _SHORTEST or " " in text:
            return None
        found = {code for name, code in self.shortened if name.startswith(text)}
        return found.pop() if len(found) == 1 else None

    def _misspelt(self, text: str) -> str | None:
        """Return the one country whose label is one edit away (two in a long one)."""
        if len(text) < 6:
            return self._short_name(text)
        near: dict[float, set[str]] = {}
        most = 2 if len(text) >= 9 else 1
        for label, distance, _ in process.extract(
            text, self.long, scorer=DamerauLevenshtein.distance, score_cutoff=most, limit=None
        ):
            alike = label[0] == text[0] or len(label) != len(text)
            if alike and (distance <= 1 or label.count(" ") == text.count(" ")):
                near.setdefault(distance, set()).add(self.labels[label])
        if not near:
            return None
        nearest = near[min(near)]
        return next(iter(nearest)) if len(nearest) == 1 else None

    def _short_name(self, text: str) -> str | None:
        """Return the one country of whose English name a short text is one letter away, with the same first or last one."""
        if len(text) < _SHORTEST + 1 or not text.isalpha():
            return None
        near = process.extract(text, self.names, scorer=DamerauLevenshtein.distance, score_cutoff=1, limit=None)
        found = {self.codes[name] for name, _, _ in near if text[0] == name[0] or text[-1] == name[-1]}
        return found.pop() if len(found) == 1 else None


def joined_initials(key: str) -> str:
    """Return a normalised value with the letters of a name that was written with points as one word."""
    return _INITIALS.sub(lambda found: found[0].replace(" ", ""), key)


def without_waters(key: str) -> str:
    """Return a normalised value without the waters and former states that stand beside a country's name."""
    return " ".join(_WATER.sub(" ", _DIVIDED.sub(" ", key)).split())


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a name in their long forms, in no order: Borneo N, North Borneo."""
    return tuple(sorted(_LONG_FORMS.get(word, word) for word in text.split() if word not in _SMALL))


def _unordered(labels: dict[str, str]) -> dict[tuple[str, ...], str]:
    """Return labels of two words and more by their words; those that two countries share are left out."""
    found: dict[tuple[str, ...], set[str]] = {}
    for label, code in labels.items():
        words = _words(label) if " " in label else ()
        if len(words) > 1 and any(len(word) > 3 and word not in _GENERIC for word in words):
            found.setdefault(words, set()).add(code)
    return {words: next(iter(codes)) for words, codes in found.items() if len(codes) == 1}
