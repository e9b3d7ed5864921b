"""Store, HTTP client, settings, provenance: the ground that everything stands on."""

import http.server
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.errors import SettingsError, SourceError
from dissco_platform.http import BusyError, HttpClient, Validators, _is_public, retry_after
from dissco_platform.provenance import ContentVersion, fingerprint
from dissco_platform.settings import load_settings


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = b"archive " * 100_000
        self.etag: str | None = '"v1"'
        self.break_after: int | None = None
        self.redirect: str | None = None
        self.busy: list[str | None] = []  # a Retry-After for each request that is put off
        self.requests: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/a.zip"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        body = self.server.body
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        if self.server.busy:
            self.send_response(503)
            after = self.server.busy.pop(0)
            if after is not None:
                self.send_header("Retry-After", after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.endswith("missing.zip"):
            self.send_error(404)
            return
        if self.server.etag and self.headers.get("If-None-Match") == self.server.etag:
            self.send_response(304)
            self.end_headers()
            return
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == self.server.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()
        end = self.server.break_after if self.server.break_after and not start else len(body)
        self.wfile.write(body[start:end])
        if end < len(body):
            self.wfile.flush()
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    socketserver.TCPServer.allow_reuse_address = True
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def test_a_download_is_named_by_its_hash_and_not_repeated_when_unchanged(server: _Server, tmp_path: Path) -> None:
    client = HttpClient()
    fetched = client.fetch(server.url, tmp_path / "blobs", trusted=True)
    assert fetched.path.read_bytes() == server.body
    assert fetched.path.name == fetched.sha256
    unchanged = client.look(server.url, fetched.validators, fetched.sha256, trusted=True)
    assert (unchanged.changed, unchanged.evidence) == (False, "304")
    server.etag = '"v2"'
    assert client.look(server.url, fetched.validators, fetched.sha256, trusted=True).changed


def test_a_broken_download_goes_on_where_it_stopped(server: _Server, tmp_path: Path) -> None:
    client = HttpClient()
    server.break_after = 300_000
    with pytest.raises(SourceError, match="broke off after"):
        client.fetch(server.url, tmp_path / "blobs", trusted=True)
    fetched = client.fetch(server.url, tmp_path / "blobs", trusted=True)
    assert fetched.path.read_bytes() == server.body
    assert server.requests[-1]["Range"].startswith("bytes=")
    assert [path.name for path in (tmp_path / "blobs").iterdir() if path.suffix != ".lock"] == [fetched.sha256]


def test_a_broken_download_starts_again_when_the_archive_changed_meanwhile(server: _Server, tmp_path: Path) -> None:
    client = HttpClient()
    server.break_after = 300_000
    with pytest.raises(SourceError):
        client.fetch(server.url, tmp_path / "blobs", trusted=True)
    server.etag, server.body, server.break_after = '"v2"', b"another " * 90_000, None
    assert client.fetch(server.url, tmp_path / "blobs", trusted=True).path.read_bytes() == server.body


def test_our_own_network_is_refused_unless_an_operator_named_it(server: _Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="port"):
        HttpClient().fetch(server.url, tmp_path)
    port = server.server_address[1]
    assert HttpClient(trusted_hosts=[f"127.0.0.1:{port}"]).fetch(server.url, tmp_path).size == len(server.body)


def test_a_trusted_host_cannot_redirect_into_our_network(server: _Server, tmp_path: Path) -> None:
    for target in ("http://127.0.0.1:8080/secret", "http://169.254.169.254/latest/meta-data", "file:///etc/hostname"):
        server.redirect = target
        with pytest.raises(SourceError, match=r"private network|not an http"):
            HttpClient().fetch(server.url, tmp_path, trusted=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:4860:4860::8888", True),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert _is_public(address) is public


def test_a_source_that_is_not_there_is_one_clear_sentence(server: _Server, tmp_path: Path) -> None:
    client = HttpClient()
    with pytest.raises(SourceError, match=r"answered 404 .*check the address"):
        client.fetch(server.url.replace("a.zip", "missing.zip"), tmp_path, trusted=True)
    with pytest.raises(SourceError, match="does not exist"):
        client.fetch(str(tmp_path / "absent.zip"), tmp_path / "blobs")
    with pytest.raises(SourceError, match="ftp addresses are not supported"):
        client.fetch("ftp://example.org/a.zip", tmp_path / "blobs")


def test_a_download_larger_than_allowed_is_given_up(server: _Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="DISSCO_DOWNLOAD_MAX_BYTES"):
        HttpClient(max_bytes=1000).fetch(server.url, tmp_path, trusted=True)


def test_a_busy_server_is_asked_again_when_it_said(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("dissco_platform.http.time.sleep", slept.append)
    server.busy = ["7", None, "0"]
    fetched = HttpClient().fetch(server.url, tmp_path, trusted=True)
    assert fetched.path.read_bytes() == server.body
    assert slept == [7.0, 10.0, 0.0]


def test_a_server_that_wants_more_patience_than_we_have_says_when(server: _Server, tmp_path: Path) -> None:
    server.busy = ["86400"]
    with pytest.raises(SourceError, match=r"503 .*asks to be asked again in 86,400 s"):
        HttpClient().fetch(server.url, tmp_path, trusted=True)
    server.busy = ["Wed, 21 Oct 2099 07:28:00 GMT"]
    with pytest.raises(BusyError) as caught:
        HttpClient().look(server.url, Validators(), "0" * 64, trusted=True)
    assert caught.value.after is not None and caught.value.after > 86_400
    assert retry_after("soon", datetime.now(UTC)) is None


def test_a_local_file_is_copied_and_compared_by_content(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("one")
    client = HttpClient()
    fetched = client.fetch(str(source), tmp_path / "blobs")
    assert not client.look(str(source), Validators(), fetched.sha256).changed
    source.write_text("two")
    assert client.look(str(source), Validators(), fetched.sha256).changed
    assert fetched.path.read_text() == "one"


def test_a_wrong_setting_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSCO_DOI_PREFIX", "20.5000")
    with pytest.raises(SettingsError, match="DISSCO_DOI_PREFIX"):
        load_settings()


def test_an_empty_home_is_refused_and_not_taken_for_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSCO_HOME", "")
    with pytest.raises(SettingsError, match=r"DISSCO_HOME: .*is empty"):
        load_settings()


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSCO_DATACITE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(load_settings())


rows = st.lists(st.tuples(st.text(max_size=5), st.none() | st.text(max_size=5)), min_size=1, max_size=20)


@settings(deadline=None)  # a busy machine is no defect
@given(rows, st.randoms())
def test_a_content_version_is_free_of_row_order(values: list[tuple[str, str | None]], random: object) -> None:
    def version(of: list[tuple[str, str | None]]) -> str:
        frame = pl.DataFrame(of, schema={"a": pl.String, "b": pl.String}, orient="row")
        content = ContentVersion()
        content.add("t", frame.select(fingerprint(["a", "b"]).alias("f"))["f"])
        return content.hexdigest()

    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert version(values) == version(shuffled)
    assert version(values) != version([*values, ("new", None)])


def test_a_blank_and_an_absent_value_have_different_fingerprints() -> None:
    frame = pl.DataFrame({"a": ["", None], "b": ["x", "x"]})
    assert frame.select(fingerprint(["a", "b"]).alias("f"))["f"].n_unique() == 2
