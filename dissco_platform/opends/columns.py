"""Running a mapping over a parsed table: one typed column a term, rules of the model applied, misfits counted.

Reads rules (`mapping`) and the model (`terms`); values' meaning is in `transforms` and `vocabularies`; JSON is `render`.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dissco_platform.opends import vocabularies
from dissco_platform.opends.lists import list_items
from dissco_platform.opends.mapping import ListRule, Mapping, Rule, Source
from dissco_platform.opends.placeholders import is_placeholder
from dissco_platform.opends.terms import Term, model
from dissco_platform.opends.transforms import TRANSFORMS

TYPES: dict[str, type[pl.DataType]] = {
    "string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean
}  # fmt: skip
NO_TYPE = "notAType"  # what a thing is not: no document holds the concept, so what was written is always kept
TOP_UNMATCHED = 1_000  # distinct values kept a vocabulary; a column of free text must not fill the memory


@dataclass
class Findings:
    """What was noticed while columns were made: values that no vocabulary knows, values that break the model."""

    unmatched: dict[str, Counter[str]] = field(default_factory=dict)
    matched: Counter[str] = field(default_factory=Counter)
    invalid: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    placeholders: dict[str, int] = field(default_factory=dict)

    def add_unmatched(self, term: str, value: str, count: int) -> None:
        """Count a value that the term's vocabulary does not know."""
        counter = self.unmatched.setdefault(term, Counter())
        if value in counter or len(counter) < TOP_UNMATCHED:
            counter[value] += count

    def merge(self, other: "Findings") -> None:
        """Add what was noticed in another batch."""
        for term, counter in other.unmatched.items():
            for value, count in counter.items():
                self.add_unmatched(term, value, count)
        self.matched.update(other.matched)
        self.invalid.update(other.invalid)
        for name, count in other.placeholders.items():
            self.placeholders[name] = self.placeholders.get(name, 0) + count


def _shared(source: Source, available: Collection[str]) -> str | None:
    """Return the name of the struct of which several rules read parts, None where the source parses for itself."""
    whole = TRANSFORMS[source.steps[0].name].whole if source.steps else None
    if whole is None:
        return None
    columns = [column if column in available else None for column in source.columns]
    return f"__whole {id(whole)} {columns} {source.steps[0].params}" if any(columns) else None


def _shared_exprs(rules: Iterable[Rule], available: Collection[str]) -> list[pl.Expr]:
    """Return a struct for each value that two or more rules read parts of, so that it is parsed once."""
    sources = [source for rule in rules if rule.constant is None for source in rule.sources]
    wanted = Counter(name for source in sources if (name := _shared(source, available)) is not None)
    structs: dict[str, pl.Expr] = {}
    for source in sources:
        name = _shared(source, available)
        if name is None or wanted[name] < 2 or name in structs:
            continue
        first = source.steps[0]
        columns = [pl.col(one) if one in available else pl.lit(None, dtype=pl.String) for one in source.columns]
        whole = TRANSFORMS[first.name].whole
        if whole is not None:
            structs[name] = whole(columns, dict(first.params)).alias(name)
    return list(structs.values())


def source_expr(source: Source, available: Collection[str]) -> pl.Expr | None:
    """Return a source as an expression; None where none of its columns exists."""
    if not any(column in available for column in source.columns):
        return None
    columns = [pl.col(column) if column in available else pl.lit(None, dtype=pl.String) for column in source.columns]
    expr = columns[0]
    if source.steps:
        first, *rest = source.steps
        whole = _shared(source, available)
        if whole is not None and whole in available:
            expr = pl.col(whole).struct.field(first.name)
        else:
            expr = TRANSFORMS[first.name].build(columns, dict(first.params))
        for step in rest:
            expr = TRANSFORMS[step.name].build([expr], dict(step.params))
    if source.when is not None:
        for column, values in source.when.tests:
            if column not in available:
                if None not in values:
                    return None
                continue
            texts = [value for value in values if value is not None]
            holds = pl.col(column).str.to_lowercase().is_in(texts)
            if None in values:
                holds = holds.fill_null(value=False) | pl.col(column).is_null()
            expr = pl.when(holds).then(expr)
    return expr


def rule_expr(rule: Rule, term: Term, available: Collection[str]) -> pl.Expr | None:
    """Return a rule as an expression of the term's type (before its vocabulary); None where nothing feeds it."""
    dtype = pl.String if term.many else TYPES[term.range]
    if rule.constant is not None:
        return pl.lit(rule.constant if not term.many else "|".join(rule.constant), dtype=dtype)
    exprs = [expr for source in rule.sources if (expr := source_expr(source, available)) is not None]
    if not exprs and rule.default is None:
        return None
    if rule.join is not None and exprs:
        joined = pl.concat_str(exprs, separator=rule.join, ignore_nulls=True)
        exprs = [pl.when(joined != "").then(joined)]
    value = pl.coalesce(exprs) if len(exprs) > 1 else exprs[0] if exprs else pl.lit(None, dtype=dtype)
    if rule.values:
        olds, news = [old for old, _ in rule.values], [str(new) for _, new in rule.values]
        text = value.cast(pl.String)
        value = pl.coalesce(
            text.str.strip_chars().str.to_lowercase().replace_strict(olds, news, default=None, return_dtype=pl.String),
            text,
        )
    value = value.cast(dtype, strict=False)
    if rule.default is not None:
        value = value.fill_null(pl.lit(rule.default, dtype=dtype))
    return value


