"""Mappings as data: which column feeds which openDS term, read from YAML, resolved and checked.

The form of a mapping is described in `docs/opends.md`. This module reads and checks; running a mapping over columns is
`columns`, transforms are `transforms`, comparing two mappings' effects is `preview`.
"""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.errors import MappingError
from dissco_platform.opends import vocabularies
from dissco_platform.opends.mapping_files import Place, lay_over, with_bases
from dissco_platform.opends.terms import Term, model
from dissco_platform.opends.transforms import TRANSFORMS
from dissco_platform.provenance import json_version

TABLES = frozenset(
    {
        "records", "identifications", "media", "measurements", "relationships", "references", "ages", "identifiers",
        "vernaculars", "genomics", "agents", "types", "parts",
    }
)  # fmt: skip
_COLUMN = re.compile(
    r"^(?:(?:dwc|dwciri|dcterms|dc|dctype|ac|gbif|chrono|ggbn|obis|xmp|xmpRights|exif|photoshop|Iptc4xmpExt|geo|eol|col|mixs"
    r"|geoext|eco|abcd|efg|dwcdp|verbatim|dataset|tdwg):\S.*|https?://\S+|core_id)$"
)
_RULE_KEYS = {"from", "transform", "vocabulary", "values", "when", "default", "constant", "join", "unmatched"}
_SOURCE_KEYS = {"column", "columns", "transform", "when"}
LIST_KEYS: dict[str, tuple[set[str], set[str]]] = {
    # nested class: (required keys, allowed keys) of an entry that makes its objects from columns of the same row
    "ods:Agent": ({"role"}, {"role", "names", "ids"}),
    "ods:Identifier": ({"title", "from"}, {"title", "from", "split", "status", "label"}),
    "ods:EntityRelationship": ({"relationship", "from"}, {"relationship", "from", "split"}),
    "ods:Citation": ({"from"}, {"from", "split"}),
    "ods:Assertion": ({"type", "from"}, {"type", "from", "unit", "split", "vocabulary", "pattern"}),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One transform with its parameters."""

    name: str
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """All columns must hold one of the values (compared without case); None stands for an empty cell."""

    tests: tuple[tuple[str, tuple[str | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One place a value may come from."""

    columns: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """How one term is filled: the first source that gives a value, else the default; a constant goes before all."""

    owner: str
    term: str
    sources: tuple[Source, ...]
    vocabulary: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    default: Any = None
    constant: Any = None
    join: str | None = None
    keep_unmatched: bool = True
    line: str = ""


@dataclass(frozen=True, slots=True)
class ListRule:
    """Objects of a nested class made from columns of the same row (agents, identifiers, citations …)."""

    owner: str
    term: str
    of: str
    entries: tuple[dict[str, Any], ...]
    line: str = ""


@dataclass(frozen=True)
class Mapping:
    """A resolved mapping: blocks of rules by (class, table), and the vocabularies' extension folder."""

    name: str
    resolved: dict[str, dict[str, dict[str, Any]]]
    blocks: dict[tuple[str, str], dict[str, Rule | ListRule]]
    vocabulary_folder: Path | None = None
    version: str = ""
    lines: dict[Place, str] = field(default_factory=dict, repr=False)
    own_files: tuple[str, ...] = ()
    """How the places of the dataset's own rules begin: its file."""
    made: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    """What others make of the rules alone, by what they made it for: every batch of records asks for the same."""

    def to_json(self) -> str:
        """Return the resolved mapping as JSON text, rules in their own order: it loads as a mapping again."""
        return orjson.dumps(self.resolved, option=orjson.OPT_INDENT_2).decode()

    def block(self, owner: str, table: str) -> dict[str, Rule | ListRule]:
        """Return the rules of a class from a table; empty where there are none."""
        return self.blocks.get((owner, table), {})

    def columns_of(self, owner: str, term: str) -> list[tuple[str, str]]:
        """Return (table, column) pairs that feed a term, in order of precedence."""
        found: list[tuple[str, str]] = []
        for (block_owner, table), rules in self.blocks.items():
            if block_owner == owner and term in rules:
                found.extend((table, column) for column in rule_columns(rules[term]))
        return list(dict.fromkeys(found))


def rule_columns(rule: Rule | ListRule) -> list[str]:
    """Return the columns that a rule reads, in order of precedence."""
    if isinstance(rule, ListRule):
        return [
            column
            for entry in rule.entries
            for key in ("names", "ids", "from", "label")
            for column in _listed(entry.get(key))
        ]
    columns = [column for source in rule.sources for column in source.columns]
    tests = [column for source in rule.sources if source.when for column, _ in source.when.tests]
    return list(dict.fromkeys(columns + tests))


def load_mapping(base: Path, overrides: Path | None = None) -> Mapping:
    """Read a base mapping and, over it, a dataset's own rules; both are checked.

    A rule of `overrides` replaces the base's rule key by key (a `default` alone leaves the base's sources standing).
    Labels in `vocabularies/` beside the base file extend the vocabularies.

    Raises:
        MappingError: with file, line and what is allowed.
    """
    resolved, lines = with_bases(base, ())
    name = base.stem
    if overrides is not None:
        own, own_lines = with_bases(overrides, ())
        lay_over(resolved, own)
        lines = {**lines, **own_lines}
        name = f"{base.stem}+{overrides.stem}"
    folder = base.parent / "vocabularies"
    blocks = _compile(resolved, lines)
    extension = folder if folder.is_dir() else None
    additions = {}
    if extension is not None:
        additions = {path.name: path.read_text(encoding="utf-8") for path in sorted(extension.glob("*.tsv"))}
        for path in additions:
            vocabularies.load(Path(path).stem, extension)
    version = json_version({"mapping": resolved, "vocabularies": additions, "tables": vocabularies.version()})
    own_files = () if overrides is None else (f"{overrides}, ",)
    return Mapping(name, resolved, blocks, extension, version, lines, own_files)


def meant(word: str, known: Iterable[str]) -> str:
    """Return a suggestion for a misspelt word, or nothing."""
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _compile(
    resolved: dict[str, dict[str, dict[str, Any]]], lines: dict[Place, str]
) -> dict[tuple[str, str], dict[str, Rule | ListRule]]:
    classes = model().classes
    blocks: dict[tuple[str, str], dict[str, Rule | ListRule]] = {}
    for owner, tables in resolved.items():
        if owner not in classes:
            raise MappingError(
                f"{lines[(owner,)]}: {owner!r} is no openDS class{meant(owner, classes)}; there are {', '.join(classes)}"
            )
        for table, rules in tables.items():
            at = lines.get((owner, table), "")
            if table not in TABLES:
                raise MappingError(
                    f"{at}: {table!r} is no parsed table{meant(table, TABLES)}; there are {', '.join(sorted(TABLES))}"
                )
            block = blocks.setdefault((owner, table), {})
            for name, rule in rules.items():
                at = lines.get((owner, table, name), at)
                if name not in classes[owner]:
                    near = ", ".join(sorted(classes[owner]))
                    raise MappingError(
                        f"{at}: {owner} has no term {name!r}{meant(name, classes[owner])}; it has {near}"
                    )
                term = classes[owner][name]
                # dcterms:modified is the source's date here: MIDS asks for it, the published one is ours
                if (term.filled == "publication" or (name == "@type" and not term.enum)) and name != "dcterms:modified":
                    raise MappingError(f"{at}: {name!r} is filled at publication and cannot be mapped")
                compiled = _list_rule(term, rule, at) if term.nested else _rule(term, rule, at)
                block[name] = compiled
    return blocks


def _list_rule(term: Term, rule: Any, at: str) -> ListRule:
    if term.range not in LIST_KEYS:
        raise MappingError(f"{at}: {term.name!r} is built from the classes below it and cannot be mapped itself")
    required, allowed = LIST_KEYS[term.range]
    entries = _listed(rule)
    for entry in entries:
        if not isinstance(entry, dict) or not required <= set(entry) or not set(entry) <= allowed:
            raise MappingError(
                f"{at}: an entry of {term.name!r} is a table with {', '.join(sorted(required))}"
                f" and may have {', '.join(sorted(allowed - required)) or 'nothing else'}; got {entry!r}"
            )
        if entry.get("vocabulary", "sex") not in vocabularies.names():
            known = ", ".join(vocabularies.names())
            raise MappingError(f"{at}: there is no vocabulary {entry['vocabulary']!r}; there are {known}")
        if "pattern" in entry:
            _check_pattern(entry["pattern"], term.name, at)
        for key in ("names", "ids", "from", "label"):
            for column in _listed(entry.get(key)):
                _check_column(column, at)
    return ListRule(term.owner, term.name, term.range, tuple(entries), at)


def _rule(term: Term, rule: Any, at: str) -> Rule:
    if isinstance(rule, str | list):
        rule = {"from": rule}
    if not isinstance(rule, dict) or not set(rule) <= _RULE_KEYS:
        extra = ", ".join(sorted(set(rule) - _RULE_KEYS)) if isinstance(rule, dict) else repr(rule)
        raise MappingError(f"{at}: rule of {term.name!r} has {extra}; allowed are {', '.join(sorted(_RULE_KEYS))}")
    vocabulary = rule.get("vocabulary")
    if vocabulary is not None and vocabulary not in vocabularies.names():
        known = vocabularies.names()
        raise MappingError(
            f"{at}: there is no vocabulary {vocabulary!r}{meant(str(vocabulary), known)}; there are {', '.join(known)}"
        )
    if not set(rule) & {"from", "constant", "default"}:
        raise MappingError(f"{at}: rule of {term.name!r} needs 'from', 'constant' or 'default'")
    steps, when = _steps(rule.get("transform"), at), _condition(rule.get("when"), at)
    sources = tuple(_source(item, steps, when, at) for item in _listed(rule.get("from")))
    for key in ("constant", "default"):
        _check_value(term, rule.get(key), key, at)
    values = rule.get("values") or {}
    if not isinstance(values, dict):
        raise MappingError(f"{at}: 'values' of {term.name!r} is a table of written value: value to use")
    for value in values.values():
        if term.enum and value not in term.enum:
            raise MappingError(f"{at}: values of {term.name!r} must be among {', '.join(term.enum)}; got {value!r}")
    if rule.get("unmatched", "keep") not in {"keep", "drop"}:
        raise MappingError(f"{at}: 'unmatched' of {term.name!r} is keep or drop; got {rule['unmatched']!r}")
    if not isinstance(rule.get("join", ""), str):
        raise MappingError(f"{at}: 'join' of {term.name!r} is the text between values; got {rule['join']!r} (quote it)")
    return Rule(
        term.owner, term.name, sources, vocabulary,
        tuple((str(key).strip().casefold(), value) for key, value in values.items()),
        rule.get("default"), rule.get("constant"), rule.get("join"), rule.get("unmatched", "keep") == "keep", at,
    )  # fmt: skip


def _check_value(term: Term, value: Any, key: str, at: str) -> None:
    if value is None:
        return
    types: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "string": (str,),
    }
    expected = (list,) if term.many else types[term.range]
    if not isinstance(value, expected) or (isinstance(value, bool) and term.range != "boolean"):
        kind = f"a list of {term.range}s" if term.many else f"{'an' if term.range == 'integer' else 'a'} {term.range}"
        quote = " (quote text in YAML)" if expected == (str,) and not isinstance(value, list | dict) else ""
        raise MappingError(f"{at}: {key} of {term.name!r} must be {kind}; got {value!r}{quote}")
    if term.enum and value not in term.enum:
        raise MappingError(f"{at}: {key} of {term.name!r} must be one of {', '.join(term.enum)}; got {value!r}")
    if term.pattern and not re.match(term.pattern, str(value)):
        raise MappingError(f"{at}: {key} of {term.name!r} must match {term.pattern}; got {value!r}")


