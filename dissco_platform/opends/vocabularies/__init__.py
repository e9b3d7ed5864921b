"""Controlled vocabularies: tables of concepts with labels in many languages, and how a written value finds its concept.

Each vocabulary is one TSV beside this file (`concept`, `parent`, `language`, `labels` separated by `|`); its first lines
begin with `#` and name the source. The language `~` marks regular expressions over the normalised text, tried last and in
file order; the language `?` names the concept of whatever carries a question mark. Curators add labels and concepts by
a file of the same form in `mappings/vocabularies/`.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from dissco_platform.errors import MappingError
from dissco_platform.opends.vocabularies.inflected import Stems
from dissco_platform.opends.vocabularies.places import Places, joined_initials, without_waters
from dissco_platform.opends.vocabularies.sexes import Sexes
from dissco_platform.provenance import text_version

FOLDER = Path(__file__).parent
# Alone they name one thing; inside a longer text they may be another's name, a sea's or a region's.
_VAGUE = frozenset(
    {
        "congo",
        "guinea",
        "guinee",
        "korea",
        "samoa",
        "java",
        "new guinea",
        "niger",
        "georgia",
        "jersey",
        "chad",
        "jordan",
        "malay peninsula",
        "indian",
        "natal",
        "victoria",
        "dominica",
        "virgin islands",
        "mali",
        "island",
        "brit columbia",
        "indiana",
    }
)
_PLURALS = ("s", "es", "n", "en", "e")
_LONG = 7  # letters; a shorter word is too near to others
# Names that several countries bear: beside another country they are a second one.
_BEARERS = {
    "congo": {"CD", "CG"}, "korea": {"KP", "KR"}, "samoa": {"AS", "WS"}, "guinea": {"GN", "GQ", "GW", "PG", "ID"},
    "borneo": {"BN", "ID", "MY"}, "melanesia": set(), "patagonia": {"AR", "CL", "FK"},
}  # fmt: skip
_LAST = frozenset({"mali", "niger", "chad", "jordan", "georgia", "us"})  # vague names that tell where they stand last
_FIELDS = ["concept", "parent", "language", "labels"]
_BLANK = frozenset(
    {"", "na", "n a", "n k", "null", "none", "unknown", "not recorded", "not applicable", "no data", "nd"}
)


def normalise(text: str) -> str:
    """Return the form in which labels are compared: accents, case, punctuation and repeated blanks gone; ♀ ♂ ⚥ † kept."""
    text = unicodedata.normalize(
        "NFKD", text.replace("ı", "i").replace("œ", "oe").replace("Œ", "oe").replace("ß", "ss")
    )
    text = "".join(mark for mark in text if not unicodedata.combining(mark)).casefold()
    text = text.replace("ø", "o").replace("æ", "ae").replace("ł", "l").replace("đ", "d")
    return re.sub(r"\s+", " ", re.sub(r"[^\w♀♂⚥†+%]+|_", " ", text)).strip()


_MARKS = frozenset("?=[]()")  # what changes the meaning of a word about sex


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


def _mended(text: str) -> str:
    """Return the text with UTF-8 that was read as a Western code page put right (LutÃ©tien: Lutétien)."""
    if text.isascii():
        return text
    for page in ("cp1252", "latin-1"):
        try:
            return text.encode(page).decode("utf-8")
        except UnicodeError:
            continue
    return text


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: the name that documents carry, and the wider concept it belongs to."""

    name: str
    parent: str | None


