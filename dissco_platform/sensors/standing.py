"""Where every dataset stands, read in a few queries: what is recorded, what holds now, what is stale of each.

Which differences make an asset stale is `reconcile.decide`, the same as for one dataset. Measured: the events of one
dataset are 60 kB and more (column schemas, tables), 2 ms to read each; so what a comparison needs of them is copied into the
registry once (`recorded`), and a tick reads Dagster's latest storage ids and only those events that are new.
"""

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs import SqlRunStorage

from dissco_platform import opends
from dissco_platform.assets.inputs import (
    BASES,
    Facts,
    enrolment_version,
    pinned_kinds,
    pinned_of,
    resolve_mappings,
)
from dissco_platform.assets.partitions import CODE_VERSIONS, DEPENDENCIES, UNPARTITIONED
from dissco_platform.assets.pinned import pinned_checklist
from dissco_platform.assets.recording import Recorded, latest, recorded
from dissco_platform.enrolment.allowance import mintable
from dissco_platform.errors import MappingError, UsageError
from dissco_platform.http import Signal
from dissco_platform.identity.tombstones import VanishingRules
from dissco_platform.names.overrides import Overrides, load_overrides
from dissco_platform.provenance import json_version
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset, list_datasets
from dissco_platform.registry.objects import endings_due
from dissco_platform.registry.pins import NO_PINS, Pin, Pins, all_pins
from dissco_platform.registry.watch import (
    Copied,
    Watch,
    copies,
    mapping_versions,
    queued_dois,
    save_copies,
    save_mapping_versions,
    watches,
)
from dissco_platform.sensors.reconcile import NO_CHECKLIST, Plan, decide, unstored
from dissco_platform.store import DatasetStore

PARTITIONED = tuple(asset for asset in DEPENDENCIES if asset not in UNPARTITIONED)
# Metadata entries that a comparison needs.
_FACTS = ("kind", "versions", "source", "etag", "last_modified", "release", "records", "rejects")
_EVENTS_AT_ONCE = 200

Found = dict[str, Recorded | None]


@dataclass(frozen=True)
class Standing:
    """One dataset now.

    `target` names the state outside the chain that a run would reach: two runs towards the same target are attempts at
    the same thing. `position` names what the chain holds. `error` says why nothing can be planned.
    """

    dataset: Dataset
    watch: Watch
    found: Found
    plan: Plan
    target: str
    position: str
    error: str | None = None
    pins: Pins = NO_PINS

    @property
    def slug(self) -> str:
        """Name of the dataset."""
        return self.dataset.slug


