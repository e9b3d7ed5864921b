"""Talking to DataCite's REST service: one idempotent PUT a DOI, its outcome, and reading back what it holds.

What a payload says is `metadata.py`, what an answer means `outcomes.py`, how fast it may go `pace.py`. The outbox, its
leases and the order of writes are the drain's, above. The password is never shown, logged or part of a message.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
import orjson

from dissco_platform import __version__
from dissco_platform.errors import DoiServiceError
from dissco_platform.identity.datacite.outcomes import REPEATABLE, Kind, Outcome, error_message, outcome
from dissco_platform.identity.datacite.pace import Limiter, Pace, jitter
from dissco_platform.identity.datacite.transport import LeanTransport

__all__ = ["DataCiteAccount", "DataCiteClient", "Kind", "Outcome", "Patience", "doi_path", "write_body"]

JSON_API: Final = "application/vnd.api+json"
USER_AGENT: Final = f"dissco-platform/{__version__} (+https://dissco.eu; mailto:support@dissco.eu)"
_SAFE: Final = "-._~:()*=$;/"
_PAGE: Final = 1000
_READ_ATTEMPTS: Final = 5


@dataclass(frozen=True)
class DataCiteAccount:
    """Host, credentials and prefix: one unit, since test and production accounts and prefixes are apart."""

    url: str
    repository: str
    password: str = field(repr=False)
    prefix: str


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try. Seconds throughout.

    DataCite's load balancer gives an idle request 200 s, so a client that has waited `read` no longer knows.
    """

    connect: float = 10.0
    read: float = 90.0
    attempts: int = 6
    base: float = 0.5
    longest: float = 60.0
    pause: float = 60.0