@dataclass
class Vocabulary:
    """One vocabulary, ready for look-ups."""

    name: str
    source: str
    concepts: dict[str, Concept] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], str]] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    contained: bool = False
    inflected: bool = False
    doubt: str | None = None
    loose: bool = False
    misspelt: bool = False
    _places: Places | None = field(default=None, repr=False)
    _stems: Stems | None = field(default=None, repr=False)
    sexes: Sexes | None = field(default=None, repr=False)

    def match(self, text: str | None) -> str | None:
        """Return the concept that a written value names, None where it names none."""
        if text is None:
            return None
        key = normalise(text)
        if self.loose:
            key = joined_initials(key).removesuffix(" cf")
        if self.doubt and "?" in text:
            return self.doubt
        marked = self.sexes is not None and not _MARKS.isdisjoint(text)
        if (found := self.labels.get(key)) and not marked:
            return found
        if key in _BLANK and not (marked and not key):
            return None
        if self.sexes is not None:
            return self.sexes.match(_without_accents(_mended(text)))
        squeezed = key.replace(" ", "")
        if (len(squeezed) > 2 or squeezed == key) and (found := self.labels.get(squeezed)):  # s.n. is no code
            return found
        if self.loose and (told := self._listed(text)):
            return None if len(told) > 1 else next(iter(told))
        # a count or a mark of doubt around the value: "1 female", "Female?", "holotype (2)"
        trimmed = re.sub(r"^\d+\s+|\s+\d+$|\s*\b(?:s|es)$", "", key).strip()
        if trimmed != key and (found := self.labels.get(trimmed)):
            return found
        for plural in _PLURALS if len(key) > _LONG - 2 and not self.loose else ():
            if key.endswith(plural) and (found := self.labels.get(key.removesuffix(plural))):
                return found
        for pattern, concept in self.patterns:
            if pattern.search(key):
                return concept
        if self.loose:
            if self._places is None:
                self._places = Places(self.labels, self.titles)
            if self._places.names_none(key):
                return None
            if found := self._places.match(key):
                return found
            key = without_waters(key)
            if re.search(r" (?:or|ou|oder|to|sea|gulf|golfe|mer|ocean|strait) ", f" {key} "):
                return None
        if self.inflected:
            if self._stems is None:
                self._stems = Stems(self.labels)
            if (outer := re.match(r"^(.+?)\s*\(([^()]+)\)\s*$", text)) and (inner := self.match(outer[2])):
                wider = self._stems.match(normalise(outer[1]))
                # Late Devonian (Famennian): the narrower of the two
                return wider if wider and inner in self.ancestors(wider) else inner
            if outer and (found := self._stems.match(normalise(outer[1]))):
                return found
            if found := self._stems.match(key):
                return found
        if self.contained and (found := self._contained(key)):
            return found
        if self.misspelt and (found := self._one_letter_off(key)):
            return found
        mended = _mended(text)
        if self.inflected:  # MiddleMiocene, MaastrichtianUpper
            mended = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mended)
        return self.match(mended) if mended != text else None

    def _listed(self, text: str) -> set[str]:
        """Return what the parts of a list name: of alternatives each, of a place and its surroundings the one that is a name."""
        parts = [part for part in re.split(r"\s*[/;]\s*", text) if part.strip()]
        if len(parts) > 1:
            return {found for part in parts if (found := self.match(part))}
        parts = [normalise(part) for part in text.split(",")]
        named = {found for part in parts if len(part) > 3 and (found := self.labels.get(part))}
        return named if len(parts) > 1 and len(named) == 1 and _BEARERS.keys().isdisjoint(parts) else set()

    def _one_letter_off(self, key: str) -> str | None:
        """Return the one concept of which a label of seven letters or more is one letter away; two changed places count."""
        squeezed = key.replace(" ", "")
        if len(squeezed) < _LONG:
            return None
        found = {
            self.labels[label]
            for label, _, _ in process.extract(
                squeezed, [label for label in self.labels if len(label) >= _LONG], scorer=DamerauLevenshtein.distance,
                score_cutoff=1, limit=None,
            )
        }  # fmt: skip
        return found.pop() if len(found) == 1 else None

    def _contained(self, key: str) -> str | None:
        """Return the concept whose labels stand inside the text as whole words; of a line of concepts the narrowest.

        None where the text names two that do not contain each other.
        """
        words = key.split()
        found: set[str] = set()
        at = 0
        while at < len(words):
            for size in range(min(6, len(words) - at), 0, -1):
                label = " ".join(words[at : at + size])
                concept = self.labels.get(label)
                whole = label not in _VAGUE and (len(label) > 3 or label in {"usa", "uk", "png", "uae"})
                # village, MALI; US, along the river
                last = label in _LAST and (at + size == len(words) or (label == "us" and at == 0))
                if concept and (whole or last):
                    found.add(concept)
                    at += size - 1
                    break
            at += 1
        for shared, bearers in _BEARERS.items():
            if shared in words and not found <= bearers:
                return None  # Congo, Rwanda: two countries
        if "error" in words:
            return None
        narrowest = [one for one in found if all(other == one or other in self.ancestors(one) for other in found)]
        return narrowest[0] if len(narrowest) == 1 else None

    def title(self, concept: str) -> str:
        """Return the concept's first English label, else its name."""
        return self.titles.get(concept, concept)

    def ancestors(self, concept: str) -> list[str]:
        """Return the wider concepts of a concept, nearest first."""
        chain: list[str] = []
        parent = self.concepts[concept].parent if concept in self.concepts else None
        while parent and parent not in chain:
            chain.append(parent)
            parent = self.concepts[parent].parent if parent in self.concepts else None
        return chain

    def add(self, rows: Iterable[tuple[int, dict[str, str]]], path: Path) -> None:
        """Add rows of a table; a label already given to another concept is an error with file and line."""
        for line, row in rows:
            concept = (row.get("concept") or "").strip()
            if not concept or None in row or row.get("labels") is None:
                raise MappingError(
                    f"{path}, line {line}: a row needs concept, parent, language and labels, tab-separated"
                )
            if concept not in self.concepts:
                self.concepts[concept] = Concept(concept, (row["parent"] or "").strip() or None)
                self.labels.setdefault(normalise(concept), concept)
                self.labels.setdefault(normalise(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", concept)), concept)
            if row["language"] == "?":
                self.doubt = concept
                continue
            if row["language"] == "~":
                try:
                    self.patterns.append((re.compile(row["labels"]), concept))
                except re.error as error:
                    raise MappingError(
                        f"{path}, line {line}: {row['labels']!r} is no regular expression ({error})"
                    ) from None
                continue
            if row["language"] == "en":
                self.titles.setdefault(concept, row["labels"].split("|")[0].strip())
            for label in row["labels"].split("|"):
                key = normalise(label)
                other = self.labels.get(key)
                if other is not None and other != concept:
                    raise MappingError(
                        f"{path}, line {line}: label {label.strip()!r} belongs to {other!r} already; take it from one"
                    )
                self.labels[key] = concept
        for key, concept in list(self.labels.items()):
            if len(key) > 5 and " " in key:  # SOUNDRECORDING, PreservedSpecimen
                self.labels.setdefault(key.replace(" ", ""), concept)


def _rows(path: Path) -> tuple[str, list[tuple[int, dict[str, str]]]]:
    source, rows = "", []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            source += line.lstrip("# ").strip() + " "
        elif line.strip() and line.split("\t")[0] != "concept":
            cells = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
            rows.append((number, dict(zip(_FIELDS, cells + [""] * (3 - len(cells)), strict=False))))
    return source.strip(), rows


def names() -> list[str]:
    """Return the names of the vocabularies."""
    return sorted(path.stem for path in FOLDER.glob("*.tsv"))


@lru_cache(maxsize=1)
def version() -> str:
    """Return a version of all tables' content: a label added here is a reason to build documents anew."""
    return text_version(*((FOLDER / f"{name}.tsv").read_bytes() for name in names()))


@lru_cache(maxsize=64)
def load(name: str, extension: Path | None = None) -> Vocabulary:
    """Return a vocabulary with the curators' additions.

    Args:
        name: a table's name, e.g. `sex`.
        extension: folder that may hold `<name>.tsv` with further labels (`mappings/vocabularies`).
    """
    path = FOLDER / f"{name}.tsv"
    if not path.is_file():
        raise MappingError(f"there is no vocabulary {name!r}; there are {', '.join(names())}")
    source, rows = _rows(path)
    vocabulary = Vocabulary(name, source, contained="labels may stand inside a longer text" in source)
    vocabulary.loose = "labels may be misspelt" in source
    vocabulary.misspelt = "labels may have a letter wrong" in source
    vocabulary.inflected = "labels may be inflected" in source
    vocabulary.add(rows, path)
    further = extension / f"{name}.tsv" if extension else None
    if further is not None and further.is_file():
        vocabulary.add(_rows(further)[1], further)
    if "cells are read word by word" in source:
        vocabulary.sexes = Sexes.of(vocabulary.labels, load("lifeStage").labels)
    return vocabulary
