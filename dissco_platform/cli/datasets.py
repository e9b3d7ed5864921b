"""`dissco dataset …` and `dissco checklist …`."""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_pairs, print_table
from dissco_platform.errors import DisscoError, UsageError
from dissco_platform.identity.minting import handle_suffix
from dissco_platform.identity.organisations import organisation_id
from dissco_platform.localfiles import local_path
from dissco_platform.registry import vanished
from dissco_platform.registry.datasets import (
    Dataset,
    add_dataset,
    check_slug,
    get_dataset,
    list_datasets,
    set_state,
    update_dataset,
)
from dissco_platform.registry.pins import NO_PINS, Pins, pins_of

app = typer.Typer(
    help="Enrolled datasets: added, edited, looked into, held to an earlier state, confirmed, handed over.",
    no_args_is_help=True,
)
checklist = typer.Typer(help="The checklist that names are harmonised with.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="Name of the dataset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("add")
def add(
    slug: Annotated[str, typer.Argument(help="Short name: lower-case letters, digits, hyphens.")],
    source: Annotated[str, typer.Option(help="Path or http(s) address of the archive.")],
    organisation: Annotated[str, typer.Option(help="ROR or Wikidata id of the hosting institution.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the institution (default: ROR's, else the archive's publisher).")
    ] = None,
    doi_only: Annotated[bool, typer.Option("--doi-only", help="Register DOIs, publish no digital specimens.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enrol a dataset: it gets its permanent source system id; nothing is fetched yet.

    Example: dissco dataset add ascidians --source ascidians.zip --organisation https://ror.org/0566bfb96
    """
    check_slug(slug)
    path = local_path(source)
    place = str(path.absolute()) if path is not None else source
    identifier = organisation_id(organisation)
    with House() as house:
        name = name or _official_name(house, identifier)
        source_system = f"https://hdl.handle.net/{house.settings.handle_prefix}/{handle_suffix()}"
        with house.registry.write() as connection:
            add_dataset(
                connection,
                slug=slug,
                source=place,
                organisation_id=identifier,
                organisation_name=name,
                source_system_id=source_system,
                doi_only=doi_only,
            )
            dataset = get_dataset(connection, slug)
    if as_json:
        print_json(_about(dataset))
        return
    console.print(f"Enrolled {slug} ({dataset.source_system_id}). Next: dissco run {slug}")
    if path is not None and not path.exists():
        messages.print(f"Note: {path} does not exist yet; a run needs it.", soft_wrap=True)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the enrolled datasets."""
    with House() as house, house.registry.read() as connection:
        found = list_datasets(connection)
    if as_json:
        print_json([_about(dataset) for dataset in found])
    elif not found:
        console.print("No dataset is enrolled yet: dissco dataset add SLUG --source … --organisation …")
    else:
        print_table(
            ["dataset", "state", "organisation", "DOIs only", "checked"],
            [
                [d.slug, d.state, d.organisation_id.rsplit("/", 1)[-1], d.doi_only, (d.checked or "never")[:16]]
                for d in found
            ],
        )


@app.command("show")
def show(slug: Slug, as_json: AsJson = False) -> None:
    """Show one dataset: where it comes from and what became of it."""
    with House() as house, house.registry.read() as connection:
        about = _about(get_dataset(connection, slug), pins_of(connection, slug))
    if as_json:
        print_json(about)
    else:
        print_pairs(about)


@app.command("edit")
def edit(
    slug: Slug,
    source: Annotated[str | None, typer.Option(help="New path or address of the archive.")] = None,
    organisation: Annotated[str | None, typer.Option(help="New ROR or Wikidata id.")] = None,
    name: Annotated[str | None, typer.Option(help="New name of the institution.")] = None,
    doi_only: Annotated[bool | None, typer.Option("--doi-only/--full", help="DOIs only, or full specimens.")] = None,
    state: Annotated[str | None, typer.Option(help="active, paused or removed: whether automation runs it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what was said when the dataset was added; the next run makes what is out of date by it."""
    values: dict[str, object] = {}
    if source is not None:
        path = local_path(source)
        values["source"] = str(path.absolute()) if path is not None else source
    if name is not None:
        values["organisation_name"] = name
    if doi_only is not None:
        values["doi_only"] = doi_only
    with House() as house:
        if organisation is not None:
            values["organisation_id"] = identifier = organisation_id(organisation)
            values.setdefault("organisation_name", _official_name(house, identifier))  # the old one's name is not its
        with house.registry.write() as connection:
            get_dataset(connection, slug)
            if values:
                update_dataset(connection, slug, failed=None, failure=None, **values)
            if state is not None:
                set_state(connection, slug, state)
            about = _about(get_dataset(connection, slug), pins_of(connection, slug))
    if as_json:
        print_json(about)
    else:
        print_pairs(about)


def _official_name(house: House, identifier: str) -> str | None:
    """Return the name that ROR gives an institution; None, and a sentence, where ROR's dump cannot be read."""
    from dissco_platform.enrolment.ror import directory, official_name

    try:
        return official_name(identifier, directory(house.settings, house.http))
    except DisscoError as error:
        messages.print(f"Note: the institution's name was not looked up: {error}", soft_wrap=True)
        return None


@app.command("confirm")
def confirm(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Confirm a mass disappearance: the missing specimens are gone and may become tombstones when they are due."""
    with House() as house:
        with house.registry.read() as connection:
            get_dataset(connection, slug)
            missing = vanished.waiting(connection).get(slug, 0)
        if missing and not yes:
            typer.confirm(f"{missing:,} specimens of {slug} are missing. Are they gone?", abort=True, err=True)
        with house.registry.write() as connection:
            confirmed = vanished.confirm(connection, slug, getpass.getuser())
    if as_json:
        print_json({"dataset": slug, "confirmed": confirmed})
    elif confirmed:
        console.print(f"Confirmed: {confirmed:,} specimens of {slug} are gone; tombstones follow when they are due.")
    else:
        console.print(f"Nothing of {slug} waits for a confirmation.")


@checklist.command("use")
def use(
    source: Annotated[str, typer.Argument(help="Path or address of a ColDP release or Darwin Core checklist.")],
    accept: Annotated[bool, typer.Option("--accept", help="Take a release even if it does not pass its gate.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the name index of a checklist and put it into use; a later release replaces it when it is complete.

    Example: dissco checklist use coldp.zip
    """
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import make_checklist

    path = local_path(source)
    with House() as house, running("checklist") as told:
        made = make_checklist(house, str(path.absolute()) if path is not None else source, accept=accept, told=told)
    if as_json:
        print_json(made)
        return
    console.print(f"In use: {made['title']} {made['release'] or ''} with {made['names']:,} names.")
    for warning in made["warnings"]:
        messages.print(f"Note: {warning}", soft_wrap=True)


@checklist.command("show")
def show_checklist(as_json: AsJson = False) -> None:
    """Show the checklist in use: release, source, licence, and how many names it has by status and by rank.

    Example: dissco checklist show --json
    """
    from dissco_platform.assets.pinned import CHECKLIST
    from dissco_platform.assets.recording import latest
    from dissco_platform.names.index import open_backbone

    with House() as house:
        made = latest(house.instance, "catalogue_of_life", None)
        if made is None:
            raise UsageError("No checklist is in use yet: name one with `dissco checklist use PATH|URL`.")
        info = open_backbone(house.store.path("catalogue_of_life", CHECKLIST, made.data_version)).info
    about: dict[str, Any] = {
        "title": info.title,
        "release": info.release,
        "issued": info.issued,
        "doi": info.doi,
        "licence": info.licence,
        "source": made.text("source") or "",
        "since": datetime.fromtimestamp(made.timestamp, UTC).isoformat(timespec="seconds"),
        "kind": info.kind,
        "names": info.usages,
        "by_status": info.by_status,
        "by_rank": info.by_rank,
        "temporary_ids": info.temporary_ids,
        "warnings": info.warnings,
        "version": info.data_version,
    }
    if as_json:
        print_json(about)
        return
    counted = {
        name: ", ".join(f"{count:,} {word}" for word, count in about[name].items()) for name in ("by_status", "by_rank")
    }
    shown = {**about, **counted, "temporary_ids": f"{info.temporary_ids:.1%}", "warnings": None}
    print_pairs({name.replace("_", " "): value for name, value in shown.items()})
    for warning in info.warnings:
        messages.print(f"Note: {warning}", soft_wrap=True)


def _about(dataset: Dataset, pins: Pins = NO_PINS) -> dict[str, Any]:
    summary = dataset.summary
    return {
        "dataset": dataset.slug,
        "source": dataset.source,
        "organisation": dataset.organisation_id,
        "organisation_name": dataset.organisation_name,
        "source_system": dataset.source_system_id,
        "doi_only": dataset.doi_only,
        "state": dataset.state,
        "pinned": {pin.what: pin.text for pin in (pins.mapping, pins.checklist) if pin is not None},
        "enrolled": dataset.created,
        "checked": dataset.checked,
        "checked_by": dataset.checked_by,
        "failed": dataset.failed,
        "failure": dataset.failure,
        "published": summary.get("published"),
        "made_from": summary.get("made_from"),
    }
