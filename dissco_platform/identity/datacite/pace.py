"""How fast DataCite may be asked: a limit per five minutes, a pause when it says stop, back-off after failures.

DataCite counts requests per address in windows of five minutes and gives no Retry-After. A limit that several processes
share is kept where they all see it (`Limiter` is what it must offer); this module holds the limit of one process.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

WINDOW_SECONDS: Final = 300.0
_SLACK: Final = 1.005  # a request may reach the service sooner after its predecessor than it left here


class Limiter(Protocol):
    """Whatever says when the next request may be sent."""

    async def acquire(self) -> None:
        """Return when one more request may be sent."""


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
