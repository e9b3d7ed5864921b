"""The text of a name before it is parsed: tags, entities, wrong encodings, capitals, blanks and underscores mended.

How much had to be mended is part of the parse's quality (`parser.py`).
"""

import html
import re
from typing import Final

from dissco_platform.names.ranks import MARKERS

MAX_NAME: Final = 500
"""Characters of a name that are looked at; the longest real name with authorship has about 300."""

_TAGS: Final = re.compile(r"</?[A-Za-z][^<>]{0,40}>")
_CLEAN: Final = re.compile(r"^[A-Za-z][A-Za-z .,()\d'×-]*(?:& ?[A-Za-z .,()\d'×-]+)*$")
_MOJIBAKE: Final = re.compile(r"[ÃÂÄÅ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€")
_BLANK: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s\u200b-\u200f\ufeff\ufffe]+")
_UNDERSCORED: Final = re.compile(r"^\s*[A-Z][a-z]+_+[a-z(]")
_LOWER_CASE: Final = re.compile(r"^[a-z]{3,} [a-z-]{3,}(?: [a-z-]{3,})?$")
_QUOTED_START: Final = re.compile(r"^[\"“„']([A-Z][a-z]+)[\"”']")
_RANK_MARK: Final = re.compile(rf"(?:{MARKERS})\.$", re.IGNORECASE)
_YEAR: Final = re.compile(r"[(\[]?[12]\d{3}[)\]]?$")


def clean(raw: str) -> tuple[str, int]:
    """Return the text to be parsed (tags, entities, control characters, underscores, wrong encodings mended), and how bad it was.

    The second value is a quality: 0 nothing was mended, else 2 to 4.
    """
    if len(raw) <= MAX_NAME and _CLEAN.match(raw) and "  " not in raw and raw[0].isupper() and not raw.isupper():
        return raw.rstrip(), 0
    text, quality = raw[:MAX_NAME], 4 if len(raw) > MAX_NAME else 0
    if _MOJIBAKE.search(text):
        mended = _mend(text)
        if mended != text:
            text, quality = mended, max(quality, 3)
    if ("&" in text and ";" in text) or "<" in text:
        plain = html.unescape(_TAGS.sub(" ", text))
        if plain != text:
            text, quality = plain, max(quality, 3)
    if "_" in text and _UNDERSCORED.match(text):
        text, quality = text.replace("_", " "), max(quality, 2)
    plain = _BLANK.sub(" ", text).strip()
    if "  " in text.strip() or plain != text.strip():
        quality = max(quality, 2)
    text = _QUOTED_START.sub(r"\1", plain).strip('"“”„ ') if plain[:1] in "\"“”„'" else plain
    if text.isupper() and sum(map(str.isalpha, text)) > 3 and (text.isalpha() or " " in text):
        text, quality = _from_capitals(text), max(quality, 3)
    elif _LOWER_CASE.match(text):
        text, quality = text[:1].upper() + text[1:], max(quality, 3)
    return text, quality


def _from_capitals(text: str) -> str:
    """Return a name written in capitals in usual letters: epithets in small ones, authors with their first letter large."""
    words = text.split(" ")
    begin = len(words)
    for place, word in enumerate(words[1:], start=1):
        subgenus = place == 1 and word.startswith("(") and word.endswith(")") and len(words) > 2 and words[2].isalpha()
        if subgenus or _RANK_MARK.match(word):
            continue
        if word.startswith("(") or word.endswith((",", ".")):
            begin = place
        elif place > 1 and (word == "&" or _YEAR.match(word)):
            begin = place - 1
        else:
            continue
        break
    name = " ".join(word.title() if word.startswith("(") else word.lower() for word in words[:begin])
    return " ".join([name[:1].upper() + name[1:], *(word.title() for word in words[begin:])])


def _mend(text: str) -> str:
    """Return text that was UTF-8 read as Windows-1252, read again; unchanged where that is not what happened."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        try:
            return text.encode("latin-1").decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            return text
