"""What a mapping fix will do before it is done, and where a term's values come from. Nothing is written to the store.

Reading and checking of mappings is `mapping`; the build that a preview runs twice is `build`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.errors import MappingError
from dissco_platform.opends import vocabularies
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.columns import Findings, evaluate, source_expr
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.doubts import MARK
from dissco_platform.opends.mapping import ListRule, Mapping, Rule, rule_columns
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.ranges import Progress
from dissco_platform.opends.terms import model

EXAMPLES = 10
LOOKED_AT = 100_000  # records of a larger dataset, spread over all of it: some seconds for each mapping
BLOCK = 1_000  # records in a row that are taken together
COMPARED = 5_000  # changed documents whose terms are compared one by one, spread over all that change
SKIPPED = frozenset({"row", "source_file", "source_line", "core_id", "fingerprint", "row_type"})


@dataclass
class Preview:
    """What changes from one mapping to another in the records that were looked at: all, or some spread over the dataset.

    `terms` counts the changed documents in which a term differs, among the `compared` ones. `invalid` are values that the
    model refuses, `unmatched` the records whose value of a term no vocabulary knows.
    """

    records: int = 0
    looked_at: int = 0
    unchanged: int = 0
    changed: int = 0
    appearing: int = 0
    vanishing: int = 0
    compared: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    mids_before: dict[str, int] = field(default_factory=dict)
    mids_after: dict[str, int] = field(default_factory=dict)
    rejects_before: dict[str, int] = field(default_factory=dict)
    rejects_after: dict[str, int] = field(default_factory=dict)
    invalid_before: dict[str, int] = field(default_factory=dict)
    invalid_after: dict[str, int] = field(default_factory=dict)
    unmatched_before: dict[str, int] = field(default_factory=dict)
    unmatched_after: dict[str, int] = field(default_factory=dict)
    doi_only_before: int = 0
    doi_only_after: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as plain data."""
        return asdict(self)


def preview(
    parsed: Path,
    names: Path,
    before: Mapping,
    after: Mapping,
    context: DatasetContext,
    *,
    records: int | None = LOOKED_AT,
    progress: Progress | None = None,
) -> Preview:
    """Compare what two mappings make of a dataset; what they make is kept in a temporary folder and thrown away.

    Args:
        parsed: folder of parsed tables.
        names: folder of `names.parquet`.
        before: the mapping in force.
        after: the mapping to try.
        context: the dataset's settings.
        records: look at so many records, spread over the dataset (default: all of a dataset up to LOOKED_AT); None: all.
        progress: called with what is done and the number of records.
    """
    with tempfile.TemporaryDirectory(prefix="dissco-preview-") as folder:
        root = Path(folder)
        total = pl.scan_parquet(parsed / "records.parquet").select(pl.len()).collect().item()
        source = parsed if records is None or total <= records else _sample(parsed, root / "parsed", records)
        reports = {}
        for name, mapping in (("before", before), ("after", after)):
            (root / name).mkdir()
            reports[name] = build_specimens(
                source, names, mapping, context, root / name, batch=name, progress=_telling(name, progress)
            )
        result = _compare(root / "before", root / "after")
    result.records, result.looked_at = total, reports["before"].records
    for when, report in reports.items():
        setattr(result, f"mids_{when}", report.mids_levels)
        setattr(result, f"rejects_{when}", report.rejects)
        setattr(result, f"invalid_{when}", report.invalid)
        setattr(result, f"unmatched_{when}", {term: sum(own.values()) for term, own in report.unmatched.items()})
        setattr(result, f"doi_only_{when}", report.doi_only)
    return result


def _telling(when: str, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda stage, done: progress(f"{when}: {stage}", done)


def _sample(parsed: Path, out: Path, records: int) -> Path:
    """Write blocks of consecutive records, evenly spread, with the rows of their extensions."""
    out.mkdir()
    rows = pl.scan_parquet(parsed / "records.parquet").select("row").collect()
    blocks = max(1, records // BLOCK)
    step = rows.height / blocks
    size = -(-records // blocks)
    chosen = pl.concat(rows[int(at * step) : int(at * step) + size] for at in range(blocks)).unique().sort("row")
    for path in parsed.glob("*.parquet"):
        if path.stem != "rejects":
            table = pl.scan_parquet(path).join(chosen.lazy(), on="row", how="semi", maintain_order="left")
            table.collect().write_parquet(out / path.name)
    if (parsed / "dataset.json").is_file():
        (out / "dataset.json").write_bytes((parsed / "dataset.json").read_bytes())
    return out


_WHOLE = [
    pl.lit('{"content":'), pl.col("content"), pl.lit(',"ods:hasEntityRelationships":'), pl.col("relationships"), pl.lit("}")
]  # fmt: skip


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
    shown = changed.gather_every(max(1, -(-changed.height // COMPARED)))
    result.compared = shown.height
    texts = {
        name: dict(
            pl.scan_parquet(folder / "documents.parquet")
            .filter(pl.col("content_hash").is_in(shown[column].implode()))
            .select("content_hash", pl.concat_str(_WHOLE).alias("content"))
            .collect()
            .iter_rows()
        )
        for name, folder, column in (("before", before, "content_hash"), ("after", after, "content_hash after"))
    }  # fmt: skip
    terms: Counter[str] = Counter()
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in shown.iter_rows(named=True):
        one = _flat(texts["before"].get(row["content_hash"]))
        other = _flat(texts["after"].get(row["content_hash after"]))
        different = {
            path: (one.get(path), other.get(path)) for path in {*one, *other} if one.get(path) != other.get(path)
        }
        if row["doi_only"] != row["doi_only after"]:
            different = {"DOI only": (row["doi_only"], row["doi_only after"])}
        terms.update(different.keys())
        changes = [{"term": path, "before": a, "after": b} for path, (a, b) in sorted(different.items())]
        of_kind = kinds.setdefault(tuple(sorted(different)), [])
        if changes and len(of_kind) < EXAMPLES and all(changes != told["changes"] for told in of_kind):
            of_kind.append({"specimen": row[key], "changes": changes})
    result.terms = dict(terms.most_common())
    result.examples = _various(list(kinds.values()))
    return result


def _various(kinds: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return examples of as many kinds of change as there are, in turn: ten that say the same would show one."""
    turns = [example for turn in zip_longest(*kinds) for example in turn if example is not None]
    return turns[:EXAMPLES]


def _flat(text: str | None) -> dict[str, Any]:
    """Return a document as `class path/term` → value, or the sorted list of values where the path repeats."""
    found: dict[str, list[Any]] = {}
    if text is not None:
        whole = orjson.loads(text)
        whole.update(whole.pop("content"))
        for path, value in _leaves(whole, ""):
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
