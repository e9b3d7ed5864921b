"""`dissco run` and `dissco status`."""

from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, counts, messages, print_json, print_pairs, print_table
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.registry.objects import count_objects, held_records


def run(slug: Annotated[str, typer.Argument(help="Name of the dataset.")], as_json: AsJson = False) -> None:
    """Bring one dataset up to date: harvest, parse, harmonise, map, register.

    Only what is out of date is made: an unchanged archive with an unchanged mapping and checklist does nothing.
    """
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import run_dataset

    with House() as house, running(slug) as told:
        result = run_dataset(house, slug, told=told)
    if as_json:
        print_json(result)
        return
    print_summary(result)


def print_summary(result: dict[str, Any]) -> None:
    """Print a run's summary for people."""
    if not result["ran"]:
        console.print(f"{result['dataset']} is up to date: {result['specimens'] + result['doi_only']:,} specimens.")
        return
    rejected = sum(result["rejects"].values())
    print_pairs(
        {
            "dataset": result["dataset"],
            "made": ", ".join(result["ran"]),
            "because": "first run"
            if set(result["causes"].values()) == {"never made"}
            else "; ".join(f"{asset}: {cause}" for asset, cause in result["causes"].items()),
            "records": result["records"],
            "rejected": f"{rejected:,} ({counts(result['rejects'])})" if rejected else "none",
            "extension rows rejected": result["extension_rejects"],
            "names": result["matches"],
            "digital specimens": result["specimens"],
            "DOI only": result["doi_only"] or None,
            "held for review": result["held"] or None,
            "waiting for quota": result["waiting_quota"] or None,
            "media": result["media"],
            "MIDS levels": counts({f"level {level}:": n for level, n in result["mids"].items()}),
            "versions": result["versions"],
            "DOIs": result["dois"],
            "seconds": result["seconds"],
        }
    )
    slug = result["dataset"]
    if result["held"]:
        messages.print(f"{result['held']:,} records are held for review: `dissco dataset held {slug}` says why.")
    if result["doi_only_reasons"]:
        messages.print(f"DOI only because of: {counts(result['doi_only_reasons'])}.")
    if result["dois"]["failed"]:
        messages.print("Some DOIs were refused by the DOI service; see `dissco doi dead-letters`.")


def status(as_json: AsJson = False) -> None:
    """Show every dataset with its objects and DOIs, and what waits or failed."""
    with House() as house, house.registry.read() as connection:
        rows = []
        for dataset in list_datasets(connection):
            found = count_objects(connection, dataset.slug)
            rows.append(
                {
                    "dataset": dataset.slug,
                    "state": dataset.state,
                    "specimens": _sum(found, kind="specimen", doi_only=False),
                    "doi_only": _sum(found, kind="specimen", doi_only=True),
                    "media": _sum(found, kind="media"),
                    "media_doi_only": _sum(found, kind="media", doi_only=True),
                    "held": len(held_records(connection, dataset.slug)),
                    "missing": _sum(found, state="missing"),
                    "waiting_quota": _sum(found, state="waiting_quota"),
                    "registered": _sum(found, doi_state="registered"),
                    "pending": _sum(found, doi_state="pending"),
                    "failed": _sum(found, doi_state="failed"),
                    "checked": dataset.checked,
                    "failure": dataset.failure,
                }
            )
    if as_json:
        print_json(rows)
    elif not rows:
        console.print("No dataset is enrolled yet: dissco dataset add SLUG --source … --organisation …")
    else:
        columns = {
            "dataset": "dataset",
            "specimens": "specimens",
            "doi_only": "DOI only",
            "media": "media",
            "held": "held",
            "missing": "missing",
            "registered": "DOIs registered",
            "pending": "pending",
            "failed": "failed",
        }
        print_table(list(columns.values()), [[row[name] for name in columns] for row in rows])
        for row in rows:
            if row["failure"]:
                messages.print(f"{row['dataset']}: {row['failure']}", soft_wrap=True)


def _sum(found: dict[tuple[str, str, str, bool], int], **wanted: object) -> int:
    names = ("kind", "state", "doi_state", "doi_only")
    return sum(
        count
        for key, count in found.items()
        if all(dict(zip(names, key, strict=True))[name] == value for name, value in wanted.items())
    )
