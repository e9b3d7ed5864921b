"""gnparser's canonical name of a string: which words are epithets, which authors, and where a name ends.

The grammar is gnparser's as it behaves (v1.11): genus, subgenus, epithets with ranks between them, each with its authors;
what follows is a tail that nobody reads. It walks once over the text with small patterns, so that time grows with length.
Cleaning and the parts of a name are in `parser.py`, how one word is written in `canonical.py`.
"""

import re
from typing import Final, NamedTuple

from dissco_platform.names.botanists import BOTANISTS
from dissco_platform.names.canonical import PARTICLE_EPITHETS, described

_LOWER: Final = "a-zß-öø-ÿ" + "".join(c for c in map(chr, range(0x100, 0x250)) if c.islower()) + "ἀ"
_UPPER: Final = "A-ZÀ-ÖØ-Þ" + "".join(c for c in map(chr, range(0x100, 0x250)) if c.isupper())
_GENUS_UPPER: Final = "A-ZÆŒÖÄÜØÅ"
_APOSTROPHE: Final = "'’‘`´ʼ"

TWO_LETTER_GENERA: Final = "Ca|Ea|Ge|Ia|Io|Ix|Lo|Oa|Ra|Ty|Ua|Aa|Ja|Zu|La|Qu|As|Ba|Yu"
"""Genera of two letters that exist; any other is read as no name (gnparser's list, and what was named since)."""

_NOT_WORDS: Final = (
    "subtr|indet|ex|et|and|apud|pro|cv|cultivar|nec|sensu|non|species|sp|spp|spec|not|in|hort|auct|ht"
    "|aff|nr|fide|sec|near|str|of|y|ms|nomen|cf"
)
_LAST_NOT_WORDS: Final = "var|von|ined|new|ssp|subsp|subgen|hybrid|nudum"

_TAIL: Final = re.compile(
    r"[,\s]\s*(?:species\s+(?:group|complex)\b"
    r"|(?:group|complex|author|sensu|auct|sec|near|fide|nec|non|not|str|hort|ht|serovar|serotype|vide|nov\s+spec)\b(?!-)"
    r"|\(?s\.\s?s\.|\(?s\.\s?l\.|\(?s\.\s?str\.|\(?s\.\s?lat\."
    r"|\(?nom\.|\(?nomen\b|\(?comb\.|pro parte\s*$|p\.\s?p\.\s*$|cv\b\.?|cultivar\b)"
)
"""Where what is said about a name begins; looked for in small letters, which is several times faster than ignoring case."""

_LAST_JUNK: Final = re.compile(rf"(?:,\s*|\s+)(?:{_LAST_NOT_WORDS})\.?\??\s*$", re.IGNORECASE)
_JUNK_ENDS: Final = tuple(_LAST_NOT_WORDS.split("|"))
_NAMED_SO: Final = re.compile(r"\s(?:complex|spec)\s\(?[A-Z][A-Za-z.]+")

_BEFORE_NAME: Final = re.compile(
    r"Candidatus\s+(?=[A-Z])|(?:subgen|subg|sect|subsect|ser|subser|trib|subtrib|fam|subfam)\.\s+(?=[A-Z])"
)
"""What may stand before a name without being part of it: a rank, or Candidatus."""

