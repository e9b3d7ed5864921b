"""Which assets of a dataset are out of date, and why: one function for the command line, sensors and schedules.

Level-triggered: the inputs recorded on the latest materialisation are compared with the present ones, so nothing is
lost when an event is missed, a run fails or a cursor is reset. Dagster's own staleness of partitioned assets is not
shown in its graph and its automation conditions are edge-triggered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dissco_platform.assets.inputs import Facts, facts, made_from
from dissco_platform.assets.partitions import DEPENDENCIES, UNPARTITIONED, below
from dissco_platform.assets.recording import Recorded, latest
from dissco_platform.errors import UsageError
from dissco_platform.http import HttpClient, Signal, Validators
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.outbox import waiting
from dissco_platform.store import DatasetStore

# Assets whose output is a folder of the store, named by data version.
_STORED = ("parsed_records", "taxon_harmonised", "digital_specimens")


@dataclass(frozen=True)
class Plan:
    """`causes`: each stale asset with its reason; `selection`: those and all below them, in the chain's order."""

    slug: str
    causes: dict[str, str]

    @property
    def selection(self) -> list[str]:
        """Assets that a run has to select."""
        wanted = below(set(self.causes)) - UNPARTITIONED
        return [asset for asset in DEPENDENCIES if asset in wanted]

    @property
    def cause(self) -> str:
        """The causes in one line, for a run's tag."""
        return "; ".join(f"{asset}: {cause}" for asset, cause in self.causes.items())


def look_upstream(
    instance: dg.DagsterInstance, registry: Registry, store: DatasetStore, client: HttpClient, dataset: Dataset
) -> Signal:
    """Ask a dataset's source whether it changed since it was fetched, and record the look.

    Raises:
        SourceError: it cannot be reached; recorded as the dataset's failure.
    """
    before = latest(instance, "raw_archive", dataset.slug)
    if before is None or before.text("source") != dataset.source or not store.blob(before.data_version).exists():
        return Signal(True, "never fetched")
    validators = Validators(before.text("etag"), before.text("last_modified"))
    signal = client.look(dataset.source, validators, before.data_version, trusted=True)
    with registry.write() as connection:
        update_dataset(connection, dataset.slug, checked=now(), checked_by=signal.evidence, failed=None, failure=None)
    return signal


def plan(
    instance: dg.DagsterInstance,
    registry: Registry,
    store: DatasetStore,
    mappings: Path,
    dataset: Dataset,
    upstream: Signal,
) -> Plan:
    """Return what is stale of a dataset.

    Raises:
        MappingError: one of its mapping files is wrong.
        UsageError: no checklist is in use.
    """
    found = {asset: latest(instance, asset, dataset.slug) for asset in DEPENDENCIES}
    if found["catalogue_of_life"] is None:
        raise UsageError("No checklist is in use yet: name one with `dissco checklist use PATH|URL`.")
    parsed = found["parsed_records"]
    kind = parsed.text("kind") if parsed else None
    causes = stale(found, facts(dataset, mappings, kind), kind)
    if upstream.changed and "raw_archive" not in causes:
        causes = {"raw_archive": f"upstream changed ({upstream.evidence})", **causes}
    for asset in _STORED:
        recorded = found[asset]
        if asset not in causes and recorded and not store.has(asset, dataset.slug, recorded.data_version):
            causes[asset] = "its tables are not in the store"
    with registry.read() as connection:
        queued, _ = waiting(connection, dataset.slug)
    if queued and "registered_dois" not in causes:
        causes["registered_dois"] = f"{queued} DOIs wait to be registered"
    causes.pop("catalogue_of_life", None)
    return Plan(dataset.slug, causes)


def stale(found: Mapping[str, Recorded | None], known: Facts, kind: str | None) -> dict[str, str]:
    """Return the assets whose recorded inputs are not the present ones, with the first difference.

    Args:
        found: the latest materialisation of every asset of the chain.
        known: present facts of the dataset.
        kind: of its archive, if it was parsed before: only that kind's mapping matters.
    """
    versions = {asset: recorded.data_version for asset, recorded in found.items() if recorded is not None}
    mapped = found["mapping"]
    if mapped is not None and kind is not None:
        versions["mapping"] = mapped.json("versions").get(kind, mapped.data_version)
    causes = {}
    for asset, dependencies in DEPENDENCIES.items():
        recorded = found[asset]
        if asset in UNPARTITIONED:
            continue
        if recorded is None:
            causes[asset] = "never made"
            continue
        if any(dependency not in versions for dependency in dependencies):
            causes[asset] = "an input was never made"
            continue
        present = made_from(asset, versions, known)
        for name, version in present.items():
            if recorded.made_from.get(name) != version:
                before = recorded.made_from.get(name, "nothing")
                causes[asset] = f"{name} {before[:8]} → {version[:8]}"
                break
    return causes
