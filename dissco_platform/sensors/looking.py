"""Looks at sources: the cheapest true signal first, politely to each host, nothing of Dagster.

The ladder: the version in the publisher's feed (one request for all of an IPT), a conditional request, the archive's SHA-256,
its members' checksums (a republished zip has new dates inside, and the same data). Only what fails all of them has changed.
A source that cannot be reached has not changed.
"""

import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from dissco_platform.archives.sources import fetch_source, look_at_source
from dissco_platform.errors import ArchiveError, SourceError
from dissco_platform.http import BusyError, HttpClient, Signal, Validators
from dissco_platform.localfiles import local_path
from dissco_platform.sensors.feeds import feed_of, read_feed, resource_of
from dissco_platform.store import DatasetStore

WEEK = timedelta(days=7)
# How often a source is looked at, by the evidence that the last look got by with. All are within a week.
EVERY = {
    "feed": timedelta(days=1),
    "304": timedelta(days=1),
    "sha256": timedelta(days=1),  # a local file
    "download": WEEK,  # a server without validators: every look is a download
}
FIRST_RETRY, LONGEST_RETRY = timedelta(hours=1), timedelta(days=1)

# A look that has to download to know takes no more than this; what is larger counts as changed, and its run decides.
SMALL_BYTES, SMALL_SECONDS = 64 * 2**20, 20.0


@dataclass(frozen=True)
class Held:
    """What we hold of a dataset's source, and what the last look remembered."""

    slug: str
    source: str
    storage_id: int  # of the materialisation of raw_archive
    sha256: str
    validators: Validators
    feed: str | None
    looks_failed: int = 0
    trusted: bool = True  # an operator named the source; a stranger's may not lie on our own network


@dataclass(frozen=True)
class Look:
    """What a look came to: `changed` is None where the source could not be reached, and `error` says why."""

    slug: str
    against: int
    changed: bool | None
    evidence: str
    validators: Validators
    feed: str | None
    error: str | None = None
    looks_failed: int = 0
    seconds: float = 0.0
    sha256: str = ""  # of the archive that we hold
    retry_after: float | None = None  # seconds for which its server asked to be left alone

    @property
    def every(self) -> timedelta:
        """Time until the next look."""
        if self.changed is None:
            longer: int = 2 ** min(max(self.looks_failed - 1, 0), 10)
            asked = timedelta(seconds=self.retry_after or 0.0)
            return max(min(FIRST_RETRY * longer, LONGEST_RETRY), asked)
        return EVERY.get(self.evidence.split(" ")[0], EVERY["304"])


@dataclass
class Pace:
    """How politely: one request at a time to a host, with a pause between; so many hosts at once."""

    hosts: int = 8
    pause: float = 0.5
    seconds: float = 40.0  # no look begins later than this


@dataclass
class Feeds:
    """Versions by feed, each fetched once for all looks of a round; None: it could not be read."""

    client: HttpClient
    read: dict[str, Mapping[str, str] | None] = field(default_factory=dict)

    def version(self, source: str, *, trusted: bool) -> str | None:
        """Return the version that the source's feed gives it."""
        address, name = feed_of(source), resource_of(source)
        if address is None or name is None:
            return None
        if address not in self.read:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    self.read[address] = read_feed(
                        address, self.client.fetch(address, Path(folder), trusted=trusted).path.read_bytes()
                    )
            except (SourceError, ArchiveError):
                self.read[address] = None  # not every IPT shows its feed; the archive itself is asked
        versions = self.read[address]
        return versions.get(name) if versions else None


def look_round(client: HttpClient, store: DatasetStore, due: Sequence[Held], pace: Pace) -> list[Look]:
    """Look at the sources that are due; those that the time did not suffice for are not in the result."""
    stop = time.monotonic() + pace.seconds
    hosts: dict[str, list[Held]] = {}
    for held in due:
        hosts.setdefault(urlsplit(held.source).netloc, []).append(held)

    def visit(of_host: list[Held]) -> list[Look]:
        small = HttpClient(
            max_bytes=SMALL_BYTES, timeout=SMALL_SECONDS, trusted_hosts=client.trusted_hosts, patience=0.0
        )
        feeds, looks, asked = Feeds(small), [], False
        for held in of_host:
            if time.monotonic() > stop:
                break
            if asked and pace.pause:
                time.sleep(pace.pause)
            look = look_at(client, small, store, held, feeds)
            asked = bool(urlsplit(held.source).netloc) and not look.evidence.startswith("feed")
            looks.append(look)
            if look.retry_after is not None:
                looks.extend(_left_alone(other, look) for other in of_host[len(looks) :])
                break
        return looks

    with ThreadPoolExecutor(max_workers=pace.hosts) as pool:
        return [look for looks in pool.map(visit, hosts.values()) for look in looks]


