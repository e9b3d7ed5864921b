"""What a mapping fix will do before it is done, and where a term's values come from. Nothing is written to the store.

Reading and checking of mappings is `mapping`; the build that a preview runs twice is `build`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.errors import MappingError
from dissco_platform.opends import vocabularies
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.columns import Findings, evaluate, source_expr
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import ListRule, Mapping, Rule, rule_columns
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.terms import model

EXAMPLES = 10
COMPARED = 5_000  # documents whose terms are compared one by one; the counts of specimens are of all
SKIPPED = frozenset({"row", "source_file", "source_line", "core_id", "fingerprint", "row_type"})


@dataclass
class Preview:
    """What changes from one mapping to another, over all (or the first `records`) records of a dataset."""

    records: int = 0
    unchanged: int = 0
    changed: int = 0
    appearing: int = 0
    vanishing: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    mids_before: dict[str, int] = field(default_factory=dict)
    mids_after: dict[str, int] = field(default_factory=dict)
    rejects_before: dict[str, int] = field(default_factory=dict)
    rejects_after: dict[str, int] = field(default_factory=dict)
    doi_only_before: int = 0
    doi_only_after: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as plain data."""
        return asdict(self)


def preview(
    parsed: Path, names: Path, before: Mapping, after: Mapping, context: DatasetContext, *, records: int | None = None
) -> Preview:
    """Compare what two mappings make of a dataset.

    Args:
        parsed: folder of parsed tables.
        names: folder of `names.parquet`.
        before: the mapping in force.
        after: the mapping to try.
        context: the dataset's settings.
        records: look at the first so many records only.
    """
    with tempfile.TemporaryDirectory(prefix="dissco-preview-") as folder:
        root = Path(folder)
        source = _sample(parsed, root / "parsed", records) if records is not None else parsed
        reports = {}
        for name, mapping in (("before", before), ("after", after)):
            (root / name).mkdir()
            reports[name] = build_specimens(source, names, mapping, context, root / name, batch=name)
        result = _compare(root / "before", root / "after")
    result.records = reports["before"].records
    result.mids_before, result.mids_after = reports["before"].mids_levels, reports["after"].mids_levels
    result.rejects_before, result.rejects_after = reports["before"].rejects, reports["after"].rejects
    result.doi_only_before, result.doi_only_after = reports["before"].doi_only, reports["after"].doi_only
    return result


def _sample(parsed: Path, out: Path, records: int) -> Path:
    out.mkdir()
    chosen = pl.scan_parquet(parsed / "records.parquet").head(records).collect()
    chosen.write_parquet(out / "records.parquet")
    last = int(chosen["row"][-1]) if chosen.height else -1
    for path in parsed.glob("*.parquet"):
        if path.stem not in {"records", "rejects"}:
            pl.scan_parquet(path).filter(pl.col("row") <= last).collect().write_parquet(out / path.name)
    if (parsed / "dataset.json").is_file():
        (out / "dataset.json").write_bytes((parsed / "dataset.json").read_bytes())
    return out


def _compare(before: Path, after: Path) -> Preview:
    key = "normalisedPhysicalSpecimenID"
    columns = [key, "content_hash", "doi_only", "mids_level"]
    old = pl.scan_parquet(before / "specimens.parquet").select(columns)
    new = pl.scan_parquet(after / "specimens.parquet").select(columns)
    both = old.join(new, on=key, how="full", suffix=" after", coalesce=False).collect()
    result = Preview()
    result.vanishing = both.filter(pl.col(f"{key} after").is_null()).height
    result.appearing = both.filter(pl.col(key).is_null()).height
    kept = both.filter(pl.col(key).is_not_null() & pl.col(f"{key} after").is_not_null())
    changed = kept.filter(pl.col("content_hash") != pl.col("content_hash after")).sort(key)
    result.changed, result.unchanged = changed.height, kept.height - changed.height
    shown = changed.head(COMPARED)
    texts = {
        name: dict(
            pl.scan_parquet(folder / "documents.parquet")
            .filter(pl.col("content_hash").is_in(shown[column].implode()))
            .select("content_hash", "content")
            .collect()
            .iter_rows()
        )
        for name, folder, column in (("before", before, "content_hash"), ("after", after, "content_hash after"))
    }
    terms: Counter[str] = Counter()
    for row in shown.iter_rows(named=True):
        one = _flat(texts["before"].get(row["content_hash"]))
        other = _flat(texts["after"].get(row["content_hash after"]))
        different = {
            path: (one.get(path), other.get(path)) for path in {*one, *other} if one.get(path) != other.get(path)
        }
        terms.update(different.keys())
        if len(result.examples) < EXAMPLES and different:
            result.examples.append(
                {
                    "specimen": row[key],
                    "changes": [{"term": path, "before": a, "after": b} for path, (a, b) in sorted(different.items())],
                }
            )
    result.terms = dict(terms.most_common())
    return result


def _flat(text: str | None) -> dict[str, Any]:
    """Return a document as `class path/term` → value, or the sorted list of values where the path repeats."""
    found: dict[str, list[Any]] = {}
    if text is not None:
        for path, value in _leaves(orjson.loads(text), ""):
            found.setdefault(path, []).append(value)
    return {path: values[0] if len(values) == 1 else sorted(values, key=str) for path, values in found.items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaves(child, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, path)
    else:
        yield path, value


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
        raise MappingError(
            f"openDS has no term {term!r}{f' in {owner}' if owner else ''}; see the table in docs/opends.md"
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
    result.top = dict(counts.most_common(20))
    result.placeholders = {name: count for name, count in findings.placeholders.items() if name in {*columns, term}}
    result.unmatched = dict(findings.unmatched.get(term, Counter()).most_common(50))
    return result


def check(mapping: Mapping, parsed: Path | None = None) -> dict[str, Any]:
    """Return what a loaded mapping covers: its terms, and for a dataset the columns that nothing reads.

    A mapping that breaks a rule does not load at all (`mapping.load_mapping`).
    """
    read: dict[str, set[str]] = {}
    terms = 0
    for (_, table), rules in mapping.blocks.items():
        terms += len(rules)
        for rule in rules.values():
            read.setdefault(table, set()).update(rule_columns(rule))
    result: dict[str, Any] = {"mapping": mapping.name, "version": mapping.version, "rules": terms, "unread": {}}
    if parsed is not None:
        for path in sorted(parsed.glob("*.parquet")):
            if path.stem in {"rejects", "verbatim"}:
                continue
            columns = set(pl.scan_parquet(path).collect_schema().names()) - SKIPPED - read.get(path.stem, set())
            result["unread"][path.stem] = sorted(columns)
    return result


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
