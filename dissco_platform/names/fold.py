"""Folding of one string to ASCII as gnparser writes canonical names: ö → oe, å → a, æ → ae.

The same on columns is `normalise.fold`; both walk the table here.
"""

import unicodedata
from typing import Final

FOLDS: Final[dict[str, str]] = {
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe",
    "ø": "oe", "Ø": "Oe", "å": "a", "Å": "A", "ß": "ss", "ẞ": "ss", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "ŋ": "n", "ſ": "s", "’": "'", "‘": "'", "ʼ": "'",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "\u00a0": " ", "\u00ad": "", "×": "×",
}  # fmt: skip
"""Letters that gnparser writes otherwise than by dropping the mark; every other mark falls by NFKD."""

_TABLE: Final = str.maketrans(FOLDS)


def ascii_fold(text: str) -> str:
    """Return `text` in ASCII; letters without an ASCII form are dropped.

    Example:
        >>> ascii_fold("Döringina Œnanthe vulgäre")
        'Doeringina Oenanthe vulgaere'
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_TABLE)
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii())
