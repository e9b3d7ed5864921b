"""Work on several things at once whose results are taken in one after the other, in order: the same for any number of workers.

Pays where the interpreter's lock is released: zlib, Polars, Arrow, SQLite.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Yield what `work` makes of each item, in the order of the items, while up to `ahead` later ones are worked on.

    Items are drawn by the thread that takes the results, so an iterator of them may read what no two threads may.
    """
    under_way: deque[Future[Result]] = deque()
    for item in items:
        under_way.append(pool.submit(work, item))
        if len(under_way) > ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def read_ahead(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what `read` makes of each item, in order, the next in a thread of its own while this one is worked on.

    Reading shares Polars' threads with all other work, so it takes its time; who waits for it keeps others waiting.
    """
    with ThreadPoolExecutor(1) as reader:
        yield from in_order(reader, read, items, ahead=1)


def ahead(items: Iterator[Item], size: int = 1) -> Iterator[Item]:
    """Yield from `items`, which runs in a thread of its own, up to `size` items ahead. Its exceptions are raised here."""
    end: Any = object()
    with ThreadPoolExecutor(1) as pool:
        try:
            for item in in_order(pool, lambda _: next(items, end), itertools.count(), size):
                if item is end:
                    return
                yield item
        finally:
            pool.shutdown(cancel_futures=True)  # of those that nobody asks for any more
