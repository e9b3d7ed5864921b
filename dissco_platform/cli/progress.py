"""One line on the terminal that says what a long command is doing; plain lines where there is no terminal."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dissco_platform.cli.output import messages

_EVERY_SECONDS = 10.0


@contextmanager
def running(title: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes progress messages (JSON: asset, what, count) and shows the latest."""
    if messages.is_terminal:
        with messages.status(f"{title} …") as status:
            yield lambda message: status.update(_line(title, message))
        return
    last = time.monotonic()

    def told(message: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            messages.print(_line(title, message), soft_wrap=True)

    yield told


def _line(title: str, message: str) -> str:
    try:
        told = json.loads(message)
    except ValueError:
        return f"{title}: {message}"
    return f"{title}: {told['asset']}: {told['what']} {told['count']:,}"
