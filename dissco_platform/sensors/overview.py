"""`dataset_overview`: one table of every dataset with its state, staleness and next check.

Dagster's graph does not show which partitions are out of date (dagster#22553). The reconciler reports this asset whenever
the table changes, without a run.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from dissco_platform.assets.partitions import OWNERS
from dissco_platform.provenance import json_version
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.watch import Watch
from dissco_platform.sensors.requesting import Choice
from dissco_platform.sensors.standing import Standing

GUIDE = "https://github.com/DiSSCo/dissco-platform/blob/main/docs/automation.md"
ROWS_SHOWN = 500
EVERY_SECONDS = 3600.0
_COLUMNS = {
    "dataset": "Name of the dataset (its partition)",
    "state": "up to date, stale, running, waiting, needs a person, paused or removed",
    "cause": "What is out of date and why, or what a person has to mend",
    "failure": "The last failure, in its own words",
    "checked": "Last complete look at the source",
    "checked_by": "By which evidence",
    "next_check": "When the source is looked at next",
    "records": "Version of the parsed records",
    "release": "Release of the checklist that its names were harmonised with",
    "mapping": "Version of its mapping",
    "pinned": "What a person holds it to, since when and why",
}
# Those that need a person come first.
NEEDS_A_PERSON = "needs a person"
_ORDER = (NEEDS_A_PERSON, "waiting", "stale", "running", "requested", "up to date", "paused", "removed")

dataset_overview = dg.AssetSpec(
    "dataset_overview",
    group_name="0_overview",
    kinds={"table"},
    owners=OWNERS,
    description="Every dataset on one table: what is out of date and why, when its source was checked and by what, what "
    f"failed. Reported by the reconciler whenever it changes; needs no run. [How it works]({GUIDE})",
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
        "checked": dataset.checked or "never",
        "checked_by": dataset.checked_by or "",
        "next_check": watch.due or "",
        "failure": watch.run_failure or dataset.failure or "",
        **made,
    }
    return {name: values.get(name, "") for name in _COLUMNS}
