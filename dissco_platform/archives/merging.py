"""Rows of extensions in the order of their records, where they were read in about that order: merged as they are read.

Which record each row hangs on is known before (`Parts`), so it is known too when no row is to come any more for the
records up to some number: then theirs are written. Only rows that came too early are in memory.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from dissco_platform.archives.columns import CODED, STRING, one_array, plain

Parts = list[np.ndarray]
"""The parts of one extension in the order they were read: the record number of each row, -1 for none."""
ENOUGH = 60_000
"""Rows that are written together, if there are so many."""
NEVER = np.iinfo(np.int32).max
BIN = 4_096


def _lowest_to_come(parts: Parts) -> list[int]:
    """Return, for each part, the lowest record number of it and all later ones."""
    lows = [int(rows[rows >= 0].min(initial=NEVER)) for rows in parts]
    return np.minimum.accumulate(lows[::-1])[::-1].tolist() if lows else []


def _turns(groups: list[Parts]) -> Iterator[tuple[int, int, int]]:
    """Yield group, part and bound in the order of reading: rows of records below the bound have all been read before."""
    lows = [_lowest_to_come(parts) for parts in groups]
    place = [0] * len(groups)
    while True:
        waiting = [
            (lows[group][place[group]], group) for group in range(len(groups)) if place[group] < len(lows[group])
        ]
        if not waiting:
            return
        bound, group = min(waiting)
        yield group, place[group], bound
        place[group] += 1


def most_waiting(groups: list[Parts]) -> int:
    """Return about how many rows have to wait in memory at most when these parts are merged."""
    highest = max((int(rows.max(initial=0)) for parts in groups for rows in parts), default=0)
    read = np.zeros(highest // BIN + 1, np.int64)
    most = 0
    for group, part, bound in _turns(groups):
        rows = groups[group][part]
        most = max(most, int(read[bound // BIN :].sum()) + len(rows))
        read += np.bincount(rows[rows >= 0] // BIN, minlength=len(read))
    return most


def windows(groups: list[Parts], load: Callable[[int, int], pa.Table]) -> Iterator[list[tuple[int, pa.Table]]]:
    """Yield ranges of records one after the other: the rows that each group (by its place) has of them.

    `load` gives the rows of a part that have a record, by group and part. All rows of a record are in one window, those
    of a group in the order they were read, groups in their order.
    """
    pool: list[tuple[int, np.ndarray, pa.Table]] = []
    for group, part, bound in _turns(groups):
        if sum(int(np.count_nonzero(rows < bound)) for _, rows, _ in pool) >= ENOUGH:
            pool, window = _cut(pool, bound)
            yield window
        rows = groups[group][part]
        table = load(group, part)
        if table.num_rows:
            pool.append((group, rows[rows >= 0], table))
    if pool:
        yield _cut(pool, NEVER)[1]


def _cut(
    pool: list[tuple[int, np.ndarray, pa.Table]], bound: int
) -> tuple[list[tuple[int, np.ndarray, pa.Table]], list[tuple[int, pa.Table]]]:
    """Return what stays in the pool, and the rows of records below the bound."""
    left, window = [], []
    for group, rows, table in pool:
        due = rows < bound
        if due.all():
            window.append((group, table))
        elif due.any():
            window.append((group, table.filter(pa.array(due))))
            left.append((group, rows[~due], table.filter(pa.array(~due))))
        else:
            left.append((group, rows, table))
    return left, sorted(window, key=lambda one: one[0])


def together(tables: list[pa.Table], row: str) -> dict[str, pa.Array]:
    """Return the rows of all tables by record number (column `row`); those of one record stay in the tables' order.

    A column is a dictionary where it is one in every table that has it.
    """
    order = np.argsort(np.concatenate([table.column(row).to_numpy() for table in tables]), kind="stable")
    columns = {}
    for name in dict.fromkeys(name for table in tables for name in table.column_names):
        own = [one_array(table.column(name)) if name in table.column_names else None for table in tables]
        coded = all(pa.types.is_dictionary(one.type) for one in own if one is not None)
        pieces = [
            pa.nulls(table.num_rows, CODED if coded else STRING) if one is None else one if coded else plain(one)
            for one, table in zip(own, tables, strict=True)
        ]
        columns[name] = one_array(pa.chunked_array(pieces)).take(pa.array(order))
    return columns
