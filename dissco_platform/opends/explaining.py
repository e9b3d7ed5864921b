"""Where a term's values come from: the columns that feed it, how often, with what; what nothing reads; one record traced.

Lineage, and what the command line and Dagster's interface show of it, come from the mapping's own rules.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.errors import MappingError
from dissco_platform.opends import vocabularies
from dissco_platform.opends.columns import Findings, evaluate, source_expr
from dissco_platform.opends.doubts import MARK
from dissco_platform.opends.mapping import ListRule, Mapping, Rule, meant, rule_columns
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.terms import model

SKIPPED = frozenset({"row", "source_file", "source_line", "core_id", "fingerprint", "row_type"})


@dataclass
class Explanation:
    """Where a term's values come from in one dataset."""

    term: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0
    filled: int = 0
    top: dict[str, int] = field(default_factory=dict)
    vocabulary: str | None = None
    unmatched: dict[str, int] = field(default_factory=dict)
    placeholders: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data."""
        return asdict(self)


def explain(parsed: Path, mapping: Mapping, term: str, *, owner: str | None = None) -> list[Explanation]:
    """Return, for each class that has the term, which columns feed it, how often, and with which values.

    Raises:
        MappingError: the model has no such term.
    """
    owners = [name for name, terms in model().classes.items() if term in terms and owner in (None, name)]
    if not owners:
        fed = dict.fromkeys(f"{one['class']} {one['term']}" for one in lineage(mapping) if one["column"] == term)
        if fed:
            raise MappingError(f"{term} is a column and no openDS term; it feeds {', '.join(fed)}")
        known = {name for terms in model().classes.values() for name in terms}
        raise MappingError(
            f"openDS has no term {term!r}{meant(term, known)}{f' in {owner}' if owner else ''}; see the table in docs/opends.md"
        )
    return [
        _explained(parsed, mapping, name, table, term)
        for (name, table), rules in mapping.blocks.items()
        if name in owners and term in rules and (parsed / f"{table}.parquet").is_file()
    ]


def _explained(parsed: Path, mapping: Mapping, owner: str, table: str, term: str) -> Explanation:
    rule = mapping.blocks[owner, table][term]
    scan = pl.scan_parquet(parsed / f"{table}.parquet")
    present = scan.collect_schema().names()
    columns = rule_columns(rule)
    result = Explanation(f"{owner} {term} from {table}")
    result.vocabulary = None if isinstance(rule, ListRule) else rule.vocabulary
    small = replace(mapping, blocks={(owner, table): {term: rule}})
    findings = Findings()
    counts: Counter[str] = Counter()
    fills: Counter[str] = Counter()
    wanted = list(dict.fromkeys(["row", *(column for column in columns if column in present)]))
    for frame in scan.select(wanted).collect_batches(chunk_size=50_000):
        result.records += frame.height
        for column in columns:
            if column in frame.columns:
                fills[column] += frame.height - frame[column].null_count()
        stated = without_placeholders(frame, mapping, table, findings.placeholders)
        values = evaluate(stated, small, owner, table, findings)
        if term in values.columns:
            series = values[term].drop_nulls().cast(pl.String)
            result.filled += len(series)
            counts.update(dict(series.value_counts().iter_rows()))
            counts = Counter(dict(counts.most_common(5_000)))
    result.sources = [
        {"column": column, "in dataset": column in present, "filled": fills[column]} for column in columns
    ]
    readable: Counter[str] = Counter()
    for text, count in counts.most_common(20):
        readable[_readable(text) if isinstance(rule, ListRule) else text] += count
    result.top = dict(readable.most_common())
    result.placeholders = {name: count for name, count in findings.placeholders.items() if name in {*columns, term}}
    result.unmatched = dict(findings.unmatched.get(term, Counter()).most_common(50))
    return result


# What a person would call an object of a nested class.
_CALLED = ("schema:name", "dcterms:identifier", "dwc:relatedResourceID", "dcterms:bibliographicCitation")


def _readable(objects: str) -> str:
    """Return JSON objects as people would say them: `J. Smith; B. Jones`, `objectType: skin`."""
    told = []
    for one in orjson.loads(f"[{objects.replace(MARK, '')}]"):
        name = next((one[term] for term in _CALLED if term in one), None)
        said = one.get("dwc:measurementType") or one.get("dwc:relationshipOfResource") or one.get("dcterms:title")
        value = name if name is not None else one.get("dwc:measurementValue", "")
        told.append(f"{said}: {value}" if said else str(value))
    return "; ".join(told)


def check(mapping: Mapping, parsed: Path | None = None) -> dict[str, Any]:
    """Return what a loaded mapping covers: its terms, and for a dataset the columns that nothing reads (`unread`) and those
    that its own rules name and its archive has not (`absent`, with file and line).

    A mapping that breaks a rule does not load at all (`mapping.load_mapping`).
    """
    read: dict[str, set[str]] = {}
    terms = 0
    for (_, table), rules in mapping.blocks.items():
        terms += len(rules)
        for rule in rules.values():
            read.setdefault(table, set()).update(rule_columns(rule))
    result: dict[str, Any] = {
        "mapping": mapping.name, "version": mapping.version, "rules": terms, "unread": {}, "absent": []
    }  # fmt: skip
    if parsed is not None:
        result["absent"] = _absent(mapping, parsed)
        for path in sorted(parsed.glob("*.parquet")):
            if path.stem in {"rejects", "verbatim"}:
                continue
            columns = set(pl.scan_parquet(path).collect_schema().names()) - SKIPPED - read.get(path.stem, set())
            if columns:
                result["unread"][path.stem] = sorted(columns)
    return result


def _absent(mapping: Mapping, parsed: Path) -> list[dict[str, str]]:
    found = []
    for (owner, table), rules in mapping.blocks.items():
        own = {term: rule for term, rule in rules.items() if rule.line.startswith(mapping.own_files)}
        path = parsed / f"{table}.parquet"
        present = pl.scan_parquet(path).collect_schema().names() if own and path.is_file() else []
        found += [
            {"where": rule.line, "class": owner, "term": term, "table": table, "column": column}
            for term, rule in own.items()
            for column in rule_columns(rule)
            if column not in present and not column.startswith("dataset:")
        ]
    return found


def lineage(mapping: Mapping) -> list[dict[str, str]]:
    """Return one row a (class, term, table, column): which parsed column feeds which openDS term."""
    return [
        {"class": owner, "term": term, "table": table, "column": column}
        for (owner, table), rules in mapping.blocks.items()
        for term, rule in rules.items()
        for column in rule_columns(rule)
    ]


def vocabulary_gaps(unmatched: dict[str, dict[str, int]], mapping: Mapping) -> list[dict[str, Any]]:
    """Return a report's unmatched values as rows for curators, with the file that would extend the vocabulary."""
    used = {
        term: rule.vocabulary
        for rules in mapping.blocks.values()
        for term, rule in rules.items()
        if not isinstance(rule, ListRule) and rule.vocabulary
    }
    return [
        {"term": term, "value": value, "count": count, "file": f"mappings/vocabularies/{used[term]}.tsv"}
        for term, values in unmatched.items()
        if term in used and used[term] in vocabularies.names()
        for value, count in values.items()
    ]


