"""A whole house for automation: a real Dagster instance, registry, store and sandbox; ticks and runs driven by hand.

The sensor's requests are executed in this process as the daemon's launcher would: same job, partition, selection, tags
and run key; a request whose run key has a run already is dropped, as the daemon does.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.sensor_definition import SensorExecutionData

from dissco_platform.assets.partitions import datasets
from dissco_platform.definitions import build_definitions
from dissco_platform.http import HttpClient
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset, list_datasets, set_state
from dissco_platform.registry.watch import set_watches
from dissco_platform.sandbox import running_sandbox
from dissco_platform.sensors.looking import Look, Pace, look_round
from dissco_platform.sensors.reconciler import Tick, reconcile
from dissco_platform.sensors.requesting import Policy
from dissco_platform.sensors.upstream import due_sources, record_looks
from dissco_platform.settings import Settings
from dissco_platform.store import DatasetStore
from tests.house import EXAMPLES, ORGANISATION, REPOSITORY

RUN_KEY = "dagster/run_key"
FULL = [
    "raw_archive",
    "parsed_records",
    "taxon_harmonised",
    "mapping",
    "digital_specimens",
    "registered_dois",
    "search_index",
]


@dataclass
class Ran:
    """One run: which assets it selected, whether it succeeded, what it reports."""

    slug: str
    assets: list[str]
    cause: str
    success: bool
    rendered: int
    reused: list[str]


@dataclass
class AutomatedHouse:
    """The platform as automation sees it; `tick()` asks, `run()` executes what was asked for."""

    home: Path
    settings: Settings
    instance: dg.DagsterInstance
    registry: Registry
    store: DatasetStore
    definitions: dg.Definitions
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    policy: Policy = field(default_factory=Policy)

    @property
    def mappings(self) -> Path:
        """A copy of the mapping files that a test may edit."""
        return self.settings.mappings

    def add(self, slug: str, source: str) -> None:
        """Enrol a dataset."""
        with self.registry.write() as connection:
            add_dataset(
                connection,
                slug=slug,
                source=source,
                organisation_id=ORGANISATION,
                organisation_name=None,
                source_system_id=f"https://hdl.handle.net/20.5000.1025/TST-TST-{slug.upper()}",
                doi_only=False,
            )

    def state(self, slug: str, state: str) -> None:
        """Pause, resume or remove a dataset."""
        with self.registry.write() as connection:
            set_state(connection, slug, state)

    def later(self, **delta: float) -> None:
        """Let time pass for the reconciler."""
        self.moment += timedelta(**delta)

    def tick(self) -> Tick:
        """One tick of the reconciler."""
        return reconcile(
            self.instance,
            self.registry,
            self.store,
            self.mappings,
            moment=self.now,
            policy=self.policy,
        )

    def launch(self, request: dg.RunRequest) -> Ran | None:
        """Execute one request as the daemon would, or drop it if its run key was used."""
        if self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY: request.run_key or ""})):
            return None
        slug, selection = str(request.partition_key), list(request.asset_selection or [])
        self.instance.add_dynamic_partitions(str(datasets.name), [slug])
        job = self.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=self.instance,
            partition_key=slug,
            asset_selection=selection,
            tags={**request.tags, RUN_KEY: request.run_key or ""},
            raise_on_error=False,
        )
        made = {
            event.materialization.asset_key.to_user_string(): event.materialization.metadata
            for event in result.get_asset_materialization_events()
        }
        specimens = made.get("digital_specimens", {})
        rendered = specimens.get("rendered") if specimens and not specimens["reused"].value else None
        return Ran(
            slug,
            [asset for asset in FULL if dg.AssetKey(asset) in selection],
            request.tags["cause"],
            result.success,
            int(rendered.value or 0) if rendered else 0,
            [asset for asset in FULL if asset in made and made[asset]["reused"].value],
        )

    def sensor(self, name: str, cursor: str | None = None) -> SensorExecutionData:
        """One tick of a sensor as the daemon has it."""
        sensor = self.definitions.get_repository_def().get_sensor_def(name)
        resources = dict(self.definitions.resources or {})
        with (
            partition_loading_context(dynamic_partitions_store=self.instance),
            dg.build_sensor_context(
                instance=self.instance,
                cursor=cursor,
                resources={name: resources[name] for name in sensor.required_resource_keys},
                repository_def=self.definitions.get_repository_def(),
            ) as context,
        ):
            return sensor.evaluate_tick(context)

    def look(self, *, all_of_them: bool = False) -> list[Look]:
        """One round of looks at the sources that are due."""
        if all_of_them:
            with self.registry.write() as connection:
                slugs = [dataset.slug for dataset in list_datasets(connection)]
                set_watches(connection, [{"dataset": slug, "due": None} for slug in slugs])
        due = due_sources(self.registry, self.instance, self.store, self.now)
        looks = look_round(HttpClient(), self.store, due, Pace(pause=0.0))
        record_looks(self.registry, looks, {held.slug: held.source for held in due}, self.now)
        return looks

    @property
    def now(self) -> datetime:
        """The house's time: never before the clock's."""
        return max(self.moment, datetime.now(UTC))

    def settle(self) -> list[Ran]:
        """One tick, and the runs that it asks for."""
        return [ran for request in self.tick().choice.requests if (ran := self.launch(request))]

    def checklist(self, source: Path = EXAMPLES / "checklist.zip") -> None:
        """Put a checklist into use, as a person does."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        job.execute_in_process(
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {"catalogue_of_life": {"config": {"source": str(source)}}},
            },
            instance=self.instance,
            asset_selection=[dg.AssetKey("catalogue_of_life")],
        )


def furnish(home: Path, dagster_storage: str | None = None) -> None:
    """Make the folders of an empty house; Dagster's storage is in its folder, or a PostgreSQL database."""
    shutil.copytree(REPOSITORY / "mappings", home / "mappings")
    (home / "dagster").mkdir()
    text = "telemetry:\n  enabled: false\n"
    if dagster_storage:
        text += (
            "storage:\n  custom:\n    module: dissco_platform.cluster.storage\n    class: PooledPostgresStorage\n"
            f"    config:\n      postgres_url: '{dagster_storage}'\n"
        )
    else:
        text += (
            "storage:\n  custom:\n    module: dissco_platform.cluster.sqlite_storage\n    class: KeptSqliteStorage\n"
            f"    config:\n      base_dir: '{home / 'dagster'}'\n"
        )
    (home / "dagster" / "dagster.yaml").write_text(text)


@contextmanager
def automated_house(home: Path, registry_url: str | None = None) -> Iterator[AutomatedHouse]:
    """Yield the house whose state lies in a folder (or, its registry, at an address)."""
    with running_sandbox(
        home / "sandbox.sqlite", username="DISSCO.SANDBOX", password="sandbox", prefix="10.5555"
    ) as doi:
        values: dict[str, Any] = {"home": home, "mappings": home / "mappings", "datacite_url": doi.url}
        if registry_url:
            values["registry"] = registry_url
        settings = Settings(**values)
        registry = open_registry(settings.registry_url)
        instance = dg.DagsterInstance.from_config(str(home / "dagster"))
        house = AutomatedHouse(
            home, settings, instance, registry, DatasetStore(Path(settings.store_address)), build_definitions(settings)
        )
        try:
            yield house
        finally:
            registry.close()
            instance.dispose()