def _source(item: Any, steps: tuple[Step, ...], when: Condition | None, at: str) -> Source:
    if isinstance(item, str):
        _check_column(item, at)
        return Source((item,), steps, when)
    if not isinstance(item, dict) or not set(item) <= _SOURCE_KEYS or not set(item) & {"column", "columns"}:
        raise MappingError(f"{at}: a source is a column or a table of {', '.join(sorted(_SOURCE_KEYS))}; got {item!r}")
    columns = _listed(item.get("columns", item.get("column")))
    for column in columns:
        _check_column(column, at)
    own = _steps(item["transform"], at) if "transform" in item else steps
    if len(columns) > 1 and not own:
        raise MappingError(f"{at}: several columns need a transform that joins them, e.g. concat")
    if own and TRANSFORMS[own[0].name].inputs == 1 and len(columns) > 1:
        raise MappingError(f"{at}: transform {own[0].name!r} takes one column, got {len(columns)}")
    return Source(tuple(columns), own, _condition(item["when"], at) if "when" in item else when)


def _check_column(column: Any, at: str) -> None:
    if not isinstance(column, str) or not _COLUMN.match(column):
        raise MappingError(
            f"{at}: {column!r} is no column; write a term such as dwc:catalogNumber or verbatim:<header>"
        )


