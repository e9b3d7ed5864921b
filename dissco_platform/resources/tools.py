"""The tools that assets use, built from settings: store, registry, HTTP client, mapping files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dissco_platform.http import HttpClient
from dissco_platform.registry import Registry, open_registry
from dissco_platform.resources.doi_service import DoiService
from dissco_platform.search.index import open_index
from dissco_platform.settings import Settings
from dissco_platform.store import DatasetStore, open_store


class DatasetStoreResource(dg.ConfigurableResource[DatasetStore]):
    """Versioned Parquet tables and downloads."""

    address: str = Field(description="Folder of the store, or object storage such as s3://bucket/prefix")
    endpoint: str = Field("", description="Address of an S3-compatible service that is not Amazon's")
    working_copy: str = Field("", description="Folder on this machine for what is in use of an object store")
    working_copy_bytes: int = Field(50 * 2**30, description="Size that the working copy may grow to")

    def store(self) -> DatasetStore:
        """Return the store: one a process, which remembers what object storage is known to have."""
        return _store(self.address, self.endpoint, self.working_copy, self.working_copy_bytes)


class RegistryResource(dg.ConfigurableResource[Registry]):
    """Identities, versions and the outbox."""

    url: str = Field(description="SQLAlchemy URL")
    migrates: bool = Field(True, description="Whether its schema is brought up to date when it is opened")

    @contextmanager
    def opened(self) -> Iterator[Registry]:
        """Yield the registry, its connections given back afterwards."""
        registry = open_registry(self.url, migrate=self.migrates)
        try:
            yield registry
        finally:
            registry.close()


class SearchIndexResource(dg.ConfigurableResource[Registry]):
    """What the portal finds."""

    url: str = Field(description="SQLAlchemy URL")

    @contextmanager
    def opened(self) -> Iterator[Registry]:
        """Yield the index for writing, its connections given back afterwards."""
        index = open_index(self.url)
        try:
            yield index
        finally:
            index.close()


class HttpClientResource(dg.ConfigurableResource[HttpClient]):
    """Bounded, conditional, SSRF-safe downloads."""

    max_bytes: int
    timeout_seconds: float
    trusted_hosts: list[str]

    def client(self) -> HttpClient:
        """Return the client."""
        return HttpClient(
            max_bytes=self.max_bytes, timeout=self.timeout_seconds, trusted_hosts=frozenset(self.trusted_hosts)
        )


class MappingFiles(dg.ConfigurableResource[Path]):
    """The folder of mapping files, vocabularies and name overrides, edited by people."""

    folder: str

    def path(self) -> Path:
        """Return the folder."""
        return Path(self.folder)


@cache
def _store(address: str, endpoint: str, working_copy: str, working_copy_bytes: int) -> DatasetStore:
    return open_store(address, Path(working_copy), endpoint=endpoint or None, bytes_here=working_copy_bytes)


def dataset_store(settings: Settings) -> DatasetStoreResource:
    """Return the store's resource for the settings."""
    return DatasetStoreResource(
        address=settings.store_address,
        endpoint=settings.store_endpoint or "",
        working_copy=str(settings.working_copy_path),
        working_copy_bytes=settings.store_working_copy_bytes,
    )


def secret(variable: str, value: str) -> dg.EnvVar:
    """Hand a secret to Dagster as an environment variable, which its UI shows by name and never by value."""
    os.environ[variable] = value
    return dg.EnvVar(variable)


def doi_service(settings: Settings, password: str | dg.EnvVar) -> DoiService:
    """Return the DOI service for the settings; outside Dagster the password is given as it is."""
    return DoiService(
        url=settings.datacite_url or "",
        repository=settings.datacite_repository,
        password=password,
        prefix=settings.doi_prefix,
        sandbox_database=str(settings.sandbox_path),
        rate_limit=settings.rate_limit,
        concurrency=settings.concurrency,
        drain_seconds=settings.datacite_drain_seconds,
        yearly_quota=settings.quota,
        tombstone_after=settings.tombstone_after,
        mass_missing_share=settings.mass_missing_share,
        mass_missing_count=settings.mass_missing_count,
        landing_page=settings.landing_page,
        issued_for_agent=settings.issued_for_agent,
        issued_for_agent_name=settings.issued_for_agent_name,
    )


def build_resources(settings: Settings) -> dict[str, Any]:
    """Return the resources for the given settings, by the names that assets use."""
    return {
        "store": dataset_store(settings),
        "registry": RegistryResource(url=settings.registry_url, migrates=settings.registry_migrates),
        "search": SearchIndexResource(url=settings.search_url),
        "http_client": HttpClientResource(
            max_bytes=settings.download_max_bytes,
            timeout_seconds=settings.download_timeout_seconds,
            trusted_hosts=sorted(settings.reachable_hosts),
        ),
        "doi_service": doi_service(
            settings, secret("DISSCO_DATACITE_PASSWORD", settings.datacite_password.get_secret_value())
        ),
        "mapping_files": MappingFiles(folder=str(settings.mappings.absolute())),
    }