def read_standings(
    instance: dg.DagsterInstance,
    registry: Registry,
    store: DatasetStore,
    mappings: Path,
    *,
    tombstone_after: int = VanishingRules.after,
    yearly_quota: int | None = None,
    states: Collection[str] = ("active",),
) -> list[Standing]:
    """Return where every dataset in one of the states stands, by slug; tombstones are due after so many harvests.

    Raises:
        UsageError: no checklist is in use.
    """
    with registry.read() as connection:
        listed = [dataset for dataset in list_datasets(connection) if dataset.state in states]
        known, queued = watches(connection), queued_dois(connection, time.time())
        ending = endings_due(connection, tombstone_after)
        pinned = all_pins(connection)
        granted = mintable(connection, {dataset.slug: dataset.waiting for dataset in listed}, yearly_quota)
    checklist = latest(instance, "catalogue_of_life", None)
    if checklist is None:
        raise UsageError(NO_CHECKLIST)
    found = read_recorded(instance, registry, {dataset.slug for dataset in listed})
    kinds = {slug: parsed.text("kind") for slug, assets in found.items() if (parsed := assets.get("parsed_records"))}
    versions = MappingVersions(registry, mappings)
    held = {slug: pins.mapping for slug, pins in pinned.items() if pins.mapping is not None}
    resolved = versions.of({d.slug: kinds.get(d.slug) for d in listed if d.slug not in held})
    resolved |= {slug: _held_versions(slug, kinds.get(slug), pin) for slug, pin in held.items()}
    decisions = NameDecisions(mappings)
    standings = []
    for dataset in listed:
        slug = dataset.slug
        pins = pinned.get(slug, NO_PINS)
        release = pinned_checklist(pins.checklist) if pins.checklist is not None else checklist
        assets: Found = {**dict.fromkeys(DEPENDENCIES), **found.get(slug, {}), "catalogue_of_life": release}
        watch = known.get(slug, Watch(slug))
        upstream = source_signal(watch, assets["raw_archive"], store)
        mapping = resolved[slug]
        error = mapping if isinstance(mapping, str) else decisions.error
        facts = Facts(
            dataset.source,
            enrolment_version(dataset),
            {} if isinstance(mapping, str) else mapping,
            decisions.version(slug),
            pinned_of(pins),
        )
        waiting, due = queued.get(slug, (0, False))
        plan = (
            Plan(slug, {})
            if error
            else decide(
                slug,
                assets,
                facts,
                upstream,
                unstored(store, slug, assets),
                waiting if due else 0,
                ending.get(slug, 0),
                granted.get(slug, 0),
            )
        )
        standings.append(
            Standing(
                dataset,
                watch,
                assets,
                plan,
                target=json_version([slug, _outside(facts, release, watch)]),
                position=json_version([slug, *(r.storage_id if r else 0 for r in assets.values())]),
                error=error,
                pins=pins,
            )
        )
    return standings


def _held_versions(slug: str, kind: str | None, pin: Pin) -> dict[str, str] | str:
    try:
        return dict(pinned_kinds(slug, kind, pin))
    except MappingError as error:
        return str(error)


def source_signal(watch: Watch, raw: Recorded | None, store: DatasetStore) -> Signal:
    """Return what the last look said, if it was compared with the archive that we hold now."""
    if raw is None:
        return Signal(True, "never fetched")
    if not store.has_blob(raw.data_version):
        return Signal(True, "its download is not in the store")
    if watch.changed is not None and watch.against == raw.storage_id:
        return Signal(True, watch.changed)
    return Signal(False, "unchanged")