def _exprs(
    rules: dict[str, Rule | ListRule], owner: str, available: Collection[str]
) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Return what is made of the columns first, for several rules, and the terms that rules make of these and the columns."""
    terms = model().classes[owner]
    single = {name: rule for name, rule in rules.items() if isinstance(rule, Rule)}
    shared = _shared_exprs(single.values(), available)
    available = [*available, *(expr.meta.output_name() for expr in shared)]
    found = {name: rule_expr(rule, terms[name], available) for name, rule in single.items()}
    return shared, [expr.alias(name) for name, expr in found.items() if expr is not None]


def evaluate(frame: pl.DataFrame, mapping: Mapping, owner: str, table: str, findings: Findings) -> pl.DataFrame:
    """Return one column a mapped term of `owner` that has any value, typed; nested lists as JSON text without brackets.

    For a term with a vocabulary the concept stands in the term's column, and where the written value said it in other
    words, that stands in a column `verbatim <term>`.
    """
    rules = mapping.block(owner, table)
    asked = ("evaluate", owner, table, *frame.columns)
    made: tuple[list[pl.Expr], list[pl.Expr]] | None = mapping.made.get(asked)
    if made is None:
        made = mapping.made[asked] = _exprs(rules, owner, frame.columns)
    shared, exprs = made
    frame = frame.with_columns(shared) if shared else frame
    anchor = pl.col(frame.columns[0]).alias("__")  # constants alone would give one row
    result = frame.select(anchor, *exprs).drop("__") if exprs else pl.DataFrame()
    result = result.select([column for column in result.columns if result[column].null_count() < result.height])
    result = _with_vocabularies(result, rules, mapping.vocabulary_folder, findings)
    result = checked(result, owner, findings)
    nested = {
        name: items
        for name, rule in rules.items()
        if isinstance(rule, ListRule) and (items := list_items(frame, rule)) is not None
    }
    if not nested:
        return result
    return result.with_columns(**nested) if result.width else pl.DataFrame(nested)


def _with_vocabularies(
    result: pl.DataFrame, rules: dict[str, Rule | ListRule], folder: Path | None, findings: Findings
) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for name in result.columns:
        rule = rules[name]
        if not isinstance(rule, Rule) or rule.vocabulary is None or rule.constant is not None:
            continue
        vocabulary = vocabularies.load(rule.vocabulary, folder)
        counts = result[name].value_counts()
        written = counts[name].to_list()
        concepts: list[str | None] = []
        verbatim: list[str | None] = []
        for told, count in zip(written, counts["count"].to_list(), strict=True):
            concept = vocabulary.match(told)
            nothing = concept is None and told is not None and is_placeholder(told)
            if nothing:
                findings.placeholders[name] = findings.placeholders.get(name, 0) + count
            value = None if nothing else told
            if value is not None:
                if concept is None:
                    findings.add_unmatched(name, value, count)
                else:
                    findings.matched[name] += count
            said_otherwise = concept == NO_TYPE or (
                concept is not None
                and vocabularies.normalise(value or "").replace(" ", "")
                != (vocabularies.normalise(concept).replace(" ", ""))
            )
            verbatim.append(value if said_otherwise else None)
            concepts.append(concept if concept is not None or not rule.keep_unmatched else value)
        series = result[name]
        old = pl.Series(written, dtype=pl.String)
        columns.append(series.replace_strict(old, pl.Series(concepts, dtype=pl.String), default=None).alias(name))
        if any(value is not None for value in verbatim):
            shown = series.replace_strict(old, pl.Series(verbatim, dtype=pl.String), default=None)
            columns.append(shown.alias(f"verbatim {name}"))
    return result.with_columns(columns) if columns else result


def column_rule(term: Term) -> pl.Expr | None:
    """Return what the model asks of a term's value as a Boolean expression on its column; None where it asks nothing."""
    column = pl.col(term.name)
    if term.enum and not term.many:
        return column.is_in(list(term.enum))
    if term.range in {"integer", "number"}:
        rule = column.is_not_null()
        if term.minimum is not None:
            rule = rule & (column >= term.minimum)
        if term.maximum is not None:
            rule = rule & (column <= term.maximum)
        return rule if term.minimum is not None or term.maximum is not None else None
    if term.pattern:
        return column.str.contains(term.pattern)
    if term.format in {"iri", "uri", "url"}:
        return column.str.contains(r"^(?i)[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+$")
    if term.format == "date-time":
        return column.str.contains(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$")
    if term.format == "email":
        return column.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    return None


def checked(result: pl.DataFrame, owner: str, findings: Findings) -> pl.DataFrame:
    """Return the columns with values that break the model taken out, and counted by class, term and rule."""
    terms = model().classes[owner]
    rules = {name: rule for name in result.columns if name in terms and (rule := column_rule(terms[name])) is not None}
    if not rules:
        return result
    broken = result.select((~rule & pl.col(name).is_not_null()).sum().alias(name) for name, rule in rules.items())
    found = {name: count for name, count in broken.row(0, named=True).items() if count} if broken.height else {}
    for name, count in found.items():
        findings.invalid[owner, name, "does not fit the model"] += count
    if not found:
        return result
    return result.with_columns(pl.when(rules[name]).then(pl.col(name)).alias(name) for name in found)
