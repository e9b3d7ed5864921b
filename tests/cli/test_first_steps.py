"""What a first user met: looking leaves nothing behind, words for codes, a demonstration that the desk can reach."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dissco_platform.cli import demo, output, services
from dissco_platform.cli.demo import file_server
from dissco_platform.cli.house import House
from dissco_platform.errors import SourceError
from dissco_platform.settings import DEMO_SERVER, Settings
from tests.house import CommandLine


def test_status_outside_of_a_home_makes_none(tmp_path: Path) -> None:
    dissco = CommandLine(tmp_path / "nowhere")
    assert dissco.json("status") == []
    assert f"There is no {tmp_path / 'nowhere'}" in dissco.process("status").stderr.replace("\n", "")
    assert not (tmp_path / "nowhere").exists()


def test_only_the_loopback_address_that_the_demonstration_wrote_is_reachable(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, trusted_hosts="files.example")
    assert settings.reachable_hosts == {"files.example"}, "never by default"
    written = tmp_path / DEMO_SERVER
    written.parent.mkdir()
    for wrong in ("10.0.0.7:80", "127.0.0.1", "files.internal:8631", "127.0.0.1:8631 10.0.0.7:80", "\u00e9"):
        written.write_text(wrong)
        assert settings.reachable_hosts == {"files.example"}, wrong
    written.write_text("127.0.0.1:8631\n")
    assert settings.reachable_hosts == {"files.example", "127.0.0.1:8631"}
    with House(settings) as house, pytest.raises(SourceError, match="8632"):
        house.http.read("http://127.0.0.1:8632/museum.zip", limit=10)


def test_moments_stay_on_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.console, "width", 60)
    moment = "2026-11-26T06:43:49.123Z"
    output.print_table(
        ["version", "created", "cause"], [[1, moment, "a cause of many words that does not fit beside it"]]
    )
    assert moment in capsys.readouterr().out


def test_the_files_of_the_demonstration_are_served_and_nothing_beside_them(tmp_path: Path) -> None:
    published = tmp_path / "demo" / "published"
    published.mkdir(parents=True)
    (published / "museum.zip").write_bytes(b"an archive")
    (tmp_path / "registry.sqlite").write_bytes(b"not for strangers")
    with file_server(tmp_path, port=0) as address, httpx.Client(base_url=address, trust_env=False) as client:
        answer = client.get("/museum.zip")
        assert answer.content == b"an archive"
        assert "last-modified" in answer.headers
        assert client.get("/../../registry.sqlite").status_code == 404
        assert client.get("/%2e%2e/%2e%2e/registry.sqlite").status_code == 404


@pytest.mark.parametrize("after_demo", [True, False])
def test_the_portal_serves_them_after_a_demonstration_alone(
    after_demo: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, shown = [], []

    @contextlib.contextmanager
    def serving(home: Path) -> Iterator[str]:
        served.append(home)
        yield "http://127.0.0.1:1"

    monkeypatch.setenv("DISSCO_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "file_server", serving)
    monkeypatch.setattr("dissco_platform.portal.serving.serve_portal", lambda *_, **__: shown.append(len(served)))
    if after_demo:
        (tmp_path / "demo").mkdir()
    services.portal(port=0, host="127.0.0.1", workers=1, proxy="127.0.0.1", index=False, work=False)
    assert (served, shown) == ([tmp_path], [1]) if after_demo else ([], [0])
