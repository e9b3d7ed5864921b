"""`dissco dataset versions|pin|unpin|retry`: hold a dataset to an earlier mapping or checklist, and clear its failures."""

import getpass
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson, app
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, print_json, print_table
from dissco_platform.errors import UsageError
from dissco_platform.registry import pins, watch
from dissco_platform.registry.datasets import get_dataset

__all__ = ["app"]

Slug = Annotated[str, typer.Argument(help="Name of the dataset.")]


@app.command("versions")
def versions(slug: Slug, as_json: AsJson = False) -> None:
    """List the mappings and checklist releases that the dataset can be pinned to, the newest first."""
    with House() as house:
        rows = _versions(house, slug)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ["what", "version", "made", "", "run"],
            [[row["what"], row["version"], row["made"][:16], row["state"], row["run"][:8]] for row in rows],
        )
    else:
        console.print(f"Nothing of {slug} was made yet: dissco run {slug}")


@app.command("pin")
def pin(
    slug: Slug,
    mapping: Annotated[
        str | None, typer.Option(help="Version of its mapping, `previous`, or `current` (hold what is in force now).")
    ] = None,
    checklist: Annotated[
        str | None, typer.Option(help="Release of the checklist, its version, `previous` or `current`.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for those who meet it later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Hold a dataset to a mapping or a checklist release, or roll it back to an earlier one.

    The next run (by automation, or `dissco run`) rebuilds what differs, and only of this dataset. The pin stays, and is shown
    wherever the dataset is, until `dissco dataset unpin`. `dissco dataset versions` lists what there is.

    Example: dissco dataset pin ascidians --mapping previous --reason "values of sex were lost"
    """
    if mapping is None and checklist is None:
        raise UsageError("Say what to pin: --mapping VERSION, --checklist RELEASE or both.")
    from dissco_platform.assets.pinned import find_version

    with House() as house:
        found = _found(house, slug)
        with house.registry.write() as connection:
            for what, wanted in ((pins.MAPPING, mapping), (pins.CHECKLIST, checklist)):
                if wanted is None:
                    continue
                history, labels = found[what]
                chosen = find_version(history, wanted, labels, what)
                pins.set_pin(
                    connection,
                    slug,
                    what,
                    version=chosen.data_version,
                    label=labels[chosen.data_version][: 8 if what == pins.MAPPING else None],
                    facts=chosen.json("versions"),
                    by=getpass.getuser(),
                    reason=reason,
                )
        _tell(house, slug, as_json)


@app.command("unpin")
def unpin(
    slug: Slug,
    mapping: Annotated[bool, typer.Option("--mapping", help="Only its mapping.")] = False,
    checklist: Annotated[bool, typer.Option("--checklist", help="Only its checklist release.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the newest mapping and checklist hold again; the next run makes what differs."""
    both = mapping == checklist
    with House() as house:
        with house.registry.write() as connection:
            get_dataset(connection, slug)
            for what, wanted in ((pins.MAPPING, mapping), (pins.CHECKLIST, checklist)):
                if both or wanted:
                    pins.drop_pin(connection, slug, what)
        _tell(house, slug, as_json)


@app.command("retry")
def retry(slug: Slug, as_json: AsJson = False) -> None:
    """Forget a dataset's failures: its source is looked at and a run asked for again, however often both failed.

    Automation gives a dataset up after eight failed runs towards the same target; `dissco status` says which.
    """
    with House() as house, house.registry.write() as connection:
        get_dataset(connection, slug)
        before = watch.get_watch(connection, slug)
        watch.try_again(connection, slug)
    cleared = {"dataset": slug, "run_failure": before.run_failure, "looks_failed": before.looks_failed}
    if as_json:
        print_json(cleared)
    else:
        console.print(f"{slug} is tried again: by automation at its next tick, or now with `dissco run {slug}`.")


def _found(house: House, slug: str) -> dict[str, tuple[list[Any], dict[str, str]]]:
    """Return by what can be pinned: the versions, the one in force first, and their labels."""
    from dissco_platform.assets.pinned import checklist_history, mapping_history, mapping_label
    from dissco_platform.assets.recording import latest

    with house.registry.read() as connection:
        get_dataset(connection, slug)
    parsed = latest(house.instance, "parsed_records", slug)
    kind = parsed.text("kind") if parsed else None
    mappings = mapping_history(house.instance, house.store, slug)
    releases = checklist_history(house.instance, house.store)
    return {
        pins.MAPPING: (mappings, {made.data_version: mapping_label(made, kind) for made in mappings}),
        pins.CHECKLIST: (releases, {made.data_version: made.text("release") or made.data_version for made in releases}),
    }


def _versions(house: House, slug: str) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    from dissco_platform.assets.recording import latest

    found = _found(house, slug)
    with house.registry.read() as connection:
        held = pins.pins_of(connection, slug)
    names = latest(house.instance, "taxon_harmonised", slug)
    in_force = {
        pins.MAPPING: found[pins.MAPPING][0][0].data_version if found[pins.MAPPING][0] else "",
        pins.CHECKLIST: names.made_from.get("catalogue_of_life", "") if names else "",
    }
    rows = []
    for what, (history, labels) in found.items():
        pinned = getattr(held, what)
        for made in history:
            states = ["in force"] if made.data_version == in_force[what] else []
            states += ["pinned"] if pinned is not None and pinned.version == made.data_version else []
            rows.append(
                {
                    "what": what,
                    "version": labels[made.data_version],
                    "data_version": made.data_version,
                    "made": datetime.fromtimestamp(made.timestamp, UTC).isoformat(timespec="seconds"),
                    "state": ", ".join(states),
                    "run": made.run_id,
                }
            )
    return rows


def _tell(house: House, slug: str, as_json: bool) -> None:
    with house.registry.read() as connection:
        held = pins.pins_of(connection, slug)
    if as_json:
        print_json({"dataset": slug, **{what: vars(pin) if pin else None for what, pin in vars(held).items()}})
    else:
        console.print(f"{slug} is pinned: {held.text}" if held.text else f"Nothing of {slug} is pinned.")
        console.print(f"It takes effect with the next run: dissco run {slug}")