def trace(parsed: Path, mapping: Mapping, row: int) -> list[dict[str, Any]]:
    """Return where each value of one record comes from: class, term, value, table, line, columns and what they said.

    `how` is `constant`, `default`, the names of the transforms and the vocabulary, or empty where the cell was copied.
    """
    found: list[dict[str, Any]] = []
    for (owner, table), rules in mapping.blocks.items():
        path = parsed / f"{table}.parquet"
        if not path.is_file():
            continue
        frame = without_placeholders(pl.scan_parquet(path).filter(pl.col("row") == row).collect(), mapping, table)
        for at in range(frame.height):
            found.extend(_traced(frame[at : at + 1], mapping, owner, table, rules))
    return found


def _traced(
    one: pl.DataFrame, mapping: Mapping, owner: str, table: str, rules: dict[str, Rule | ListRule]
) -> Iterator[dict[str, Any]]:
    values = evaluate(one, mapping, owner, table, Findings())
    for term, rule in rules.items():
        if term not in values.columns or values[term][0] is None:
            continue
        place = {"class": owner, "term": term, "value": values[term][0], "table": table, "line": one["source_line"][0]}
        columns, how = rule_columns(rule), "objects"
        if isinstance(rule, Rule):
            columns, how = _fed_by(one, rule)
        written = {column: one[column][0] for column in columns if column in one.columns and one[column][0] is not None}
        yield place | {"written": written, "how": how}


def _fed_by(one: pl.DataFrame, rule: Rule) -> tuple[list[str], str]:
    if rule.constant is not None:
        return [], "constant"
    for source in rule.sources:
        expr = source_expr(source, one.columns)
        if expr is not None and one.select(expr.alias("value"))["value"][0] is not None:
            steps = [step.name for step in source.steps]
            return list(source.columns), ", ".join(
                [*steps, *([f"vocabulary {rule.vocabulary}"] if rule.vocabulary else [])]
            )
    return [], "default"