def read_recorded(
    instance: dg.DagsterInstance, registry: Registry, slugs: Collection[str]
) -> dict[str, dict[str, Recorded]]:
    """Return the latest materialisation of every partitioned asset of every dataset, by slug and asset."""
    storage = instance.run_storage
    name = storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else ""
    with registry.read() as connection:
        held = {(row.asset, row.dataset): row for row in copies(connection, name)}
    found: dict[str, dict[str, Recorded]] = {}
    for asset in PARTITIONED:
        ids = instance.event_log_storage.get_latest_storage_id_by_partition(
            dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        missing = []
        for slug, storage_id in ids.items():
            if slug not in slugs:
                continue
            copy = held.get((asset, slug))
            if copy is not None and copy.storage_id == storage_id:
                found.setdefault(slug, {})[asset] = _from_copy(copy)
            else:
                missing.append(storage_id)
        for begin in range(0, len(missing), _EVENTS_AT_ONCE):
            # Saved in portions: what a tick that runs out of time has read, the next one need not.
            fresh = _fetch(instance, asset, missing[begin : begin + _EVENTS_AT_ONCE])
            with registry.write() as connection:
                save_copies(connection, name, fresh)
            for copy in fresh:
                found.setdefault(copy.dataset, {})[asset] = _from_copy(copy)
    return found


class MappingVersions:
    """Versions of resolved mappings for many datasets; resolving one takes 50 ms, so each is resolved once.

    They are kept in the registry by the digest of everything that they are resolved from, our own code included.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.registry, self.folder = registry, folder

    def of(self, kinds: Mapping[str, str | None]) -> dict[str, dict[str, str] | str]:
        """Return for each dataset the version by kind of archive (of its own kind, if known), or what is wrong."""
        with self.registry.read() as connection:
            known = mapping_versions(connection)
        common = _digest([_code(), *_common_files(self.folder)])
        own = {path.stem: path for path in sorted((self.folder / "datasets").glob("*.yaml"))}
        everything = _digest([common, *(path.read_bytes() for path in own.values())])
        bases = tuple(kind for kind, base in BASES.items() if (self.folder / base).is_file())
        fresh: dict[str, str] = {}
        used: set[str] = set()
        failed: dict[str, str] = {}
        result: dict[str, dict[str, str] | str] = {}
        digests: dict[str, str] = {}
        for slug, kind in kinds.items():
            layer = ""
            if slug in own:
                content = own[slug].read_bytes()
                # A file may extend another beside it; only then do the others' files matter.
                layer = digests.setdefault(slug, _digest([everything if b"extends" in content else "", content]))
            versions: dict[str, str] = {}
            wrong = None
            for each in bases if kind is None else (kind,):
                digest = _digest([common, layer, each])
                used.add(digest)
                if digest not in known and digest not in failed:
                    try:
                        known[digest] = fresh[digest] = resolve_mappings(self.folder, slug, each)[each].version
                    except MappingError as error:
                        failed[digest] = str(error)
                wrong = wrong or failed.get(digest)
                versions[each] = known.get(digest, "")
            result[slug] = wrong or versions
        if fresh:
            with self.registry.write() as connection:
                save_mapping_versions(connection, fresh, used)
        return result


class NameDecisions:
    """Versions of the curators' decisions on names, read once for all datasets."""

    def __init__(self, folder: Path) -> None:
        self.error: str | None = None
        try:
            self.all = load_overrides((folder / "names").glob("*.tsv"))
        except MappingError as error:
            self.all, self.error = Overrides(), str(error)
        self._named = {entry.dataset for entry in self.all.entries if entry.dataset is not None}
        self._shared = self.all.of(None).version

    def version(self, slug: str) -> str:
        """Return the version of the decisions that hold for a dataset."""
        return self.all.of(slug).version if slug in self._named else self._shared


def _outside(facts: Facts, checklist: Recorded, watch: Watch) -> list[object]:
    return [
        facts.source,
        facts.enrolment,
        dict(facts.mapping),
        facts.overrides,
        checklist.data_version,
        CODE_VERSIONS,
        watch.changed_since,  # a new edition; stays when the edition was fetched and a later step failed
        watch.cleared,
    ]


def _fetch(instance: dg.DagsterInstance, asset: str, storage_ids: Sequence[int]) -> list[Copied]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), storage_ids=list(storage_ids)), limit=len(storage_ids)
    ).records
    return [_copy(asset, record.partition_key or "", recorded(record)) for record in records]


def _copy(asset: str, slug: str, made: Recorded) -> Copied:
    facts = {name: made.metadata[name].value for name in _FACTS if name in made.metadata}
    return Copied(asset, slug, made.storage_id, made.data_version, made.made_from, facts, made.timestamp, made.run_id)


def _from_copy(copy: Copied) -> Recorded:
    return Recorded(
        data_version=copy.data_version,
        made_from=dict(copy.made_from),
        metadata={
            name: dg.MetadataValue.json(value) if isinstance(value, dict) else dg.MetadataValue.text(str(value))
            for name, value in copy.facts.items()
        },
        storage_id=copy.storage_id,
        timestamp=copy.timestamp,
        run_id=copy.run_id,
    )


def _common_files(folder: Path) -> list[bytes]:
    paths = [*sorted(folder.glob("*.yaml")), *sorted((folder / "vocabularies").glob("*.tsv"))]
    return [part for path in paths for part in (path.name.encode(), path.read_bytes())]


@cache
def _code() -> str:
    """Return a digest of the code and tables that give a resolved mapping its version; fixed while a process lives."""
    root = Path(next(iter(opends.__path__)))
    return _digest(path.read_bytes() for path in sorted(root.rglob("*")) if path.suffix in {".py", ".tsv", ".json"})


def _digest(parts: Iterable[bytes | str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
