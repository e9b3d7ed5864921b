"""Decisions on identities: `dissco dataset held|duplicates|transfer`, `dissco specimen withdraw|merge|restore`."""

import getpass
from typing import Annotated

import typer

from dissco_platform.cli.datasets import AsJson, Slug
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_table
from dissco_platform.cli.specimens import Doi
from dissco_platform.errors import DisscoError, UsageError
from dissco_platform.identity import decisions as deciding
from dissco_platform.identity.minting import handle_suffix
from dissco_platform.identity.questions import LIKELY_RENAME
from dissco_platform.registry import decisions
from dissco_platform.registry.datasets import get_dataset

datasets = typer.Typer()
specimens = typer.Typer()

Keys = list[str] | None


@datasets.command("held")
def held(
    slug: Slug,
    accept: Annotated[Keys, typer.Option(help="Identifier of a record that is the specimen it is held for.")] = None,
    refuse: Annotated[Keys, typer.Option(help="Identifier of a record that is a specimen of its own.")] = None,
    accept_renames: Annotated[
        bool, typer.Option("--accept-renames", help="Accept all that are held as likely renames.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the records that are held for a person to look at, or decide on them; no DOI was minted for them.

    Accepting takes the record for the specimen that it may be: the DOI stays, the identifier becomes the record's.
    Refusing makes it a specimen of its own. The next run carries it out.

    Example: dissco dataset held ascidians --accept https://museum.example/new-id
    """
    done: dict[str, list[str]] = {"accepted": [], "refused": []}
    with House() as house:
        with house.registry.write() as connection:
            dataset = get_dataset(connection, slug)
            records = {record.identity_key: record for record in decisions.held_records(connection, slug)}
            renames = [key for key, record in records.items() if record.reason == LIKELY_RENAME]
            accepted = dict.fromkeys([*(accept or []), *(renames if accept_renames else [])])
            for key in [*accepted, *(refuse or [])]:
                if key not in records:
                    raise UsageError(f"'{key}' is not held; `dissco dataset held {slug}` lists what is.")
            for key in accepted:
                deciding.accept(connection, dataset, records[key])
                done["accepted"].append(key)
            for key in refuse or []:
                if key in accepted:
                    raise UsageError(f"'{key}' cannot be accepted and refused.")
                deciding.refuse(connection, dataset, records[key], getpass.getuser())
                done["refused"].append(key)
        with house.registry.read() as connection:
            left = decisions.held_records(connection, slug)
    if as_json:
        print_json(
            {**done, "held": [vars(record) for record in left]} if accepted or refuse else [vars(r) for r in left]
        )
        return
    if accepted or refuse:
        console.print(
            f"{len(done['accepted']):,} accepted, {len(done['refused']):,} refused; next: dissco run {slug}",
            soft_wrap=True,
        )
    if left:
        print_table(
            ["since", "reason", "what"], [[record.since[:10], record.reason, record.message] for record in left]
        )
    else:
        console.print(f"Nothing of {slug} is held.")


@datasets.command("duplicates")
def duplicates(slug: Slug, as_json: AsJson = False) -> None:
    """List specimens whose local identifier another dataset of the organisation has as well.

    They are never merged by themselves: botany 123 and zoology 123 are two. `dissco specimen merge` joins true ones.
    """
    with House() as house, house.registry.read() as connection:
        get_dataset(connection, slug)
        pairs = decisions.likenesses(connection, slug)
        prefix = house.settings.doi_prefix
    rows = [
        {
            "doi": f"{prefix}/{pair['suffix']}" if pair["suffix"] else None,
            "identifier": pair["identity_key"],
            "other_doi": f"{prefix}/{pair['other_suffix']}" if pair["other_suffix"] else None,
            "other_identifier": pair["other_key"],
            "other_dataset": pair["other_dataset"],
            "since": pair["since"],
        }
        for pair in pairs
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            ["DOI", "identifier", "other DOI", "other identifier", "other dataset"],
            [list(row.values())[:5] for row in rows],
        )
    else:
        console.print(f"No local identifier of {slug} is another dataset's of its organisation.")


@datasets.command("transfer")
def transfer(
    slug: Slug,
    successor: Annotated[str, typer.Argument(help="Name of the dataset that succeeds it, before its first run.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make another dataset the successor of this one: its source system id and all its DOIs go over.

    Local identifiers stay what they were, since they are scoped by the source system id. The old dataset is removed.
    """
    with House() as house:
        with house.registry.read() as connection:
            get_dataset(connection, slug), get_dataset(connection, successor)
        if not yes:
            typer.confirm(f"All of {slug} becomes {successor}'s and {slug} is removed. Go on?", abort=True, err=True)
        handle = f"https://hdl.handle.net/{house.settings.handle_prefix}/{handle_suffix()}"
        with house.registry.write() as connection:
            moved = deciding.transfer(connection, slug, successor, handle)
    if as_json:
        print_json({"dataset": slug, "successor": successor, **moved})
    else:
        console.print(
            f"{successor} is {moved['source_system']} now, with {moved['objects']:,} objects; next: dissco run {successor}",
            soft_wrap=True,
        )


Reason = Annotated[str, typer.Option(help="One sentence for readers of the tombstone.")]


@specimens.command("withdraw")
def withdraw(
    doi: Doi,
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a specimen or medium on request: its DOI leads to a tombstone, whatever its source goes on publishing.

    Earlier versions stay readable. `dissco specimen restore` takes it back.
    """
    with House() as house:
        curator = _curator(house)
        found = house.publications.get(doi)
        if not yes:
            typer.confirm(f"Withdraw {found.doi} ({found.identity_key})?", abort=True, err=True)
        version = curator.withdraw(doi, reason)
        _index(house, found.dataset.slug)
    _said({"doi": found.doi, "version": version}, f"{found.doi} is withdrawn in version {version}", as_json)


@specimens.command("merge")
def merge(
    doi: Doi,
    into: Annotated[str, typer.Option("--into", help="DOI of the specimen that remains.")],
    reason: Annotated[str | None, typer.Option(help="One sentence for readers (default: a duplicate of …).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a duplicate in favour of the specimen that remains: its tombstone and its DOI's record lead there."""
    with House() as house:
        curator = _curator(house)
        one, two = house.publications.get(doi), house.publications.get(into)
        if not yes:
            typer.confirm(
                f"End {one.doi} ({one.identity_key}) as a duplicate of {two.doi} ({two.identity_key})?",
                abort=True,
                err=True,
            )
        version = curator.merge(doi, into, reason)
        for slug in sorted({one.dataset.slug, two.dataset.slug}):
            _index(house, slug)
    _said(
        {"doi": one.doi, "into": two.doi, "version": version},
        f"{one.doi} is merged into {two.doi} in version {version}",
        as_json,
    )


def _index(house: House, slug: str) -> None:
    """Let the search know at once; where it cannot, the next run does."""
    from dissco_platform.search.index import behind, open_index, update_index

    try:
        index = open_index(house.settings.search_url)
        try:
            if slug in behind(index, house.registry):
                update_index(index, house.registry, house.store, slug)
        finally:
            index.close()
    except DisscoError as error:
        messages.print(f"The search shows it after the next run: {error}", soft_wrap=True)


@specimens.command("restore")
def restore(doi: Doi, as_json: AsJson = False) -> None:
    """Take a withdrawal or merge back: the next run revives the specimen if its source publishes it."""
    with House() as house:
        found = house.publications.get(doi)
        _curator(house).restore(doi)
    if as_json:
        print_json({"doi": found.doi})
    else:
        console.print(f"{found.doi} may return; next: dissco run {found.dataset.slug}")


def _curator(house: House) -> deciding.Curator:
    return deciding.Curator(house.registry, house.store, house.publications, house.rules, getpass.getuser())


def _said(values: dict[str, object], text: str, as_json: bool) -> None:
    if as_json:
        print_json(values)
    else:
        console.print(f"{text}; `dissco doi drain` tells DataCite.")