_HYBRID_GENUS: Final = re.compile(r"[×xX]\s+(?=[A-Z])|[×xX](?=[A-Z][a-z])")
_HYBRID_EPITHET: Final = re.compile(r"[×xX]\s+(?=[a-z])|×(?=[a-z])")
_VIRUS: Final = (
    "virus", "viruses", "phage", "phages", "viroid", "viroids", "prion", "prions", "satellite", "satellites", "plasmid",
    "plasmids",
)  # fmt: skip
_RUN_ON: Final = re.compile(r"\S+\s?\([A-Z][a-z]+\)[a-z]")
_GENUS: Final = re.compile(
    rf"(?:(?:[{_GENUS_UPPER}][{_LOWER}]{{2,}}|(?:De|Eu|Le|Ne)(?=-))(?:-[{_LOWER}]{{3,}}(?:-[{_LOWER}]{{3,}})?|-[A-Z][{_LOWER}]{{2,}})?\??"
    rf"|(?:{TWO_LETTER_GENERA}))(?![\w'’./:-])"
)
_ABBREVIATED: Final = re.compile(r"[A-Z][a-z]?\.(?=\s)")
_SUBGENUS: Final = re.compile(
    rf"\s*\(\s*([{_UPPER}][{_LOWER}]{{0,4}}\.|[{_UPPER}][{_LOWER}]{{2,}}(?:-[{_LOWER}]{{2,}})?|[{_LOWER}]{{2,}})\s*\)(?=\s|$|,)"
)
_SUBGENUS_NAME: Final = re.compile(rf"[{_UPPER}][{_LOWER}]{{2,}}(?:-[{_LOWER}]{{2,}})?")
_END: Final = r"(?=\s|\(|$)"
_WORD: Final = re.compile(
    rf"(?!(?:{_NOT_WORDS})(?:\s|$))"
    rf"([a-z]-?(?:[{_LOWER}]{{2,}}(?:-[{_LOWER}]+)*)"
    rf"|[{_LOWER}]+[{_APOSTROPHE}](?:[{_LOWER}]{{2,}}|[{_LOWER}]-[{_LOWER}]{{2,}})"
    rf"|[{_LOWER}]{{2,}}(?:\.?-[{_LOWER}]+)*)" + _END
)
_NUMBERED: Final = re.compile(rf"([1-9]\d?[-.]?[{_LOWER}]{{3,}}(?:-[{_LOWER}]+)*)" + _END)
_RANK_WORD: Final = re.compile(
    r"(?:notho)?(?:ssp|subsp|subspec|subvar|subf|convar|agamossp|agamosp|fo?|fma?|forma?|fa|var|nvar|variety|natio|nat|ab|pv|pathovar"
    r"|st|morph|race|anon|mihi|agg)(?=\s|$)"
)
_RANK: Final = re.compile(
    r"(?:notho)?(?:(?:ssp|subsp|subspec|subvar|subf|convar|pseudovar|agamossp|agamosp|agamovar|f|fa|fo|fm|fma|forma|form|var|nvar|ab|pv|pathovar|prol|st|morph|race|ser|sect)"
    r"(?:\.\s?|(?=\s))|(?:nat|mut)\.\s?|(?:variety|natio)(?=\s)|\[var\.\]\s?|[*α-ω](?=\s)|[a-d]\.(?=\s))\s*(?:[α-ω]\.?\s*)?"
)
_APPROXIMATION: Final = re.compile(r"(?:spp?|aff|nr)(?:\.|(?=\s|$))|species\s*$|monst\.|\?")
_COMPARISON: Final = re.compile(r"cf\.?(?=\s|$)")
_COMBO_RANK: Final = re.compile(
    r"(?:notho)?(?:sect|subsect|trib|subtrib|supertrib|subser|ser|subgen|subg|fam|subfam|div|subdiv)(?:\.\s?|(?=\s))\s*|subtr\b\.?\s*(?=[A-Z])"
)
_NOTHO_GENUS: Final = re.compile(r"nothogen\.\s*")
_PREFIX: Final = re.compile(
    r"(?:van\s+(?:der|den|de)|von\s+(?:der|den|dem)|de\s+(?:la|las|los)|in\s?'t|'t|ab|af|bis|da|dal|das|de|degli|dei|del|dela|della|delle|den|der|des|di|do|dos|du|e|el|la|le|li|los|lo|ten|ter|van|von|v|zu|zum|zur|y|d)(?:\.\s?(?:d\.)?|(?=\s))\s*"
    r"|(?:d|l)['’]\s?(?=[A-Z])|'t\s?(?=[A-Z])|al-(?=[A-Z])"
)
_NO_PARTICLE: Final = 6
"""So many letters in a row are longer than any particle. A word of an author's name that begins large is none either."""

