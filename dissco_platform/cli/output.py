"""How commands print: tables for people, JSON for machines, messages to standard error."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dissco_platform.errors import UsageError

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")

console = Console(highlight=False)
messages = Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """Print one JSON document."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows; numbers are right-aligned with thousands separators."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    body = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in body) and bool(body)
        moments = all(isinstance(row[index], str) and _MOMENT.match(row[index]) for row in body) and bool(body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=moments)
    for row in body:
        table.add_row(*(_shown(value) for value in row))
    console.print(table)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print names and values below each other, leaving out what is empty."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", {}, []):
            table.add_row(name, _shown(value))
    console.print(table)


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Yield the path to write to: a file appears under its name only when it is complete.

    Raises:
        UsageError: it is a folder, or cannot be written.
    """
    if output.is_dir():
        raise UsageError(f"{output} is a folder; name a file in it.")
    # A device or a pipe is written to as it is: a file renamed onto /dev/null would take its place.
    in_place = output.exists() and not output.is_file()
    partial = output if in_place else output.with_name(f".{output.name}.partial")
    try:
        yield partial
        if not in_place:
            partial.replace(output)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror}).") from error


def counts(numbers: Mapping[str, int]) -> str:
    """Return counts in one line, largest first: `exact 412, fuzzy 9`."""
    shown = [f"{name} {count:,}" for name, count in sorted(numbers.items(), key=lambda item: -item[1]) if count]
    return ", ".join(shown) or "none"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, Mapping):
        if all(isinstance(part, int) and not isinstance(part, bool) for part in value.values()):
            return counts(value)
        return "\n".join(f"{name}: {_shown(part)}" for name, part in value.items() if part not in (None, "", {}, []))
    if isinstance(value, list | tuple):
        return "\n".join(_shown(part) for part in value)
    return str(value)
