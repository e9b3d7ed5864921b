"""Curators' decisions on names: `mappings/names/*.tsv`, applied before anything is matched, and versioned.

A line says what a verbatim name (in one dataset, or in all) is: the usage with this id, or `do not match`; who decided
and why are part of it. How they reach a result is here; where the files lie is the caller's affair.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from dissco_platform.errors import MappingError
from dissco_platform.names.answer import answers_for_rows
from dissco_platform.names.index import Backbone
from dissco_platform.names.words import hash64
from dissco_platform.provenance import json_version

COLUMNS: Final = ("scientificName", "scientificNameAuthorship", "dataset", "usageID", "who", "why")
REQUIRED: Final = ("scientificName", "usageID", "who", "why")
DO_NOT_MATCH: Final = "do not match"


@dataclass(frozen=True)
class Override:
    """One decision: `usage_id` is None for "do not match"; `authorship` and `dataset` None stand for any."""

    name: str
    authorship: str | None
    dataset: str | None
    usage_id: str | None
    who: str
    why: str
    where: str


@dataclass(frozen=True)
class Overrides:
    """The decisions that hold for one dataset, and their version."""

    entries: tuple[Override, ...] = ()

    @property
    def version(self) -> str:
        """Return 32 hexadecimal digits over what is decided (not over where it is written)."""
        rows = sorted(
            [e.name, e.authorship or "", e.dataset or "", e.usage_id or DO_NOT_MATCH, e.who, e.why]
            for e in self.entries
        )
        return json_version(rows)

    def of(self, dataset: str | None) -> "Overrides":
        """Return what holds in `dataset`: its own decisions and those for all."""
        return Overrides(tuple(e for e in self.entries if e.dataset is None or e.dataset == dataset))

    def apply(self, names: pl.DataFrame, matched: pl.DataFrame, backbone: Backbone) -> pl.DataFrame:
        """Return `matched` with decided rows replaced. A decision for a usage that the release lacks is noted, not applied."""
        if not self.entries:
            return matched
        decided = self._decided(names)
        if decided.is_empty():
            return matched
        hits = backbone.identifiers.find(decided.select(hash64(pl.col("usage").fill_null(""))).to_series())
        rows = decided.with_row_index("place").join(hits, on="place", how="left", maintain_order="left")
        rows = rows.with_columns(found=backbone.usages["id"].gather(rows["value"]))
        rows = rows.with_columns(row=pl.when(pl.col("found") == pl.col("usage")).then(pl.col("value")).cast(pl.Int32))
        rows = rows.sort("at", pl.col("row").is_null()).unique("at", keep="first", maintain_order=True)
        missing = rows.filter(pl.col("usage").is_not_null() & pl.col("row").is_null())
        use = rows.filter(pl.col("usage").is_null() | pl.col("row").is_not_null())
        answers = answers_for_rows(use["row"], use["say"], backbone)
        numbered = matched.with_row_index("at")
        kept = numbered.join(use.select("at"), on="at", how="anti").join(
            missing.select("at", lost=pl.format("curator's usage {} is not in this release", "usage")),
            on="at",
            how="left",
        )
        kept = kept.with_columns(
            note=pl.concat_str(["note", "lost"], separator="; ", ignore_nulls=True).replace("", None)
        ).drop("lost")
        return pl.concat([kept, answers.insert_column(0, use["at"])]).sort("at").drop("at")

    def _decided(self, names: pl.DataFrame) -> pl.DataFrame:
        """Return (at, usage, say) of the rows that a decision speaks of; the most particular decision wins."""
        table = pl.DataFrame(
            [
                (
                    e.name,
                    e.authorship,
                    e.usage_id,
                    f"decided by {e.who}: {e.why}",
                    bool(e.dataset) * 2 + bool(e.authorship),
                )
                for e in self.entries
            ],
            schema={"n": pl.String, "a": pl.String, "usage": pl.String, "say": pl.String, "weight": pl.Int8},
            orient="row",
        )
        asked = names.select(n=_plain("dwc:scientificName"), own=_plain("dwc:scientificNameAuthorship")).with_row_index(
            "at"
        )
        table = table.with_columns(n=_plain("n"), a=_plain("a"))
        return (
            asked.join(table, on="n")
            .filter(pl.col("a").is_null() | (pl.col("a") == pl.col("own")))
            .sort("at", "weight", descending=[False, True])
            .unique("at", keep="first", maintain_order=True)
            .select("at", "usage", "say")
        )


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all(r"\s+", " ").str.strip_chars()


def load_overrides(paths: Iterable[Path]) -> Overrides:
    """Read override files (TSV with a header; `#` starts a comment line). MappingError names file and line."""
    entries: list[Override] = []
    for path in sorted(paths):
        seen: dict[tuple[str, str | None, str | None], int] = {}
        header: list[str] | None = None
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            cells = [cell.strip() for cell in line.split("\t")]
            if header is None:
                header = _header(path, number, cells)
                continue
            row = dict(zip(header, cells, strict=False))
            missing = [column for column in REQUIRED if not row.get(column)]
            if missing:
                raise MappingError(
                    f"{path.name}, line {number}: {missing[0]} is blank; a decision needs {_all(REQUIRED)}"
                )
            usage = row["usageID"]
            entry = Override(
                row["scientificName"],
                row.get("scientificNameAuthorship") or None,
                row.get("dataset") or None,
                None if usage.lower() == DO_NOT_MATCH else usage,
                row["who"],
                row["why"],
                f"{path.name}:{number}",
            )
            key = (entry.name, entry.authorship, entry.dataset)
            if key in seen:
                raise MappingError(
                    f"{path.name}, line {number}: {entry.name!r} is decided on line {seen[key]} already; keep one"
                )
            seen[key] = number
            entries.append(entry)
    return Overrides(tuple(entries))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{path.name}: cannot be read as UTF-8 text ({error}); save it as UTF-8") from error


def _header(path: Path, number: int, cells: list[str]) -> list[str]:
    unknown = [cell for cell in cells if cell not in COLUMNS]
    missing = [column for column in REQUIRED if column not in cells]
    if unknown or missing:
        problem = f"no column {missing[0]}" if missing else f"unknown column {unknown[0]!r}"
        raise MappingError(f"{path.name}, line {number}: {problem}; the columns are {_all(COLUMNS)}, separated by tabs")
    return cells


def _all(names: Iterable[str]) -> str:
    return ", ".join(names)
