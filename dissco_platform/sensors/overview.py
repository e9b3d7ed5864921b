"""`dataset_overview`: one table of every dataset with its state, staleness and next check.

Dagster's graph does not show which partitions are out of date (dagster#22553). The reconciler reports this asset whenever
the table changes, without a run.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from dissco_platform.assets.partitions import DOCS, OWNERS
from dissco_platform.assets.summaries import Raw, link, table
from dissco_platform.provenance import json_version
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.watch import Watch
from dissco_platform.sensors.requesting import Choice
from dissco_platform.sensors.standing import Standing

ROWS_SHOWN = 500
LISTED = 30
EVERY_SECONDS = 3600.0
_COLUMNS = {
    "dataset": "Name of the dataset (its partition)",
    "state": "up to date, stale, running, waiting, needs a person, paused or removed",
    "cause": "What is out of date and why, or what a person has to mend",
    "failure": "The last failure, in its own words",
    "checked": "Last complete look at the source, and by which evidence",
    "next_check": "When the source is looked at next",
    "records": "Version of the parsed records",
    "release": "Release of the checklist that its names were harmonised with",
    "mapping": "Version of its mapping",
    "pinned": "What a person holds it to, since when and why",
}
# Those that need a person come first.
NEEDS_A_PERSON = "needs a person"
_QUIET_STATES = ("up to date", "paused", "removed")
_ORDER = (NEEDS_A_PERSON, "waiting", "stale", "running", "requested", "up to date", "paused", "removed")

dataset_overview = dg.AssetSpec(
    "dataset_overview",
    group_name="0_overview",
    kinds={"table"},
    owners=OWNERS,
    description="Every dataset on one table: what is out of date and why, when its source was checked and by what, what "
    f"failed. Reported by the reconciler whenever it changes; needs no run. [How it works]({DOCS}/automation.md)",
)


def overview_rows(
    standings: Sequence[Standing], others: Sequence[Dataset], choice: Choice, in_flight: set[str]
) -> list[dict[str, str]]:
    """Return one row a dataset, those that need a person first."""
    requested = {str(request.partition_key) for request in choice.requests}
    rows = []
    for standing in standings:
        slug = standing.slug
        if slug in choice.given_up:
            state, cause = NEEDS_A_PERSON, choice.given_up[slug]
        elif slug in in_flight:
            state, cause = "running", standing.plan.cause
        elif slug in requested:
            state, cause = "requested", standing.plan.cause
        elif slug in choice.waiting:
            state, cause = "waiting", f"{standing.plan.cause} ({choice.waiting[slug]})"
        else:
            state, cause = ("stale", standing.plan.cause) if standing.plan.causes else ("up to date", "")
        made = {**_made(standing), "pinned": standing.pins.text}
        rows.append(_row(standing.dataset, standing.watch, state, cause, made))
    rows += [_row(dataset, Watch(dataset.slug), dataset.state, "", {}) for dataset in others]
    return sorted(rows, key=lambda row: (_ORDER.index(row["state"]), row["dataset"]))


def overview_event(rows: Sequence[Mapping[str, str]], seconds: float) -> dg.AssetMaterialization:
    """Return the materialisation that shows the table."""
    counts = {state: sum(row["state"] == state for row in rows) for state in _ORDER}
    shown = rows[:ROWS_SHOWN]
    return dg.AssetMaterialization(
        "dataset_overview",
        metadata={
            "summary": dg.MetadataValue.md(overview_text(rows, counts)),
            "datasets": dg.MetadataValue.table(
                records=[dg.TableRecord(dict(row)) for row in shown],
                schema=dg.TableSchema(
                    [dg.TableColumn(name, "string", description=text) for name, text in _COLUMNS.items()]
                ),
            )
            if shown
            else "no dataset is enrolled",
            "dagster/row_count": len(rows),
            "seconds": round(seconds, 3),
            **{state.replace(" ", "_"): count for state, count in counts.items()},
        },
    )


def overview_text(rows: Sequence[Mapping[str, str]], counts: Mapping[str, int]) -> str:
    """Return in Markdown how many datasets are in which state, and those that are not up to date with what to do."""
    said = ", ".join(f"**{count:,}** {state}" for state, count in counts.items() if count) or "No dataset is enrolled."
    open_ones = [row for row in rows if row["state"] not in _QUIET_STATES or row["failure"] or row["pinned"]]
    listed = [
        (
            link(row["dataset"], f"/assets/registered_dois?view=partitions&partition={row['dataset']}"),
            row["state"],
            row["cause"] or row["failure"] or row["pinned"],
            Raw(f"`dissco dataset retry {row['dataset']}`") if row["state"] == NEEDS_A_PERSON else "",
        )
        for row in open_ones[:LISTED]
    ]
    more = [f"\n{len(open_ones) - LISTED:,} more in the table below."] if len(open_ones) > LISTED else []
    body = [table(["dataset", "state", "why", "when it is mended"], listed)] if listed else []
    return "\n".join([said, "", *body, *more])


def changed_overview(cursor: str | None, rows: Sequence[Mapping[str, str]], moment: datetime) -> str | None:
    """Return the new cursor if the table has to be reported: at once when a state changed, hourly for other news."""
    before = json.loads(cursor) if cursor and cursor.startswith("{") else {}
    states = json_version([[row["dataset"], row["state"], row["cause"], row["failure"]] for row in rows])
    content = json_version([list(row.values()) for row in rows])
    old = moment.timestamp() - before.get("at", 0.0) >= EVERY_SECONDS
    if states == before.get("states") and (content == before.get("content") or not old):
        return None
    asking = [row["dataset"] for row in rows if row["state"] == NEEDS_A_PERSON]
    return json.dumps({"states": states, "content": content, "at": moment.timestamp(), "asking": asking})


def newly_asking(cursor: str | None, rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the rows of datasets that need a person and did not at the last report."""
    before = json.loads(cursor) if cursor and cursor.startswith("{") else {}
    known = set(before.get("asking", ()))
    return [row for row in rows if row["state"] == NEEDS_A_PERSON and row["dataset"] not in known]


def _minute(time: str | None) -> str:
    return time[:16].replace("T", " ") if time else ""


def _made(standing: Standing) -> dict[str, str]:
    found = standing.found
    parsed, names, mapped = found["parsed_records"], found["taxon_harmonised"], found["mapping"]
    return {
        "records": parsed.data_version[:8] if parsed else "",
        "release": (names.text("release") or "") if names else "",
        "mapping": mapped.data_version[:8] if mapped else "",
    }


def _row(dataset: Dataset, watch: Watch, state: str, cause: str, made: Mapping[str, str]) -> dict[str, str]:
    values = {
        "dataset": dataset.slug,
        "state": state,
        "cause": cause,
        "checked": f"{_minute(dataset.checked)} ({dataset.checked_by})" if dataset.checked else "never",
        "next_check": _minute(watch.due),
        "failure": watch.run_failure or dataset.failure or "",
        **made,
    }
    return {name: values.get(name, "") for name in _COLUMNS}
