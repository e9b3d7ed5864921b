"""`dissco registry …`: is everything that was promised there?"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, print_json, print_table
from dissco_platform.identity.verify import meaning, verify

app = typer.Typer(help="The registry of identities and versions.", no_args_is_help=True)

BROKEN = 1


@app.command("migrate")
def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the schema is this software's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the registry's schema to this software's version, while it is in use; tell what was done.

    With --check, exit code 1 where there is something to do.
    """
    from dissco_platform.registry.engine import connect, revisions, upgrade

    with House() as house:
        engine = connect(house.settings.registry_url)
        try:
            before, wanted = revisions(engine)
            if not check:
                upgrade(engine)
        finally:
            engine.dispose()
    behind = check and before != wanted
    if as_json:
        print_json({"before": before, "now": before if check else wanted, "wanted": wanted})
    elif behind:
        console.print(f"The schema is {before or 'not made yet'}; this software needs {wanted}.")
    else:
        console.print(
            f"The schema is {wanted}" + ("." if before == wanted else f", it was {before or 'not made yet'}.")
        )
    if behind:
        raise typer.Exit(BROKEN)


@app.command("verify")
def verify_registry(
    datacite: Annotated[
        bool, typer.Option("--datacite", help="Compare with DataCite's list of our DOIs as well.")
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Name part files that no publication names, and remove them with --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --sweep: remove them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that versions are whole and in order, every document is in its place, and every DOI is known at DataCite.

    Exit code 0: nothing found; 1: something is wrong. Nothing is deleted without --sweep --yes, and then only what killed
    processes left more than a day ago.
    """
    from dissco_platform.identity import sweeping

    with House() as house:
        swept = sweeping.orphans(house.registry, house.store) if sweep else []
        if sweep and yes:
            sweeping.sweep(house.store, swept)
        records = records_at_datacite(house) if datacite else None
        findings = verify(
            house.registry,
            house.store,
            house.settings.doi_prefix,
            at_datacite=records,
            landing_page=house.settings.landing_page,
        )
    names = ["/".join(part) for part in swept]
    if as_json:
        said = {"findings": [{**vars(finding), "meaning": meaning(finding.code)} for finding in findings]}
        print_json(said | ({"swept" if yes else "would_sweep": names} if sweep else {}))
    else:
        if findings:
            rows = [[finding.count, meaning(finding.code), finding.example] for finding in findings]
            print_table(["count", "what", "example"], rows)
        else:
            console.print("The registry is whole.")
        if sweep:
            for name in names:
                console.print(f"  {name}", soft_wrap=True)
            done = "removed" if yes else "would be removed with --yes"
            console.print(f"{len(names):,} part files that no publication names {done}.")
    if any(finding.code not in {"orphan_part", "not_published"} for finding in findings):
        raise typer.Exit(BROKEN)


@app.command("backup")
def backup_registry(
    target: Annotated[Path, typer.Argument(help="File to write, for example registry-2026-11-26.zip.")],
    as_json: AsJson = False,
) -> None:
    """Write the whole registry to one file: identities, versions, decisions, enrolment and the key that DOIs come from.

    Keep it as safe as a password. Documents are in the store: copy its folder `published` afterwards.
    """
    from dissco_platform.registry.backup import backup

    with House() as house:
        manifest = backup(house.registry, target.absolute())
    if as_json:
        print_json({"file": str(target), **vars(manifest)})
    else:
        objects = manifest.rows["digital_object"]
        console.print(
            f"{objects:,} objects in {manifest.rows['version']:,} versions written to {target}.", soft_wrap=True
        )


@app.command("restore")
def restore_registry(
    source: Annotated[Path, typer.Argument(help="A file that `dissco registry backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Replace what the registry holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the registry from a backup, on SQLite or PostgreSQL whichever it came from; then `dissco registry verify`.

    A registry that holds something is replaced with --yes only, as a whole or not at all.
    """
    from dissco_platform.registry.backup import restore

    with House() as house:
        manifest = restore(house.registry, source, replace=yes)
    if as_json:
        print_json({"file": str(source), **vars(manifest)})
    else:
        console.print(
            f"Restored {manifest.rows['digital_object']:,} objects as they were at {manifest.made}; next: "
            "dissco registry verify",
            soft_wrap=True,
        )


def records_at_datacite(house: House) -> list[dict[str, Any]]:
    """Return what DataCite lists of ours."""

    async def walk(client: Any) -> list[dict[str, Any]]:
        async with client:
            return [record async for record in client.walk()]

    with doi_service_of(house) as service:
        return asyncio.run(walk(service.client()))


@contextmanager
def doi_service_of(house: House, seconds: float | None = None) -> Iterator[Any]:
    """Yield the configured DOI service; a sandbox for the length of the block where none is configured."""
    from dissco_platform.resources import doi_service

    settings = house.settings
    if seconds is not None:
        settings = settings.model_copy(update={"datacite_drain_seconds": seconds})
    with doi_service(settings, settings.datacite_password.get_secret_value()).running() as service:
        yield service


@app.command("grants")
def grants(
    role: Annotated[str, typer.Argument(help="desk (applicants' pages) or staff.")],
    login: Annotated[str, typer.Option(help="Database login that gets the rights.")],
) -> None:
    """Print the PostgreSQL statements that give a login of the web desk the rights it needs, and no others.

    Example: dissco registry grants desk --login dissco_desk | psql dissco
    """
    from dissco_platform.errors import UsageError
    from dissco_platform.registry.limited import RIGHTS
    from dissco_platform.registry.limited import grants as statements

    if role not in RIGHTS:
        raise UsageError(f"There is no role '{role}'; there are {', '.join(RIGHTS)}.")
    print("\n".join(statements(role, login)))
