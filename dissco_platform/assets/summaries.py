"""What a materialisation says to a person: one paragraph, and the ten worst problems with where to look.

Markdown, shown in the web interface beside the counts. Texts that come from archives are escaped: they are strangers'.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from dissco_platform.assets.partitions import DOCS
from dissco_platform.names.match_types import AS_WRITTEN, MATCH_TYPES

WORST = 10
ROWS = 250_000
"""Rows of a table looked at at a time."""
_LONGEST_CELL = 90
_COL_SEARCH = "https://www.catalogueoflife.org/data/search?q="
_REJECTS = {
    "source_file": pl.String, "reason": pl.String, "message": pl.String, "source_line": pl.Int64, "len": pl.UInt32
}  # fmt: skip
_MARKS = str.maketrans(
    {**{mark: f"\\{mark}" for mark in "\\|`*_[]#"}, "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " ", "\t": " "}
)


def cell(text: object) -> str:
    """Return a text as one cell of a Markdown table, its marks taken away and cut where it goes on for long."""
    plain = " ".join(str("" if text is None else text).split())
    return (plain if len(plain) <= _LONGEST_CELL else f"{plain[:_LONGEST_CELL]}…").translate(_MARKS)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are right-aligned. Cells are escaped but for `Raw` ones."""
    body = [list(row) for row in rows]
    if not body:
        return "No problems."
    numeric = [all(isinstance(row[at], int) for row in body) for at in range(len(columns))]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join('--:' if right else '---' for right in numeric)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(_shown, row))} |" for row in body)])


class Raw(str):
    """A cell that is Markdown already."""

    __slots__ = ()


def link(text: str, address: str) -> Raw:
    """Return a cell that leads somewhere."""
    return Raw(f"[{cell(text)}]({address})")


def parsed_text(path: Path, source: str, records: int) -> str:
    """Say what was read and what was set aside, from the folder of the parsed tables."""
    rejects, worst = _worst_rejects(path / "rejects.parquet")
    said = f"**{records:,} records** were read; {rejects:,} rows of all files were set aside."
    rows = [
        (row["source_file"], row["reason"], row["len"], row["source_line"], row["message"]) for row in worst.to_dicts()
    ]
    return "\n".join(
        [
            said,
            "",
            table(["file", "why", "rows", "first line", "for example"], rows),
            "",
            f"The whole report: `dissco archive inspect {source}`",
        ]
    )


def _worst_rejects(path: Path) -> tuple[int, pl.DataFrame]:
    """Return how many rows were set aside, and the commonest (`source_file`, `reason`) with `len` and the first of them."""
    count = 0
    kinds = [pl.DataFrame(schema=_REJECTS)]
    for frame in _pieces(path, [name for name in _REJECTS if name != "len"]):
        count += frame.height
        kinds.append(_by_kind(frame.with_columns(len=pl.lit(1, pl.UInt32))).select(list(_REJECTS)))
    worst = _by_kind(pl.concat(kinds))
    return count, worst.sort("len", "reason", "source_file", descending=[True, False, False]).head(WORST)


def _by_kind(rejects: pl.DataFrame) -> pl.DataFrame:
    return (
        rejects.sort("source_file", "source_line")
        .group_by("source_file", "reason", maintain_order=True)
        .agg(pl.col("len").sum(), pl.col("source_line", "message").first())
    )


