"""Harvesting a BioCASe access point: its archive where it offers one, else page by page; politely, and to go on with.

Pages lie in a folder of their own until all are there, so a killed harvest goes on where it stopped; then they become one
zip named by its SHA-256. What the provider says with HTTP status 200 is looked at as closely as the status: an error inside
an answer is tried again, then in smaller pieces, and a single unit that it cannot send is named in the archive's
`harvest.json`. The protocol itself is `biocase.py`; fetching is `http.py`, whose client is handed in.
"""

import hashlib
import json
import shutil
import time
import zipfile
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dissco_platform.archives.biocase import (
    SCHEMAS,
    AccessPoint,
    Listed,
    Page,
    read_capabilities,
    read_inventory,
    read_page,
    search_request,
)
from dissco_platform.errors import ArchiveError, SourceError
from dissco_platform.http import Fetched, HttpClient, Progress, Signal, Validators

PAGE = 1_000
"""Units asked for at a time; a provider may send fewer (its `recLimit`)."""
TOGETHER = 2
"""Requests to a provider at the same time."""
ATTEMPTS = 4
PAUSE = 2.0
"""Seconds before the second attempt; doubled each time."""
KEPT_SECONDS = 24 * 3600.0
"""An unfinished harvest that is older begins anew: the provider's units may have moved."""
LARGEST_PAGE = 256 << 20
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
Range = tuple[int, int]


@dataclass
class Pace:
    """How patient, how fast; tests are in a hurry."""

    page: int = PAGE
    together: int = TOGETHER
    attempts: int = ATTEMPTS
    pause: float = PAUSE


@dataclass
class Harvest:
    """What is known about a harvest; written beside its pages as `harvest.json`."""

    access_point: str
    title: str | None
    schema: str
    total: int | None = None
    received: int = 0
    dropped: int = 0
    """Units that the provider says it left out."""
    not_sent: list[int] = field(default_factory=list)
    """Positions of units that the provider failed to send by themselves."""


def choose(client: HttpClient, point: AccessPoint, *, trusted: bool) -> Listed | None:
    """Return the dataset of the provider's inventory that a source means; None where it has no inventory.

    Raises:
        SourceError: the inventory holds several datasets and the source names none of them.
    """
    try:
        content = client.read(point.inventory, limit=LARGEST_PAGE, trusted=trusted)
        listed = read_inventory(point.inventory, content)
    except ArchiveError:
        return None  # older software answers with a page for people
    if not listed:
        return None
    titles = "; ".join(one.title for one in listed[:20])
    if point.title is None:
        if len(listed) == 1:
            return listed[0]
        raise SourceError(f"{point.address} has {len(listed)} datasets; add #TITLE of one of them: {titles}")
    found = [one for one in listed if one.title.strip() == point.title.strip()]
    if not found:
        raise SourceError(f"{point.address} has no dataset {point.title!r}; it has: {titles}")
    return found[0]


def fetch_access_point(
    client: HttpClient,
    point: AccessPoint,
    blobs: Path,
    *,
    trusted: bool = False,
    progress: Progress | None = None,
    pace: Pace | None = None,
) -> Fetched:
    """Bring a provider's dataset into `blobs`, as the archive it offers or as a zip of its pages.

    Raises:
        SourceError: it cannot be reached, answers with errors, or sends no unit; what was fetched is kept for the next try.
    """
    listed = choose(client, point, trusted=trusted)
    if listed is not None and listed.best is not None:
        # An operator's trust is for the host that was named, not for where its inventory points.
        same_host = urlsplit(listed.best.address).netloc == urlsplit(point.address).netloc
        fetched = client.fetch(listed.best.address, blobs, trusted=trusted and same_host, progress=progress)
        return Fetched(fetched.path, fetched.sha256, fetched.size, _offered(listed), fetched.address)
    title = listed.title if listed is not None else point.title
    return _Pages(client, point, title, blobs, trusted, progress, pace or Pace()).run()


