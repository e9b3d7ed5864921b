"""A publisher for tests: small archives cut from the fossil sample, and an IPT on the loopback that serves them."""

import csv
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.house import EXAMPLES

Rows = list[dict[str, str]]


def write_archive(
    path: Path, first: int, count: int, edit: Callable[[Rows], Rows] = lambda rows: rows, *, stamp: int = 1
) -> None:
    """Write an archive of some rows of the fossil sample; `stamp` is the day that its members are dated with."""
    with zipfile.ZipFile(EXAMPLES / "week1" / "fossils.zip") as sample:
        members = {name: sample.read(name) for name in sample.namelist()}
    reader = csv.DictReader(io.StringIO(members["specimens.txt"].decode(), newline=""), delimiter=";")
    rows = edit(list(reader)[first : first + count])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, reader.fieldnames or [], delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    members["specimens.txt"] = text.getvalue().encode()
    building = path.with_suffix(".building")
    with zipfile.ZipFile(building, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, stamp, 6, 0, 0)), content)
    building.replace(path)


@dataclass
class Publisher:
    """An IPT: `{url}/archive.do?r=NAME` and `{url}/rss.do`; `down` lets it answer nothing."""

    folder: Path
    url: str = ""
    down: bool = False
    busy: str | None = None  # what it says in Retry-After while it asks for patience
    feed: bool = True
    validators: bool = True
    versions: dict[str, int] = field(default_factory=dict)
    modified: dict[str, float] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None  # called once, while the next archive is being downloaded

    def source(self, name: str) -> str:
        """Address of a resource's archive."""
        return f"{self.url}/archive.do?r={name}"

    def publish(
        self, name: str, first: int, count: int, edit: Callable[[Rows], Rows] = lambda rows: rows, *, stamp: int = 1
    ) -> None:
        """Publish an edition: the version counts up and the server's dates change."""
        write_archive(self.folder / f"{name}.zip", first, count, edit, stamp=stamp)
        self.versions[name] = self.versions.get(name, 0) + 1
        self.modified[name] = 1_790_000_000.0 + 86_400 * self.versions[name]

    def answered(self, what: str) -> list[int]:
        """Status codes of the answers to requests for a path."""
        return [status for path, status in self.requests if what in path]

    def rss(self) -> bytes:
        """The feed as an IPT writes it."""
        items = "".join(
            f"<item><title>Resource {name} - Version 1.{version}</title><ipt:dwca>{self.source(name)}</ipt:dwca>"
            f"<pubDate>{formatdate(self.modified[name], usegmt=True)}</pubDate></item>"
            for name, version in self.versions.items()
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:ipt="http://ipt.gbif.org/">'
            f"<channel><title>IPT</title>{items}</channel></rss>"
        ).encode()


@contextmanager
def publishing(folder: Path) -> Iterator[Publisher]:
    """Serve a publisher's folder on the loopback."""
    publisher = Publisher(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if publisher.down:
                publisher.requests.append((self.path, 0))
                self.close_connection = True
                return
            if publisher.busy is not None:
                publisher.requests.append((self.path, 429))
                self.send_response(429)
                self.send_header("Retry-After", publisher.busy)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            parts = urlsplit(self.path)
            if parts.path.endswith("rss.do") and publisher.feed:
                self.answer(200, publisher.rss())
                return
            name = parse_qs(parts.query).get("r", [""])[0]
            path = publisher.folder / f"{name}.zip"
            if not name or not path.exists():
                self.answer(404, b"")
                return
            modified = publisher.modified[name]
            since = self.headers.get("If-Modified-Since")
            if since and publisher.validators and parsedate_to_datetime(since).timestamp() >= modified:
                self.answer(304, b"")
                return
            meanwhile, publisher.meanwhile = publisher.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            self.answer(200, path.read_bytes(), modified if publisher.validators else None)

        def answer(self, status: int, body: bytes, modified: float | None = None) -> None:
            publisher.requests.append((self.path, status))
            self.send_response(status)
            if modified is not None:
                self.send_header("Last-Modified", formatdate(modified, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    publisher.url = f"http://127.0.0.1:{server.server_address[1]}/ipt"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
