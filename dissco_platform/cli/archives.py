"""`dissco archive inspect`: what an archive is and what would become of it, without touching the registry."""

import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_pairs, print_table
from dissco_platform.localfiles import local_path

app = typer.Typer(help="Archives: look before you enrol.", no_args_is_help=True)

REFUSED = 2
SHOWN_EXAMPLES = 3
KINDS = {"dwca": "Darwin Core Archive", "abcd": "ABCD", "dwc-dp": "Darwin Core Data Package"}
REFUSALS = {
    "not_a_specimen": "no physical specimen by its basisOfRecord",
    "missing_identifier": "no identifier to know it by",
    "duplicate_identifier": "an identifier that another record has",
}


@app.command("inspect")
def inspect(
    source: Annotated[
        str,
        typer.Argument(help="Path (file or unpacked folder), http(s) address, or BioCASe access point (…?dsa=NAME)."),
    ],
    as_json: AsJson = False,
) -> None:
    """Report what an archive is: files, rows, encodings, rejects, licence, identifiers.

    Exit code 0: it can be read; 2: it is refused, with the reason. --json has all columns and the metadata, too.
    """
    from dissco_platform.archives import inspect_archive
    from dissco_platform.archives.sources import fetch_source

    path = local_path(source)
    with (
        leaving_tidily(),
        tempfile.TemporaryDirectory(prefix="dissco-inspect-") as folder,
        messages.status("reading …") as status,
    ):

        def progress(what: str, number: int) -> None:
            status.update(f"{what} {number:,}")

        name = source
        if path is None:
            path = fetch_source(House().http, source, Path(folder), trusted=True, progress=progress).path
        report = inspect_archive(path, progress=progress)
    report["path"] = name
    if as_json:
        print_json(report)
    elif report["outcome"] == "opened":
        _print_report(report)
    else:
        message = str(report["message"]).replace(str(path), name)
        if local_path(source) is None:  # a download is named by its hash, which tells nobody anything
            message = message.replace(path.name, "what it sent")
        console.print(f"[bold]{escape(name)}[/bold] is refused ({report['reason']}): {escape(message)}")
    if report["outcome"] != "opened":
        raise typer.Exit(REFUSED)


@contextmanager
def leaving_tidily() -> Iterator[None]:
    """Take the scratch folder away when the process is asked to end, as a job scheduler's time limit does."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_report(report: Mapping[str, Any]) -> None:
    """Print the report as it may be sent to an institution: what it is, what would become of it, what to mend."""
    console.print(f"[bold]{escape(report['title'] or report['path'])}[/bold]")
    refused = sum(report["rejects"][reason]["count"] for reason in report["rejects"])
    print_pairs(
        {
            "archive": report["path"],
            "kind": " ".join(
                [KINDS.get(report["kind"], report["kind"]), f"({report['core']})" if report["core"] else ""]
            ),
            "publisher": report["publisher"],
            "licence": report["licence"] or "none stated",
            "records": f"{report['records']:,} read, {refused:,} set aside",
            "specimens": f"{report['specimens']:,}",
        }
    )
    print_table(
        ["file", "table", "encoding", "rows read", "parsed", "set aside"],
        [
            [file[key] for key in ("name", "table", "encoding", "rows_read", "rows_parsed", "rows_rejected")]
            for file in report["files"]
        ],
        title="\nFiles",
    )
    _print_counts("basisOfRecord", "records", report["basisOfRecord"])
    if len(report["licences"]) > 1:
        _print_counts("licence", "records", report["licences"])
    print_table(
        ["identifier", "filled", "distinct", "repeated"],
        [[name, one["filled"], one["distinct"], one["duplicates"]] for name, one in report["identifiers"].items()],
        title="\nIdentifiers",
    )
    if report["would_be_refused"]:
        rows = [[REFUSALS.get(reason, reason), count] for reason, count in report["would_be_refused"].items()]
        print_table(["why", "records"], rows, title="\nRecords that would get no DOI")
    for title, key in (("Records set aside", "rejects"), ("Other rows set aside", "extension_rejects")):
        _print_rejects(title, report[key])
    if report["problems"]:
        console.print("\n[bold]What to look at[/bold]")
        for sentence in report["problems"]:
            console.print(f"- {escape(sentence)}")


def _print_counts(name: str, unit: str, values: Mapping[str, int]) -> None:
    if values:
        print_table([name, unit], [[value, count] for value, count in values.items()], title=f"\n{name}")


def _print_rejects(title: str, rejects: Mapping[str, Any]) -> None:
    """Print each reason with its meaning and a few rows, so that they can be found and mended."""
    if not rejects:
        return
    console.print(f"\n[bold]{title}[/bold]")
    for reason, details in rejects.items():
        console.print(f"{details['count']:,} × {reason}: {escape(details['meaning'])}")
        for example in details["examples"][:SHOWN_EXAMPLES]:
            raw = " ⇥ ".join(str(example["raw"] or "").rstrip("\t").split("\t"))[:160]
            place = f"{example['source_file']}:{example['source_line']}"
            console.print(f"   {escape(place)}  {escape(example['message'])}\n      {escape(raw)}", soft_wrap=False)
