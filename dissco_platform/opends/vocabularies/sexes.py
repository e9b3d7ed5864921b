"""What a cell about sex says, read word by word: counts, several specimens, doubt, corrections, marks of age around them.

`2 males, 3 females`, `M5 F10`, `♀ imm.`, `F?`, `M [=F]`, `Adult female, SVL 179 mm`. The words of the sexes are the labels
of the vocabulary, the words of age those of the life stages. Rules:

- one sex: that sex; both: mixed; both joined by "or": indeterminate
- a mark of doubt (?, perhaps, possibly …) at a sex: indeterminate, unless the same sex is said elsewhere without one
- two sexes of one specimen that contradict each other (`M [=F]`, `male (female on label)`): indeterminate
- zero of a sex is none of it; an age, a "not determined" or a count of unknown sex alone: indeterminate
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[♀♂⚥]|\d+|[^\W\d_]+|[?=\[\]()/|;,&+:!]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LENGTH = re.compile(r"\d+(?:[.,]\d+)? ?[mc]m\b")  # a measurement, not a sex
_GLUED = re.compile(r"(fe)?males?")
# Marks of age, state or part that stand with the letter of a sex: MJ, F imm, gF, OV F, F ad.
_MARKS = _words("a ad j jv juv i im imm sa g gr gl ov q imp imt mp")
_HEDGES = _words(
    "perhaps maybe possible possibly posible posiblemente poss probable probably prob presumably presumed uncertain unsure"
    " app apparently almost wahrscheinlich vermutlich evtl cf likely may"
)
_OR = _words("or ou oder o of eller")
_CONTRADICTING = _words(
    "label labelled labeled tag text listed lists cat catalog catalogue crossed both originally orig"
)
_NONE = _words("no not non nicht kein keine sin sem sans")
# Words that say that nothing is known, in the forms that normalising leaves.
_NOTHING = _words(
    "unknown undetermined indeterminate indet undet unsexed u unk un nd indefinido indeterm ungeschlechtlich illeg"
)
_AGES = re.compile(
    r"^(?:\d*j\d*|days?|weeks?|months?|years?|annee|ere|hy|ahy|sy|asy|chick|hatch\w*|juv\w*|jue?v\w*|im|imm|ad|gravid)$"
)
_SEXES = {"female": "female", "male": "male"}
# Castes and breeds say the sex where nothing else does (worker male).
_CASTES = _words(
    "woman women queen reine hen worker gyne dam doe cow mare ewe vixen man drone king cock sire buck bull stallion ram tom"
    " kvinna kvinnlig"
)
# Beginnings of words that say a sex in many languages, and how many letters such a word has at least.
_STEMS = (
    ("fem", 5, "female"), ("hembr", 6, "female"), ("weib", 5, "female"), ("vrouw", 5, "female"), ("mascul", 6, "male"),
    ("mannl", 5, "male"), ("maennl", 6, "male"), ("mannel", 6, "male"), ("mach", 5, "male"),
)  # fmt: skip
_UNDETERMINED = re.compile(r"^(?:unknown|undeterm\w*|indeterm\w*|uncertain|\?)$")
_FEMALE_ONLY = _words("gravid ovigerous ovigera ovigere pregnant eierlegend")


@dataclass
class _Said:
    """One mention of a sex: how many (None: not counted), in doubt or not, inside brackets or not."""

    sex: str
    count: int | None
    doubt: bool
    bracketed: bool


@dataclass
class Sexes:
    """Reads cells with the words of a vocabulary."""

    words: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    stages: frozenset[str] = frozenset()

    @classmethod
    def of(cls, labels: dict[str, str], stages: Iterable[str]) -> "Sexes":
        """Take the vocabulary's labels (normalised → concept) and the words of life stages."""
        words = {label: concept for label, concept in labels.items() if " " not in label and concept in _SEXES}
        others = {
            label: concept
            for label, concept in labels.items()
            if concept not in {*_SEXES, "indeterminate"} and len(label) > 3
        }
        known = frozenset(stage for stage in stages if len(stage) > 1 and " " not in stage)
        return cls(words, others, known - set(words))

    def match(self, text: str) -> str | None:
        """Return the concept that a normalised-by-accents text says; None where no word of it is understood.

        Args:
            text: without accents, case and punctuation kept as written.
        """
        tokens = [token for found in _TOKEN.findall(_LENGTH.sub(" ", text)) for token in self._parted(found)]
        lowered = [token.casefold() for token in tokens]
        said = list(self._said(tokens, lowered))
        if said:
            return self._judged(said, lowered)
        if _FEMALE_ONLY & set(lowered):
            return "female"
        if others := {self.others[word] for word in lowered if word in self.others}:
            return others.pop() if len(others) == 1 else None
        known = [word for word in lowered if self._tells_nothing(word)]
        return "indeterminate" if known or "?" in lowered else None

    def _tells_nothing(self, word: str) -> bool:
        return (
            word in self.stages or word in _NOTHING or word in _NONE
            or bool(_AGES.match(word)) or bool(_UNDETERMINED.match(word))
        )  # fmt: skip

    def _sex(self, word: str) -> str | None:
        if found := self.words.get(word):
            return found
        return next((sex for stem, least, sex in _STEMS if len(word) >= least and word.startswith(stem)), None)

    def _parted(self, token: str) -> list[str]:
        """Part words written as one (malesfemales), and the letter of a sex from its mark (MJ, gF)."""
        lowered = token.casefold()
        if len(lowered) > 7 and "".join(match[0] for match in _GLUED.finditer(lowered)) == lowered:
            return [match[0] for match in _GLUED.finditer(lowered)]
        if 2 <= len(lowered) <= 4 and lowered not in self.words and lowered not in self.stages | _MARKS | _NOTHING:
            if lowered[0] in "mf" and lowered[1:] in _MARKS:
                return [token[0], token[1:]]
            if lowered[-1] in "mf" and lowered[:-1] in _MARKS:
                return [token[:-1], token[-1]]
            if set(lowered) <= {"m", "f"}:
                return list(token)
        return [token]

    def _said(self, tokens: list[str], lowered: list[str]) -> Iterable[_Said]:
        strange = [
            word for word in lowered
            if len(word) > 2 and word.isalpha() and self._sex(word) is None and not self._tells_nothing(word)
            and word not in _HEDGES | _CONTRADICTING
        ]  # fmt: skip
        plain = any(self._sex(word) is not None and word not in _CASTES for word in lowered)
        depth = 0
        for at, word in enumerate(lowered):
            depth += (word in "([") - (word in ")]") if len(word) == 1 else 0
            sex = self._sex(word)
            if sex is None or (plain and word in _CASTES):
                continue
            if strange and word in {"m", "f"} and not tokens[at].isupper() and at and lowered[at - 1].isdigit():
                continue  # 2 m long
            if at and lowered[at - 1] in _NONE:
                continue
            count = _count(lowered, at)
            if count != 0:
                yield _Said(sex, count, _doubted(lowered, at), depth > 0)

    def _judged(self, said: list[_Said], lowered: list[str]) -> str:
        sure = {one.sex for one in said if not one.doubt}
        sexes = {one.sex for one in said}
        if any(
            word in {"sex", "sexe", "sexo"} and at + 1 < len(lowered) and _UNDETERMINED.match(lowered[at + 1])
            for at, word in enumerate(lowered)
        ):
            return "indeterminate"
        if len(sexes) == 1:
            return next(iter(sexes)) if sure else "indeterminate"
        counted = any(one.count is not None for one in said)
        words = set(lowered)
        if words & _OR or (not counted and (words & _CONTRADICTING or "=" in words)):
            return "indeterminate"
        if not counted and {one.bracketed for one in said} == {True, False}:
            return "indeterminate"  # a correction: M [F]
        if len(sure) < len(sexes) and not counted:
            return "indeterminate"
        return "mixed"


