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

from dissco_platform.errors import MappingError
from dissco_platform.opends.vocabularies.inflected import Stems
from dissco_platform.opends.vocabularies.places import Places
from dissco_platform.provenance import text_version

FOLDER = Path(__file__).parent
# What stands beside the name of a country or place without changing which it is.
_BESIDE = frozenset(
    {
        "n", "s", "e", "w", "ne", "nw", "se", "sw", "northern", "southern", "eastern", "western", "centr", "center", "off",
        "near", "nr", "close", "to", "in", "is", "isl", "isls", "isle", "isles", "i", "ile", "iles", "isla", "islas", "ins",
        "insel", "inseln", "arch", "archipelago", "coast", "prov", "province", "possibly", "probable", "probably", "prob",
        "rep", "kingdom", "state", "dept", "district", "region", "border", "cf", "so",
    }
)  # fmt: skip

# Alone they name one thing; inside a longer text they may be another's name, a sea's or a region's.
_VAGUE = frozenset(
    {
        "congo",
        "guinea",
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
    _places: Places | None = field(default=None, repr=False)
    _stems: Stems | None = field(default=None, repr=False)

    def match(self, text: str | None) -> str | None:
        """Return the concept that a written value names, None where it names none."""
        if text is None:
            return None
        key = normalise(text)
        if self.doubt and "?" in text:
            return self.doubt
        if found := self.labels.get(key):
            return found
        if not key or key in _BLANK:
            return None
        if found := self.labels.get(key.replace(" ", "")):
            return found
        # a count or a mark of doubt around the value: "1 female", "Female?", "holotype (2)"
        trimmed = re.sub(r"^\d+\s+|\s+\d+$|\s*\b(?:s|es)$", "", key).strip()
        if trimmed != key and (found := self.labels.get(trimmed)):
            return found
        for pattern, concept in self.patterns:
            if pattern.search(key):
                return concept
        if self.loose:
            if self._places is None:
                self._places = Places(self.labels, self.titles)
            if found := self._places.match(key):
                return found
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
        mended = _mended(text)
        if self.inflected:  # MiddleMiocene, MaastrichtianUpper
            mended = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mended)
        return self.match(mended) if mended != text else None

    def _contained(self, key: str) -> str | None:
        """Return the concept whose labels stand inside the text as whole words; of a line of concepts the narrowest.

        None where the text names two that do not contain each other.
        """
        words = [word for word in key.split() if word not in _BESIDE]
        found: set[str] = set()
        at = 0
        while at < len(words):
            for size in range(min(6, len(words) - at), 0, -1):
                label = " ".join(words[at : at + size])
                concept = self.labels.get(label)
                if concept and label not in _VAGUE and (len(label) > 3 or label in {"usa", "uk", "png", "uae"}):
                    found.add(concept)
                    at += size - 1
                    break
            at += 1
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
    vocabulary.inflected = "labels may be inflected" in source
    vocabulary.add(rows, path)
    further = extension / f"{name}.tsv" if extension else None
    if further is not None and further.is_file():
        vocabulary.add(_rows(further)[1], further)
    return vocabulary
