"""What tests of enrolment share: a registry, a folder served on loopback, small archives."""

import functools
import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dissco_platform.registry import Registry, open_registry

META = """<archive xmlns="http://rs.tdwg.org/dwc/text/"><core encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n"
 fieldsEnclosedBy='"' ignoreHeaderLines="1" rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>o.csv</location>
</files><id index="0"/>{fields}</core></archive>"""
TERMS = {"license": "http://purl.org/dc/terms/"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Served:
    """A folder and the loopback address at which it is published."""

    folder: Path
    url: str

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "published"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Served(folder, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    found = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    yield found
    found.close()


@pytest.fixture
def archive() -> Callable[[Path, str], None]:
    """Return a function that writes a Darwin Core Archive from CSV text whose first column is the record's id."""

    def write(path: Path, text: str) -> None:
        columns = text.splitlines()[0].split(",")
        fields = "".join(
            f'<field index="{index}" term="{TERMS.get(name, "http://rs.tdwg.org/dwc/terms/")}{name}"/>'
            for index, name in enumerate(columns)
            if index
        )
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("meta.xml", META.format(fields=fields))
            packed.writestr("o.csv", text)

    return write
