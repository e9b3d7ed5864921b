"""The ASGI side of the sandbox: bodies in, answers out, connections dropped. What is answered is `app.py`."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl

from dissco_platform.sandbox.answers import Answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST_BODY: Final = 10 * 1024 * 1024
ABORT: Final = "dissco.sandbox.abort"  # scope extension: closes the connection without an answer


def query(scope: Scope) -> dict[str, str]:
    """Return the query string's parameters, the last of each name."""
    text = scope.get("query_string", b"").decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def is_local(scope: Scope) -> bool:
    """Return whether the client is on this machine."""
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, None when it is larger than the service takes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= LARGEST_BODY else None
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        size += len(message.get("body", b""))
        if size <= LARGEST_BODY:
            parts.append(message.get("body", b""))
    return b"".join(parts) if size <= LARGEST_BODY else None


async def send_answer(send: Send, answer: Answer, *headers: tuple[bytes, bytes], head: bool = False) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, *headers, *(() if answer.status == 204 else (length,))],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def abort(scope: Scope) -> None:
    """Close the connection without a word; a server without that extension ends the request in an error."""
    drop = (scope.get("extensions") or {}).get(ABORT)
    if drop is None:
        raise ConnectionResetError("this server cannot close a connection without an answer")
    drop()
    await asyncio.sleep(0.05)  # until the protocol has seen its connection go
