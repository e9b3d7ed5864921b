"""`dissco run` and `dissco status`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, counts, messages, print_json, print_pairs, print_table
from dissco_platform.errors import DisscoError, UsageError
from dissco_platform.names.match_types import MATCH_TYPES
from dissco_platform.registry.datasets import get_dataset, list_datasets
from dissco_platform.registry.decisions import held_records
from dissco_platform.registry.objects import count_objects
from dissco_platform.registry.releases import noticed_releases


class Job(StrEnum):
    """What is to be run: the jobs that Dagster's interface has."""

    BRING_UP_TO_DATE = "bring_up_to_date"
    HARVEST = "harvest"
    REHARMONISE = "reharmonise"
    REMAP = "remap"
    REREGISTER = "reregister"
    FULL_REBUILD = "full_rebuild"
    DRAIN_DOIS = "drain_dois"
    RETENTION_SWEEP = "retention_sweep"


# Jobs that are no part of the chain: one run for all datasets that are meant.
_TOGETHER = (Job.DRAIN_DOIS, Job.RETENTION_SWEEP)


def run(
    slugs: Annotated[list[str] | None, typer.Argument(metavar="[DATASET]...", help="Names of datasets.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every active dataset.")] = False,
    job: Annotated[Job, typer.Option(help="What to run; see docs/automation.md.")] = Job.BRING_UP_TO_DATE,
    as_json: AsJson = False,
) -> None:
    """Bring datasets up to date: harvest, parse, harmonise, map, register; one after the other.

    Only what is out of date is made: an unchanged archive with an unchanged mapping and checklist does nothing. A dataset that
    fails delays no other; the exit code is then 1. Other jobs run one part, whatever is out of date: `--job full_rebuild` makes
    everything anew from the source.

    Examples: dissco run ascidians, dissco run --all, dissco run --job remap ascidians molluscs
    """
    from dissco_platform.cli.demo import museums_files
    from dissco_platform.cli.running import run_job

    if bool(slugs) == every:
        raise UsageError("Name datasets, or say --all.")
    with House() as house:
        with house.registry.read() as connection:
            known = [d.slug for d in list_datasets(connection) if d.state == "active"] if every else list(slugs or [])
            for slug in known:
                get_dataset(connection, slug)
        if job in _TOGETHER:
            run_job(house, job.value, known)
            if as_json:
                print_json({"job": job.value, "datasets": known})
            else:
                console.print(f"{job.value}: done for {len(known):,} datasets.")
            return
        with museums_files(house.settings.home):
            results = [_one(house, slug, job, alone=len(known) == 1) for slug in dict.fromkeys(known)]
    if as_json:
        print_json(results[0] if len(known) == 1 and not every else results)
    elif len(known) == 1:
        print_summary(results[0])
    elif not results:
        console.print("No dataset is active: dissco dataset add SLUG --source … --organisation …")
    else:
        print_table(["dataset", "made", "new", "changed", "DOIs", "seconds", "failure"], map(_row, results))
    if any("failure" in result for result in results):
        raise typer.Exit(1)


def _one(house: House, slug: str, job: Job, *, alone: bool) -> dict[str, Any]:
    """Run one dataset; alone, its failure is the command's, else a line of the result."""
    from dissco_platform.cli.progress import running
    from dissco_platform.cli.running import run_dataset, run_part

    try:
        with running(slug) as told:
            if job is Job.BRING_UP_TO_DATE:
                return run_dataset(house, slug, told=told)
            return run_part(house, slug, job.value, told=told)
    except DisscoError as error:
        if alone:
            raise
        return {"dataset": slug, "ran": [], "failure": str(error)}


def _row(result: dict[str, Any]) -> list[Any]:
    versions, dois = result.get("versions", {}), result.get("dois", {})
    made = "" if "failure" in result else ", ".join(result["ran"]) or "up to date"
    return [
        result["dataset"],
        made,
        versions.get("new", 0),
        versions.get("changed", 0),
        dois.get("registered", 0),
        result.get("seconds", 0.0),
        result.get("failure", ""),
    ]


