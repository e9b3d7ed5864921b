"""`dissco names …`: parsing and matching for someone who has nothing else of the platform set up."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from dissco_platform.cli.output import messages, replacing
from dissco_platform.errors import UsageError

app = typer.Typer(help="Scientific names: parse them, match them with a checklist.", no_args_is_help=True)


class Format(StrEnum):
    """How results are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-",
        help="CSV with a header that has scientificName, JSON lines, or one name a line; - is standard input.",
    ),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="File to write (default: standard output).")]


@app.command("parse")
def parse(
    source: Source,
    form: Annotated[Format, typer.Option("--format", help="How to write results.")] = Format.CSV,
    output: Output = None,
) -> None:
    """Take names apart: canonical name, authorship, year, epithets, rank, quality; one row a name, in order.

    Example: echo 'Parus major Linnaeus, 1758' | dissco names parse -
    """
    from dissco_platform.names.tables_io import parse_file

    with _reading(source, "parsed") as (names, progress, _), _writing(output) as target:
        parse_file(names, target, form.value, progress)


@app.command("match")
def match(
    source: Source,
    checklist: Annotated[
        Path | None, typer.Option(help="ColDP or Darwin Core checklist (default: the one in use, see checklist use).")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write results.")] = Format.CSV,
    output: Output = None,
) -> None:
    """Find names in a checklist: match type, confidence, usage, accepted name, classification; one row a name, in order.

    Columns that are used: scientificName, scientificNameAuthorship, taxonRank, kingdom … genus, nomenclaturalCode.

    Example: dissco names match names.csv --checklist coldp.zip --format jsonl
    """
    from dissco_platform.names.tables_io import match_file

    index = checklist if checklist is not None else _in_use()
    if not index.exists():
        raise UsageError(f"{index} does not exist; check the path of the checklist.")
    with _reading(source, "matched") as (names, progress, indexing), _writing(output) as target:
        match_file(names, index, target, form.value, progress, indexing=indexing)


def _in_use() -> Path:
    from dissco_platform.assets.pinned import CHECKLIST
    from dissco_platform.assets.recording import latest
    from dissco_platform.cli.house import House

    with House() as house:
        made = latest(house.instance, "catalogue_of_life", None) if house.settings.dagster_path.exists() else None
        if made is None:
            raise UsageError(
                "No checklist is in use: name one with --checklist PATH, or `dissco checklist use PATH|URL`."
            )
        return house.store.path("catalogue_of_life", CHECKLIST, made.data_version)


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[bytes] | Path]:
    """Yield where to write: a file appears under its name only when it is complete."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(output) as path:
        yield path


Counter = Callable[[int], None]


@contextmanager
def _reading(source: str, what: str) -> Iterator[tuple[IO[bytes], Counter | None, Callable[[str, int], None] | None]]:
    """Yield the opened input, and what is to be told of rows done and of a checklist being indexed.

    A terminal sees a bar (of a file's bytes; of standard input nobody knows the end); anything else sees nothing.
    """
    path = None if source == "-" else Path(source)
    if path is not None and not path.is_file():
        raise UsageError(f"{source} is not a file; give a path, or - for standard input.")
    with sys.stdin.buffer if path is None else path.open("rb") as file:
        if not messages.is_terminal:
            yield file, None, None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=messages, transient=True) as progress:
            size = path.stat().st_size if path is not None else None
            task = progress.add_task(f"{what} 0 names", total=size or None)

            def rows_done(rows: int) -> None:
                done = file.tell() if size else None
                progress.update(task, description=f"{what} {rows:,} names", completed=done)

            def indexing(step: str, usages: int) -> None:
                progress.update(task, description=f"indexing the checklist: {step} {usages:,}")

            yield file, rows_done, indexing
