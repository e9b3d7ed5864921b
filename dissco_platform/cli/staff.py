"""`dissco staff …`: who may act at the desk on the web."""

import getpass
from typing import Annotated

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_table
from dissco_platform.enrolment import staff
from dissco_platform.registry import desk as statements

app = typer.Typer(help="Who may act at the desk on the web.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name, kept with all that they do.")],
    role: Annotated[str, typer.Option(help="reader (sees), officer (decides on applications) or manager (all).")],
    subject: Annotated[
        str | None, typer.Option(help="OIDC issuer and subject, with a space between, instead of a token.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a person, or give them another role; prints a token, once. Earlier tokens and sessions of theirs end.

    Example: dissco staff add anna --role officer
    """
    with House() as house, house.registry.write() as connection:
        token = staff.add(connection, name, role, subject=subject, by=_me())
    if as_json:
        print_json({"name": name, "role": role, "token": token, "subject": subject})
    elif token is None:
        console.print(f"{name} signs in as {subject}, with the role {role}.")
    else:
        messages.print(f"{name} is {role}. The token is shown this once; it goes into the sign-in page:")
        print(token)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the people and their roles."""
    with House() as house, house.registry.read() as connection:
        found = [
            {
                "name": person.name,
                "role": person.role,
                "signs_in_with": "OIDC" if person.subject else "token",
                "since": person.created,
                "revoked": person.revoked,
            }
            for person in statements.list_people(connection)
        ]
    if as_json:
        print_json(found)
    elif not found:
        console.print("Nobody yet: dissco staff add NAME --role manager")
    else:
        print_table(list(found[0]), [list(entry.values()) for entry in found])


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Whose access ends.")], as_json: AsJson = False) -> None:
    """End a person's access at once, open sessions included; what they did stays in the log."""
    with House() as house, house.registry.write() as connection:
        staff.revoke(connection, name, by=_me())
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        console.print(f"{name} has no access any more.")


def _me() -> str:
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):
        return "command line"