_AUTHOR_WORD: Final = re.compile(
    rf"(?:[dDlL][{_APOSTROPHE}])?[{_UPPER}][{_LOWER}{_UPPER}{_APOSTROPHE}]*\.?(?:-\.?[{_LOWER}{_UPPER}][{_LOWER}{_UPPER}{_APOSTROPHE}]*\.?)*"
)
_FILIUS: Final = re.compile(
    r"\s*(?:f\.|fil\.?|filius)(?=[\s,;)&]|$)|\s+(?:bis|ter|jr\.?|Jr\.?|jun\.|sen\.|II|III)(?=[\s,;)]|$)"
)
_FORM_FOLLOWS: Final = re.compile(
    r"\s*(?!(?:f|fo|var|subsp|ssp|subvar|convar)\b\.?|ex\b|in\b|et\b|and\b|non\b|nec\b|emend\b)[a-z]"
)
_ET_AL: Final = re.compile(r"\s+(?:et\s*al\b\.?(?:\s*\{\?\})?|&\s*al\b\.?|arg\.)")
_AND: Final = re.compile(r"\s*,?\s*(?:&|(?<=[\s,])(?:et|and|apud|y)(?=\s))\s*|\s*,\s*")
_EX: Final = re.compile(r"\s+(?:ex\.?|ms\s+in|in|emend\.?)\s+")
_YEAR_CORE: Final = r"[12]\d\d[\d?]\??|[12]\d\?\?"
_YEAR: Final = re.compile(
    rf"\s*,?\s*(?:\[\s*(?:{_YEAR_CORE})\s*\]|\(\s*(?:{_YEAR_CORE})[a-z]?\s*\)|(?:{_YEAR_CORE})(?:\s*[-–/]\s*\d{{1,4}}|[a-zA-Z]|\s*:\s*\d+)?)\.?(?=[\s,;)]|$)"
)
_UNKNOWN: Final = re.compile(r"\?(?=\s|$)|(?:anon|mihi)(?:\.|(?=\s|$))")


class Reading(NamedTuple):
    """The words of a canonical name as written (genus or uninomial first), and what was found on the way."""

    words: tuple[str, ...]
    approximate: bool = False
    rest: str = ""


