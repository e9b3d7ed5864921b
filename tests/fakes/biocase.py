"""A BioCASe provider on loopback: capabilities, inventory, paged search with a limit of its own, and its usual faults."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from lxml import etree

PROTOCOL = "http://www.biocase.org/schemas/protocol/1.3"
ABCD = "http://www.tdwg.org/schemas/abcd/2.06"


@dataclass
class Provider:
    """How the provider behaves; `asked` are the ranges (start, limit) of its searches in order."""

    port: int = 0
    units: int = 25
    limit: int = 10
    stated_total: int | None = -1
    """What it says the total is: -1 for the truth, None for nothing."""
    dropped: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)
    """Units that make the page they are on an error inside HTTP 200."""
    malformed_first: int = 0
    """Answers to searches that break off before one is whole."""
    busy: int = 0
    """Requests answered with 503 and `Retry-After: 0`."""
    titles: tuple[str, ...] = ("Herbarium",)
    inventory: bool = True
    archive: bytes | None = None
    modified: str = "2026-01-01T00:00:00"
    revision: str = "2026-01-01"
    fail_after: int | None = None
    """Searches after which the server closes every connection."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    together: int = 0
    most_together: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/biocase/pywrapper.cgi?dsa=herbarium"

    def answer(self, query: dict[str, list[str]]) -> bytes:
        if "inventory" in query:
            return self._inventory()
        if "request" not in query:
            return (
                f'<response xmlns="{PROTOCOL}"><content><capabilities><SupportedSchemas request="true" response="true" '
                f'namespace="{ABCD}"/></capabilities></content></response>'
            ).encode()
        request = etree.fromstring(query["request"][0].encode())
        wanted = request.find(f".//{{{PROTOCOL}}}responseFormat")
        assert wanted is not None and wanted.text == ABCD
        return self._page(int(wanted.get("start", "0")), int(wanted.get("limit", "0")))

    def _inventory(self) -> bytes:
        if not self.inventory:
            return b"<html><body>Welcome</body></html>"
        archive = ""
        if self.archive is not None:
            archive = (
                f'<archives><archive modified="{self.modified}" rcount="{self.units}" rowType="http://rs.tdwg.org/dwc/'
                f'terms/Occurrence">http://127.0.0.1:{self.port}/dwca.zip</archive><archive modified="{self.modified}" '
                f'namespace="{ABCD}">http://127.0.0.1:{self.port}/abcd.zip</archive></archives>'
            )
        datasets = "".join(f"<dataset><title>{t}</title><id>{t}</id>{archive}</dataset>" for t in self.titles)
        return (
            '<dsi:inventory xmlns:dsi="http://www.biocase.org/schemas/dsi/1.0" xmlns="http://www.biocase.org/schemas/dsi/1.0">'
            f"<status>OK</status><datasets>{datasets}</datasets></dsi:inventory>"
        ).encode()

    def _page(self, start: int, limit: int) -> bytes:
        self.asked.append((start, limit))
        if self.malformed_first:
            self.malformed_first -= 1
            return f'<biocase:response xmlns:biocase="{PROTOCOL}"><biocase:content recordCount="1'.encode()
        numbers = range(start, min(start + min(limit, self.limit), self.units))
        if self.broken & set(numbers):
            return (
                f'<biocase:response xmlns:biocase="{PROTOCOL}"><biocase:diagnostics><biocase:diagnostic severity="ERROR">'
                "database went away</biocase:diagnostic></biocase:diagnostics></biocase:response>"
            ).encode()
        sent = [n for n in numbers if n not in self.dropped]
        total = self.units if self.stated_total == -1 else self.stated_total
        hits = "" if total is None else f' totalSearchHits="{total}"'
        units = "".join(
            f"<abcd:Unit><abcd:UnitGUID>u{n}</abcd:UnitGUID><abcd:UnitID>{n}</abcd:UnitID>"
            "<abcd:RecordBasis>PreservedSpecimen</abcd:RecordBasis></abcd:Unit>"
            for n in sent
        )
        body = (
            f"<abcd:DataSets><abcd:DataSet><abcd:Metadata><abcd:Description><abcd:Representation><abcd:Title>Herbarium"
            f"</abcd:Title></abcd:Representation></abcd:Description><abcd:RevisionData><abcd:DateModified>{self.revision}"
            f"</abcd:DateModified></abcd:RevisionData></abcd:Metadata><abcd:Units>{units}</abcd:Units></abcd:DataSet></abcd:DataSets>"
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><biocase:response xmlns:biocase="{PROTOCOL}" xmlns:abcd="{ABCD}">'
            f"<biocase:header><biocase:sendTime>{len(self.asked)}</biocase:sendTime></biocase:header>"
            f'<biocase:content recordStart="{start}" recordCount="{len(sent)}" recordDropped="{len(numbers) - len(sent)}"{hits}>'
            f"{body}</biocase:content></biocase:response>"
        ).encode()


@contextmanager
def provider(made: Provider) -> Iterator[Provider]:
    """Run a provider."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                made.together += 1
                made.most_together = max(made.most_together, made.together)
            try:
                self._respond()
            finally:
                with lock:
                    made.together -= 1

        def _respond(self) -> None:
            parts = urlsplit(self.path)
            made.counts[parts.path] += 1
            if made.fail_after is not None and len(made.asked) >= made.fail_after:
                self.close_connection = True
                return
            with lock:
                if made.busy:
                    made.busy -= 1
                    self.send_response(503)
                    self.send_header("Retry-After", "0")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                archive = parts.path.endswith(".zip") and made.archive is not None
                content = made.archive if archive else made.answer(parse_qs(parts.query))
            assert content is not None
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
