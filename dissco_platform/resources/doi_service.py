"""The DOI service as assets use it: DataCite, or a sandbox for the length of a step where none is configured."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from pydantic import Field

from dissco_platform.enrolment.allowance import mintable
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient
from dissco_platform.identity.datacite.drain import DrainReport, Progress, drain
from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.parts import Rules
from dissco_platform.identity.tombstones import VanishingRules
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.objects import tombstones_due
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
        """Send what is queued (of one dataset, or of all)."""
        return drain(registry, store, self.client(), dataset=dataset, seconds=self.seconds, progress=progress)

    def client(self) -> DataCiteClient:
        """Return a client, to be used on one event loop."""
        return DataCiteClient(self.account, limit=self.limit, concurrency=self.concurrency)


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
            due = tombstones_due(connection, self.tombstone_after).get(dataset, 0)
            granted = mintable(connection, {dataset: get_dataset(connection, dataset).waiting}, self.yearly_quota)
            return waiting(connection, dataset)[0] > 0 or due > 0 or bool(granted)

    def _service(self, url: str) -> Service:
        return Service(
            account=DataCiteAccount(url, self.repository, self.password, self.prefix),
            rules=Rules(
                prefix=self.prefix,
                yearly_quota=self.yearly_quota,
                vanishing=VanishingRules(self.tombstone_after, self.mass_missing_share, self.mass_missing_count),
                datacite=DataCiteContext(
                    landing_page=self.landing_page,
                    publisher_id=self.issued_for_agent,
                    publisher_name=self.issued_for_agent_name,
                ),
            ),
            limit=self.rate_limit,
            concurrency=self.concurrency,
            seconds=self.drain_seconds,
        )
