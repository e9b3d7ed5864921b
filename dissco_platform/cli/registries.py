"""`dissco registry …`: is everything that was promised there?"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
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
    as_json: AsJson = False,
) -> None:
    """Check that versions are whole and in order, every document is in its place, and every DOI is known at DataCite.

    Exit code 0: nothing found; 1: something is wrong. Nothing is mended here.
    """
    with House() as house:
        records = records_at_datacite(house) if datacite else None
        findings = verify(house.registry, house.store, house.settings.doi_prefix, at_datacite=records)
    if as_json:
        print_json({"findings": [{**vars(finding), "meaning": meaning(finding.code)} for finding in findings]})
    elif findings:
        rows = [[finding.count, meaning(finding.code), finding.example] for finding in findings]
        print_table(["count", "what", "example"], rows)
    else:
        console.print("The registry is whole.")
    if any(finding.code not in {"orphan_part", "not_published"} for finding in findings):
        raise typer.Exit(BROKEN)


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
