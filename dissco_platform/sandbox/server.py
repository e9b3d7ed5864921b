"""The sandbox as a process: its socket, its announcement, its end.

Starting it from another program of ours is `launch.py`; the application itself is `app.py`.
"""

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dissco_platform.errors import DoiServiceError
from dissco_platform.sandbox.app import create_app
from dissco_platform.sandbox.asgi import ABORT
from dissco_platform.sandbox.faults import FaultPlan
from dissco_platform.sandbox.settings import Repository, SandboxSettings

DEFAULT_USERNAME: Final = "DISSCO.SANDBOX"
DEFAULT_PASSWORD: Final = "sandbox"  # noqa: S105  a service on the loopback interface that registers nothing
DEFAULT_PREFIX: Final = "10.5555"


class _Protocol(HttpToolsProtocol):
    """HTTP that lets the application drop its connection: the faults need that."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {ABORT: self._drop}

    def _drop(self) -> None:
        transport: Any = self.transport
        transport.abort()


class _Server(uvicorn.Server):
    """Says where it listens as soon as it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(
    host: str,
    port: int,
    database: Path,
    *,
    username: str = DEFAULT_USERNAME,
    password: str = DEFAULT_PASSWORD,
    prefix: str = DEFAULT_PREFIX,
    faults: FaultPlan | None = None,
    announce: Callable[[dict[str, Any]], None] | None = None,
    end_with_stdin: bool = False,
) -> None:
    """Serve until interrupted; port 0 takes a free one.

    `announce` gets {"url", "host", "port", "pid", "repository", "prefix", "database"} once requests are answered; by
    default it is printed on stdout as one JSON line. With `end_with_stdin` the server ends when its standard input
    does, so that it never outlives the program that started it. Raises DoiServiceError where the address or the
    database cannot be used.
    """
    settings = SandboxSettings(
        database=database,
        repositories=(Repository(username, password, tuple(prefix.split(","))),),
        faults=faults or FaultPlan(),
    )
    try:
        listener = socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise DoiServiceError(
            f"The sandbox cannot listen on {host}:{port} ({error.strerror or error}): "
            "choose another port, or 0 for a free one."
        ) from error
    with listener:
        app = create_app(settings)
        address, bound = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        facts = {
            "url": f"http://{shown}:{bound}",
            "host": address,
            "port": bound,
            "pid": os.getpid(),
            "repository": username,
            "prefix": prefix,
            "database": str(database),
        }
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="on",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
        server = _Server(config, lambda: (announce or _print)(facts))
        if end_with_stdin:
            threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _print(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)  # the announcement is this program's output


def _watch_stdin(server: uvicorn.Server) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(4096):
            pass
    server.should_exit = True
