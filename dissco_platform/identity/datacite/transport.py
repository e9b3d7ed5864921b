"""A lean HTTP/1.1 transport for httpx, for plain `http` addresses: the sandbox takes thousands of writes a second.

httpx's own transport costs more than a millisecond of processor time a request where the machine is busy (one failed
import a lock, several objects a request); this one keeps a few connections alive and parses with httptools. Addresses
with TLS keep httpx's own transport, which knows proxies and certificates: DataCite is asked ten times a second at most.
Failures are httpx's exceptions, so that nothing above can tell the two apart. What an answer means is `client.py`.
"""

import asyncio
import re
from types import TracebackType
from typing import Any, Self

import httptools
import httpx

_NO_BODY = frozenset({204, 304})
_NOT_HEADER = re.compile(rb"[\r\n\0]")


class LeanTransport(httpx.AsyncBaseTransport):
    """Keep-alive connections to plain `http` hosts; `connections` bounds how many are open in all."""

    def __init__(self, connections: int = 8) -> None:
        self._free = asyncio.Semaphore(connections)
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole answer; raises httpx's TransportError family."""
        url = request.url
        if url.scheme != "http":
            raise httpx.UnsupportedProtocol(f"only plain http here, not {url.scheme}", request=request)
        timeouts = request.extensions.get("timeout", {})
        body = await request.aread()
        place = (url.host, url.port or 80)
        async with self._free:
            connection = self._take(place) or await _connect(place, timeouts.get("connect"), request)
            try:
                status, headers, content = await connection.ask(_head(request) + body, timeouts.get("read"))
            except httpx.TransportError as error:
                error.request = request
                raise
            finally:
                if connection.reusable:
                    self._idle.setdefault(place, []).append(connection)
                else:
                    connection.close()
        return httpx.Response(
            status,
            headers=headers,
            stream=httpx.ByteStream(b"" if request.method == "HEAD" else content),
            extensions={"http_version": b"HTTP/1.1"},
        )

    def _take(self, place: tuple[str, int]) -> "_Connection | None":
        idle = self._idle.get(place)
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return None

    async def aclose(self) -> None:
        """Close every connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


async def _connect(place: tuple[str, int], seconds: float | None, request: httpx.Request) -> "_Connection":
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            _, connection = await loop.create_connection(_Connection, place[0], place[1])
    except TimeoutError as error:
        raise httpx.ConnectTimeout(f"no connection within {seconds} s", request=request) from error
    except OSError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    return connection


def _head(request: httpx.Request) -> bytes:
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if _NOT_HEADER.search(value) or _NOT_HEADER.search(name):
            raise httpx.LocalProtocolError("a header holds a line break", request=request)
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection with at most one request on its way. The `on_*` methods are httptools' callbacks."""

    def __init__(self) -> None:
        self.reusable = True
        self._transport: Any = None
        self._answer: asyncio.Future[tuple[int, list[tuple[bytes, bytes]], bytes]] | None = None
        self._start()

    async def ask(self, request: bytes, seconds: float | None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Send a request and return (status, headers, body)."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[int, list[tuple[bytes, bytes]], bytes]] = loop.create_future()
        self._answer = answer
        self.reusable = False  # until a whole answer has come
        timer = None if seconds is None else loop.call_later(seconds, self._late, seconds)
        try:
            self._transport.write(request)
            return await answer
        finally:
            self._answer = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"not an HTTP answer: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if self._complete_at_end:
            self._finish()
        elif isinstance(exc, OSError):
            self._fail(httpx.ReadError(str(exc)))
        elif self._status:
            self._fail(httpx.RemoteProtocolError("the connection closed in the middle of the answer"))
        else:
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        names = {name.lower() for name, _ in self._headers}
        self._complete_at_end = not (
            names & {b"content-length", b"transfer-encoding"} or self._status in _NO_BODY or self._status < 200
        )

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._status < 200:  # an interim answer; the real one follows
            self._start()
            return
        keep = self._parser.should_keep_alive() and self._answer is not None
        self._finish()
        self.reusable = keep
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._complete_at_end = False

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._status, self._headers, b"".join(self._body)))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _late(self, seconds: float) -> None:
        self._fail(httpx.ReadTimeout(f"no answer within {seconds:g} s"))
        self.close()
