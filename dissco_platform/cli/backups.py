"""`dissco backup …`: registry, store and Dagster's storage together."""

from pathlib import Path
from typing import Annotated

import typer

from dissco_platform.backup import create_backup, restore_backup, verify_backup
from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json

app = typer.Typer(help="Registry, store and Dagster's storage, copied together and brought back.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The backup's folder.")]


@app.command("create")
def create(
    folder: Folder,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of the store's copy, shared by several backups (default: in the backup)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy everything while it is in use; what the store's copy has already is not copied again."""
    with House() as house:
        made = create_backup(
            folder.absolute(), _databases(house), house.store, (store or folder / "store").absolute(), _told
        )
    if as_json:
        print_json(made)
    else:
        copied = made["copied"]
        console.print(f"{folder} is complete: {len(made['files'])} database files; {copied['new']:,} parts of the store "
                      f"copied ({copied['bytes'] / 1e6:,.1f} MB), {copied['known']:,} were there.")  # fmt: skip


@app.command("verify")
def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Compare a backup's files with what they were."""
    manifest = verify_backup(folder)
    if as_json:
        print_json(manifest)
    else:
        console.print(f"{folder}, made {manifest['made']}, is whole.")


@app.command("restore")
def restore(folder: Folder, as_json: AsJson = False) -> None:
    """Bring a backup into empty databases and the store of the settings; nothing is overwritten."""
    with House() as house:
        house.prepare_home()
        done = restore_backup(folder.absolute(), _databases(house), house.store, _told)
        if done["databases"]:
            _ = house.instance  # its settings file, where it was not there
    if as_json:
        print_json(done)
    else:
        console.print(f"The state of {done['made']} is back. `dissco registry verify` checks that it is whole.")


def _databases(house: House) -> dict[str, str]:
    """Return where Dagster's storage and the registry are, in the order in which they are copied."""
    dagster = house.settings.dagster_storage or str(house.settings.dagster_path)
    return {"dagster": dagster, "registry": house.settings.registry_url}


def _told(text: str) -> None:
    if messages.is_terminal:
        messages.print(text)
