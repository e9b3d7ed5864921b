"""What every materialisation records, and how a later one reads it.

Metadata `made_from` (JSON) holds the version of each input and the code version; the content's own version is Dagster's
data version. An asset whose `made_from` is what the latest materialisation records re-yields that version and does no
work. The comparison over all datasets is in `sensors.reconcile`.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
import pyarrow.parquet as pq
from dagster._core.definitions.data_version import extract_data_version_from_entry

from dissco_platform.assets.partitions import UNPARTITIONED
from dissco_platform.errors import ArchiveError, ChecklistError, DisscoError, UsageError
from dissco_platform.memory import give_back
from dissco_platform.store import DatasetStore

FORCE_TAG = "dissco/force"
PROGRESS = logging.getLogger("dissco.progress")
_EVERY_SECONDS = 2.0

# Dagster tells an asset with checks from one with several outputs by this very annotation, without a type parameter.
if TYPE_CHECKING:
    Materialized: TypeAlias = dg.MaterializeResult[Any]
else:
    Materialized = dg.MaterializeResult


@dataclass(frozen=True)
class Recorded:
    """The latest materialisation of an asset (of a partition)."""

    data_version: str
    made_from: dict[str, str]
    metadata: Mapping[str, dg.MetadataValue[Any]]
    storage_id: int
    timestamp: float
    run_id: str

    def number(self, name: str) -> int:
        """Return a numeric metadata entry, 0 where it is absent."""
        value = self.metadata.get(name)
        return int(value.value) if value is not None and value.value is not None else 0

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON metadata entry, empty where it is absent."""
        value = self.metadata.get(name)
        return dict(value.value) if value is not None and value.value else {}

    def text(self, name: str) -> str | None:
        """Return a text metadata entry."""
        value = self.metadata.get(name)
        return str(value.value) if value is not None else None


def latest(instance: dg.DagsterInstance, asset: str, partition: str | None) -> Recorded | None:
    """Return the latest materialisation of an asset, or None."""
    wanted = None if asset in UNPARTITIONED or partition is None else [partition]
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=wanted), limit=1
    ).records
    if not records:
        return None
    return recorded(records[0])


def recorded(record: dg.EventLogRecord) -> Recorded:
    """Read what a materialisation's event log record says."""
    materialization = record.asset_materialization
    assert materialization is not None
    metadata = materialization.metadata
    version = extract_data_version_from_entry(record.event_log_entry)
    made_from = metadata.get("made_from")
    return Recorded(
        data_version=version.value if version else "",
        made_from=dict(made_from.value) if made_from is not None and isinstance(made_from.value, dict) else {},
        metadata=metadata,
        storage_id=record.storage_id,
        timestamp=record.timestamp,
        run_id=record.run_id,
    )


def required(context: dg.AssetExecutionContext, asset: str) -> Recorded:
    """Return the latest materialisation of an input.

    Raises:
        UsageError: it was never materialised.
    """
    found = latest(context.instance, asset, context.partition_key if context.has_partition_key else None)
    if found is None:
        hint = (
            "name a checklist with `dissco checklist use PATH|URL`"
            if asset == "catalogue_of_life"
            else f"materialise {asset} for this dataset first"
        )
        raise UsageError(f"{asset} was never made: {hint}.")
    return found


def is_forced(context: dg.AssetExecutionContext) -> bool:
    """Say whether a person asked for everything to be made anew (job `full_rebuild`), whatever is recorded."""
    return FORCE_TAG in context.run.tags


def reusable(
    context: dg.AssetExecutionContext, asset: str, made_from: Mapping[str, str], store: DatasetStore | None = None
) -> Recorded | None:
    """Return the latest materialisation if it was made from these inputs and judged by the present checks.

    With a store, its tables must still be there.
    """
    if is_forced(context):
        return None
    slug = context.partition_key if context.has_partition_key else None
    found = latest(context.instance, asset, slug)
    if found is None or any(found.made_from.get(name) != version for name, version in made_from.items()):
        return None
    if store is not None and slug is not None and not store.has(asset, slug, found.data_version):
        return None
    judged = {check["name"] for check in found.json("checks").get("results", [])}
    return found if judged == {spec.name for spec in context.assets_def.check_specs} else None


