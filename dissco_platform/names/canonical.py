"""gnparser's canonical name from what the parser found, and the name strings that are no names at all.

gbif-name-parser reads; here its words are written as gnparser writes them: every epithet kept, ASCII, digits in words, no
apostrophes, marks or ranks; hybrid formulas part by part. Source: gnparser's documented behaviour (README, test data).
"""

import re
from collections.abc import Iterable
from typing import Final

from dissco_platform.names.fold import ascii_fold

DIGITS: Final[dict[int, str]] = {
    1: "uni", 2: "bi", 3: "tri", 4: "quadri", 5: "quinque", 6: "sex", 7: "septem", 8: "octo", 9: "novem",
    10: "decem", 11: "undecim", 12: "duodecim", 13: "tredecim", 14: "quatuordecim", 15: "quindecim", 16: "sedecim",
    17: "septendecim", 18: "octodecim", 19: "novemdecim", 20: "viginti", 21: "vigintiuno", 22: "vigintiduo",
    23: "vigintitre", 24: "vigintiquatuor", 25: "vigintiquinque", 26: "vigintisex", 27: "vigintiseptem",
    28: "vigintiocto", 30: "triginta", 31: "trigintauno", 32: "trigintaduo", 38: "trigintaocto", 40: "quadraginta",
    100: "centum",
}  # fmt: skip
"""Numerals at the beginning of an epithet, as gnparser writes them (ICZN Art. 32.5.2.6: numerals are written in words)."""

PARTICLE_EPITHETS: Final = frozenset(
    {
        "Agnetina den", "Antaplaga dela", "Baeolidia dela", "Bolitoglossa la", "Campylosphaera dela", "Desmoxytes des",
        "Dicentria dela", "Eulaira dela", "Gnathopleustes den", "Helophorus ser", "Leptonetela la", "Malamatidia zu",
        "Meteorus dela", "Nocaracris van", "Notozomus den", "Orcevia zu", "Paralvinella dela", "Ruteloryctes bis",
        "Scoparia dela", "Selenops ab", "Semiothisa da", "Serina ser", "Serina subser", "Tortolena dela",
        "Trachyphloeosoma zu", "Zodarion van", "Tetramorium do", "Odontella do", "Epitonium van", "Gylippus den",
        "Stenoecia dos", "Sympycnus du", "Agra not", "Chloroleucon dela", "Rubus van", "Euthemis van",
    }
)  # fmt: skip
"""Names of species whose epithet reads as the particle of an author's name: only a list can tell them."""

_PHRASE: Final = (
    r"^(?:not|none|no|unidentified|undetermined|unnamed|unknown|indet\.?|uncultured|environmental|miscellaneous)\b"
)
_NO_ORGANISM: Final = re.compile(_PHRASE, re.IGNORECASE)
_NO_NAME: Final = re.compile(
    _PHRASE + r"|\b(?:endo|ecto)?symbionts?\b"
    r"|\b[a-z]*bacterium\b"
    r"|(?:^|[\s_])[a-z]{0,3}RNA(?![A-Za-z])"
    r"|\b(?:prions?|plasmids?|phytoplasma)\b",
    re.IGNORECASE,
)
_NO_NAME_STARTS: Final = ("no", "un", "indet", "environ", "misc")
_NO_GENUS: Final = re.compile(r"[A-Z](?:[a-z]*['\d]|[a-z]+(?:[A-Z]|:$))")
_RNA: Final = re.compile(r"(?:^|[\s_])[a-z]{0,3}RNA(?![A-Za-z])")
_FORMULA: Final = re.compile(r"\s+[×xX]\s+|\s+×|×\s+|\s+\+\s+")
_ABBREVIATED: Final = re.compile(r"^([A-Z])[a-z]{0,2}\.\s*(?=[a-z])")


_DESCRIBED: Final = re.compile(r"^[A-Z][a-z]+(?: \([A-Z][a-z]+\))? [a-z]+ \(?[A-Z][^\d()]{2,80},? [12]\d{3}\)?$")