def _left_alone(held: Held, busy: Look) -> Look:
    """Return a look that was not made because the host asked for patience: the others of a host wait with the one asked."""
    return Look(
        held.slug,
        held.storage_id,
        None,
        "unreachable",
        held.validators,
        held.feed,
        error=f"not asked: {busy.error}",
        looks_failed=held.looks_failed,
        sha256=held.sha256,
        retry_after=busy.retry_after,
    )


def look_at(client: HttpClient, small: HttpClient, store: DatasetStore, held: Held, feeds: Feeds) -> Look:
    """Look at one source; a failure is a result, not an error."""
    began = time.monotonic()
    look = Look(held.slug, held.storage_id, None, "", held.validators, held.feed, sha256=held.sha256)
    try:
        look = _climb(client, small, store, held, feeds, look)
    except SourceError as error:
        look = replace(
            look,
            evidence="unreachable",
            error=str(error),
            looks_failed=held.looks_failed + 1,
            retry_after=min(error.after, WEEK.total_seconds())
            if isinstance(error, BusyError) and error.after is not None
            else None,
        )
    except OSError as error:
        look = replace(
            look,
            evidence="unreadable",
            error=f"{held.source} cannot be read ({error})",
            looks_failed=held.looks_failed + 1,
        )
    return replace(look, seconds=time.monotonic() - began)


def _climb(client: HttpClient, small: HttpClient, store: DatasetStore, held: Held, feeds: Feeds, look: Look) -> Look:
    version = feeds.version(held.source, trusted=held.trusted)
    if version is not None and version == held.feed:
        return replace(look, changed=False, evidence=f"feed {_short(version)}")
    signal = look_at_source(client, held.source, held.validators, held.sha256, trusted=held.trusted)
    if not signal.changed:
        # The feed was read before: an edition published in between is noticed by the next look.
        return replace(look, changed=False, evidence=signal.evidence, feed=version or held.feed)
    known = store.blob(held.sha256)
    local = local_path(held.source)
    if local is not None:
        same = _same_members(known, local)
        return replace(look, changed=not same, evidence="sha256 members" if same else "sha256")
    with tempfile.TemporaryDirectory(prefix=".look-", dir=store.blobs) as folder:
        try:
            fetched = fetch_source(small, held.source, Path(folder), trusted=held.trusted)
        except SourceError:
            return replace(look, changed=True, evidence=_edition(held.feed, version, signal))
        look = replace(look, validators=fetched.validators, feed=version)
        if fetched.sha256 == held.sha256:
            return replace(look, changed=False, evidence=_cost("download sha256", fetched.validators))
        if _same_members(known, fetched.path):
            return replace(look, changed=False, evidence=_cost("download members", fetched.validators))
    # What a new edition is compared with stays what we hold, until it was fetched.
    return replace(
        look,
        changed=True,
        evidence=_edition(held.feed, version, Signal(True, signal.evidence, fetched.validators)),
        validators=held.validators,
        feed=held.feed,
    )


def _cost(evidence: str, validators: Validators) -> str:
    """Name evidence after the look that the next one will be: with validators no download is needed."""
    return evidence.removeprefix("download ") if validators else evidence


def _edition(before: str | None, after: str | None, signal: Signal) -> str:
    """Say which edition is new, as far as the publisher names it."""
    if after is not None:
        return f"v{_short(before)} → v{_short(after)}" if before else f"v{_short(after)}"
    return signal.validators.last_modified or signal.validators.etag or signal.evidence


def _short(version: str | None) -> str:
    return (version or "").split(" of ")[0][:12]


def _same_members(one: Path, other: Path) -> bool:
    """Say whether two zip archives hold the same files; False where either is no zip."""
    try:
        members = _members(one)
        return bool(members) and members == _members(other)
    except (zipfile.BadZipFile, OSError):
        return False


def _members(path: Path) -> dict[str, tuple[int, bytes]]:
    """Return size and SHA-256 of each member; the sizes that a zip claims bound what is read of it."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > 8 * SMALL_BYTES:
            return {}
        for info in archive.infolist():
            if info.is_dir():
                continue
            digest = sha256()
            with archive.open(info) as member:
                while chunk := member.read(2**20):
                    digest.update(chunk)
            found[info.filename] = (info.file_size, digest.digest())
    return found
