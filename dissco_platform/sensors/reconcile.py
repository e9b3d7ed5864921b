"""Which assets of a dataset are out of date, and why: one function for the command line, sensors and schedules.

Level-triggered: the inputs recorded on the latest materialisation are compared with the present ones, so nothing is
lost when an event is missed, a run fails or a cursor is reset. Dagster's own staleness of partitioned assets is not
shown in its graph and its automation conditions are edge-triggered.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dissco_platform.archives.sources import look_at_source
from dissco_platform.assets.inputs import Facts, facts, made_from
from dissco_platform.assets.partitions import DEPENDENCIES, UNPARTITIONED, below
from dissco_platform.assets.pinned import pinned_checklist
from dissco_platform.assets.recording import Recorded, latest
from dissco_platform.enrolment.allowance import mintable
from dissco_platform.errors import UsageError
from dissco_platform.http import HttpClient, Signal, Validators
from dissco_platform.identity.tombstones import VanishingRules
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset, update_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import applied
from dissco_platform.registry.objects import count_missed, endings_due
from dissco_platform.registry.outbox import waiting
from dissco_platform.registry.pins import pins_of
from dissco_platform.store import DatasetStore

NO_CHECKLIST = "No checklist is in use yet: name one with `dissco checklist use PATH|URL`."

# Evidence of a look (http.HttpClient.look) → what a person reads.
_EVIDENCE = {"200": "its server has another edition", "sha256": "the file has other content"}

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
        if set(self.causes) == set(DEPENDENCIES) - UNPARTITIONED and set(self.causes.values()) == {"never made"}:
            return "new dataset"
        alike: dict[str, list[str]] = {}
        for asset, cause in self.causes.items():
            alike.setdefault(cause, []).append(asset)
        # A cause that is code names its asset itself.
        return "; ".join(
            cause if cause.startswith("code ") else f"{', '.join(assets)}: {cause}" for cause, assets in alike.items()
        )


def look_upstream(
    instance: dg.DagsterInstance, registry: Registry, store: DatasetStore, client: HttpClient, dataset: Dataset
) -> Signal:
    """Ask a dataset's source whether it changed since it was fetched, and record the look.

    Raises:
        SourceError: it cannot be reached; recorded as the dataset's failure.
    """
    before = latest(instance, "raw_archive", dataset.slug)
    if before is None or before.text("source") != dataset.source or not store.has_blob(before.data_version):
        return Signal(True, "never fetched")
    validators = Validators(before.text("etag"), before.text("last_modified"))
    with registry.read() as connection:
        trusted = dataset.slug not in applied(connection)
    signal = look_at_source(client, dataset.source, validators, before.data_version, trusted=trusted)
    with registry.write() as connection:
        update_dataset(connection, dataset.slug, checked=now(), checked_by=signal.evidence, failed=None, failure=None)
        if not signal.changed and dataset.summary.get("made_from", {}).get("archive") == before.data_version:
            # What was published last is what the source publishes: a complete harvest without the missing specimens.
            count_missed(connection, dataset.slug)
    return signal


def plan(
    instance: dg.DagsterInstance,
    registry: Registry,
    store: DatasetStore,
    mappings: Path,
    dataset: Dataset,
    upstream: Signal,
    tombstone_after: int = VanishingRules.after,
    yearly_quota: int | None = None,
) -> Plan:
    """Return what is stale of a dataset.

    Raises:
        MappingError: one of its mapping files is wrong.
        UsageError: no checklist is in use.
    """
    found = {asset: latest(instance, asset, dataset.slug) for asset in DEPENDENCIES}
    with registry.read() as connection:
        pins = pins_of(connection, dataset.slug)
    if pins.checklist is not None:
        found["catalogue_of_life"] = pinned_checklist(pins.checklist)
    if found["catalogue_of_life"] is None:
        raise UsageError(NO_CHECKLIST)
    parsed = found["parsed_records"]
    kind = parsed.text("kind") if parsed else None
    with registry.read() as connection:
        queued, _ = waiting(connection, dataset.slug)
        ending = endings_due(connection, tombstone_after).get(dataset.slug, 0)
        granted = mintable(connection, {dataset.slug: dataset.waiting}, yearly_quota).get(dataset.slug, 0)
    known = facts(dataset, mappings, kind, pins)
    gone = unstored(store, dataset.slug, found)
    return decide(dataset.slug, found, known, upstream, gone, queued, ending, granted)


def decide(
    slug: str,
    found: Mapping[str, Recorded | None],
    known: Facts,
    upstream: Signal,
    gone: Collection[str],
    queued: int,
    ending: int = 0,
    mintable: int = 0,
) -> Plan:
    """Return what is stale of a dataset: the one rule of the command line, the sensors and the schedule.

    Args:
        slug: its name.
        found: the latest materialisation of every asset of the chain.
        known: present facts of the dataset.
        upstream: the last look at its source.
        gone: assets whose tables are not in the store.
        queued: DOIs that may be sent to the DOI service.
        ending: vanished specimens and media whose tombstone is due, and decisions of people to carry out.
        mintable: DOIs that waited for quota or a grant and may be minted now.
    """
    parsed = found["parsed_records"]
    causes = stale(found, known, parsed.text("kind") if parsed else None)
    if upstream.changed and "raw_archive" not in causes:
        evidence = _EVIDENCE.get(upstream.evidence, upstream.evidence)
        causes = {"raw_archive": f"upstream changed ({evidence})", **causes}
    for asset in gone:
        causes.setdefault(asset, "its tables are not in the store")
    if queued:
        causes.setdefault("registered_dois", f"{queued} DOIs wait to be registered")
    if ending:
        causes.setdefault("registered_dois", f"{ending} tombstones or decisions are due")
    if mintable:
        causes.setdefault("registered_dois", f"{mintable} DOIs that waited were granted")
    causes.pop("catalogue_of_life", None)
    return Plan(slug, causes)


def unstored(store: DatasetStore, slug: str, found: Mapping[str, Recorded | None]) -> list[str]:
    """Return the assets whose recorded version is not in the store (swept by hand, or another store's)."""
    return [
        asset
        for asset in _STORED
        if (recorded := found[asset]) is not None and not store.has(asset, slug, recorded.data_version)
    ]


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
        for name, version in made_from(asset, versions, known).items():
            if recorded.made_from.get(name) != version:
                held = " (pinned)" if _what(asset, name) in known.pinned else ""
                causes[asset] = _difference(asset, name, recorded.made_from.get(name), version, found) + held
                break
    return causes


def _what(asset: str, name: str) -> str:
    """Return which pin decides over an input, if one does."""
    if name == "catalogue_of_life":
        return "checklist"
    return "mapping" if asset == "mapping" and name != "code" else ""


def _difference(asset: str, name: str, before: str | None, version: str, found: Mapping[str, Recorded | None]) -> str:
    """Say what differs in words that a person knows: a release by its name, code by its number."""
    if name == "catalogue_of_life":
        made, release = found[asset], found[name]
        old, new = made.text("release") if made else None, release.text("release") if release else None
        if old and new and old != new:
            return f"col {old} → {new}"
    if name == "code":
        return f"code {asset} v{before or 0} → v{version}"
    return f"{name} {(before or 'nothing')[:8]} → {version[:8]}"
