"""The DOI service as assets use it: DataCite, or a sandbox for the length of a step where none is configured."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from dissco_platform.enrolment.allowance import mintable
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient
from dissco_platform.identity.datacite.drain import DrainReport, Progress, drain
from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.datacite.pace import SharedPace
from dissco_platform.identity.parts import Rules
from dissco_platform.identity.tombstones import VanishingRules
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.objects import endings_due
from dissco_platform.registry.outbox import waiting
from dissco_platform.sandbox import running_sandbox
from dissco_platform.store import DatasetStore


@dataclass(frozen=True)
class Service:
    """A DOI service that answers: one account at one address."""

    account: DataCiteAccount
    rules: Rules
    limit: int | None
    concurrency: int
    seconds: float

    def check(self) -> None:
        """Make sure that writing will work.

        Raises:
            DoiServiceError: address, credentials or prefix are wrong.
        """

        async def ask() -> None:
            async with self.client() as client:
                await client.check()

        asyncio.run(ask())

    def drain(self, registry: Registry, store: DatasetStore, dataset: str | None, progress: Progress) -> DrainReport:
        """Send what is queued (of one dataset, or of all), at a pace that every process of the registry shares."""
        return drain(registry, store, self.client(registry), dataset=dataset, seconds=self.seconds, progress=progress)

    def client(self, registry: Registry | None = None) -> DataCiteClient:
        """Return a client, to be used on one event loop; with a registry, its processes share the rate limit."""
        if registry is None or self.limit is None:
            return DataCiteClient(self.account, limit=self.limit, concurrency=self.concurrency)
        host = urlsplit(self.account.url).netloc
        return DataCiteClient(
            self.account, limiter=SharedPace(registry, host, self.limit), concurrency=self.concurrency
        )


class DoiService(dg.ConfigurableResource[Service]):
    """Registers DOIs with DataCite."""

    url: str = Field("", description="REST address; empty: a sandbox is started while it is needed")
    repository: str
    password: str = Field(repr=False)
    prefix: str
    sandbox_database: str
    rate_limit: int | None
    concurrency: int
    drain_seconds: float
    yearly_quota: int | None
    tombstone_after: int
    mass_missing_share: float
    mass_missing_count: int
    landing_page: str
    issued_for_agent: str
    issued_for_agent_name: str

    @contextmanager
    def running(self) -> Iterator[Service]:
        """Yield the service; the sandbox, if it is one, ends with the block."""
        if self.url:
            yield self._service(self.url)
            return
        with running_sandbox(
            Path(self.sandbox_database), username=self.repository, password=self.password, prefix=self.prefix
        ) as sandbox:
            yield self._service(sandbox.url)

    def is_behind(self, registry: Registry, dataset: str) -> bool:
        """Say whether there is something left for a published dataset: DOIs queued or granted, tombstones due."""
        with registry.read() as connection:
            due = endings_due(connection, self.tombstone_after).get(dataset, 0)
            granted = mintable(connection, {dataset: get_dataset(connection, dataset).waiting}, self.yearly_quota)
            return waiting(connection, dataset)[0] > 0 or due > 0 or bool(granted)

    def rules(self) -> Rules:
        """Return what a publication needs from the settings."""
        return Rules(
            prefix=self.prefix,
            yearly_quota=self.yearly_quota,
            vanishing=VanishingRules(self.tombstone_after, self.mass_missing_share, self.mass_missing_count),
            datacite=DataCiteContext(
                landing_page=self.landing_page,
                publisher_id=self.issued_for_agent,
                publisher_name=self.issued_for_agent_name,
            ),
        )

    def _service(self, url: str) -> Service:
        return Service(
            account=DataCiteAccount(url, self.repository, self.password, self.prefix),
            rules=self.rules(),
            limit=self.rate_limit,
            concurrency=self.concurrency,
            seconds=self.drain_seconds,
        )