def print_summary(result: dict[str, Any]) -> None:
    """Print a run's summary for people."""
    if "records" not in result:
        console.print(f"{result['dataset']}: made {', '.join(result['ran'])}.")
        return
    if not result["ran"]:
        console.print(f"{result['dataset']} is up to date: {result['specimens'] + result['doi_only']:,} specimens.")
        return
    rejected = sum(result["rejects"].values())
    print_pairs(
        {
            "dataset": result["dataset"],
            "made": ", ".join(result["ran"]),
            "because": _because(result["causes"]),
            "records": result["records"],
            "rejected": f"{rejected:,} ({counts(result['rejects'])})" if rejected else "none",
            "extension rows rejected": result["extension_rejects"],
            "names": {MATCH_TYPES.get(match, match): count for match, count in result["matches"].items()},
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


def _because(causes: dict[str, str]) -> str:
    reasons = set(causes.values())
    if reasons == {"never made"}:
        return "first run"
    if len(reasons) == 1 and len(causes) > 1:
        return next(iter(reasons))
    return "; ".join(f"{asset}: {cause}" for asset, cause in causes.items())


def status(as_json: AsJson = False) -> None:
    """Show where every dataset stands: up to date or not and why, its objects and DOIs, what waits or failed."""
    with House() as house:
        if house.settings.registry is None and not house.settings.home.exists():
            # Looking must leave nothing behind in whatever folder it was asked from.
            where = house.settings.home.absolute()
            messages.print(f"There is no {where}: is this the right folder, or DISSCO_HOME set?", soft_wrap=True)
            if as_json:
                print_json([])
            return
        with house.registry.read() as connection:
            listed = list_datasets(connection)
            rows = []
            for dataset in listed:
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
            waiting = [release for release in noticed_releases(connection) if release.announced and not release.adopted]
        stands = _standings(house) if rows else {}
        for row in rows:
            row.update(stands.get(str(row["dataset"]), {"stands": row["state"], "cause": "", "pinned": ""}))
    if as_json:
        print_json(rows)
    elif not rows:
        console.print("No dataset is enrolled yet: dissco dataset add SLUG --source … --organisation …")
    else:
        _print_status(rows)
        for release in waiting[:1]:
            messages.print(f"{release.label} waits to be adopted: `dissco col list`.", soft_wrap=True)


def _print_status(rows: list[dict[str, Any]]) -> None:
    columns = {
        "dataset": "dataset",
        "stands": "state",
        "specimens": "specimens",
        "doi_only": "DOI only",
        "media": "media",
        "held": "held",
        "missing": "missing",
        "dois": "DOIs",
    }
    print_table(list(columns.values()), [[{**row, "dois": _dois(row)}[name] for name in columns] for row in rows])
    for row in rows:
        slug = row["dataset"]
        if row["cause"]:
            messages.print(f"{slug}: {row['cause']}", soft_wrap=True)
        if row["failure"]:
            messages.print(f"{slug}: {row['failure']}", soft_wrap=True)
        if row["stands"] == "needs a person":
            messages.print(
                f"{slug}: when it is mended, `dissco dataset retry {slug}` lets automation go on.", soft_wrap=True
            )
        if row["pinned"]:
            messages.print(f"{slug} is pinned: {row['pinned']}", soft_wrap=True)


def _dois(row: dict[str, Any]) -> str:
    open_ones = [f"{row[name]:,} {name}" for name in ("pending", "failed") if row[name]]
    return f"{row['registered']:,}" + (f" ({', '.join(open_ones)})" if open_ones else "")


def _standings(house: House) -> dict[str, dict[str, str]]:
    """Return what automation says of each active dataset; the same as the dataset overview in Dagster's interface."""
    from dissco_platform.sensors.overview import overview_rows
    from dissco_platform.sensors.reconciler import reconcile

    settings = house.settings
    try:
        tick = reconcile(
            house.instance, house.registry, house.store, settings.mappings, tombstone_after=settings.tombstone_after
        )
    except UsageError as error:
        messages.print(str(error), soft_wrap=True)
        return {}
    rows = overview_rows(tick.standings, [], tick.choice, tick.in_flight)
    return {
        row["dataset"]: {
            # Nobody has asked for the run yet: the next tick of a daemon would.
            "stands": "stale" if row["state"] == "requested" else row["state"],
            "cause": row["cause"],
            "failure": row["failure"],
            "pinned": row["pinned"],
        }
        for row in rows
    }


def _sum(found: dict[tuple[str, str, str, bool], int], **wanted: object) -> int:
    names = ("kind", "state", "doi_state", "doi_only")
    return sum(
        count
        for key, count in found.items()
        if all(dict(zip(names, key, strict=True))[name] == value for name, value in wanted.items())
    )
