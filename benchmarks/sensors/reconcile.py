"""Cost of a reconcile tick over many datasets with events as large as real ones: first tick, idle, one edit, all stale.

    python -m benchmarks.sensors.reconcile --datasets 1000
    python -m benchmarks.sensors.reconcile --datasets 1000 --postgres postgresql+psycopg2://…  (Dagster's storage)

Each event is a copy of one that Dagster wrote itself for the first dataset.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

from dissco_platform.assets.inputs import enrolment_version, facts, made_from
from dissco_platform.assets.partitions import DEPENDENCIES, UNPARTITIONED, datasets
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import Dataset, add_dataset, list_datasets
from dissco_platform.sensors.reconciler import reconcile
from dissco_platform.store import DatasetStore

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
# A real dataset's events are 3 kB (raw_archive, mapping) to 16 kB (tables with their column schema).
COLUMNS = {"parsed_records": 90, "taxon_harmonised": 90, "digital_specimens": 60}


def metadata(
    asset: str, inputs: dict[str, str], version: str, source: str, mapping: dict[str, str]
) -> dict[str, object]:
    """Return metadata as large as a real materialisation's."""
    entries: dict[str, object] = {"made_from": dg.MetadataValue.json(inputs), "seconds": 1.0, "reused": False}
    if asset in COLUMNS:
        entries["dagster/column_schema"] = dg.TableSchema(
            [dg.TableColumn(f"dwc:someDarwinCoreTerm{n}", "string") for n in range(COLUMNS[asset])]
        )
    for n in range(20):
        entries[f"count_{n}"] = n
    if asset == "raw_archive":
        entries |= {"source": source, "etag": '"e"', "sha256": version}
    if asset == "parsed_records":
        entries["kind"] = "dwca"
    if asset == "taxon_harmonised":
        entries["release"] = "2026-10"
    if asset == "mapping":
        entries["versions"] = dg.MetadataValue.json(mapping)
    return entries


def seed(instance: dg.DagsterInstance, registry: Registry, store: DatasetStore, mappings: Path, count: int) -> None:
    """Enrol datasets that are up to date."""
    with registry.write() as connection:
        for n in range(count):
            add_dataset(
                connection,
                slug=f"d{n:05}",
                source=f"https://ipt.example/archive.do?r=d{n:05}",
                organisation_id="https://ror.org/0566bfb96",
                organisation_name=None,
                source_system_id=f"https://hdl.handle.net/20.5000.1025/{n:09}",
                doi_only=False,
            )
    with registry.read() as connection:
        listed = list_datasets(connection)
    first = listed[0]
    instance.add_dynamic_partitions(str(datasets.name), [dataset.slug for dataset in listed])
    write(instance, "catalogue_of_life", None, "c" * 32, {"release": "2026-10"})
    known = facts(first, mappings, "dwca")
    versions = {"catalogue_of_life": "c" * 32}
    for asset in DEPENDENCIES:
        if asset not in UNPARTITIONED:
            name = f"{asset[:4]}-{first.slug}"
            versions[asset] = known.mapping["dwca"] if asset == "mapping" else name
            inputs = made_from(asset, versions, known)
            entries = metadata(asset, inputs, versions[asset], first.source, dict(known.mapping))
            write(instance, asset, first.slug, versions[asset], entries)
    copy_events(instance, first, listed[1:])
    for dataset in listed:
        for asset in COLUMNS:
            (store.root / asset / dataset.slug / f"{asset[:4]}-{dataset.slug}").mkdir(parents=True)
        (store.blobs / f"raw_-{dataset.slug}").touch()


def copy_events(instance: dg.DagsterInstance, first: Dataset, others: list[Dataset]) -> None:
    """Copy one dataset's events for the others, as texts: through Dagster, 6,000 events take minutes."""
    table = SqlEventLogStorageTable
    own = enrolment_version(first)
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.index_connection() as connection:
        rows = [dict(row._mapping) for row in connection.execute(table.select().where(table.c.partition == first.slug))]
        for dataset in others:
            enrolment = enrolment_version(dataset)
            connection.execute(
                table.insert(),
                [
                    {
                        **{name: value for name, value in row.items() if name != "id"},
                        "partition": dataset.slug,
                        "event": row["event"].replace(first.slug, dataset.slug).replace(own, enrolment),
                    }
                    for row in rows
                ],
            )
        connection.commit()


def write(instance: dg.DagsterInstance, asset: str, slug: str | None, version: str, entries: dict[str, object]) -> None:
    """Write one materialisation as Dagster does."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, partition=slug, metadata=entries, tags={"dagster/data_version": version})
    )


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return seconds and result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def main() -> None:
    """Run and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--postgres")
    arguments = parser.parse_args()
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="dissco-bench-", dir=memory if memory.is_dir() else None))
    try:
        mappings = home / "mappings"
        shutil.copytree(MAPPINGS, mappings)
        storage = f"storage:\n  postgres:\n    postgres_url: {arguments.postgres}\n" if arguments.postgres else ""
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text(f"telemetry:\n  enabled: false\n{storage}")
        registry = open_registry(f"sqlite:///{home / 'registry.sqlite'}")
        store = DatasetStore(home / "store")
        with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
            seeding, _ = timed(lambda: seed(instance, registry, store, mappings, arguments.datasets))

            def tick() -> tuple[float, int, int]:
                seconds, found = timed(lambda: reconcile(instance, registry, store, mappings, moment=datetime.now(UTC)))
                stale = sum(bool(standing.plan.causes) for standing in found.standings)  # type: ignore[attr-defined]
                return seconds, stale, len(found.choice.requests)  # type: ignore[attr-defined]

            figures = {"datasets": arguments.datasets, "seeding_seconds": round(seeding, 1)}

            def report(name: str, expected: int) -> None:
                seconds, stale, requests = tick()
                assert stale == expected, f"{name}: {stale} stale, not {expected}"
                figures[name] = round(seconds, 3)
                figures[f"{name}_requests"] = requests

            report("first_tick", 0)
            report("idle", 0)
            report("idle_again", 0)
            (mappings / "datasets").mkdir()
            holder = {"ods:DigitalSpecimen": {"records": {"dcterms:rightsHolder": {"constant": "A museum"}}}}
            (mappings / "datasets" / "d00007.yaml").write_text(yaml.safe_dump(holder))
            report("one_mapping_edited", 1)
            write(instance, "catalogue_of_life", None, "d" * 32, {"release": "2026-11"})
            report("new_release", arguments.datasets)
            figures["size_mb"] = round(sum(f.stat().st_size for f in home.rglob("*.db")) / 1e6)
            print(json.dumps(figures))
        registry.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
