"""`dissco names …`: parsing and matching for someone who has nothing else of the platform set up."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

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

    with _writing(output) as target, _counting("parsed") as progress:
        parse_file(_readable(source), target, form.value, progress)


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
    with _writing(output) as target, _counting("matched") as progress:
        match_file(_readable(source), index, target, form.value, progress)


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


def _readable(source: str) -> str | Path:
    if source == "-":
        return source
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{source} is not a file; give a path, or - for standard input.")
    return path


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[bytes] | Path]:
    """Yield where to write: a file appears under its name only when it is complete."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(output) as path:
        yield path


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int], Any] | None]:
    """Yield a counter of rows, shown on a terminal only."""
    if not messages.is_terminal:
        yield None
        return
    with messages.status(f"{what} 0 names") as status:
        yield lambda rows: status.update(f"{what} {rows:,} names")
