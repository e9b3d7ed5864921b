"""The command tree and its entry. What a command does is in the modules beside; this one only names them."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from dissco_platform import __version__
from dissco_platform.cli import (
    archives,
    backups,
    checklists,
    datasets,
    defects,
    demo,
    dois,
    enrolment,
    identities,
    mappings,
    names,
    pins,
    registries,
    runs,
    serve,
    services,
    specimens,
    staff,
    waiting_list,
)
from dissco_platform.cli.output import messages
from dissco_platform.errors import DisscoError
from dissco_platform.settings import load_settings

DEFECT = 70  # sysexits.h: EX_SOFTWARE

app = typer.Typer(
    name="dissco",
    help="Citable digital twins for natural-history specimens: archives in, openDS documents and DOIs out.",
    epilog="State lives under DISSCO_HOME (default ./.dissco); every setting is in docs/settings.md. "
    "Start with `dissco demo`, or with `dissco checklist use`, `dissco dataset add` and `dissco run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
datasets.app.add_typer(identities.datasets)
specimens.app.add_typer(identities.specimens)
app.add_typer(pins.app, name="dataset")
app.add_typer(datasets.checklist, name="checklist")
app.add_typer(checklists.app, name="col")
app.add_typer(specimens.app, name="specimen")
app.add_typer(archives.app, name="archive")
app.add_typer(mappings.app, name="mapping")
app.add_typer(names.app, name="names")
app.add_typer(dois.app, name="doi")
app.add_typer(registries.app, name="registry")
app.add_typer(enrolment.app, name="enrol")
app.add_typer(waiting_list.app, name="waiting-list")
app.add_typer(staff.app, name="staff")
app.add_typer(backups.app, name="backup")
app.add_typer(serve.app, name="serve")
app.command("run")(runs.run)
app.command("status")(runs.status)
app.command("export")(specimens.export)
app.command("sandbox")(services.sandbox)
app.command("ui")(services.ui)
app.command("portal")(services.portal)
app.command("demo")(demo.demo)


@app.callback(invoke_without_command=False)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; errors made for people are one sentence on standard error."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        app()
    except DisscoError as error:
        messages.print(f"[bold red]Error:[/] {_plain(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        messages.print("Interrupted; what was committed stays, run the same command again to go on.")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        messages.print(f"[bold red]Error:[/] {_plain(defects.told(error, _home()))}", soft_wrap=True)
        sys.exit(DEFECT)


def _home() -> Path:
    try:
        return load_settings().home
    except DisscoError:
        return Path(".dissco")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
