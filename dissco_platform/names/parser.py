"""One name into its parts: the adapter over gbif-name-parser, with what it leaves undone.

What a record gives beside the name (authorship, rank, code) goes in as hints. How a canonical name is written is in
`canonical.py`; parsing many names at once, with a cache and processes, in `parse_many.py`; matching keys are made in
`words.py`.
"""

import re
from functools import cache
from typing import Any, Final, NamedTuple

import nameparser

from dissco_platform.names import canonical
from dissco_platform.names.canonical_reader import Reading, read_canonical
from dissco_platform.names.cleaning import MAX_NAME, clean
from dissco_platform.names.fold import ascii_fold
from dissco_platform.names.ranks import rank_of
from dissco_platform.names.stem import stem_canonical

PARSER_VERSION: Final = "gbif-name-parser 0.4/6"
"""Part of the key of every cached parse: raise the last number whenever a rule here or in `canonical.py` changes."""

PARSE_COLUMNS: Final = (
    "canonicalName",
    "canonicalStem",
    "authorship",
    "year",
    "genericName",
    "specificEpithet",
    "infraspecificEpithet",
    "rank",
    "notho",
    "outcome",
    "quality",
)


class Parse(NamedTuple):
    """What a name says. `outcome`: parsed, informal, formula, virus, identifier, placeholder, unparsable or blank.

    `quality` is gnparser's scale: 1 clean, 2 small deviations, 3 repairs, 4 only partly read, 0 no name.
    """

    canonicalName: str | None = None  # noqa: N815  the field's own term
    canonicalStem: str | None = None  # noqa: N815
    authorship: str | None = None
    year: str | None = None
    genericName: str | None = None  # noqa: N815
    specificEpithet: str | None = None  # noqa: N815
    infraspecificEpithet: str | None = None  # noqa: N815
    rank: str | None = None
    notho: str | None = None
    outcome: str = "blank"
    quality: int = 0
    approximate: bool = False
    """The canonical name is all that may be matched: an epithet is only approached (`Aus aff. bus`), or there is no name."""


INNER_COLUMNS: Final = (*PARSE_COLUMNS, "approximate")
"""What is kept of a parse: the columns that are shown, and what matching needs besides."""

_CODES: Final = {
    "zoological": "ZOOLOGICAL",
    "botanical": "BOTANICAL",
    "bacterial": "BACTERIAL",
    "virus": "VIRUS",
    "cultivars": "CULTIVARS",
    "phyto": "PHYTO",
}
_OUTCOMES: Final = {"FORMULA": "formula", "PLACEHOLDER": "placeholder", "IDENTIFIER": "identifier"}
_CAPITAL_SIGN: Final = re.compile(r"^[A-Z][a-z]{2}.*\sX\s[A-Z][a-z]{2}")
_STAGE: Final = re.compile(r"[\s,]+(?:juv|imm|ad|subad|larv|fem|masc)\.$|[\s,]*[♂♀]+$")
"""Sex and life stage behind a name are no part of it."""

_SEVERAL: Final = re.compile(r"[;|,/](?:(?<!/)|(?<=\s/)(?=\s))\s*[A-Z][a-z]+ [a-z]{3,}(?=$|[\s;|/,])")
"""What stands before the second of several names in one cell: a sign, or a stroke with blanks around it."""

_ABOVE: Final = re.compile(r"^[A-Z][a-z]+: (?=[A-Z][a-z]+$)")
_SAINT: Final = re.compile(r"(?<=[a-z]\s)St\.?-[A-Z](?=[a-z]+i\b)")
"""A capital in an epithet that honours a saint or Saint-John: `Macromitrium St.-Johnii`."""

_INDET: Final = re.compile(
    r"^([A-Z][a-z]{2,}(?: \([A-Z][a-z]+\))?(?: [a-z-]{3,})?)(?: (?:spp?|ssp|subsp|var)\b\.?)? [\[(]?(?:indet|undet)\b\.?[\])]?$"
)

