"""`dissco col …`: releases of the checklist (the Catalogue of Life): noticed, previewed, adopted."""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_table
from dissco_platform.errors import UsageError
from dissco_platform.registry.releases import noticed_releases

app = typer.Typer(
    help="Releases of the Catalogue of Life (or the checklist in use): list, preview, adopt.", no_args_is_help=True
)
Release = Annotated[str, typer.Argument(help="Key or name of a release, as `dissco col list` shows it.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the release in use, earlier ones that are still there, and newer ones that were noticed."""
    with House() as house:
        rows = _rows(house)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ["release", "key", "issued", "state", "accepted names it would change"],
            [[row["release"], row["key"], row["issued"], row["state"], _shown(row)] for row in rows],
        )
    else:
        console.print("No checklist is in use yet: dissco checklist use PATH|URL")


@app.command("check")
def check(as_json: AsJson = False) -> None:
    """Look for new releases now, as automation does four times a day; nothing is taken into use."""
    from dissco_platform.sensors.releases import look_for_releases

    with House() as house:
        settings = house.settings
        in_use = _in_use(house)
        found = look_for_releases(
            house.registry, house.http, in_use, settings.checklist_releases or "", settings.checklist_download
        )
    if as_json:
        print_json([vars(release) for release in found])
        return
    for release in found:
        console.print(f"New: {release.label} ({release.issued}): dissco col preview {release.key}", soft_wrap=True)
    if not found:
        console.print(f"No release is newer than {in_use.text('release')}, which is in use.")
        if not settings.checklist_releases:
            messages.print(
                "Only the source in use was looked at; DISSCO_CHECKLIST_RELEASES names a listing.", soft_wrap=True
            )


@app.command("preview")
def preview(release: Release, as_json: AsJson = False) -> None:
    """Build a release beside the one in use and show what it would change, dataset by dataset. Nothing is changed."""
    with House() as house:
        key, effect = _preview(house, release, again=True)
    if as_json:
        print_json({"key": key, **effect})
    else:
        _print(effect)
        console.print(f"To take it into use: dissco col adopt {key}")


@app.command("adopt")
def adopt(
    release: Release,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Take it even if it does not pass its gate.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a release into use, after showing what it changes. Datasets pinned to an earlier one stay as they are.

    Names of all others are then out of date: automation brings them up to date, or `dissco run --all`.
    """
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import make_checklist

    with House() as house:
        key, effect = _preview(house, release, again=False)
        if not as_json:
            _print(effect)
        if effect["gate"] and not accept:
            raise UsageError(
                f"{effect['release']} does not pass its gate ({'; '.join(effect['gate'])}); "
                "`dissco col adopt … --accept` takes it all the same."
            )
        if not yes:
            typer.confirm(f"Take {effect['release']} into use?", abort=True, err=True)
        with running("checklist") as told:
            made = make_checklist(house, "", release=key, by=getpass.getuser(), accept=accept, told=told)
    if as_json:
        print_json({**made, "effect": effect})
        return
    console.print(f"In use: {made['title']} {made['release'] or ''} with {made['names']:,} names.")
    console.print("Names are brought up to date by automation, or now with: dissco run --all")


def _in_use(house: House) -> Any:
    from dissco_platform.assets.recording import latest

    found = latest(house.instance, "catalogue_of_life", None)
    if found is None:
        raise UsageError("No checklist is in use yet: name one with `dissco checklist use PATH|URL`.")
    return found


def _preview(house: House, wanted: str, *, again: bool) -> tuple[str, dict[str, Any]]:
    """Return a release's key and its effect against the release in use, computed unless that was done."""
    from dissco_platform.assets.catalogue_of_life import chosen_release
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import make_preview

    in_use = _in_use(house)
    with house.registry.read() as connection:
        found = chosen_release(connection, wanted)
    if again or not found.effect or found.effect["present"] != in_use.text("release"):
        with running("preview") as told:
            make_preview(house, found.key, told=told)
        with house.registry.read() as connection:
            found = chosen_release(connection, found.key)
    return found.key, found.effect


def _print(effect: dict[str, Any]) -> None:
    console.print(f"{effect['release']} in the place of {effect['present']}:")
    columns = ("names", "accepted_changed", "records_changed", "found", "lost")
    rows = sorted(effect["datasets"].items(), key=lambda item: -item[1]["records_changed"])
    print_table(
        ["dataset", "names", "accepted names changed", "records concerned", "newly found", "lost", ""],
        [
            [slug, *(of[name] for name in columns), "pinned: stays as it is" if of["pinned"] else ""]
            for slug, of in rows
        ],
    )
    from dissco_platform.assets.next_checklist import largest_changes

    changes = largest_changes(effect["datasets"])
    if changes:
        console.print()
        print_table(
            ["name", "dataset", "records", "accepted now", "accepted then"],
            [[c["scientificName"], slug, c["records"], c["before"] or "", c["after"] or ""] for slug, c in changes],
        )
    for problem in effect["gate"]:
        messages.print(f"[bold red]Gate:[/] {problem}", soft_wrap=True)


def _rows(house: House) -> list[dict[str, Any]]:
    from dissco_platform.assets.pinned import checklist_history

    history = checklist_history(house.instance, house.store)
    with house.registry.read() as connection:
        noticed = noticed_releases(connection)
    rows: list[dict[str, Any]] = []
    labels: set[str] = set()
    for place, made in enumerate(history):
        label = made.text("release") or made.data_version
        labels.add(label)
        key = next((release.key for release in noticed if release.label == label), "")
        used = datetime.fromtimestamp(made.timestamp, UTC)
        state = (
            "in use"
            if place == 0
            else f"in use until {datetime.fromtimestamp(history[place - 1].timestamp, UTC):%Y-%m-%d}"
        )
        rows.append(
            {"release": label, "key": key, "issued": made.text("issued") or "", "state": state, "since": used.isoformat(),
             "version": made.data_version, "source": made.text("source"), "effect": {}}
        )  # fmt: skip
    newest = history[0].text("issued") if history else ""
    waiting = [release for release in noticed if release.label not in labels and release.issued > (newest or "")]
    return [
        {"release": release.label, "key": release.key, "issued": release.issued, "state": "waits to be adopted",
         "since": release.noticed, "version": release.version, "source": release.source, "effect": release.effect}
        for release in waiting
    ] + rows  # fmt: skip


def _shown(row: dict[str, Any]) -> str:
    if not row["effect"]:
        return "" if row["state"] != "waits to be adopted" else f"dissco col preview {row['key']}"
    moved = {slug: of for slug, of in row["effect"]["datasets"].items() if not of["pinned"] and of["accepted_changed"]}
    return ", ".join(f"{slug} {of['accepted_changed']:,}" for slug, of in sorted(moved.items())) or "none"
