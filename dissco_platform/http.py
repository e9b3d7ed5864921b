"""Fetching from strangers: conditional, bounded, resumable, and never towards our own network.

Every hop is resolved once, every address of the host must be public, and the connection goes to the address that was
checked (no second look-up that could answer differently). Redirects are followed by hand and checked again. A host that
an operator named is trusted for itself alone, not for what it redirects to. Downloads are content-addressed by SHA-256.
Local sources are `localfiles.py`, what is inside a download is
`archives`' business. Sources: RFC 9110 (conditional and range requests), OWASP SSRF
prevention; measured behaviour of `ipaddress.is_global` in `_is_public`.
"""

import fcntl
import hashlib
import ipaddress
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from dissco_platform import __version__, localfiles
from dissco_platform.errors import SourceError

USER_AGENT = f"dissco-platform/{__version__} (+https://dissco.eu; mailto:support@dissco.eu)"
PORTS = frozenset({80, 443, 8080, 8443})
MAX_REDIRECTS = 5
# A server that sends less than this over a whole minute is given up (bytes per second).
SLOWEST = 1024
MINUTE = 60.0
BUSY = frozenset({429, 503})
# Seconds that we wait for a busy server, and before the first new attempt where it names no time.
PATIENCE, BUSY_PAUSE = 120.0, 5.0