_CODE: Final = re.compile(r"^(?:[A-Z]{2}[A-Z0-9]{0,6}[:_-]?|[A-Z]{2,5} )[A-Z]{0,6}\d{2}[A-Z0-9.:_-]*$")
"""Capitals and digits: the number of a specimen, a sequence or an operational unit, whoever gave it."""

_PHRASES: Final = frozenset(
    [
        "unknown",
        "unidentified",
        "undetermined",
        "indet",
        "indet.",
        "indeterminate",
        "none",
        "null",
        "nil",
        "blank",
        "missing",
        "n/a",
        "na",
        "nan",
        "-",
        "?",
        "x",
        "test",
    ]
)


def parse_name(
    name: str | None, authorship: str | None = None, rank: str | None = None, code: str | None = None
) -> Parse:
    """Parse one name as written, with what the record gives beside it (rank and code in ColDP's words).

    Never raises; time grows with the length of the name only up to MAX_NAME characters.
    """
    raw = name or ""
    text, repairs = clean(raw)
    if text[-1:] in ".♂♀" and (stage := _STAGE.search(text)):
        text, repairs = text[: stage.start()], 4
    if not text:
        return Parse(outcome="blank" if not raw.strip() else "unparsable")
    if text.lower().strip(" .") in _PHRASES and not (authorship and text[0].isupper()):
        return Parse(outcome="placeholder")
    if text[1:2].isupper() and _CODE.match(text):
        return Parse(outcome="identifier")
    parse = _parse(text, authorship, rank, code)
    if parse.quality and repairs > parse.quality:
        parse = parse._replace(quality=repairs)
    return parse


def _parse(text: str, authorship: str | None, rank: str | None, code: str | None) -> Parse:
    cultivar = code == "cultivars"
    if cultivar or (any(map(text.__contains__, _SPECIAL_SIGNS)) and _SPECIAL.search(text)):
        special = _special(text, authorship, rank, code)
        if isinstance(special, Parse):
            return special
        text = special
    try:
        parsed = nameparser.parse(_exceptions(text), _author_hint(text, authorship), None, _CODES.get(code or ""))
    except nameparser.UnparsableNameError as error:
        return _unparsable(text, error, code)
    if canonical.no_name(text) or ("×" in text and _QUOTED_PARENT.match(text)):
        parse = _fields(parsed, text)
        outcome = "placeholder" if canonical.no_organism(text) else parse.outcome
        return parse._replace(canonicalName=None, canonicalStem=None, outcome=outcome, quality=0, approximate=True)
    return _fields(parsed, text, cultivar=cultivar)


_SPECIAL: Final = re.compile(r"\+|\s[Xx×](?:\s|$)|\sSt\.?-|\scv\b|(?:in|un)det\b|\bgen\.|^[A-Z][a-z]+: ")
"""What a text must hold for `_special` to have a say: most names never get there."""

_SPECIAL_SIGNS: Final = ("+", " x", " X", "×", " St", " cv", "det", "gen.", ": ")

_GRAFT: Final = re.compile(r"[A-Za-z]\s\+\s[A-Z]")
_NAMED_GRAFT: Final = re.compile(r"^\+\s*([A-Z][\w-]+\s[a-z].*)$")
_GRAFT_SIGN: Final = re.compile(r"^\+\s*(?=[A-Z])")
_HANGING_SIGN: Final = re.compile(r"\S\s[xX×]$")
_CULTIVAR_TAIL: Final = re.compile(r"\scv\.?\s+['‘\"]?[A-Z].*$")
_CULTIVAR: Final = re.compile(r"\scv\.?\s+['‘\"]?([A-Z][\w -]*\w)")
_NEW_GENUS: Final = re.compile(r"^([A-Z][a-z]+)\s(?:n\.?\s?)?gen\.(?:\s|$)")
_QUOTED_PARENT: Final = re.compile(r"^[A-Z][a-z]+ ×\s?[A-Z][a-z]+'")


