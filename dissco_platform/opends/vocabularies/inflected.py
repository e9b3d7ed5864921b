"""Names of geological time in whatever language: the ending of a name, and the words for early, middle and late, set aside.

`Zanclean`, `Zanclium`, `zancleano`, `Занклский` share a stem; `Frühe Kreide` and `Varhais-Liitu` are both Lower Cretaceous.
Labels with exact spellings are the table's (`geochronology.tsv`); this only reads what the table does not spell out.

Sources: the International Commission on Stratigraphy's translated charts, for how languages form the names.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein

# Endings that languages give to one name, the longest tried first; the epochs' -cene has its own.
_ENDING_WORDS = (
    "ian ean an uan ium eium um us ii i ij iy usi iski ai ei yi iai is as os iano eano ano iana ana iense ense ien een en"
    " ico ica ic isch ische ischen iaan a e y o skij skiy skoe ski sk eni ens"
)
_ENDINGS = sorted(_ENDING_WORDS.split(), key=len, reverse=True)
_CENE = re.compile(r"(?:tseen|tseeni|seeni|seen|caen|cener|cenas|cenico|cenien|ceen|cene|ceno|cen|zaen|zan|zen|tsen)$")
_LEVELS: dict[str, str] = {
    "lower": "early earlier lower unter untere unterer unteres fruhe fruher fruhes fruh alteres inferieur inferieure precoce"
    " inferior temprano temprana inferiore primitivo vroeg vroege onder tidlig tidligt nedre undre tidig aldre varhais"
    " varajane vara alam kora also rana rany rane brzy spodni spodny zgodnji zgodnja spodnji wczesny wczesna dolny dolna"
    " ankstyvasis ankstyvoji apatinis ranen ranna rannen rannij nizhnij dolen basal",
    "middle": "middle mid mittlere mittlerer mittleres mittel moyen moyenne medio media midden middelste mellem midtre mellersta"
    " mellan keski kesk kozepso stredni stredny srednji srednja srodkowy vidurine vidurinis sreden srednij",
    "upper": "late later latest upper ober obere oberer oberes spate spater spates spat superieur superieure tardif superior"
    " tardio superiore laat late boven bovenste sen sent ovre yngre hilis ulem myohais keso felso svrchni pozdni mladsi"
    " mladsia pozni pozna zgornji pozny pozna gorny velyvasis viršutinis kusen kasen pozdnij verkhnij goren",
}  # fmt: skip
_LEVEL = {word: level for level, words in _LEVELS.items() for word in words.split()}
_JOINING_WORDS = "and or to bis et ou y und en age period epoch era system series beds"
_JOINING = frozenset(_JOINING_WORDS.split())
_PREFIX = re.compile(r"^(ober|unter|mittel)(?=[a-z]{4})")
_STAGE = re.compile(
    r"\b(?:stage|stufe|etage|etasje|etapp|stupen|lade|emelet|piso|vaihe|stopnja|pietro|aukstas|piano|jarus|trap)\s*(\d+)\b"
    r"|\b(\d+)\s*(?:emelet|etage|stage|stufe|lade)\b"
)
_SERIES = re.compile(r"\b(?:series|serie|serija|seria|epoch|epoche|epoka|ladestik|sarja|sorozat|oddeleni)\s*(\d+)\b")
_LATIN = "a b v g d e zh z i i k l m n o p r s t u f ch c tch sh sht a i - e yu ya"
_CYRILLIC = dict(zip("абвгдежзийклмнопрстуфхцчшщъыьэюя", _LATIN.replace("-", "").split(" "), strict=True))
_CYRILLIC["ѿ"] = "s"  # what a wrong code page makes of с
_CHINESE = re.compile(r"^([早下中晚上])(.{2,5})[世纪统期]$")
_CHINESE_LEVEL = {"早": "lower", "下": "lower", "中": "middle", "晚": "upper", "上": "upper"}


def folded(word: str) -> str:
    """Return a normalised word in the letters that languages share: k is c, w is v, th is t, doubled letters are one."""
    for old, new in (("tsch", "c"), ("sch", "s"), ("ph", "f"), ("th", "t"), ("qu", "cv"), ("kw", "cv"), ("kv", "cv"),
                     ("rh", "r"), ("ae", "e"), ("oe", "e"), ("ks", "x"), ("ck", "c"), ("ch", "h"), ("kh", "h"), ("k", "c"),
                     ("w", "v"), ("y", "i"), ("sz", "s"), ("sh", "s"), ("zh", "z"), ("j", "i")):  # fmt: skip
        word = word.replace(old, new)
    return re.sub(r"(.)\1+", r"\1", word)


@lru_cache(maxsize=10_000)
def stems(word: str) -> tuple[str, ...]:
    """Return the stems that a normalised word may have, the longest first; at least three letters."""
    word = _latin(word)
    if match := _CENE.search(word):
        word = word[: match.start()] + "cene"
        return (folded(word),)
    found = [
        word,
        *(word[: -len(ending)] for ending in _ENDINGS if word.endswith(ending) and len(word) - len(ending) > 2),
    ]
    return tuple(dict.fromkeys(sorted((folded(one) for one in found), key=len, reverse=True)))


class Stems:
    """The stems of a vocabulary's single words."""

    def __init__(self, labels: dict[str, str]) -> None:
        """Index (normalised label → concept) by stem; a stem of two concepts tells nothing."""
        self.labels = labels
        found: dict[str, set[str]] = {}
        for label, concept in labels.items():
            if " " not in label and len(label) > 3 and label.isalpha():
                for stem in stems(label):
                    found.setdefault(stem, set()).add(concept)
        self.known = {stem: next(iter(concepts)) for stem, concepts in found.items() if len(concepts) == 1}

    def word(self, word: str) -> str | None:
        """Return the concept that a word names in some language."""
        if exact := self.labels.get(word):
            return exact
        tried = stems(word)
        if found := next((self.known[stem] for stem in tried if stem in self.known), None):
            return found
        return self._misspelt(tried)

    def _misspelt(self, tried: tuple[str, ...]) -> str | None:
        """Return the one concept whose stem is a letter away (two in a long word)."""
        for stem in tried:
            if len(stem) < 5:
                break
            most = 2 if len(stem) > 8 else 1
            near: dict[int, set[str]] = {}
            for known, concept in self.known.items():
                if len(known) > 4 and abs(len(known) - len(stem)) <= most:
                    distance = DamerauLevenshtein.distance(stem, known, score_cutoff=most)
                    if distance <= most:
                        near.setdefault(distance, set()).add(concept)
            if near:
                nearest = near[min(near)]
                return next(iter(nearest)) if len(nearest) == 1 else None
        return None

    def match(self, key: str) -> str | None:
        """Return the concept of a normalised text: a name alone, with early, middle or late, or with a number."""
        key = key.partition("+")[0].strip()  # a formula that a spreadsheet left
        if chinese := _CHINESE.match(key):
            return self._levelled(self.labels.get(chinese[2]), _CHINESE_LEVEL[chinese[1]])
        words = [word for one in key.split() for word in _parted(one)]
        levels = {_LEVEL[word] for word in map(_latin, words) if word in _LEVEL}
        bases = list(dict.fromkeys(word for word in words if _latin(word) not in _LEVEL and word not in _JOINING))
        for pattern, kind in ((_STAGE, "stage"), (_SERIES, "series")):
            if match := pattern.search(" ".join(map(_latin, words))):
                named = [self.word(word) for word in bases]
                base = next((concept for concept in named if concept), None)
                number = next(group for group in match.groups() if group)
                if base and (found := self.labels.get(f"{base.lower()} {kind} {number}")):
                    return found
        if len(bases) != 1:
            return None
        # early to middle Jurassic: what holds both
        return self._levelled(self.word(bases[0]), levels.pop() if len(levels) == 1 else None)

    def _levelled(self, base: str | None, level: str | None) -> str | None:
        if base is None or level is None:
            return base
        return self.labels.get(f"{level} {_spaced(base)}", base)


def _latin(word: str) -> str:
    return "".join(_CYRILLIC.get(mark, mark) for mark in word)


def _spaced(concept: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", concept).lower()


def _parted(word: str) -> Iterator[str]:
    """Part German's compounds: Oberdevon."""
    if match := _PREFIX.match(word):
        yield match[1]
        yield word[match.end() :]
    else:
        yield word
