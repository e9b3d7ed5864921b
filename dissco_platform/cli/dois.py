"""`dissco doi …`: the outbox towards DataCite: what waits, what was refused, whether both sides agree."""

import time
from typing import Annotated

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, print_json, print_pairs, print_table
from dissco_platform.registry import outbox

app = typer.Typer(
    help="DOIs on their way to DataCite: what waits, what was refused, whether both sides agree.", no_args_is_help=True
)

Dataset = Annotated[str | None, typer.Option(help="Only this dataset (default: all).")]

DIFFER = 1
FIVE_MINUTES = 300


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Show how many DOIs are registered, queued and refused, and when the queue will be empty at the configured pace."""
    with House() as house:
        with house.registry.read() as connection:
            states = outbox.doi_states(connection)
            queued, due = outbox.waiting(connection)
            dead = len(outbox.dead_letters(connection))
        limit = house.settings.rate_limit
    result = {
        "registered": states.get("registered", 0),
        "queued": queued,
        "refused": dead,
        "writes_per_five_minutes": limit,
        "seconds_left": round(queued / limit * FIVE_MINUTES) if limit else None,
        "next_attempt_in_seconds": max(0, round(due - time.time())) if due else None,
    }
    if as_json:
        print_json(result)
    else:
        print_pairs({name.replace("_", " "): value for name, value in result.items()})


@app.command("drain")
def drain(
    dataset: Dataset = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Longest time (default: the setting).")] = None,
    as_json: AsJson = False,
) -> None:
    """Send what is queued to DataCite; may be stopped and started again at any time."""
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.registries import doi_service_of

    with House() as house, doi_service_of(house, seconds) as service, running("DOIs") as told:
        require_dataset(house, dataset)
        service.check()
        report = service.drain(house.registry, house.store, dataset, lambda what, count: told(f"{what} {count:,}"))
    if as_json:
        print_json(vars(report))
        return
    console.print(f"{report.written:,} registered, {report.failed:,} refused, {report.remaining:,} still queued.")
    for message in report.messages:
        console.print(f"  refused: {message}", soft_wrap=True)
    if report.stopped:
        console.print(f"Stopped: {report.stopped}", soft_wrap=True)


@app.command("dead-letters")
def dead_letters(dataset: Dataset = None, as_json: AsJson = False) -> None:
    """List the DOIs that DataCite refused for good, with its words; mend the cause, then `dissco doi retry`."""
    with House() as house, house.registry.read() as connection:
        require_dataset(house, dataset)
        rows = outbox.dead_letters(connection, dataset)
        prefix = house.settings.doi_prefix
    found = [{"doi": f"{prefix}/{row.suffix}", "dataset": row.dataset, "message": row.error} for row in rows]
    if as_json:
        print_json(found)
    elif found:
        print_table(["DOI", "dataset", "message"], [list(row.values()) for row in found])
    else:
        console.print("No DOI was refused.")


@app.command("retry")
def retry(dataset: Dataset = None, as_json: AsJson = False) -> None:
    """Queue the refused DOIs again."""
    with House() as house:
        require_dataset(house, dataset)
        with house.registry.write() as connection:
            count = outbox.retry_dead(connection, dataset)
    if as_json:
        print_json({"queued": count})
    else:
        console.print(f"{count:,} DOIs queued again; `dissco doi drain` sends them.")


@app.command("reconcile")
def reconcile(as_json: AsJson = False) -> None:
    """Compare DataCite's list of our DOIs with the registry: what is missing there, unknown here, in another state.

    Exit code 0: both agree; 1: they differ. Nothing is written.
    """
    from dissco_platform.cli.registries import records_at_datacite
    from dissco_platform.identity.verify import AT_DATACITE, meaning, verify

    with House() as house:
        records = records_at_datacite(house)
        findings = verify(
            house.registry,
            house.store,
            house.settings.doi_prefix,
            at_datacite=records,
            landing_page=house.settings.landing_page,
        )
    found = [finding for finding in findings if finding.code in AT_DATACITE]
    if as_json:
        print_json({"at_datacite": len(records), "differences": [vars(finding) for finding in found]})
    elif found:
        rows = [[finding.count, meaning(finding.code), finding.example] for finding in found]
        print_table(["count", "what", "example"], rows)
    else:
        console.print(f"{len(records):,} DOIs at DataCite, all of them ours and none missing.")
    if found:
        raise typer.Exit(DIFFER)


def require_dataset(house: House, dataset: str | None) -> None:
    """Refuse the name of a dataset that does not exist."""
    from dissco_platform.registry.datasets import get_dataset

    if dataset is not None:
        with house.registry.read() as connection:
            get_dataset(connection, dataset)
