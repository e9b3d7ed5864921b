"""A pace that processes share: never more than the limit in a window, and hardly less."""

import asyncio
import time

from dissco_platform.identity.datacite.pace import SharedPace
from dissco_platform.registry import Registry, pacing

WINDOW = 10.0


def sent(registry: Registry, paces: int, limit: int, seconds: float) -> list[float]:
    """Return when requests were sent by several holders of one pace, in order."""
    times: list[float] = []

    async def send(pace: SharedPace, until: float) -> None:
        while True:
            await pace.acquire()
            if time.monotonic() > until:
                return
            times.append(time.monotonic())

    async def run() -> None:
        until = time.monotonic() + seconds
        shared = [SharedPace(registry, "a host", limit, window=WINDOW) for _ in range(paces)]
        await asyncio.gather(*(send(pace, until) for pace in shared))

    asyncio.run(run())
    return sorted(times)


def test_several_holders_together_keep_to_one_limit(registry: Registry) -> None:
    limit, seconds = 200, 3.0
    times = sent(registry, 3, limit, seconds)
    spacing = WINDOW / limit
    assert len(times) <= seconds / spacing + 1
    assert len(times) >= 0.5 * seconds / spacing  # a busy machine misses slots, and makes up for none
    for start in range(len(times) - 20):
        assert times[start + 20] - times[start] >= 20 * spacing - WINDOW * 0.03  # three unpaced holders: a third of it


def test_whoever_is_told_to_wait_makes_all_wait(registry: Registry) -> None:
    async def run() -> float:
        one, two = (SharedPace(registry, "a host", 1000, window=WINDOW) for _ in range(2))
        await one.hold(0.5)
        began = time.monotonic()
        await two.acquire()
        return time.monotonic() - began

    assert asyncio.run(run()) >= 0.4


def test_slots_follow_each_other_and_are_not_saved_up(registry: Registry) -> None:
    with registry.write() as connection:
        moment, first = pacing.take_slots(connection, "a host", 3, 600.0)
        assert first == moment
    with registry.write() as connection:
        assert pacing.take_slots(connection, "a host", 1, 600.0)[1] == first + 3 * 600.0
    with registry.write() as connection:
        moment, first = pacing.take_slots(connection, "another host", 1, 0.01)
    time.sleep(0.2)
    with registry.write() as connection:
        moment, late = pacing.take_slots(connection, "another host", 1, 0.01)
        assert late == moment