def _count(lowered: list[str], at: int) -> int | None:
    """Return how many a mention counts: `2 M`, `M2`; a number between two mentions belongs to the second (`male 3 females`)."""
    if at and lowered[at - 1].isdigit() and (at < 2 or lowered[at - 2] != ":"):
        return int(lowered[at - 1])
    if at + 2 < len(lowered) and lowered[at + 1] == ":" and lowered[at + 2].isdigit():  # males: 2
        return int(lowered[at + 2])
    if (
        at + 1 < len(lowered)
        and lowered[at + 1].isdigit()
        and not (at + 2 < len(lowered) and lowered[at + 2].isalpha())
    ):
        return int(lowered[at + 1])
    return None


def _doubted(lowered: list[str], at: int) -> bool:
    """Return whether a question mark or a hedging word belongs to a mention."""
    before = [word for word in lowered[max(0, at - 3) : at] if word not in "[(=:"]
    while before and before[-1] in {"a", "de", "be", "un", "una", "surely", "sure", "to"}:
        before.pop()
    if before and (before[-1] in _HEDGES or (before[-1] == "?" and (len(before) < 2 or not before[-2].isalpha()))):
        return True
    for word in lowered[at + 1 : at + 6]:
        if word == "?" or word in _HEDGES or word in _OR - {"o"} or word == "crossed":
            return True
        if word in ";|" or (word.isalnum() and word not in {"s", "es", "adult", "ad", "imm", "juv"}):
            return False
    return False
