"""`dissco waiting-list …`: the list as everyone may see it, and allocation rounds."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, print_json, print_pairs, print_table
from dissco_platform.enrolment import rounds
from dissco_platform.enrolment.allowance import read_parameters
from dissco_platform.errors import UsageError
from dissco_platform.settings import DEFAULT_YEARLY_QUOTA

app = typer.Typer(help="The waiting list and its allocation rounds.", no_args_is_help=True)

Quota = Annotated[int | None, typer.Option(min=0, help="DOIs of this round (default: the month's part of the year).")]


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """Show the list by position, with the month in which each dataset may expect its DOIs (an estimate)."""
    with House() as house:
        found = rounds.listing(_inputs(house, None))
    if as_json:
        print_json(found)
    elif not found:
        console.print("Nobody waits.")
    else:
        print_table(list(found[0]), [list(entry.values()) for entry in found])


@app.command("plan")
def plan(quota: Quota = None, as_json: AsJson = False) -> None:
    """Show what a round would grant now, and why; nothing is changed."""
    with House() as house:
        inputs = _inputs(house, quota)
    made = rounds.plan_round(inputs)
    _print(made.to_json(), inputs, as_json)


@app.command("grant")
def grant(
    quota: Quota = None,
    again: Annotated[bool, typer.Option("--again", help="Although this month has had its round.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the chain for what was granted, now.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who grants; kept with the round.")] = "desk",
    as_json: AsJson = False,
) -> None:
    """Grant a round: applicants get letters, datasets are added and become partitions; `dissco run` loads them."""
    from dissco_platform.assets.partitions import datasets

    with House() as house:
        with house.registry.write() as connection:
            inputs = rounds.gather(connection, **_when(house), quota=quota)
            rounds.refuse_second(connection, inputs, again=again)
            made = rounds.grant_round(connection, inputs, actor=by, handle_prefix=house.settings.handle_prefix)
        if made.added:
            house.instance.add_dynamic_partitions(str(datasets.name), list(made.added))
        runs = [_run(house, slug) for slug in made.added] if run else []
    _print({**made.to_json(), "runs": runs}, inputs, as_json)
    if not as_json and not run:
        for slug in made.added:
            console.print(f"Next: dissco run {slug}")


@app.command("simulate")
def simulate(
    months: Annotated[int, typer.Option(min=1, max=120, help="How far to look ahead.")] = 24, as_json: AsJson = False
) -> None:
    """Estimate when each application is served if nobody else applies."""
    with House() as house:
        found = rounds.simulate(_inputs(house, None), months)
    if as_json:
        print_json(found)
    else:
        print_table(
            ["application", "first DOIs", "complete"],
            [[name, entry["first"] or "later", entry["complete"] or "later"] for name, entry in found.items()],
        )


@app.command("settings")
def settings(
    change: Annotated[
        str | None, typer.Option("--set", help="JSON of what to change, for example '{\"cap\": 0.2}'.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or change the published settings: lanes, cap, fair_share, min_tranche, growth_…, small, medium."""
    changed: Any = {}
    if change is not None:
        try:
            changed = json.loads(change)
        except ValueError as error:
            raise UsageError(f"--set is not JSON ({error}).") from error
        if not isinstance(changed, dict):
            raise UsageError("--set takes a JSON object, for example '{\"cap\": 0.2}'.")
    with House() as house, house.registry.write() as connection:
        found = rounds.set_parameters(connection, changed) if changed else read_parameters(connection)
    if as_json:
        print_json(found.to_json())
    else:
        print_pairs({name: str(value) for name, value in found.to_json().items()})


def _when(house: House) -> dict[str, int]:
    today = datetime.now(UTC)
    quota = house.settings.quota
    return {
        "yearly_quota": DEFAULT_YEARLY_QUOTA if quota is None else quota,
        "year": today.year,
        "month": today.month,
    }


def _inputs(house: House, quota: int | None) -> rounds.Inputs:
    with house.registry.read() as connection:
        return rounds.gather(connection, **_when(house), quota=quota)


def _run(house: House, slug: str) -> dict[str, Any]:
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import run_dataset

    with running(slug) as told:
        return run_dataset(house, slug, told=told)


def _print(result: dict[str, Any], inputs: rounds.Inputs, as_json: bool) -> None:
    about = {
        "year": inputs.year,
        "month": inputs.month,
        "yearly_quota": inputs.yearly_quota,
        "used": inputs.used,
        "parameters": inputs.parameters.to_json(),
    }
    if as_json:
        print_json({**about, **result})
        return
    print_pairs(
        {
            "month": f"{inputs.year}-{inputs.month:02}",
            "DOIs of the year": inputs.yearly_quota,
            "used of them": f"{inputs.used:,}",
            "DOIs of the round": f"{result['quota']:,}",
            "settings": json.dumps(about["parameters"]),
        }
    )
    print_table(
        ["application", "DOIs", "lane", "why"],
        [[entry["id"], entry["count"], entry["lane"], entry["reason"]] for entry in result["grants"]],
    )
    if not result["grants"]:
        console.print("Nothing is granted: nobody who is ready waits, or the quota is used up.")