Progress = Callable[[str, int], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Validators:
    """What a server said about the representation it sent: both are opaque and echoed back."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


@dataclass(frozen=True)
class Fetched:
    """A download in place: `path` holds the bytes whose SHA-256 is `sha256`."""

    path: Path
    sha256: str
    size: int
    validators: Validators
    address: str


@dataclass(frozen=True)
class Signal:
    """What a look at a source said: `changed`, and by which evidence (`304`, `200`, `sha256`)."""

    changed: bool
    evidence: str
    validators: Validators = Validators()


class BusyError(SourceError):
    """The server asks to be asked again later; `after` is the number of seconds that it names, None for none."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


class HttpClient:
    """Fetches sources given as `http(s)` addresses or, for operators, local paths and `file:` addresses.

    Args:
        max_bytes: largest download.
        timeout: longest time for one download, in seconds.
        patience: longest wait for a server that answers 429 or 503, in seconds, all waits of a download together.
        trusted_hosts: `host` or `host:port` that may be private.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 50 * 2**30,
        timeout: float = 3600.0,
        trusted_hosts: Collection[str] = (),
        patience: float = PATIENCE,
    ) -> None:
        self.max_bytes = max_bytes
        self.timeout = timeout
        self.trusted_hosts = frozenset(trusted_hosts)
        self.patience = min(patience, timeout)

    def look(self, source: str, validators: Validators, sha256: str | None, *, trusted: bool = False) -> Signal:
        """Say whether `source` differs from what was fetched with these validators and SHA-256, at the least cost.

        A local file is hashed; an address gets one conditional request whose body is not read.

        Raises:
            SourceError: it cannot be reached, or its address is not allowed.
        """
        local = localfiles.local_path(source)
        if local is not None:
            found = localfiles.hash_of(local)
            return Signal(found != sha256, "sha256")
        if sha256 is None:
            return Signal(True, "never fetched")
        with self._open(source, _conditions(validators), trusted=trusted) as (response, _):
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return Signal(False, "304", validators)
            _require_success(source, response)
            return Signal(True, "200", _validators(response))

    def fetch(self, source: str, blobs: Path, *, trusted: bool = False, progress: Progress | None = None) -> Fetched:
        """Bring the bytes of `source` into the folder `blobs`, named by their SHA-256.

        Raises:
            SourceError: it is absent, refused, too large, too slow, or its address is not allowed.
        """
        blobs.mkdir(parents=True, exist_ok=True)
        local = localfiles.local_path(source)
        if local is not None:
            path, sha256, size = localfiles.take(local, blobs)
            return Fetched(path, sha256, size, Validators(), str(local))
        partial = blobs / f".partial-{hashlib.sha256(source.encode()).hexdigest()[:32]}"
        with _exclusive(partial) as (path, note):
            return self._patiently(
                lambda: self._download(source, path, note, blobs, trusted=trusted, progress=progress)
            )

    def read(self, address: str, *, limit: int, trusted: bool = False) -> bytes:
        """Return the bytes behind an address, at most `limit`; for answers to questions, not for archives.

        Raises:
            SourceError: as `fetch` does.
        """
        return self._patiently(lambda: self._answer(address, min(limit, self.max_bytes), trusted=trusted))

    def _answer(self, address: str, limit: int, *, trusted: bool) -> bytes:
        began = time.monotonic()
        with self._open(address, {}, trusted=trusted) as (response, _):
            _require_success(_short(address), response)
            content = bytearray()
            try:
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > limit:
                        raise SourceError(
                            f"{_short(address)} sends more than the {limit:,} bytes that an answer may have."
                        )
                    if time.monotonic() - began > self.timeout:
                        raise SourceError(f"{_short(address)} took longer than {self.timeout:g} s to answer.")
            except httpx.HTTPError as error:
                raise SourceError(f"{_short(address)} broke off ({error or type(error).__name__}).") from error
            return bytes(content)

    def _patiently(self, work: Callable[[], Result]) -> Result:
        """Do it again when a server that is busy has said when, as long as our patience lasts."""
        left, pause = self.patience, BUSY_PAUSE
        while True:
            try:
                return work()
            except BusyError as error:
                wanted = pause if error.after is None else error.after
                if wanted > left:
                    raise
                time.sleep(wanted)
                left, pause = left - max(wanted, 1.0), pause * 2

    def _download(
        self, source: str, path: Path, note: Path, blobs: Path, *, trusted: bool, progress: Progress | None
    ) -> Fetched:
        """Download into `path`, going on where an earlier attempt with the same validator stopped."""
        headers: dict[str, str] = {}
        have = path.stat().st_size if path.exists() else 0
        validator = note.read_text() if note.exists() else ""
        if have and validator:
            headers = {"Range": f"bytes={have}-", "If-Range": validator}
        with self._open(source, headers, trusted=trusted) as (response, address):
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            if not resumed:
                _require_success(source, response)
                have = 0
            validators = _validators(response)
            note.write_text(_strong(validators))
            declared = response.headers.get("content-length")
            if declared and declared.isdigit() and have + int(declared) > self.max_bytes:
                raise SourceError(
                    f"{source} is {int(declared):,} bytes, more than the {self.max_bytes:,} that "
                    "DISSCO_DOWNLOAD_MAX_BYTES allows."
                )
            size = self._receive(source, response, path, have, progress)
        sha256 = localfiles.sha256_of(path)
        target = blobs / sha256
        path.replace(target)
        note.unlink(missing_ok=True)
        return Fetched(target, sha256, size, validators, address)

    def _receive(self, source: str, response: httpx.Response, path: Path, have: int, progress: Progress | None) -> int:
        began = window = time.monotonic()
        size = in_window = have
        try:
            with path.open("ab" if have else "wb") as file:
                for chunk in response.iter_raw():
                    size += len(chunk)
                    if size > self.max_bytes:
                        raise SourceError(
                            f"{source} sends more than the {self.max_bytes:,} bytes that "
                            "DISSCO_DOWNLOAD_MAX_BYTES allows."
                        )
                    file.write(chunk)
                    now = time.monotonic()
                    if now - began > self.timeout:
                        raise SourceError(
                            f"{source} took longer than the {self.timeout:g} s that "
                            "DISSCO_DOWNLOAD_TIMEOUT_SECONDS allows; the next run goes on where this one stopped."
                        )
                    if now - window > MINUTE:
                        if (size - in_window) / (now - window) < SLOWEST:
                            raise SourceError(f"{source} sends less than {SLOWEST} bytes/s; try again later.")
                        window, in_window = now, size
                    if progress:
                        progress("downloaded bytes", size)
        except httpx.HTTPError as error:
            raise SourceError(
                f"{source} broke off after {size:,} bytes ({error or type(error).__name__}); "
                "run again to go on from there."
            ) from error
        expected = response.headers.get("content-length")
        if expected and expected.isdigit() and size - have != int(expected):
            raise SourceError(f"{source} broke off after {size:,} bytes; run again to go on from there.")
        return size

    @contextmanager
    def _open(self, source: str, headers: dict[str, str], *, trusted: bool) -> Iterator[tuple[httpx.Response, str]]:
        """Yield the response of the last hop and its address; each hop is checked before it is asked."""
        address = source
        timeout = httpx.Timeout(30.0, read=120.0)
        # trust_env=False: a proxy or .netrc of the machine must not decide where strangers' addresses lead.
        with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False, verify=_tls()) as client:
            for hop in range(MAX_REDIRECTS + 1):
                parts = self._checked(address, trusted=trusted and hop == 0)
                request = _pinned_request(
                    client, parts, self._public_address(parts, trusted=trusted and hop == 0), headers
                )
                try:
                    response = client.send(request, stream=True)
                except (httpx.HTTPError, ValueError) as error:
                    raise SourceError(
                        f"{address} cannot be reached ({error or type(error).__name__}); "
                        "check the address and try again."
                    ) from error
                try:
                    if not response.has_redirect_location:
                        yield response, address
                        return
                    address = urljoin(address, response.headers["location"])
                finally:
                    response.close()
            raise SourceError(f"{source} redirects more than {MAX_REDIRECTS} times.")

    def _checked(self, address: str, *, trusted: bool) -> SplitResult:
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise SourceError(f"{address} is not a usable address ({error}).") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SourceError(f"{address} is not an http or https address.")
        if parts.username or parts.password:
            raise SourceError(f"{_without_user(parts)} carries a user name; sources must be open to everyone.")
        if port is not None and port not in PORTS and not (trusted or self._is_trusted(parts)):
            raise SourceError(f"{address} uses port {port}; allowed are {', '.join(map(str, sorted(PORTS)))}.")
        return parts

    def _is_trusted(self, parts: SplitResult) -> bool:
        return parts.hostname in self.trusted_hosts or f"{parts.hostname}:{parts.port}" in self.trusted_hosts

    def _public_address(self, parts: SplitResult, *, trusted: bool) -> str:
        """Resolve the host once; return the address to connect to."""
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceError(f"{host} is not a known host; check the address {parts.geturl()}.") from error
        addresses = [str(info[4][0]) for info in found]
        if not (trusted or self._is_trusted(parts)):
            for address in addresses:
                if not _is_public(address):
                    raise SourceError(
                        f"{host} lies on a private network ({address}); sources must be publicly reachable. "
                        "An operator can allow it with DISSCO_TRUSTED_HOSTS."
                    )
        return addresses[0]


@cache
def _tls() -> ssl.SSLContext:
    """Return the one TLS context of the process: making one costs 40 ms, more than most requests."""
    return httpx.create_ssl_context(trust_env=False)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # NAT64, 6to4 and Teredo count as global although the IPv4 address inside may be private.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


def _pinned_request(client: httpx.Client, parts: SplitResult, address: str, headers: dict[str, str]) -> httpx.Request:
    literal = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=literal if parts.port is None else f"{literal}:{parts.port}", fragment="").geturl()
    host = parts.hostname or ""
    return client.build_request(
        "GET",
        url,
        headers={
            "Host": parts.netloc,
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # sizes and ranges are those of the archive itself
            **headers,
        },
        extensions={"sni_hostname": host.encode("idna").decode()} if parts.scheme == "https" else {},
    )


def _require_success(source: str, response: httpx.Response) -> None:
    if response.status_code == httpx.codes.OK:
        return
    if response.status_code in BUSY:
        after = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        when = "try again later" if after is None else f"it asks to be asked again in {after:,.0f} s"
        raise BusyError(f"{source} answered {response.status_code} {response.reason_phrase}: {when}.", after)
    advice = {
        404: "nothing is published there; check the address",
        401: "it asks for a password; sources must be open to everyone",
        403: "access is forbidden; sources must be open to everyone",
        410: "it was withdrawn",
    }.get(response.status_code, "try again later")
    raise SourceError(f"{source} answered {response.status_code} {response.reason_phrase}: {advice}.")


def retry_after(value: str | None, at: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, section 10.2.3: seconds or a date)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - at.timestamp())


def _short(address: str) -> str:
    """Return an address without a long query."""
    return address if len(address) <= 200 else f"{address[:200]}…"


def _conditions(validators: Validators) -> dict[str, str]:
    conditions = {}
    if validators.etag:
        conditions["If-None-Match"] = validators.etag
    if validators.last_modified:
        conditions["If-Modified-Since"] = validators.last_modified
    return conditions


def _validators(response: httpx.Response) -> Validators:
    return Validators(response.headers.get("etag"), response.headers.get("last-modified"))


def _strong(validators: Validators) -> str:
    """Return the validator that a range request may rely on (RFC 9110, section 13.1.5: no weak ETag)."""
    if validators.etag and not validators.etag.startswith("W/"):
        return validators.etag
    return validators.last_modified or ""


@contextmanager
def _exclusive(partial: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the partial file and its validator note; a second process fetching the same address gets its own pair."""
    with partial.with_name(partial.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go by the kernel when the process is killed
        except BlockingIOError:
            private = partial.with_name(f"{partial.name}-{uuid.uuid4().hex}")
            try:
                yield private, private.with_name(private.name + ".note")
            finally:
                private.unlink(missing_ok=True)
                private.with_name(private.name + ".note").unlink(missing_ok=True)
        else:
            yield partial, partial.with_name(partial.name + ".note")


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
