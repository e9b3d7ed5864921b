"""The tables of ../facts, and choices that are the same on every machine.

No record is made here (see herbarium, zoology, fossils) and no file is written (see archive).
"""

import csv
import hashlib
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

FACTS = Path(__file__).resolve().parents[1] / "facts"
Item = TypeVar("Item")

# Crockford's base 32, in which ROR ids are written.
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
PLACE_COLUMNS = ("continent", "country", "countryCode", "stateProvince", "municipality", "waterBody", "locality")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/specimens")


@cache
def table(name: str) -> list[dict[str, str]]:
    """Return the rows of facts/<name>.tsv (tab-separated, no quoting, header first)."""
    with (FACTS / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def digest(*parts: object) -> int:
    """Return a whole number that depends on nothing but the parts."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Draw:
    """Choices of one record; seeded by its number, so that adding a record changes no other.

    Python's own generator is not used: only some of its methods promise the same answers in later versions.
    """

    def __init__(self, *seed: object) -> None:
        self._seed = seed
        self._step = 0

    def below(self, limit: int) -> int:
        self._step += 1
        return digest(*self._seed, self._step) % limit

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def skewed(self, items: Sequence[Item]) -> Item:
        """Choose the first items more often than the last, as real collections have their common species."""
        return items[len(items) - 1 - math.isqrt(self.below(len(items) ** 2))]


@dataclass
class Record:
    """One core row with its extension rows.

    `number` counts within the collection; `watch` names what the row is there to show (blank: an ordinary row);
    `damage` is what is done to its line on writing (see archive.damaged).
    """

    number: int
    cells: dict[str, str]
    extensions: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    watch: str = ""
    damage: str = ""


def institution(collection: str) -> dict[str, str]:
    """Return the (invented) institution of a collection, its `id` written out as an address."""
    row = dict(next(row for row in table("institutions") if row["collection"] == collection))
    if row["id"].startswith("ror:"):
        row["id"] = ror(row["id"].removeprefix("ror:"))
    return row


def ror(body: str) -> str:
    """Return the ROR address of a six-character body: `0` + body + two check digits (ISO 7064 mod 97-10)."""
    number = 0
    for character in body:
        number = number * 32 + CROCKFORD.index(character)
    return f"https://ror.org/0{body}{98 - number * 100 % 97:02d}"


def orcid(number: str) -> str:
    """Return an ORCID address with a valid check character, from a block that ORCID does not assign."""
    digits = f"{number:0>15}"
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    text = digits + ("X" if check == 10 else str(check))
    return "https://orcid.org/" + "-".join(text[start : start + 4] for start in range(0, 16, 4))


def person_id(name: str) -> str:
    """Return the invented ORCID of a person, or blank: not everyone has one."""
    number = next(row["id_number"] for row in table("people") if row["name"] == name)
    return orcid(number) if number else ""


def people(collection: str) -> list[str]:
    return [row["name"] for row in table("people") if row["works_on"] == collection]


def urn(collection: str, number: int) -> str:
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{collection}/{number}')}"


def places(environment: str) -> list[dict[str, str]]:
    return [row for row in table("places") if row["environment"] == environment]


def degrees(latitude: float, longitude: float) -> str:
    """Return coordinates as a label writes them: 52°03'22"N 5°50'37"E."""

    def part(value: float, letters: str) -> str:
        seconds = round(abs(value) * 3600)
        return f"{seconds // 3600}°{seconds % 3600 // 60:02d}'{seconds % 60:02d}\"{letters[value < 0]}"

    return f"{part(latitude, 'NS')} {part(longitude, 'EW')}"


def day(draw: Draw, first: int, last: int) -> str:
    """Return a date between April of year `first` and October of year `last`."""
    return f"{first + draw.below(last - first + 1)}-{4 + draw.below(7):02d}-{1 + draw.below(28):02d}"


def columns(collection: str, file: str) -> tuple[str, ...]:
    """Return the columns of a file of an archive, in their order."""
    rows = table("columns")
    return tuple(row["column"] for row in rows if (row["collection"], row["file"]) == (collection, file))


def cells(columns: Sequence[str], values: dict[str, Any]) -> dict[str, str]:
    """Return one cell a column (blank where there is no value); a value without a column is a mistake of ours."""
    unknown = values.keys() - set(columns)
    if unknown:
        raise KeyError(f"no such columns: {sorted(unknown)}")
    return {column: str(values.get(column) or "") for column in columns}
