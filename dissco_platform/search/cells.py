"""Cells in memory: specimens that share all facets' values, and how many they are (see `tables`).

Texts are numbers here, because comparing and grouping numbers is many times faster. Conditions on facets, groups of taxa and
ranks are masks over cells; a statement on specimens gets the same conditions as those of a subquery on cells.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from sqlalchemy import ColumnElement, Connection, func, or_, select

from dissco_platform.search.conditions import is_of_cells, taxon_below
from dissco_platform.search.query import EXISTENCE, Question
from dissco_platform.search.summary import CELL, FACETS, FLAGS, GROUP_DEPTH, RANKS, SEPARATOR, UNKNOWN
from dissco_platform.search.tables import cell, label

# Columns of the cells' frame that hold codes instead of texts: comparing and grouping numbers is many times faster.
_GROUPS: Final = tuple(f"group_{depth}" for depth in range(1, GROUP_DEPTH + 1))
_CODED: Final = (*CELL, *_GROUPS)


class Codes:
    """The number of each text of each column. Grows only, so that frames made earlier stay true."""

    def __init__(self) -> None:
        self.numbers: dict[str, dict[str, int]] = {name: {} for name in _CODED}
        self.texts: dict[str, list[str]] = {name: [] for name in _CODED}

    def encoded(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame of texts as one of numbers."""
        made = []
        for name in _CODED:
            numbers, texts = self.numbers[name], self.texts[name]
            for text_of in frame[name].unique().drop_nulls().to_list():
                if text_of not in numbers:
                    numbers[text_of] = len(texts)
                    texts.append(text_of)
            coded = (
                frame[name].replace_strict(list(numbers), list(numbers.values()), return_dtype=pl.UInt32, default=None)
                if numbers
                else pl.Series(name, [None] * frame.height, dtype=pl.UInt32)
            )
            made.append(coded.alias(name))
        return frame.with_columns(made)

    def of(self, name: str, texts: Iterable[str]) -> list[int]:
        """Return the numbers of texts; those that never occurred have none."""
        numbers = self.numbers[name]
        return [numbers[one] for one in texts if one in numbers]

    def named(self, rank: str, name: str | None) -> list[int]:
        """Return the classifications down to a rank that end with a name; None: with any known name."""
        texts = self.texts[f"group_{RANKS.index(rank) + 1}"]
        return [
            number
            for number, path in enumerate(texts)
            if (path.rpartition(SEPARATOR)[2] != UNKNOWN if name is None else path.rpartition(SEPARATOR)[2] == name)
        ]


@dataclass(frozen=True)
class Cells:
    """All cells as the index has them in one generation.

    `frame`: `id`, `entries` (how many specimens), and a number for the text of each facet, flag and group of taxa. `labels`:
    what (facet, value) is called.
    """

    generation: int
    frame: pl.DataFrame
    total: int
    labels: dict[tuple[str, str], str]
    codes: Codes

    @classmethod
    def none(cls) -> "Cells":
        """Return the cells of no index."""
        codes = Codes()
        return cls(-1, codes.encoded(_frame([])), 0, {}, codes)

    def renewed(self, connection: Connection, generation: int) -> "Cells":
        """Return the cells as they are in a later generation; only what changed since is read."""
        query = select(cell.c.id, cell.c.entries, *(cell.c[name] for name in CELL))
        rows = connection.execute(query.where(cell.c.generation > self.generation))
        changed = self.codes.encoded(_frame([tuple(row) for row in rows]))
        kept = self.frame.filter(~pl.col("id").is_in(changed["id"].implode()))
        frame = pl.concat([kept, changed.filter(pl.col("entries") > 0)]).rechunk()
        labels = {(row.facet, row.value): row.label for row in connection.execute(select(label))}
        return Cells(generation, frame, int(frame["entries"].sum()), labels, self.codes)

    def masks(self, asked: Question) -> dict[str, pl.Expr]:
        """Return the conditions on cells, by facet (existence, taxon and ranks under names of their own)."""
        codes = self.codes
        masks = {facet: _among(facet, codes.of(facet, values)) for facet, values in asked.facets.items()}
        for name, wanted in asked.exists.items():
            if is_of_cells(name):
                held = _existing(name, codes)
                masks[f"has {name}"] = held if wanted else ~held
        depth = len(asked.taxon.split(SEPARATOR)) if asked.taxon else 0
        if 0 < depth <= GROUP_DEPTH:
            masks["taxon"] = _among(f"group_{depth}", codes.of(f"group_{depth}", [asked.taxon]))
        for rank, name in asked.ranks.items():
            if RANKS.index(rank) < GROUP_DEPTH:
                masks[rank] = _among(f"group_{RANKS.index(rank) + 1}", codes.named(rank, name))
        return masks

    def conditions(self, asked: Question) -> list[ColumnElement[bool]]:
        """Return the conditions on cells as a statement's: what `masks` are in memory."""
        c = cell.c
        conditions: list[ColumnElement[bool]] = [c[facet].in_(values) for facet, values in asked.facets.items()]
        grouped: list[pl.Expr] = []
        masks = self.masks(asked)
        for name, wanted in asked.exists.items():
            target = EXISTENCE[name]
            if target == "media":
                conditions.append((func.coalesce(c.media, "") == "true") == wanted)
            elif target in FACETS or target in FLAGS:
                conditions.append(c[target].is_not(None) if wanted else c[target].is_(None))
            elif f"has {name}" in masks:
                grouped.append(masks[f"has {name}"])
        if "taxon" in masks:
            conditions.append(taxon_below(c.taxon_group, asked.taxon))
        grouped += [masks[rank] for rank in asked.ranks if rank in masks]
        if grouped:
            # Classifications are few (one for each order at most), and their ranks are told apart in memory.
            found = self.frame.filter(all_of(grouped))["taxon_group"].unique()
            texts = self.codes.texts["taxon_group"]
            conditions.append(c.taxon_group.in_([texts[number] for number in found.drop_nulls().to_list()]))
            if found.null_count():
                conditions[-1] = or_(conditions[-1], c.taxon_group.is_(None))
        return conditions


def all_of(masks: Iterable[pl.Expr]) -> pl.Expr:
    """Return the condition that all of them hold; of none: that nothing is asked."""
    return pl.all_horizontal([pl.lit(True), *masks])


def _frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    names = ["id", "entries", *CELL]
    schema: dict[str, Any] = {"id": pl.Int64, "entries": pl.Int64, **dict.fromkeys(CELL, pl.String)}
    frame = pl.DataFrame(rows, schema={name: schema[name] for name in names}, orient="row")
    parts = pl.col("taxon_group").str.split(SEPARATOR)
    groups = [
        pl.when(parts.list.len() >= depth).then(parts.list.head(depth).list.join(SEPARATOR)).alias(f"group_{depth}")
        for depth in range(1, GROUP_DEPTH + 1)
    ]
    return frame.with_columns(groups)


def _among(name: str, numbers: list[int]) -> pl.Expr:
    if not numbers:
        return pl.lit(value=False)
    if len(numbers) == 1:
        return (pl.col(name) == numbers[0]).fill_null(value=False)
    return pl.col(name).is_in(numbers).fill_null(value=False)


def _existing(name: str, codes: Codes) -> pl.Expr:
    target = EXISTENCE[name]
    if target == "media":
        return _among("media", codes.of("media", ["true"]))
    if target in FACETS or target in FLAGS:
        return pl.col(target).is_not_null()
    return _among(f"group_{RANKS.index(target) + 1}", codes.named(target, None))