def result_again(context: dg.AssetExecutionContext, found: Recorded, **changed: Any) -> Materialized:
    """Re-yield a version without work: same data version and metadata but for what `changed`, marked `reused`.

    Checks are repeated as recorded.
    """
    context.log.info(f"Inputs are what version {found.data_version} was made from: nothing to do.")
    metadata = {key: value for key, value in found.metadata.items() if key != "seconds"}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(found.data_version),
        metadata={**metadata, **changed, "reused": True, "seconds": 0.0},
        check_results=[
            dg.AssetCheckResult(
                check_name=check["name"],
                passed=check["passed"],
                severity=dg.AssetCheckSeverity(check["severity"]),
                description=check["description"],
                metadata=check["numbers"],
            )
            for check in found.json("checks").get("results", [])
        ],
    )


@dataclass
class Recording:
    """Collects what a materialisation records; `result` makes Dagster's object of it."""

    made_from: Mapping[str, str]
    began: float = field(default_factory=time.monotonic)
    metadata: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def count(self, **numbers: int) -> None:
        """Add counts; Dagster plots numeric metadata over time."""
        self.metadata.update(numbers)

    def rejects(self, name: str, reasons: Mapping[str, int]) -> None:
        """Add rejects by reason, as a number that plots and as a table."""
        self.metadata[name] = sum(reasons.values())
        self.metadata[f"{name}_by_reason"] = dg.MetadataValue.json(dict(reasons))

    def table(self, path: Path, rows: int) -> None:
        """Add a Parquet table's columns, row count and place."""
        schema = pq.read_schema(path)
        self.metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[dg.TableColumn(column.name, _type_name(str(column.type))) for column in schema]
        )
        self.metadata["dagster/partition_row_count"] = rows
        self.metadata["dagster/uri"] = str(path.parent)

    def check(
        self,
        name: str,
        passed: bool,
        description: str,
        *,
        severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
        **numbers: int,
    ) -> None:
        """Add the result of a check."""
        self.checks.append(
            {
                "name": name,
                "passed": passed,
                "severity": severity.value,
                "description": description,
                "numbers": numbers,
            }
        )

    def result(self, data_version: str) -> Materialized:
        """Return the materialisation."""
        # What people read first comes first; what only machines read comes last.
        first = {"summary": self.metadata["summary"]} if "summary" in self.metadata else {}
        metadata = {
            **first,
            **self.metadata,
            "made_from": dg.MetadataValue.json(dict(self.made_from)),
            "checks": dg.MetadataValue.json({"results": self.checks}),
            "reused": False,
            "seconds": round(time.monotonic() - self.began, 3),
        }
        return dg.MaterializeResult(
            data_version=dg.DataVersion(data_version),
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(
                    check_name=check["name"],
                    passed=check["passed"],
                    severity=dg.AssetCheckSeverity(check["severity"]),
                    description=check["description"],
                    metadata=check["numbers"],
                )
                for check in self.checks
            ],
        )


def check_specs(asset: str, names: Sequence[tuple[str, str]]) -> list[dg.AssetCheckSpec]:
    """Return the checks that sit on an asset, from (name, description)."""
    return [dg.AssetCheckSpec(name=name, asset=asset, description=description) for name, description in names]


class Progress:
    """Says in the run's log, every two seconds at most, how far a long step is."""

    def __init__(self, context: dg.AssetExecutionContext, asset: str) -> None:
        self.context, self.asset, self.last = context, asset, 0.0

    def __call__(self, what: str, count: int) -> None:
        """Report a step's name and a count."""
        PROGRESS.info("%s", json.dumps({"asset": self.asset, "what": what, "count": count}))
        if time.monotonic() - self.last >= _EVERY_SECONDS:
            self.last = time.monotonic()
            self.context.log.info(f"{what}: {count:,}")


@contextmanager
def named(path: Path, source: str | None) -> Iterator[None]:
    """Let an error speak of the source that a person knows, not of the content-addressed file that holds its bytes."""
    try:
        yield
    except (ArchiveError, ChecklistError) as error:
        error.args = (str(error).replace(str(path), source or "").replace(path.name, source or "the archive"),)
        raise


@contextmanager
def told_plainly(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn an error made for people into a failed step that says the same sentence, without a traceback or retry.

    What the step held of memory is given back to the system.
    """
    try:
        yield
    except DisscoError as error:
        raise dg.Failure(
            description=str(error), metadata={"error": type(error).__name__}, allow_retries=False
        ) from error
    finally:
        give_back()  # a run's steps are one process


def _type_name(arrow_type: str) -> str:
    return {"large_string": "string", "string_view": "string"}.get(arrow_type, arrow_type)
