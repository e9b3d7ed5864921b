"""What the desk's rooms work with: two handles on the registry that may do little, secret links, limits."""

import ipaddress
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from dissco_platform.enrolment.links import Links, links_of
from dissco_platform.enrolment.ror import Directory, directory
from dissco_platform.errors import SourceError
from dissco_platform.http import HttpClient
from dissco_platform.registry import Registry
from dissco_platform.registry.limited import open_limited
from dissco_platform.settings import Settings

_LOG = logging.getLogger(__name__)

# What one address may do: how often, in how many seconds. Generous for people behind one address of a museum.
LIMITS: Mapping[str, tuple[int, float]] = {
    "apply": (20, 3600.0),
    "probe": (40, 600.0),
    "link": (10, 3600.0),
    "open": (60, 600.0),
    "sign-in": (10, 900.0),
    "write": (120, 600.0),
    "read": (600, 60.0),
}
_MOST_KEPT = 20_000


class Limiter:
    """Counts what addresses do in this process: a token bucket each."""

    def __init__(self, limits: Mapping[str, tuple[int, float]] = LIMITS) -> None:
        self.limits = dict(limits)
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait(self, what: str, who: str, moment: float | None = None) -> float:
        """Count one; return 0, or the seconds after which there is room again."""
        moment = time.monotonic() if moment is None else moment
        most, period = self.limits[what]
        with self._lock:
            tokens, since = self._buckets.pop((what, who), (float(most), moment))
            tokens = min(most, tokens + (moment - since) * most / period)
            self._buckets[what, who] = (tokens - 1 if tokens >= 1 else tokens, moment)
            while len(self._buckets) > _MOST_KEPT:
                self._buckets.pop(next(iter(self._buckets)))  # the one that was quiet the longest
        return 0.0 if tokens >= 1 else (1 - tokens) * period / most


@dataclass(frozen=True)
class Desk:
    """Everything of the desk that a request may need; `request.app.state.desk`."""

    settings: Settings
    registry: Registry
    """May write enrolment's tables alone (`registry.limited`)."""
    staff_registry: Registry
    links: Links
    http: HttpClient
    institutions: Directory | None
    limiter: Limiter = field(default_factory=Limiter)

    @classmethod
    def opened(cls, settings: Settings) -> "Desk":
        """Open the desk over a registry whose schema is up to date."""
        url = settings.registry_url
        desk_url = settings.desk_registry.get_secret_value() if settings.desk_registry else url
        staff_url = settings.staff_registry.get_secret_value() if settings.staff_registry else url
        http = HttpClient(max_bytes=2**20, timeout=15, trusted_hosts=settings.reachable_hosts)
        try:
            institutions = directory(settings, http)
        except SourceError as error:
            _LOG.warning("Institutions cannot be looked up: %s", error)
            institutions = None
        return cls(
            settings,
            open_limited(desk_url, "desk"),
            open_limited(staff_url, "staff"),
            links_of(settings),
            http,
            institutions,
        )

    @property
    def https(self) -> bool:
        """Whether the world reaches the portal by https alone."""
        return self.settings.landing_page.startswith("https://")

    def close(self) -> None:
        """Give connections back."""
        self.registry.close()
        self.staff_registry.close()


def desk_of(request: Request) -> Desk:
    """Return the desk of a request (a FastAPI dependency)."""
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(desk_of)]


def limited(request: Request, what: str) -> None:
    """Count what a client does.

    Raises:
        HTTPException: 429, it does too much of it.
    """
    wait = desk_of(request).limiter.wait(what, client(request))
    if wait:
        minutes = max(1, round(wait / 60))
        raise HTTPException(
            429,
            f"That was too often from your network. Please try again in {minutes} minute{'s' if minutes > 1 else ''}.",
            {"retry-after": str(int(wait) + 1)},
        )


def client(request: Request) -> str:
    """Return the network that a request comes from: an IPv4 address, or the /64 of an IPv6 one."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