def _steps(value: Any, at: str) -> tuple[Step, ...]:
    steps = []
    for item in _listed(value):
        name, given = next(iter(item.items()), ("", None)) if isinstance(item, dict) else (str(item), None)
        params: dict[str, Any] = given or {}
        if name not in TRANSFORMS:
            raise MappingError(
                f"{at}: there is no transform {name!r}{meant(name, TRANSFORMS)}; there are {', '.join(sorted(TRANSFORMS))}"
            )
        known = TRANSFORMS[name].parameters
        unknown = set(params) - set(known)
        if unknown:
            allowed = ", ".join(sorted(known)) or "none"
            raise MappingError(
                f"{at}: transform {name!r} has no parameter {', '.join(sorted(unknown))}; it has {allowed}"
            )
        if "pattern" in known:
            _check_pattern(params.get("pattern", ""), name, at)
        steps.append(Step(name, tuple(sorted(params.items()))))
    return tuple(steps)


def _check_pattern(pattern: Any, name: str, at: str) -> None:
    try:  # Polars runs the pattern, so Polars (Rust's regex syntax) judges it
        pl.Series([""]).str.contains(str(pattern))
    except pl.exceptions.ComputeError as error:
        raise MappingError(f"{at}: pattern of {name!r} is no regular expression: {error}") from None


def _condition(value: Any, at: str) -> Condition | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise MappingError(f"{at}: 'when' is a table of column: value or list of values")
    tests = []
    for column, wanted in value.items():
        _check_column(column, at)
        tests.append(
            (
                column,
                tuple(
                    None if one is None else str(one).casefold()
                    for one in (wanted if isinstance(wanted, list) else [wanted])
                ),
            )
        )
    return Condition(tuple(tests))
