"""The portal as a process: its socket, its announcement, its end, and as many workers as were asked for."""

import signal
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.supervisors import Multiprocess

from dissco_platform.errors import UsageError
from dissco_platform.portal.app import create_portal
from dissco_platform.settings import Settings

_FACTORY = "dissco_platform.portal.app:from_settings"


def serve_portal(
    settings: Settings,
    host: str,
    port: int,
    *,
    workers: int = 1,
    proxy: str = "127.0.0.1",
    announce: Callable[[str], None],
) -> None:
    """Answer requests until interrupted; `announce` is told the address once the socket is open.

    Raises:
        UsageError: the port is taken or the address is not this machine's.
        RegistryError: the registry cannot be opened.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Port {port} of {host} cannot be used ({error.strerror}); name another one with --port, or 0 for a free one."
        ) from error
    listener.listen(2048)  # who comes before the application is ready waits instead of being refused
    listener.set_inheritable(True)
    shown = f"[{host}]" if ":" in host else host
    announce(f"http://{shown}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        create_portal(settings) if workers == 1 else _FACTORY,
        factory=workers > 1,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=True,
        forwarded_allow_ips=proxy,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=15,
    )
    try:
        if workers == 1:
            for sign in (signal.SIGINT, signal.SIGTERM):
                signal.signal(
                    sign, signal.default_int_handler
                )  # a shell starts background jobs with interrupts ignored
            uvicorn.Server(config).run(sockets=[listener])
        else:
            Multiprocess(config, sockets=[listener]).run()
    except KeyboardInterrupt:
        pass  # asked for: uvicorn hands the signal on after its own clean stop
    finally:
        listener.close()
