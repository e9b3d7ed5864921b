"""Drains the outbox: queued DataCite records are sent, answers are settled in the registry.

Leases rows in chunks (tombstones, new DOIs, updates), reads their payloads from the published parts, sends them with a
few writes in flight, and settles each chunk in one transaction. A process that dies leaves leases that run out; the
writes are idempotent (PUT), so repeating one is harmless. How an answer is understood is `client`.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from dissco_platform.errors import DoiServiceError
from dissco_platform.identity.committing import TOMBSTONE_LANE
from dissco_platform.identity.datacite.client import DataCiteClient
from dissco_platform.identity.datacite.outcomes import REPEATABLE, Kind, Outcome
from dissco_platform.identity.datacite.tables import TOMBSTONE_EVENTS
from dissco_platform.registry import Registry, outbox
from dissco_platform.registry.outbox import Leased
from dissco_platform.store import DatasetStore

CHUNK = 500
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 300.0
# Attempts that the client makes at once; further ones wait in the outbox.
ATTEMPTS = 3
# So many transport failures in a row mean that the service is away: what is left stays queued.
BREAK_AFTER = 20
FORBIDDEN = 403
# One write with all its attempts takes no longer than this: three time-outs of 90 s and two pauses of a minute.
LONGEST_WRITE_SECONDS = 400.0
# A record that DataCite took and the Handle System does not resolve is put again; after so many times a person looks.
RESOLVABLE_AFTER = 6
NOT_RESOLVABLE = (
    "DataCite holds the record, but the Handle System still does not resolve the DOI: ask DataCite's support."
)

Progress = Callable[[str, int], None]


@dataclass
class DrainReport:
    """What one drain did: acknowledged writes, refusals, postponed rows, rows still queued."""

    written: int = 0
    failed: int = 0
    postponed: int = 0
    remaining: int = 0
    stopped: str | None = None
    messages: list[str] = field(default_factory=list)


def drain(
    registry: Registry,
    store: DatasetStore,
    client: DataCiteClient,
    *,
    dataset: str | None = None,
    seconds: float,
    progress: Progress | None = None,
) -> DrainReport:
    """Send what is queued, of one dataset or of all, for at most so many seconds.

    Raises:
        DoiServiceError: the account is refused; everything stays queued.
    """
    return asyncio.run(_Drain(registry, store, client, dataset, seconds, progress).run())


class _Drain:
    def __init__(
        self,
        registry: Registry,
        store: DatasetStore,
        client: DataCiteClient,
        dataset: str | None,
        seconds: float,
        progress: Progress | None,
    ) -> None:
        self.registry, self.client, self.dataset = registry, client, dataset
        self.prefix, self.concurrency = client.account.prefix, client.concurrency
        # What is leased is sent soon: at a limited pace a little at once, so that others find work and progress is seen.
        limit = client.limit
        self.chunk = CHUNK if limit is None else min(CHUNK, max(2 * self.concurrency, limit // 20))
        self.deadline = time.monotonic() + seconds
        self.progress = progress
        self.payloads = _Payloads(store)
        self.owner = outbox.owner_name()
        self.report = DrainReport()
        self.failures = self.forbidden = 0

    async def run(self) -> DrainReport:
        try:
            with self.registry.write() as connection:
                outbox.reclaim(connection)
            async with self.client:
                while self.report.stopped is None and time.monotonic() < self.deadline:
                    with self.registry.write() as connection:
                        rows = outbox.lease(connection, self.owner, self.chunk, self.dataset)
                    if rows:
                        await self._send(rows)
                    elif not await self._wait():
                        break
        finally:
            outbox.retire(self.owner)
            with self.registry.write() as connection:
                outbox.release(connection, self.owner)
        with self.registry.read() as connection:
            self.report.remaining, _ = outbox.waiting(connection, self.dataset)
        return self.report

    async def _wait(self) -> bool:
        """Sleep until the next row is due, if that is before the deadline; say whether to go on."""
        with self.registry.read() as connection:
            count, due = outbox.waiting(connection, self.dataset)
        if not count or due is None:
            return False
        pause = max(0.05, due - time.time())
        if time.monotonic() + pause > self.deadline:
            return False
        await asyncio.sleep(pause)
        return True

    async def _send(self, rows: list[Leased]) -> None:
        queue = iter(rows)
        # Never with a lease that may run out before the answer: another process would send the same record.
        until = min(self.deadline, time.monotonic() + outbox.LEASE_SECONDS - LONGEST_WRITE_SECONDS)
        done: list[tuple[Leased, Outcome]] = []

        async def worker() -> None:
            for row in queue:
                if self.report.stopped is not None or time.monotonic() > until:
                    return
                outcome = await self.client.put(
                    f"{self.prefix}/{row.suffix}",
                    self.payloads.get(row),
                    event=_event(row),
                    attempts=ATTEMPTS,
                )
                done.append((row, outcome))
                self._watch(outcome)

        await asyncio.gather(*(worker() for _ in range(self.concurrency)))
        self._settle(done)
        if len(done) < len(rows):
            with self.registry.write() as connection:
                outbox.release(connection, self.owner)
        refused = next((outcome for _, outcome in done if outcome.kind is Kind.UNAUTHORIZED), None)
        if refused is not None:
            raise DoiServiceError(self.client.stopped or refused.message or "The DOI service refused the credentials.")

    def _watch(self, outcome: Outcome) -> None:
        if outcome.kind in REPEATABLE:
            self.failures += 1
            if self.failures >= BREAK_AFTER:
                self.report.stopped = outcome.message
        else:
            self.failures = 0
        if outcome.kind is Kind.UNAUTHORIZED:
            self.report.stopped = outcome.message
        # One refused prefix or DOI is that record's trouble; many in a row are the account's.
        self.forbidden = self.forbidden + 1 if outcome.status == FORBIDDEN and outcome.kind is Kind.REJECTED else 0
        if self.forbidden >= BREAK_AFTER:
            self.report.stopped = outcome.message

    def _settle(self, done: list[tuple[Leased, Outcome]]) -> None:
        unresolved = [row for row, outcome in done if outcome.kind is Kind.ACCEPTED]
        registered = [row for row, outcome in done if outcome.kind is Kind.REGISTERED]
        dead = [(row, outcome.message or outcome.kind) for row, outcome in done if outcome.kind is Kind.REJECTED]
        dead += [(row, NOT_RESOLVABLE) for row in unresolved if row.attempts + 1 >= RESOLVABLE_AFTER]
        later = [
            (row, outcome.message or outcome.kind, _pause(row, outcome, self.client.patience.pause))
            for row, outcome in done
            if outcome.kind in REPEATABLE or (outcome.kind is Kind.ACCEPTED and row.attempts + 1 < RESOLVABLE_AFTER)
        ]
        with self.registry.write() as connection:
            if registered:
                outbox.settle_registered(connection, registered)
            if dead:
                outbox.settle_dead(connection, dead)
            if later:
                outbox.postpone(connection, later)
        self.report.written += len(registered)
        self.report.failed += len(dead)
        self.report.postponed += len(later)
        self.report.messages.extend(message for _, message in dead[: 10 - len(self.report.messages)])
        if self.progress:
            self.progress("DOIs registered", self.report.written)


def _event(row: Leased) -> str:
    """Return what is asked of a DOI besides taking its record: most tombstones leave DataCite's search."""
    return TOMBSTONE_EVENTS[row.ending or "vanished"] if row.lane == TOMBSTONE_LANE else "publish"


def _pause(row: Leased, outcome: Outcome, pause: float) -> float:
    """Return the seconds until the next attempt: full jitter over a doubling bound; after a rate limit the pause."""
    if outcome.kind is Kind.RATE_LIMITED:
        return pause * random.uniform(1.0, 1.1)
    bound = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(row.attempts, 16))
    return random.uniform(0, bound)


class _Payloads:
    """Payloads of the parts in use; a part is read once and dropped when another kind's takes its place."""

    KEPT = 2

    def __init__(self, store: DatasetStore) -> None:
        self.store = store
        self.parts: dict[tuple[str, str], dict[str, str]] = {}

    def get(self, row: Leased) -> str:
        key = (row.dataset, row.path)
        if key not in self.parts:
            while len(self.parts) >= self.KEPT:
                del self.parts[next(iter(self.parts))]
            frame = pl.read_parquet(self.store.part(row.dataset, row.path), columns=["suffix", "payload"])
            self.parts[key] = dict(zip(frame["suffix"].to_list(), frame["payload"].to_list(), strict=True))
        return self.parts[key][row.suffix]
