"""How fast DataCite may be asked: a limit per five minutes, a pause when it says stop, back-off after failures.

DataCite counts requests per address in windows of five minutes and gives no Retry-After. `Pace` holds the limit of one
process; `SharedPace` that of all processes together, kept where they all see it.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from dissco_platform.registry import Registry, pacing

WINDOW_SECONDS: Final = 300.0
_SLACK: Final = 1.005  # a request may reach the service sooner after its predecessor than it left here
# Shared slots: how late one may be used (share of the window; half of the slack, so that late ones fit into a window
# beside the timely ones), and how many are taken at once.
_LATE: Final = 0.0025
_AHEAD_SECONDS: Final = 0.5
_SLOTS: Final = 64


class Limiter(Protocol):
    """Whatever says when the next request may be sent."""

    limit: int | None  # requests per window, over all that share it

    async def acquire(self) -> None:
        """Return when one more request may be sent."""

    async def hold(self, seconds: float) -> None:
        """Let nobody send for so many seconds."""


class SharedPace:
    """At most `limit` requests in any window, over all processes that use one registry.

    Slots in time, evenly spaced, are taken from the registry a few at once, so that a transaction is no part of most
    requests. A slot that was missed is not made up for: requests that catch up would meet those of other processes in
    one window.
    """

    def __init__(self, registry: Registry, service: str, limit: int, *, window: float = WINDOW_SECONDS) -> None:
        """Share the pace of `service` (a host) with every other process that names it so."""
        self.limit: int | None = limit
        self._registry, self._service = registry, service
        self._spacing = window * _SLACK / limit
        self._late = window * _LATE
        self._batch = max(1, min(_SLOTS, round(_AHEAD_SECONDS / self._spacing)))
        self._slots: deque[float] = deque()
        self._lock = asyncio.Lock()

    async def acquire(self) -> None:
        """Return when one more request may be sent."""
        clock = asyncio.get_running_loop().time
        while True:
            async with self._lock:
                while not self._slots:
                    moment, slots = await asyncio.to_thread(self._take)
                    self._slots.extend(clock() + slot - moment for slot in slots)
                at = self._slots.popleft()
            if (wait := at - clock()) > 0:
                await asyncio.sleep(wait)
            if clock() - at <= self._late:
                return

    async def hold(self, seconds: float) -> None:
        """Let nobody send for so many seconds: the service said that it is asked too often."""
        self._slots.clear()
        await asyncio.to_thread(self._hold, seconds)

    def _take(self) -> tuple[float, list[float]]:
        with self._registry.write() as connection:
            moment, first = pacing.take_slots(connection, self._service, self._batch, self._spacing)
        return moment, [first + number * self._spacing for number in range(self._batch)]

    def _hold(self, seconds: float) -> None:
        with self._registry.write() as connection:
            pacing.hold(connection, self._service, seconds)


class Pace:
    """At most `limit` requests in any window, evenly spaced (None: no limit), and pauses for all of them together."""

    def __init__(
        self,
        limit: int | None,
        *,
        window: float = WINDOW_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._spacing = 0.0 if limit is None else window * _SLACK / limit
        self._extra = 0.0
        self._next = 0.0
        self._paused_until = 0.0
        self._sleep = sleep

    async def acquire(self) -> None:
        """Return when one more request may be sent."""
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            if self._paused_until > now:
                await self._sleep(self._paused_until - now)
                continue
            spacing = max(self._spacing, self._extra)
            if not spacing:
                return
            at = max(self._next, now)
            self._next = at + spacing
            if at > now:
                await self._sleep(at - now)
            if self._paused_until <= clock():
                return

    def pause(self, seconds: float) -> None:
        """Send nothing for `seconds`, then begin slowly: the service said that it is asked too often."""
        until = asyncio.get_running_loop().time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            self._next = max(self._next, until)
            self._extra = max(seconds / 60, self._spacing)

    def relax(self) -> None:
        """Go a little faster again, after a request that was not refused."""
        if self._extra:
            self._extra = self._extra * 0.9 if self._extra > 0.005 else 0.0


def jitter(attempt: int, *, base: float, longest: float, draw: Callable[[], float] = random.random) -> float:
    """Return seconds to wait before attempt `attempt` + 1 (attempts count from 1): full jitter, doubling, bounded."""
    return float(draw() * min(longest, base * 2 ** (attempt - 1)))
