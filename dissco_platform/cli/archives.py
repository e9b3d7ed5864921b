"""`dissco archive inspect`: what an archive is and what would become of it, without touching the registry."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import print_json, print_pairs, print_table
from dissco_platform.http import local_path

app = typer.Typer(help="Archives: look before you enrol.", no_args_is_help=True)

REFUSED = 2


@app.command("inspect")
def inspect(
    source: Annotated[str, typer.Argument(help="Path (file or unpacked folder) or http(s) address.")],
    as_json: AsJson = False,
) -> None:
    """Report what an archive is: files, rows, encodings, rejects, licence, identifiers.

    Exit code 0: it can be read; 2: it is refused, with the reason.
    """
    from dissco_platform.archives import inspect_archive
    from dissco_platform.archives.sources import fetch_source

    path = local_path(source)
    with tempfile.TemporaryDirectory(prefix="dissco-inspect-") as folder:
        if path is None or not path.exists():
            path = fetch_source(House().http, source, Path(folder), trusted=True).path
        report = inspect_archive(path)
    if as_json:
        print_json(report)
    else:
        files = report.get("files") or []
        print_pairs({name: value for name, value in report.items() if name != "files"})
        if files:
            columns = ["name", "table", "encoding", "rows_read", "rows_parsed", "rows_rejected"]
            print_table(columns, [[file.get(column) for column in columns] for file in files])
    if report.get("outcome") != "opened":
        raise typer.Exit(REFUSED)