def _pieces(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield some columns of a table, `ROWS` rows at a time."""
    scan = pl.scan_parquet(path)
    for start in range(0, int(scan.select(pl.len()).collect().item()), ROWS):
        yield scan.slice(start, ROWS).select(columns).collect()


def names_text(names: Path, release: str, matches: Mapping[str, int], doubtful: Sequence[tuple[str, int]]) -> str:
    """Say how names were matched.

    Args:
        names: `names.parquet`.
        release: name of the checklist.
        matches: records by match type.
        doubtful: keys of the names to be shown, and how many records bear each (`names.HarmoniseReport`).
    """
    borne = pl.DataFrame(doubtful, schema={"name_key": pl.String, "records": pl.Int64}, orient="row")
    found = (
        pl.scan_parquet(names)
        .filter(pl.col("name_key").is_in(borne["name_key"].implode()))
        .select("name_key", "dwc:scientificName", "matchType", "confidence", "acceptedName")
        .collect()
    )
    worst = borne.join(found, on="name_key", how="inner", maintain_order="left")
    total, exact = sum(matches.values()), sum(matches.get(kind, 0) for kind in AS_WRITTEN)
    said = f"**{exact:,} of {total:,} records** and identifications bear a name that {cell(release)} knows as it is written."
    rows = [
        (
            link(row["dwc:scientificName"] or "(no name)", _COL_SEARCH + quote(row["dwc:scientificName"] or "")),
            MATCH_TYPES[row["matchType"]],
            row["records"],
            row["confidence"] or 0,
            row["acceptedName"] or "",
        )
        for row in worst.to_dicts()
    ]
    return "\n".join(
        [
            said,
            "",
            table(["name as written", "what is wrong", "records", "confidence", "taken as"], rows),
            "",
            f"A decision for good: a line in `mappings/names/*.tsv` ([how]({DOCS}/names.md)).",
        ]
    )


def specimens_text(path: Path, slug: str, source: str, report: Any) -> str:
    """Say what was built, from the folder of the built tables and the build's report (`opends.build.BuildReport`)."""
    full = report.specimens - report.doi_only
    said = (
        f"**{full:,} digital specimens**, {report.doi_only:,} with a DOI only, {report.media:,} media; "
        f"{report.rendered:,} were rendered and {report.carried_over:,} carried over unchanged."
    )
    problems: list[tuple[int, str, object, str]] = []
    for row in _worst_rejects(path / "rejects.parquet")[1].to_dicts():
        where = f"{row['source_file']}, line {row['source_line']}: {row['message']}"
        problems.append((row["len"], f"record set aside: {row['reason']}", where, f"dissco archive inspect {source}"))
    for rule, count in report.invalid.items():
        problems.append((count, f"does not fit the model: {rule}", "", f"dissco mapping explain {slug} {_term(rule)}"))
    for reason, count in report.doi_only_reasons.items():
        problems.append((count, f"DOI only: {reason}", "", f"dissco dataset show {slug}"))
    for reason, count in report.media_rejects.items():
        problems.append((count, f"medium set aside: {reason}", "", f"dissco archive inspect {source}"))
    for term, values in report.unmatched.items():
        listed = ", ".join(f"{value} ({count})" for value, count in list(values.items())[:3])
        problems.append(
            (
                sum(values.values()),
                f"value not in the vocabulary of {term}",
                listed,
                f"dissco mapping explain {slug} {term}",
            )
        )
    missing: Counter[str] = Counter()
    for frame in _pieces(path / "specimens.parquet", ["mids_missing"]):
        elements = frame["mids_missing"].explode(empty_as_null=False, keep_nulls=False)
        missing.update(dict(elements.value_counts().iter_rows()))
    for element, count in missing.most_common():
        problems.append((count, f"MIDS element missing: {element}", "", ""))
    # What keeps a record from being published goes before what only keeps it poor.
    problems.sort(key=lambda problem: (problem[1].startswith("MIDS"), -problem[0], problem[1]))
    mids = Raw(f"[MIDS]({DOCS}/opends.md)")
    rows = [
        (what, count, where, Raw(f"`{command}`") if command else mids)
        for count, what, where, command in problems[:WORST]
    ]
    return "\n".join(
        [
            said,
            "",
            table(["problem", "records", "for example", "look with"], rows),
            "",
            f"Mappings and vocabularies: [openDS]({DOCS}/opends.md).",
        ]
    )


def published_text(
    slug: str, counts: Mapping[str, int], problems: Sequence[tuple[str, str, str]], latest: Sequence[str]
) -> str:
    """Say what was published.

    Args:
        slug: the dataset.
        counts: new, changed, unchanged, missing, tombstoned versions; pending and failed DOIs.
        problems: (what, which, why) of held records and refused DOIs.
        latest: addresses of a few specimens.
    """
    said = (
        f"**{counts['new']:,} new** and **{counts['changed']:,} changed** versions, {counts['unchanged']:,} unchanged, "
        f"{counts['missing']:,} missing upstream, {counts['tombstoned']:,} tombstones; "
        f"{counts['pending']:,} DOIs wait, {counts['failed']:,} were refused."
    )
    lines = [said, "", table(["problem", "which", "why"], problems[:WORST])]
    if len(problems) > WORST:
        lines += ["", f"{len(problems) - WORST:,} more: `dissco dataset held {slug}`, `dissco doi dead-letters`."]
    if latest:
        lines += ["", "For example: " + ", ".join(f"[{address.rsplit('/', 1)[-1]}]({address})" for address in latest)]
    return "\n".join(lines)


def _term(rule: str) -> str:
    return rule.split(": ", 1)[0].rsplit(" ", maxsplit=1)[-1]


def _shown(value: object) -> str:
    if isinstance(value, Raw):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else cell(value)