def described(text: str) -> bool:
    """Return whether a name is a binomial with author and year: then "prion" or "vector" is an epithet."""
    return bool(_DESCRIBED.match(text))


def no_organism(text: str) -> bool:
    """Return whether a string says that nothing was determined ("Not recorded", "Unidentified beetle")."""
    return bool(_NO_ORGANISM.match(text))


def no_name(text: str) -> bool:
    """Return whether gnparser leaves a string unparsed that reads like a name: organisms nobody named, phrases."""
    lower = text.lower()
    telling = (
        lower.startswith(_NO_NAME_STARTS)
        or "rna" in lower
        or "bacterium" in lower
        or "symbiont" in lower
        or "prion" in lower
        or "plasm" in lower
    )
    found = _NO_NAME.search(text) if telling else None
    if found is None:
        return bool(_NO_GENUS.match(text.lstrip("†‡ ")))
    word = found.group(0)
    if word.lower().startswith(("prion", "plasmid")) and described(text):
        return False
    if word.upper().strip(" _").endswith("RNA"):
        return bool(_RNA.search(text))
    # a genus may end in -bacterium; as a later word in lower case it is "a bacterium"
    return (found.start() == 0 and lower.startswith(_NO_NAME_STARTS)) or word.islower()


def write_word(word: str, *, first: bool = False) -> str:
    """Return one word as gnparser writes it in a canonical name.

    Example:
        >>> write_word("4-gibbus"), write_word("o'donelli"), write_word("Saxo-Fridericia", first=True)
        ('quadrigibbus', 'odonelli', 'Saxo-fridericia')
    """
    if word.isalpha() and word.isascii():
        return word if first else word.lower()
    numeral = re.match(r"^(\d+)[-.]?(?=[a-z])", word)
    if numeral:
        word = DIGITS.get(int(numeral[1]), numeral[1]) + word[numeral.end() :]
    if not word.isascii():
        word = ascii_fold(word.replace("å", "ao").replace("Å", "Ao"))
    word = re.sub(r"['’?]" if first else r"['’.?]", "", word).strip("-")
    if first:
        return word[:1].upper() + word[1:].lower() if "-" in word else word
    return word.lower()


def write_words(words: Iterable[str]) -> list[str]:
    """Return the words of a name as gnparser writes them, the first being the genus or uninomial."""
    return [text for place, word in enumerate(words) if (text := write_word(word, first=place == 0))]


_LETTER_RANK: Final = re.compile(
    r"^[A-Z][\w-]+\s[a-z][\w-]+\s[A-D]\s(?!non\b|nec\b|sensu\b|auct|emend|hort\b|ined\b|von\b|van\b|der\b)([a-z]{4,})\b"
)


_LETTERS_BELOW: Final = re.compile(r"\s[α-ωß]\.?\s[a-z]+\s[A-H]\.\s([a-z]{4,})\b(?=\s[A-Z]|$)")


def lettered_epithet(text: str) -> str | None:
    """Return the epithet after a rank written as a mere letter: `Cortinarius angulatus B gracilescens`."""
    if not (" A" in text or " B" in text or " C" in text or " D" in text or not text.isascii()):
        return None
    found = _LETTER_RANK.match(text) or _LETTERS_BELOW.search(text)
    return found[1] if found else None


def formula_parts(text: str) -> tuple[list[tuple[str, int]], str]:
    """Return the names of a hybrid formula or graft-chimera, genus written out, and its sign (× or +).

    With each name comes how many words it must have: an epithet alone stands for a binomial.
    """
    sign = "+" if re.search(r"\s\+\s", text) else "×"
    parts = [part.strip(" ()") for part in _FORMULA.split(text)]
    genus = re.match(r"[A-Z][\w-]+", parts[0])
    out = [(parts[0], 1)]
    for part in parts[1:]:
        short = _ABBREVIATED.match(part)
        if genus and short and genus[0].startswith(short[1]):
            out.append((f"{genus[0]} {part[short.end() :]}", 2))
        elif genus and re.match(r"[a-z]", part):
            out.append((f"{genus[0]} {part}", 2))
        else:
            out.append((part, 1))
    return out, sign
