"""Notices reach every sink: the file, a web hook, a mail server; a sink that is down stops none of the others."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dissco_platform.errors import SettingsError
from dissco_platform.sensors import notifying
from dissco_platform.sensors.notifying import Notice, Notifier

NOTICE = Notice(
    "failed run", "alpha", "2026-11-02T10:00:00.000Z", "beta.zip is no archive.", run_id="r1", cause="new dataset"
)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    received: list[dict[str, str]] = []
    answers = [500, 204]  # it fails once

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(answers.pop(0) if answers else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook?token=secret", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail_server() -> Iterator[tuple[str, list[str]]]:
    """A mail server of a dozen lines: it takes one letter."""
    letters: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:

            def say(text: str) -> None:
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            say("220 here")
            while line := stream.readline().decode().strip():
                if line.upper() == "DATA":
                    say("354 go on")
                    body = []
                    while (part := stream.readline().decode()) not in (".\r\n", ""):
                        body.append(part)
                    letters.append("".join(body))
                say("221 bye" if line.upper() == "QUIT" else "250 ok")
                if line.upper() == "QUIT":
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"smtp://127.0.0.1:{listener.getsockname()[1]}", letters
    listener.close()
    thread.join(5)


def test_every_sink_gets_the_notice(
    tmp_path: Path,
    hook: tuple[str, list[dict[str, str]]],
    mail_server: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifying, "PAUSE", 0.0)
    address, received = hook
    server, letters = mail_server
    notifier = Notifier(
        path=str(tmp_path / "incidents.ndjson"),
        targets=f"{address}, mailto:desk@museum.example",
        mail_server=server,
        sender="dissco@museum.example",
    )
    assert notifier.notify(NOTICE) == []
    assert json.loads((tmp_path / "incidents.ndjson").read_text())["sentence"] == NOTICE.sentence
    assert len(received) == 2  # the first answer was 500
    assert received[-1]["text"] == "alpha: failed run: beta.zip is no archive." and received[-1]["run_id"] == "r1"
    (letter,) = letters
    assert "Subject: [DiSSCo] alpha: failed run" in letter and "beta.zip is no archive." in letter


def test_a_sink_that_is_down_is_named_without_its_secret_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "PAUSE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    notifier = Notifier(
        path=str(tmp_path / "incidents.ndjson"),
        targets=f"http://127.0.0.1:{closed}/hook?token=secret,mailto:desk@museum.example",
        mail_server=f"smtp://127.0.0.1:{closed}",
    )
    failed = notifier.notify(NOTICE)
    assert [text.split(" did not take")[0] for text in failed] == [
        "web hook at 127.0.0.1",
        "mail to desk@museum.example",
    ]
    assert "secret" not in " ".join(failed) and (tmp_path / "incidents.ndjson").exists()


def test_a_target_that_is_neither_address_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DISSCO_NOTIFY"):
        Notifier(path=str(tmp_path / "x"), targets="ftp://somewhere").notify(NOTICE)