def without_annotations(text: str) -> str:
    """Return a name without what is said about it at its end ("sensu …", "s. str.", "nom. nud.")."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text  # a letter whose small form is two: places must stay the same
    if (" complex" in lower or " spec" in lower) and _NAMED_SO.search(text):
        return text
    found = _TAIL.search(lower)
    if found and found.start() > 0:
        text, lower = text[: found.start()], lower[: found.start()]
    return _LAST_JUNK.sub("", text) if lower.rstrip(" .?").endswith(_JUNK_ENDS) else text


def read_canonical(text: str) -> Reading | None:
    """Return the reading of one name (no hybrid formula), or None where gnparser finds no name."""
    whole = text.replace("†", "").strip()
    if " " not in whole:
        whole = whole.replace("_", " ")
    if whole[:1] in "Cstf" and (before := _BEFORE_NAME.match(whole)):
        whole = whole[before.end() :]
    text = without_annotations(whole)
    if ("(" in text and _RUN_ON.match(text)) or text.endswith(" +"):
        return None
    hybrid = _HYBRID_GENUS.match(text) if text[:1] in "×xX" else None
    start = hybrid.end() if hybrid else 0
    found = _name(text, start)
    if found is None:
        return None
    words, end, vague = found
    if any(word.endswith(_VIRUS) for word in words[1:]) and not described(whole):
        return None
    return Reading(words, vague, "" if vague else whole[end:].strip())


_Found = tuple[tuple[str, ...], int, bool]


def _name(text: str, at: int) -> _Found | None:
    """Return the words of the name at `at`, where it ends and whether it is only approached."""
    genus = _GENUS.match(text, at)
    head = genus or _ABBREVIATED.match(text, at)
    if head is None:
        return None
    name, at = head[0], head.end()
    subgenus = _SUBGENUS.match(text, at) if "(" in text else None
    after = subgenus.end() if subgenus else at
    named = _epithets(text, after, name)
    if named is not None:
        return (name, *named[0]), named[1], named[2]
    gap = _skip(text, after)
    if not subgenus and gap > after:
        if compared := _COMPARISON.match(text, gap):
            found = _word(text, _skip(text, compared.end()))
            return ((name, found[0]), found[1], True) if found else ((name,), compared.end(), True)
        if _APPROXIMATION.match(text, gap):
            return (name,), len(text), True
    if genus is None:
        return None
    if subgenus and _SUBGENUS_NAME.fullmatch(subgenus[1]) and subgenus[1] not in BOTANISTS:
        return (subgenus[1],), _authorship(text, after) or after, False
    end = _authorship(text, at) or at
    gap = _skip(text, end)
    rank = _NOTHO_GENUS.match(text, gap) or _COMBO_RANK.match(text, gap)
    lower = _GENUS.match(text, rank.end()) if rank and gap > end else None
    if lower:
        return (lower[0],), _authorship(text, lower.end()) or lower.end(), False
    return (name,), end, False


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _word(text: str, at: int) -> tuple[str, int] | None:
    found = _WORD.match(text, at)
    return (found[1], found.end()) if found else None


def _epithets(text: str, at: int, genus: str) -> _Found | None:
    """Return the epithets from `at` on, where the last one ends, and whether it is only approached."""
    gap = _skip(text, at)
    if gap == at:
        return None
    if text[gap : gap + 1] in "×xX" and (sign := _HYBRID_EPITHET.match(text, gap)):
        gap = sign.end()
    # a particle with something behind it is the beginning of an author's name
    prefix = None if text[gap : gap + _NO_PARTICLE].isalpha() else _PREFIX.match(text, gap)
    if prefix and prefix.end() < len(text) and f"{genus} {prefix[0].strip()}" not in PARTICLE_EPITHETS:
        return None
    found = _word(text, gap)
    if found is None and (numbered := _NUMBERED.match(text, gap)):
        found = numbered[1], numbered.end()
    if found is None:
        return None
    words, end = [found[0]], found[1]
    end = _authorship(text, end) or end
    while len(words) < 4:
        gap = _skip(text, end)
        if gap == end:
            break
        if _APPROXIMATION.match(text, gap):
            return tuple(words), len(text), True
        if compared := _COMPARISON.match(text, gap):
            gap = _skip(text, compared.end())
        rank = _RANK.match(text, gap)
        found = _word(text, rank.end()) if rank else None
        if found is None and not _RANK_WORD.match(text, gap):
            found = _word(text, gap)
        if found is None:
            break
        words.append(found[0])
        end = _authorship(text, found[1]) or found[1]
    return tuple(words), end, False


def _authorship(text: str, at: int) -> int | None:
    """Return where the authorship that begins at `at` ends, or None where there is none."""
    gap = _skip(text, at)
    if text[gap : gap + 1] == "(":
        inside = _authors(text, _skip(text, gap + 1))
        if inside is None and text[gap + 1 : gap + 2] == "(":
            inside = _authorship(text, gap + 1)
        if inside is None:
            return None
        close = _skip(text, inside)
        end = close + 1 if text[close : close + 1] == ")" else inside
        if year := _YEAR.match(text, end):
            end = year.end()
        more = _skip(text, end)
        second = _authorship(text, end) if text[more : more + 1] == "(" else _authors(text, more)
        if second is not None and _authors_end(text, second):
            end = second
    else:
        if gap == at:
            return None
        found = _authors(text, gap)
        if found is None:
            return None
        end = found
        if text[_skip(text, end) : _skip(text, end) + 1] == ")":
            end = _skip(text, end) + 1
    return end if _authors_end(text, end) else None


def _authors_end(text: str, at: int) -> bool:
    following = text[at : at + 1]
    return following in ";," or following.isspace()  # "" at the end of the text is also "in"


def _authors(text: str, at: int) -> int | None:
    """Return where a group of authors ends: a team, and perhaps "ex" or "in" another."""
    end = _team(text, at)
    while end is not None and text[end : end + 1].isspace() and (more := _EX.match(text, end)):
        second = _team(text, more.end())
        if second is None:
            return end
        end = second
    return end


def _team(text: str, at: int) -> int | None:
    end = _author(text, at)
    if end is None:
        return None
    while end < len(text):
        if text[end].isspace() and (al := _ET_AL.match(text, end)):
            end = al.end()
            continue
        if year := _YEAR.match(text, end):
            return year.end()
        join = _AND.match(text, end)
        if join is None or join.end() == end:
            return end
        more = _author(text, join.end())
        if more is None:
            return end
        end = more
    return end


def _author(text: str, at: int) -> int | None:
    """Return where one author ends: particles, names and initials, `f.`, or "?"."""
    if text[at : at + 1] in "?am" and (unknown := _UNKNOWN.match(text, at)):
        return unknown.end()
    end, found = at, False
    while True:
        place = _skip(text, end) if found else end
        particle = None
        while not text[place : place + 1].isupper() and (prefix := _PREFIX.match(text, place)):
            place = prefix.end()
            particle = place - len(prefix[0]) + len(prefix[0].rstrip())
        word = _AUTHOR_WORD.match(text, place)
        if word is None:
            if particle is not None and place < len(text):
                # gnparser takes a particle alone for an author
                return particle
            return end if found else None
        end, found = word.end(), True
        if text[end : end + 1] in ",)":  # "" at the end of the text is also "in"
            return end
        filius = _FILIUS.match(text, end)
        # "f." before an epithet is a form
        if filius and (filius[0].strip() != "f." or not _FORM_FOLLOWS.match(text, filius.end())):
            end = filius.end()