def _special(text: str, authorship: str | None, rank: str | None, code: str | None) -> Parse | str:
    """Return the parse of graft-chimeras, hanging formulas, cultivars, "indet." and "gen. nov."; else the text, mended."""
    cultivar = code == "cultivars"
    if not cultivar and (text.startswith("+") or _GRAFT.search(text)):
        # a graft-chimera is a name only under the code for cultivated plants
        named = _NAMED_GRAFT.match(text)
        parse = _parse(named[1], authorship, rank, code) if named else Parse(outcome="formula")
        return parse._replace(canonicalName=None, canonicalStem=None, quality=0)
    if cultivar and _GRAFT.search(text):
        return _formula(text, code)
    if cultivar and (sign := _GRAFT_SIGN.match(text)):
        return _parse(text[sign.end() :], authorship, rank, code)._replace(quality=3)
    if _CAPITAL_SIGN.search(text):
        return _formula(text, code)
    if _HANGING_SIGN.search(text):
        return _formula(text + " ?", code)
    text = _SAINT.sub(lambda found: found[0].lower(), text)
    if not cultivar:
        text = _CULTIVAR_TAIL.sub("", text)
    if undecided := _INDET.match(text):
        # a taxon of which somebody says that no more is known
        parse = _parse(undecided[1], authorship, rank, code)
        return parse._replace(outcome="informal", quality=4) if parse.canonicalName else parse
    if over := _ABOVE.match(text):
        # a family behind its order: gnparser reads no name there
        parse = _parse(text[over.end() :], authorship, rank, code)
        return parse._replace(canonicalName=None, canonicalStem=None, quality=0)
    if above := _NEW_GENUS.match(text):
        word = ascii_fold(above[1])
        return Parse(word, word, genericName=above[1], rank="genus", outcome="informal", quality=4)
    if cultivar and (variety := _CULTIVAR.search(text)):
        parse = _parse(text[: variety.start()], authorship, rank, None)
        name = f"{parse.canonicalName} ‘{variety[1]}’" if parse.canonicalName else None
        return parse._replace(canonicalName=name, canonicalStem=name, rank="cultivar")
    return text


def _author_hint(text: str, authorship: str | None) -> str | None:
    """Return the authorship to be parsed beside the name; none where the name carries it already."""
    if not authorship:
        return None
    plain = re.sub(r"[^a-z0-9]", "", ascii_fold(authorship).lower())
    if not plain:
        return authorship[:MAX_NAME]
    if len(plain) < 4:
        # letters of an epithet are no author
        given = bool(re.search(rf"[ (.]{re.escape(authorship.strip())}(?![A-Za-z])", text))
    else:
        given = plain in re.sub(r"[^a-z0-9]", "", ascii_fold(text).lower())
    return None if given else authorship[:MAX_NAME]


def _exceptions(text: str) -> str:
    """Return the text with an epithet that reads as an author's particle made unmistakable (doubled, undone later).

    Of several names in one cell it is the first.
    """
    if several := _SEVERAL.search(text):
        text = text[: several.start()].rstrip()
    words = text.split(" ", 2)
    if len(words) > 2 and f"{words[0]} {words[1]}" in canonical.PARTICLE_EPITHETS:
        return f"{words[0]} {words[1]}{_STAND_IN} {words[2]}"
    return text


_STAND_IN: Final = "oidesq"


def _unparsable(text: str, error: Any, code: str | None) -> Parse:
    outcome = "virus" if error.code == "VIRUS" else _OUTCOMES.get(error.name_type, "unparsable")
    if outcome == "formula":
        return _formula(text, code)
    if outcome in {"placeholder", "unparsable"}:
        rest = re.match(r'^["“]?\?\s+(?=[a-z])|^(?=[a-z-]{4,}\s+[(A-Z])', text)
        if rest:
            # an epithet without its genus: read with a stand-in, which the result does not show
            parse = _parse("Aus " + text[rest.end() :], None, None, code)
            if parse.outcome == "parsed" and parse.specificEpithet:
                return parse._replace(canonicalName=None, canonicalStem=None, genericName="?", quality=0)
        if outcome == "unparsable" and not canonical.no_name(text) and (reading := read_canonical(text)):
            name = " ".join(canonical.write_words(reading.words))
            return Parse(name, stem_canonical(name), outcome=outcome, quality=4, approximate=True)
    return Parse(outcome=outcome)