def look_at_access_point(
    client: HttpClient, point: AccessPoint, validators: Validators, *, trusted: bool = False
) -> Signal:
    """Say whether a provider's dataset changed: by its archive's date, else by its first unit's answer.

    Without an archive, BioCASe has no sign of change but the number of units and what the dataset says about itself (its
    date of revision): a change that touches neither is noticed by the next harvest only.
    """
    listed = choose(client, point, trusted=trusted)
    if listed is not None and listed.best is not None and listed.best.modified:
        now = _offered(listed)
        return Signal(now != validators, "inventory", now)
    title = listed.title if listed is not None else point.title
    pages = _Pages(client, point, title, Path(), trusted, None, Pace())
    now = Validators(etag=_sign(pages.sign()))
    return Signal(now != validators, "biocase", now)


def _offered(listed: Listed) -> Validators:
    best = listed.best
    return Validators(etag=f"inventory {best.modified} {best.address}" if best and best.modified else None)


def _sign(page: Page) -> str:
    return f"biocase {page.total} {hashlib.sha256(page.document).hexdigest()[:32]}"


class _Pages:
    """One harvest by pages: which ranges are there, which are to be asked for."""

    def __init__(
        self,
        client: HttpClient,
        point: AccessPoint,
        title: str | None,
        blobs: Path,
        trusted: bool,
        progress: Progress | None,
        pace: Pace,
    ) -> None:
        self.client = client
        self.point = point
        self.trusted = trusted
        self.progress = progress
        self.pace = pace
        self.blobs = blobs
        self.harvest = Harvest(point.address, title, SCHEMAS[0])
        key = hashlib.sha256(f"{point.address}#{title}".encode()).hexdigest()[:32]
        self.folder = blobs / f".harvest-{key}"

    def run(self) -> Fetched:
        """Harvest, pack, return the archive."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        done = self._resume()
        try:
            sign = self.sign()
            self._all(done, self._first(done, sign))
        except ArchiveError as error:
            raise SourceError(f"{error} Run again to go on from there.") from error
        if not self.harvest.received:
            raise SourceError(f"{self.point.address} sent no unit; check the access point and the dataset's title.")
        return self._packed(Validators(etag=_sign(sign)))

    def sign(self) -> Page:
        """Return the answer to a search for one unit, in a schema that the provider knows."""
        try:
            content = self.client.read(self.point.address, limit=LARGEST_PAGE, trusted=self.trusted)
            self.harvest.schema = read_capabilities(self.point.address, content) or SCHEMAS[0]
        except ArchiveError:
            pass  # its answer to no request is not XML; the commonest schema is tried
        return self.ask((0, 1))

    def _resume(self) -> dict[int, int]:
        """Return what an earlier attempt left: start → start of what follows."""
        if self.folder.exists() and time.time() - self.folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(self.folder)
        self.folder.mkdir(exist_ok=True)
        done: dict[int, int] = {}
        for path in sorted(self.folder.glob("*.json")):
            note = json.loads(path.read_text())
            done[note["start"]] = note["end"]
            self._count(note)
        return done

    def _count(self, note: dict[str, int]) -> None:
        self.harvest.received += note["count"]
        self.harvest.dropped += note["dropped"]
        if note.get("not_sent"):
            self.harvest.not_sent.append(note["start"])

    def _first(self, done: dict[int, int], sign: Page) -> int:
        """Learn the total and how many units the provider sends at a time; return that number."""
        self.harvest.total = sign.total
        if done:
            return max(end - start for start, end in done.items())
        page = self._reach((0, self.pace.page))
        if page is None or page.taken == 0:
            return self.pace.page
        self._keep(0, page, done)
        self.harvest.total = page.total if page.total is not None else self.harvest.total
        return max(page.taken, 1)

    def _all(self, done: dict[int, int], size: int) -> None:
        """Fetch what is missing, a few ranges at a time."""
        if self.harvest.total is None:
            self._one_after_another(done)
            return
        missing = _missing(done, self.harvest.total, size)
        with ThreadPoolExecutor(self.pace.together, thread_name_prefix="biocase") as pool:
            running: dict[Future[Page | None], Range] = {}
            try:
                while missing or running:
                    while missing and len(running) < self.pace.together:
                        wanted = missing.pop(0)
                        running[pool.submit(self._reach, wanted)] = wanted
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for one in finished:
                        wanted = running.pop(one)
                        missing[:0] = self._took(wanted, one.result(), done)
            finally:
                for one in running:
                    one.cancel()

    def _took(self, wanted: Range, page: Page | None, done: dict[int, int]) -> list[Range]:
        """Keep a page; return what of its range is still to be asked for."""
        start, end = wanted
        known = self.harvest.total or 0
        total = known if page is None or page.total is None else page.total
        if page is None or (page.taken == 0 and start < total):
            if end - start > 1:
                middle = (start + end) // 2
                return [(start, middle), (middle, end)]
            self._keep(start, Page(b"", 0, 1, None, None), done, not_sent=True)
            return []
        if page.taken == 0:
            return []  # there are fewer units than there were at first
        self._keep(start, page, done)
        rest = [(start + page.taken, end)] if start + page.taken < end else []
        if total > known:  # the total was a lower bound
            self.harvest.total = total
            rest.append((known, total))
        return rest

    def _one_after_another(self, done: dict[int, int]) -> None:
        """A provider that does not say how many units there are: until a page is empty."""
        start = 0
        while True:
            while start in done:
                start = done[start]
            page = self.ask((start, start + self.pace.page))
            if page.taken == 0:
                return
            self._keep(start, page, done)

    def _reach(self, wanted: Range) -> Page | None:
        """Return a page; None where the provider is there but cannot send this range."""
        try:
            return self.ask(wanted)
        except ArchiveError:
            return None

    def ask(self, wanted: Range) -> Page:
        """Ask for a range, several times if need be.

        Raises:
            SourceError: the provider cannot be reached.
            ArchiveError: it answers, but never with a page.
        """
        start, end = wanted
        address = self.point.request(search_request(self.harvest.schema, start, end - start, self.harvest.title))
        pause = self.pace.pause
        for attempt in range(1, self.pace.attempts + 1):
            try:
                page = read_page(
                    self.point.address, self.client.read(address, limit=LARGEST_PAGE, trusted=self.trusted)
                )
                if page.problem is None or page.count:
                    return page
                raise ArchiveError(
                    f"{self.point.address} answered with an error: {page.problem}", reason="provider_error"
                )
            except (ArchiveError, SourceError):
                if attempt == self.pace.attempts:
                    raise
                time.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable")

    def _keep(self, start: int, page: Page, done: dict[int, int], *, not_sent: bool = False) -> None:
        """Write a page, then the note that it is there; a kill in between asks for it again."""
        name = f"{start:012d}"
        if page.document:
            partial = self.folder / f"{name}.part"
            partial.write_bytes(page.document)
            partial.replace(self.folder / f"{name}.xml")
        note = {"start": start, "end": start + page.taken, "count": page.count, "dropped": page.dropped}
        if not_sent:
            note["not_sent"] = 1
        partial = self.folder / f"{name}.note"
        partial.write_text(json.dumps(note))
        partial.replace(self.folder / f"{name}.json")
        done[start] = start + page.taken
        self._count(note)
        if self.progress:
            self.progress("harvested units", self.harvest.received)

    def _packed(self, validators: Validators) -> Fetched:
        """Make one zip of the pages (the same pages give the same bytes) and drop the folder."""
        building = self.folder.with_suffix(".zip")
        with zipfile.ZipFile(building, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in sorted(self.folder.glob("*.xml")):
                archive.writestr(_entry(f"response.{path.stem}.xml"), path.read_bytes())
            archive.writestr(_entry("harvest.json"), json.dumps(vars(self.harvest), indent=1, sort_keys=True))
        with building.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        target = self.blobs / sha256
        size = building.stat().st_size
        building.replace(target)
        shutil.rmtree(self.folder)
        return Fetched(target, sha256, size, validators, self.point.address)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIXED_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _missing(done: dict[int, int], total: int, size: int) -> list[Range]:
    """Return the ranges of at most `size` units that no page covers; none where the total is reached."""
    missing: list[Range] = []
    at = 0
    for start in [*sorted(done), total]:
        while at < min(start, total):
            end = min(at + size, start, total)
            missing.append((at, end))
            at = end
        at = max(at, done.get(start, at))
    return missing
