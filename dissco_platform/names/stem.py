"""gnparser's stemmer: the stem of an epithet, for canonical names that are stemmed.

After Schinke et al. (1996) as gnparser applies it: j → i, v → u, a trailing -que off unless it belongs to the word, then
the first matching ending off where at least two letters remain. The stem that matching uses is `normalise.stem_key`.
"""

from functools import lru_cache
from typing import Final

QUE_WORDS: Final = frozenset(
    [
        "atque",
        "quoque",
        "neque",
        "itaque",
        "absque",
        "apsque",
        "abusque",
        "adaeque",
        "adusque",
        "denique",
        "deque",
        "susque",
        "oblique",
        "peraeque",
        "plenisque",
        "quandoque",
        "quisque",
        "quaeque",
        "cuiusque",
        "cuique",
        "quemque",
        "quamque",
        "quaque",
        "quique",
        "quorumque",
        "quarumque",
        "quibusque",
        "quosque",
        "quasque",
        "quotusquisque",
        "quousque",
        "ubique",
        "undique",
        "usque",
        "uterque",
        "utique",
        "utroque",
        "utribique",
        "torque",
        "coque",
        "concoque",
        "contorque",
        "detorque",
        "decoque",
        "excoque",
        "extorque",
        "obtorque",
        "optorque",
        "retorque",
        "recoque",
        "attorque",
        "incoque",
        "intorque",
        "praetorque",
    ]
)
ENDINGS: Final = (
    "ibus", "ius", "ae", "am", "as", "em", "es", "ia", "is", "nt", "os", "ud", "um", "us", "a", "e", "ii", "i", "o", "u",
)  # fmt: skip


@lru_cache(maxsize=100_000)
def stem_epithet(word: str) -> str:
    """Return the stem of one epithet; a word of fewer than three letters stays as it is.

    Example:
        >>> stem_epithet("rufipes"), stem_epithet("jamaicensis")
        ('rufip', 'iamaicens')
    """
    if len(word) < 3:
        return word
    word = word.replace("j", "i").replace("v", "u")
    if word.endswith("que"):
        if word in QUE_WORDS:
            return word
        word = word[:-3]
    for ending in ENDINGS:
        if word.endswith(ending):
            return word[: -len(ending)] if len(word) - len(ending) >= 2 else word
    return word


def stem_canonical(canonical: str) -> str:
    """Return a canonical name with its epithets stemmed; the first word is never touched."""
    first, *epithets = canonical.split(" ")
    return " ".join([first, *(stem_epithet(word) for word in epithets)])