def _formula(text: str, code: str | None) -> Parse:
    if canonical.no_name(text) or re.search(r"×\s*[A-Z][a-z]+'", text):
        return Parse(outcome="formula")
    parts, sign = canonical.formula_parts(text)
    names: list[str] = []
    for part, least in parts[:8]:
        reading = read_canonical(part) if part else None
        words = canonical.write_words(reading.words) if reading else []
        names.append(" ".join(words) if len(words) >= least else "")
        if not names[-1]:
            # what follows a parent that cannot be read is no part of the formula
            break
    if not names[0]:
        return Parse(outcome="formula")
    joined = f" {sign} ".join(names).strip()
    return Parse(joined, stem_formula(names, sign), outcome="formula", quality=4 if "" in names or sign == "+" else 3)


def stem_formula(names: list[str], sign: str) -> str:
    """Return the stemmed canonical name of a hybrid formula."""
    return f" {sign} ".join(stem_canonical(name) for name in names).strip()


@cache
def _rank(rank: Any) -> str:
    """Return ColDP's word for the parser's rank."""
    return rank_of(str(rank))


def _fields(parsed: Any, text: str, *, cultivar: bool = False) -> Parse:
    if isinstance(parsed, nameparser.Informal):
        reading = read_canonical(text)
        name = " ".join(canonical.write_words(reading.words)) if reading else None
        if name is None:
            return Parse(genericName=parsed.taxon, rank=_rank(parsed.rank), outcome="informal")
        return Parse(
            name,
            stem_canonical(name),
            genericName=parsed.taxon,
            rank=_rank(parsed.rank),
            outcome="informal",
            quality=4,
        )
    generic = parsed.uninomial or parsed.genus
    species, infra = _undo(parsed.specific_epithet), _undo(parsed.infraspecific_epithet)
    glued = _GLUED.match(text) if "-" in text else None
    if generic and glued and glued[1] != generic and glued[1].startswith(generic) and not species:
        generic = glued[1]
    reading = read_canonical(text)
    words = canonical.write_words(reading.words) if reading else []
    if glued and generic == glued[1] and len(words) < 2:
        words = [glued[1].split("-")[0] + "-" + glued[1].split("-", 1)[1].lower()]
    lettered = canonical.lettered_epithet(text)
    if lettered and species and lettered not in (species, infra):
        infra = lettered
    if parsed.cultivar_epithet and str(parsed.code) == "CULTIVARS" and cultivar:
        words.append(f"‘{parsed.cultivar_epithet}’")
    name = " ".join(words) or None
    notho = parsed.notho
    return Parse(
        name,
        stem_canonical(name) if name else None,
        parsed.authorship_complete(),
        parsed.combination_authorship.year or parsed.basionym_authorship.year,
        generic,
        species,
        infra,
        _rank(parsed.rank),
        str(notho[-1]).lower() if notho else None,
        "parsed" if name or generic else "unparsable",
        _quality(parsed, text, reading) if name else 0,
        reading is not None and reading.approximate,
    )


_GLUED: Final = re.compile(r"^([A-Z][a-z]+-[A-Z]\w{2,})(?=[,\s]|$)")


def _undo(epithet: str | None) -> str | None:
    return epithet.removesuffix(_STAND_IN) if epithet else epithet


def _quality(parsed: Any, text: str, reading: Reading | None) -> int:
    """Return 1–4 after gnparser's warnings: unread tail 4, damaged words 3, rare but allowed forms 2."""
    if reading is None or reading.approximate or reading.rest:
        return 4
    if parsed.unparsed or parsed.epithet_qualifier or parsed.state != "COMPLETE" or parsed.type == "INFORMAL":
        return 4
    species, infra = parsed.specific_epithet or "", parsed.infraspecific_epithet or ""
    if parsed.doubtful or parsed.warnings or (not (species + infra).replace("-", "").isalpha() and (species or infra)):
        return 3
    first = f"{parsed.genus or parsed.uninomial}{species}{infra}"
    if parsed.notho or not first.isascii() or (parsed.infrageneric_epithet and not species):
        return 2
    return 1