class DataCiteClient:
    """Asynchronous client of one repository account; an async context manager on one event loop.

    `put` never raises for what the service answers: see `Outcome`. After a 401 the client sends nothing more
    (`stopped` holds why), since every further request would be refused as well.
    """

    def __init__(
        self,
        account: DataCiteAccount,
        *,
        limit: int | None = None,
        limiter: Limiter | None = None,
        concurrency: int = 8,
        patience: Patience | None = None,
    ) -> None:
        """Talk to `account`; `limit` is requests per five minutes (None: as fast as it goes).

        A `limiter` shared with other processes comes on top. Raises DoiServiceError for an address that is none.
        """
        parts = urlsplit(account.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise DoiServiceError(
                f"{account.url!r} is not the address of a DOI service: give one such as https://api.datacite.org."
            )
        self.account = account
        self.concurrency = concurrency
        self.patience = patience or Patience()
        self.limit = limit if limiter is None else limiter.limit
        self.pace = Pace(limit)
        self.stopped: str | None = None
        self._limiter = limiter
        self._base = account.url.rstrip("/")
        token = base64.b64encode(f"{account.repository}:{account.password}".encode()).decode("ascii")
        self._headers = {
            "authorization": f"Basic {token}",
            "content-type": JSON_API,
            "accept": JSON_API,
            "user-agent": USER_AGENT,
        }
        seconds = httpx.Timeout(self.patience.read, connect=self.patience.connect, pool=None)
        self._extensions = {"timeout": seconds.as_dict()}
        self._lean = LeanTransport(concurrency) if parts.scheme == "http" else None
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        self._http = httpx.AsyncClient(timeout=seconds, limits=limits) if self._lean is None else None

    def __repr__(self) -> str:
        return f"DataCiteClient({self.account.url!r}, repository={self.account.repository!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._lean is not None:
            await self._lean.aclose()
        if self._http is not None:
            await self._http.aclose()

    async def put(
        self, doi: str, attributes: str | bytes, *, event: str = "publish", attempts: int | None = None
    ) -> Outcome:
        """Create or update `doi` with the JSON text of its attributes and return what became of it.

        `attributes` is a JSON object without `doi` and `event`; it is sent as it is. Outcomes that may be repeated are,
        up to `attempts` times in all (default: the client's patience), with full-jitter back-off; the last one is
        returned.
        """
        path, body = doi_path(doi), write_body(doi, attributes, event)
        most = self.patience.attempts if attempts is None else attempts
        attempt = 0
        while True:
            if self.stopped is not None:
                return Outcome(Kind.UNAUTHORIZED, doi, None, self.stopped, attempts=attempt)
            attempt += 1
            result = await self._put_once(doi, path, body, event, attempt)
            if event == "hide" and result.state == "draft":  # never published before: there is nothing to hide
                event, body = "register", write_body(doi, attributes, "register")
                continue
            if result.kind not in REPEATABLE or attempt >= most:
                return result
            if result.kind is not Kind.RATE_LIMITED:  # the pause holds all writes together
                await asyncio.sleep(jitter(attempt, base=self.patience.base, longest=self.patience.longest))

    async def put_many(
        self, payloads: Iterable[tuple[str, str | bytes]], *, event: str = "publish"
    ) -> AsyncIterator[Outcome]:
        """Put each (doi, attributes), `concurrency` at once, and yield outcomes as they come.

        After a 401 what is left comes back as UNAUTHORIZED without being sent. A DOI must not appear twice.
        """
        waiting = iter(payloads)
        done: asyncio.Queue[Outcome | None] = asyncio.Queue(maxsize=4 * self.concurrency)

        async def work() -> None:
            try:
                for doi, attributes in waiting:
                    await done.put(await self.put(doi, attributes, event=event))
            finally:
                await done.put(None)

        workers = [asyncio.create_task(work()) for _ in range(self.concurrency)]
        try:
            running = len(workers)
            while running:
                result = await done.get()
                if result is None:
                    running -= 1
                else:
                    yield result
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def check(self) -> None:
        """Make sure that writing will work, without writing: address, credentials, account, prefix.

        Raises DoiServiceError with one sentence that says what to mend.
        """
        account = self.account
        where = f"the DOI service at {account.url}"
        body = write_body(f"{account.prefix}/check", "{}", "publish")
        response = await self._ask("POST", "/dois/validate", body)
        user = response.headers.get("x-credential-username")
        if response.status_code == 401 or (response.status_code == 200 and user is None):
            raise DoiServiceError(
                f"{where[0].upper()}{where[1:]} refused the credentials of repository {account.repository}: check "
                "DISSCO_DATACITE_REPOSITORY and DISSCO_DATACITE_PASSWORD (test and production accounts are separate)."
            )
        if response.status_code != 200:
            raise DoiServiceError(
                f"{where[0].upper()}{where[1:]} does not answer as DataCite does "
                f"(status {response.status_code}: {error_message(response.status_code, response.content)[:200]}): "
                "check DISSCO_DATACITE_URL."
            )
        response = await self._ask("GET", f"/repositories/{quote(account.repository.lower(), safe='')}")
        if response.status_code != 200:  # an account may not be allowed to read itself; the first write will tell
            return
        data = _json(response).get("data")
        if not isinstance(data, dict):
            return
        if (data.get("attributes") or {}).get("isActive") is False:
            raise DoiServiceError(
                f"Repository {account.repository} is inactive at {account.url} and cannot register DOIs: ask the "
                "consortium or DataCite to activate it."
            )
        prefixes = (((data.get("relationships") or {}).get("prefixes") or {}).get("data")) or []
        owned = sorted(str(entry.get("id")) for entry in prefixes if isinstance(entry, dict))
        if owned and account.prefix not in owned:
            raise DoiServiceError(
                f"Prefix {account.prefix} does not belong to repository {account.repository} at {account.url} "
                f"(it owns {', '.join(owned)}): check DISSCO_DOI_PREFIX."
            )

    async def get(self, doi: str) -> dict[str, Any] | None:
        """Return the attributes that DataCite holds for `doi`, None where there is none that we may see."""
        response = await self._ask("GET", f"{doi_path(doi)}?publisher=true&affiliation=true")
        if response.status_code == 404:
            return None
        return dict(_data(response, self.account.url)["attributes"])

    async def validate(self, doi: str, attributes: str | bytes) -> list[str]:
        """Return what DataCite would object to, without writing."""
        response = await self._ask("POST", "/dois/validate", write_body(doi, attributes, "publish"))
        if response.status_code != 200:
            return [error_message(response.status_code, response.content)]
        return [error_message(200, response.content)] if _json(response).get("errors") else []

    async def walk(
        self, *, fields: tuple[str, ...] = ("doi", "state", "url", "registered", "updated")
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the chosen attributes of every DOI of the repository, oldest first, by cursor.

        The list lags behind writes by minutes: it is for reconciliation, never for confirming a write.
        """
        query = {
            "client-id": self.account.repository.lower(),
            "page[size]": str(_PAGE),
            "page[cursor]": "1",
            "sort": "created",
            "disable-facets": "true",
            "fields[dois]": ",".join(fields),
        }
        following: str | None = f"/dois?{urlencode(query)}"
        while following is not None:
            page = _data_page(await self._ask("GET", following), self.account.url)
            for entry in page["data"]:
                yield {"doi": entry["id"], **entry["attributes"]}
            link = (page.get("links") or {}).get("next")
            # the link is followed for its query alone: credentials go to the configured host, whatever a page says
            following = f"/dois?{urlsplit(link).query}" if link and page["data"] else None

    async def _put_once(self, doi: str, path: str, body: bytes, event: str, attempt: int) -> Outcome:
        await self._turn()
        try:
            status, answer, _ = await self._send("PUT", path, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            text = f"{self.account.url} cannot be reached: {error}"
            return Outcome(Kind.RETRYABLE, doi, None, text, attempts=attempt)
        except httpx.TransportError as error:
            text = f"no answer ({type(error).__name__}: {error}); the write may have been done"
            return Outcome(Kind.UNKNOWN, doi, None, text, attempts=attempt)
        result = outcome(doi, status, answer, event)
        if result.kind is Kind.RATE_LIMITED:
            await self._pause()
        else:
            self.pace.relax()
        if result.kind is Kind.UNAUTHORIZED:
            self.stopped = (
                f"The DOI service at {self.account.url} refused the credentials of repository "
                f"{self.account.repository} ({result.message}): check DISSCO_DATACITE_REPOSITORY and "
                "DISSCO_DATACITE_PASSWORD."
            )
        return result if attempt == 1 else _again(result, attempt)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        """Send a request that changes nothing, again after passing failures; raises DoiServiceError at last."""
        attempt = 0
        while True:
            attempt += 1
            await self._turn()
            try:
                status, content, headers = await self._send(method, path, body)
            except httpx.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
                if isinstance(error, httpx.ConnectError):
                    attempt = max(attempt, _READ_ATTEMPTS - 1)  # nobody listens: one more try is enough
            else:
                throttled = status == 429 or (status == 403 and b"rate limited" in content)
                if status < 500 and not throttled:
                    return httpx.Response(status, headers=headers, content=content)
                failure = error_message(status, content)
                if throttled:
                    await self._pause()
            if attempt >= _READ_ATTEMPTS:
                raise DoiServiceError(
                    f"The DOI service at {self.account.url} cannot be used ({failure}): check its address "
                    "(DISSCO_DATACITE_URL) and the network, or try again later."
                )
            await asyncio.sleep(jitter(attempt, base=self.patience.base, longest=self.patience.longest))

    async def _pause(self) -> None:
        self.pace.pause(self.patience.pause)
        if self._limiter is not None:
            await self._limiter.hold(self.patience.pause)

    async def _turn(self) -> None:
        if self._limiter is not None:
            await self._limiter.acquire()
        await self.pace.acquire()

    async def _send(self, method: str, path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        request = httpx.Request(
            method, self._base + path, headers=self._headers, content=body, extensions=self._extensions
        )
        if self._lean is not None:
            response = await self._lean.handle_async_request(request)
            return response.status_code, await response.aread(), response.headers
        if self._http is None:
            raise RuntimeError("the client has no connections")
        response = await self._http.send(request)
        return response.status_code, response.content, response.headers


def doi_path(doi: str) -> str:
    """Return the path of a DOI below the service's address."""
    return f"/dois/{quote(doi, safe=_SAFE)}"


def write_body(doi: str, attributes: str | bytes, event: str) -> bytes:
    """Return the JSON:API body of a write; `attributes` (a JSON object's text) goes in unchanged."""
    text = attributes.encode() if isinstance(attributes, str) else attributes
    inner = text.strip()[1:-1].strip()
    head = b'{"data":{"type":"dois","attributes":{"doi":' + orjson.dumps(doi) + b',"event":' + orjson.dumps(event)
    return b"".join((head, b"," if inner else b"", inner, b"}}}"))


def _again(result: Outcome, attempt: int) -> Outcome:
    return Outcome(
        result.kind,
        result.doi,
        result.status,
        result.message,
        result.state,
        result.registered,
        result.updated,
        result.created,
        attempt,
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        value = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _data_page(response: httpx.Response, url: str) -> dict[str, Any]:
    value = _json(response)
    if response.status_code != 200 or "data" not in value:
        message = error_message(response.status_code, response.content)[:200]
        raise DoiServiceError(
            f"The DOI service at {url} refused to answer (status {response.status_code}: {message}): check "
            "the credentials and try again later."
        )
    return value


def _data(response: httpx.Response, url: str) -> dict[str, Any]:
    return dict(_data_page(response, url)["data"])
