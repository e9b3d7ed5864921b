"""Opens what commands need: settings, registry, store, Dagster's instance. Heavy parts only when they are used."""

import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dissco_platform.errors import SettingsError
from dissco_platform.http import HttpClient
from dissco_platform.registry import Registry, open_registry
from dissco_platform.settings import CHECKOUT, Settings, load_settings
from dissco_platform.store import DatasetStore, store_of

if TYPE_CHECKING:
    import dagster as dg

    from dissco_platform.assets.desk_work import Workshop
    from dissco_platform.identity.parts import Rules
    from dissco_platform.identity.publications import Publications

INSTANCE_TEMPLATE = CHECKOUT / "deploy" / "local" / "dagster.yaml"


class House:
    """Everything that one command works with; close it when done."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def registry(self) -> Registry:
        """The registry, created on first use."""
        self.prepare_home()
        return open_registry(self.settings.registry_url, migrate=self.settings.registry_migrates)

    @cached_property
    def store(self) -> DatasetStore:
        """The Parquet store."""
        return store_of(self.settings)

    @cached_property
    def publications(self) -> "Publications":
        """What is published, for reading."""
        from dissco_platform.identity.publications import open_publications

        return open_publications(self.settings, self.registry, self.store)

    @cached_property
    def rules(self) -> "Rules":
        """What a publication needs from the settings."""
        from dissco_platform.resources import doi_service

        return doi_service(self.settings, "").rules()

    @cached_property
    def http(self) -> HttpClient:
        """The client for sources."""
        return HttpClient(
            max_bytes=self.settings.download_max_bytes,
            timeout=self.settings.download_timeout_seconds,
            trusted_hosts=self.settings.reachable_hosts,
        )

    @cached_property
    def instance(self) -> "dg.DagsterInstance":
        """Dagster's instance in its folder, which is made on first use."""
        import dagster as dg

        path = self.settings.dagster_path
        self.prepare_home()
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "dagster.yaml").exists():
            shutil.copyfile(INSTANCE_TEMPLATE, path / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(path)  # which that file names
        return dg.DagsterInstance.from_config(str(path))

    def workshop(self, ror_dump: Path | None = None) -> "Workshop":
        """Return what trial loads need; `ror_dump` takes the place of the settings' directory of institutions."""
        from dissco_platform.assets.desk_work import Workshop
        from dissco_platform.enrolment.ror import directory, open_index

        settings = self.settings
        return Workshop(
            self.instance,
            self.registry,
            self.store,
            self.http,
            settings.mappings,
            settings.home,
            open_index(ror_dump, settings.home) if ror_dump else directory(settings, self.http),
        )

    def close(self) -> None:
        """Give connections back."""
        if "registry" in self.__dict__:
            self.registry.close()
        if "instance" in self.__dict__:
            self.instance.dispose()

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare_home(self) -> None:
        """Make the folder of all state.

        Raises:
            SettingsError: it cannot be made.
        """
        try:
            self.settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"DISSCO_HOME {self.settings.home} cannot be made ({error.strerror}); name a folder that is writable."
            ) from error
