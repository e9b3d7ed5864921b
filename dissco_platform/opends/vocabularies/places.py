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
    " timor macedonia"
)
# Codes of three letters that are words, or points of the compass: left of a longer text they tell nothing either.
_WORDS = frozenset({"and", "est", "sur"})
_SHARED = (
    _WORDS | frozenset(_SHARED_WORDS.split()) | {"new guinea", "n guinea", "nouvelle guinee", "netherlands antilles"}
)
_SHORTEST = 4


class Places:
    """Loose look-ups over the labels of countries."""

    def __init__(self, labels: dict[str, str], titles: dict[str, str]) -> None:
        """Take normalised label → code; `titles` are the English names, which alone may be cut short."""
        self.labels = labels
        self.long = [label for label in labels if len(label) >= 6 and label.isascii()]
        self.shortened = sorted(
            {(name.lower(), code) for code, name in titles.items() if name.isascii() and name.isalpha()}
        )

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
        if bare in _SHARED or key in _SHARED:
            return None
        for text in dict.fromkeys((key, bare)):
            if found := self._cut(text) or self._misspelt(text):
                return found
        return None

    def _cut(self, text: str) -> str | None:
        if len(text) < _SHORTEST or " " in text:
            return None
        found = {code for name, code in self.shortened if name.startswith(text)}
        return found.pop() if len(found) == 1 else None

    def _misspelt(self, text: str) -> str | None:
        """Return the one country whose label is one edit away (two in a long one)."""
        if len(text) < 6:
            return None
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
