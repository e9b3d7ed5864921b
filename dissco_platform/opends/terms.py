"""The openDS model as one table: every class and term of Digital Specimen 0.4.0 and Digital Media 0.5.0.

The table is `terms.tsv` beside this file (its row order is the order of keys in a document). From it come the column
rules and JSON Schema (`schema`), the renderer (`render`), the check of mappings (`mapping`) and the docs page
(`describe`). Which source column feeds a term is not here but in `mappings/*.yaml`.

Source: openDS data model, DigitalSpecimen 0.4.0, DigitalMedia 0.5.0 and shared model 0.4.0 (schemas.dissco.tech).
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

SPECIMEN_SCHEMA = "https://schemas.dissco.tech/schemas/digitalobjects/digital-specimen/0.4.0/digital-specimen.json"
MEDIA_SCHEMA = "https://schemas.dissco.tech/schemas/fdo-type/digital-media/0.5.0/digital-media.json"
SPECIMEN_FDO_TYPE = "https://doi.org/21.T11148/894b1e6cad57e921764e"
MEDIA_FDO_TYPE = "https://doi.org/21.T11148/bbad8c4e101e8af01115"

# Classes that refuse keys they do not know (additionalProperties: false); Digital Media alone is open.
OPEN_CLASSES = frozenset({"ods:DigitalMedia"})

Filled = Literal["source", "derived", "dataset", "constant", "publication"]
TERMS_FILE = Path(__file__).with_name("terms.tsv")


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one class.

    `range` is string, integer, number, boolean or a class name; `many` says that the value is a list of it.
    `filled` says who fills it: a source column through the mapping, a rule of ours, the dataset's own settings, a
    constant of the model, or publication (identifiers, versions, dates).
    """

    owner: str
    name: str
    range: str
    many: bool
    required: bool
    vocabulary: str | None
    filled: Filled
    enum: tuple[str, ...] = ()
    const: str | None = None
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    format: str | None = None
    min_items: int | None = None

    @property
    def nested(self) -> bool:
        """Whether the value is an object (or a list of objects) of another class."""
        return ":" in self.range


@dataclass(frozen=True, slots=True)
class Model:
    """All classes, each with its terms in document order."""

    classes: dict[str, dict[str, Term]]

    def term(self, owner: str, name: str) -> Term:
        """Return a term; KeyError where the class has no such term."""
        return self.classes[owner][name]

    def describe(self) -> list[dict[str, str]]:
        """Return the table for the docs page: one dictionary of strings a term."""
        return [
            {
                "class": term.owner,
                "term": term.name,
                "type": f"list of {term.range}" if term.many else term.range,
                "obligation": "required" if term.required else "optional",
                "values": _values_text(term),
                "filled by": term.filled,
            }
            for terms in self.classes.values()
            for term in terms.values()
        ]


def _values_text(term: Term) -> str:
    if term.const is not None:
        return term.const
    if term.enum:
        return ", ".join(term.enum)
    if term.vocabulary:
        return f"vocabulary {term.vocabulary}"
    if term.minimum is not None or term.maximum is not None:
        low = "" if term.minimum is None else str(term.minimum)
        high = "" if term.maximum is None else str(term.maximum)
        return f"{low} … {high}".strip()
    return term.format or ""


def _parse(row: dict[str, str]) -> Term:
    facts: dict[str, str] = {}
    constraint = row["constraint"]
    if constraint.startswith(("enum=", "const=", "pattern=")):
        key, _, value = constraint.partition("=")
        facts[key] = value
    elif constraint:
        facts = dict(part.split("=", 1) for part in constraint.split(" "))
    many = row["range"].endswith("[]")
    return Term(
        owner=row["class"],
        name=row["term"],
        range=row["range"].removesuffix("[]"),
        many=many,
        required=row["obligation"] == "required",
        vocabulary=row["vocabulary"] or None,
        filled=row["filled"],  # type: ignore[arg-type]
        enum=tuple(facts["enum"].split("|")) if "enum" in facts else (),
        const=facts.get("const"),
        pattern=facts.get("pattern"),
        minimum=int(facts["min"]) if "min" in facts else None,
        maximum=int(facts["max"]) if "max" in facts else None,
        format=facts.get("format"),
        min_items=int(facts["minItems"]) if "minItems" in facts else None,
    )


@cache
def model() -> Model:
    """Return the model, read once from `terms.tsv`."""
    classes: dict[str, dict[str, Term]] = {}
    with TERMS_FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            term = _parse(row)
            classes.setdefault(term.owner, {})[term.name] = term
    return Model(classes)
