"""Bad input: one clear sentence that says what to do, and nothing half-published."""

import json
import os
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dissco_platform.cli.output import replacing
from tests.house import EXAMPLES, ORGANISATION, CommandLine


@pytest.fixture(scope="module")
def dissco(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("bad") / "home")
    command("checklist", "use", str(EXAMPLES / "checklist.zip"))
    return command


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "page" not in self.path:
                self.send_error(404)
                return
            body = b"<!DOCTYPE html><html><body>Please log in</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def enrolled(dissco: CommandLine, slug: str, source: str) -> str:
    dissco("dataset", "add", slug, "--source", source, "--organisation", ORGANISATION)
    said = dissco.process("run", slug)
    assert said.returncode in {1, 2}, said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    registry = sqlite3.connect(dissco.home / "registry.sqlite")
    assert registry.execute("SELECT count(*) FROM digital_object WHERE dataset = ?", (slug,)).fetchone() == (0,)
    published = dissco.home / "store" / "published" / slug
    assert not published.exists() or not list(published.iterdir())
    return " ".join(said.stderr.split())


def test_a_missing_file(dissco: CommandLine, tmp_path: Path) -> None:
    assert "does not exist; check the path" in enrolled(dissco, "absent", str(tmp_path / "absent.zip"))


def test_an_address_that_answers_404(dissco: CommandLine, web: str) -> None:
    assert "answered 404" in enrolled(dissco, "gone", f"{web}/archive.zip")
    assert "answered 404" in dissco.json("dataset", "show", "gone")["failure"]


def test_a_web_page_instead_of_an_archive(dissco: CommandLine, web: str) -> None:
    said = enrolled(dissco, "page", f"{web}/page")
    assert "HTML" in said or "web page" in said


def test_a_corrupt_zip(dissco: CommandLine, tmp_path: Path) -> None:
    whole = (EXAMPLES / "week1" / "fossils.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    assert "zip" in enrolled(dissco, "half", str(tmp_path / "half.zip")).lower()


def test_an_archive_without_specimens(dissco: CommandLine, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "observations.zip", "w") as archive:
        archive.writestr("occurrence.csv", "occurrenceID,basisOfRecord\n1,HumanObservation\n2,HumanObservation\n")
    said = enrolled(dissco, "observations", str(tmp_path / "observations.zip"))
    assert "specimen" in said


def test_an_unknown_dataset_and_an_unusable_name(dissco: CommandLine) -> None:
    assert "There is no dataset 'nobody'" in dissco.refuses("run", "nobody")
    assert "cannot name a dataset" in dissco.refuses(
        "dataset", "add", "No Slug", "--source", "x.zip", "--organisation", ORGANISATION
    )
    assert "check digits do not fit" in dissco.refuses(
        "dataset", "add", "x", "--source", "x.zip", "--organisation", "https://ror.org/0566bfb97"
    )


def test_an_unreadable_checklist_leaves_the_one_in_use(dissco: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no checklist")
    said = dissco.refuses("checklist", "use", str(tmp_path / "notes.txt"), expect=1)
    assert "notes.txt: is no zip, folder or table of names" in said
    dissco(
        "dataset", "add", "fossils", "--source", str(EXAMPLES / "week1" / "fossils.zip"), "--organisation", "Q641676"
    )
    assert dissco.json("run", "fossils")["specimens"] > 0


def test_the_checklist_in_use_is_shown(dissco: CommandLine) -> None:
    shown = dissco.json("checklist", "show")
    assert shown["names"] == sum(shown["by_status"].values()) == sum(shown["by_rank"].values()) > 0
    assert shown["release"] and shown["source"].endswith("checklist.zip")
    assert f"{shown['names']:,}" in dissco("checklist", "show")


def test_no_checklist_at_all(tmp_path: Path) -> None:
    fresh = CommandLine(tmp_path / "home")
    assert "dissco checklist use" in fresh.refuses("checklist", "show")
    fresh("dataset", "add", "f", "--source", str(EXAMPLES / "week1" / "fossils.zip"), "--organisation", ORGANISATION)
    assert "dissco checklist use" in fresh.refuses("run", "f")


def test_a_wrong_datacite_password(tmp_path: Path) -> None:
    from dissco_platform.sandbox import running_sandbox

    with running_sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        wrong = CommandLine(
            tmp_path / "home", {"DISSCO_DATACITE_URL": sandbox.url, "DISSCO_DATACITE_PASSWORD": "wrong"}
        )
        wrong("checklist", "use", str(EXAMPLES / "checklist.zip"))
        said = enrolled(wrong, "fossils", str(EXAMPLES / "week1" / "fossils.zip"))
        assert "refused the credentials" in said and "DISSCO_DATACITE_PASSWORD" in said
        right = CommandLine(wrong.home, {"DISSCO_DATACITE_URL": sandbox.url, "DISSCO_DATACITE_PASSWORD": "sandbox"})
        run = json.loads(right("run", "fossils", "--json"))
        assert run["dois"]["pending"] == 0 and run["specimens"] > 0
        assert run["ran"] == ["registered_dois", "search_index"]  # what was made before the refusal is not made again


def test_people_read_what_machines_read(dissco: CommandLine, tmp_path: Path) -> None:
    archive = str(EXAMPLES / "week1" / "zoology.zip")
    assert "Imaginary Museum of Zoology" in dissco("archive", "inspect", archive)
    assert "rows_read" in json.dumps(dissco.json("archive", "inspect", archive))
    dissco("dataset", "add", "edited", "--source", "typo.zip", "--organisation", ORGANISATION)
    shown = dissco(
        "dataset", "edit", "edited", "--source", str(EXAMPLES / "week1" / "fossils.zip"), "--name", "A museum"
    )
    assert "A museum" in shown and "fossils.zip" in shown
    assert "edited" in dissco("dataset", "list")
    assert "Nothing of edited is held" in dissco("dataset", "held", "edited")
    assert "'asleep' is no state" in dissco.refuses("dataset", "edit", "edited", "--state", "asleep")


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with replacing(pipe) as path:
        assert path == pipe
    assert pipe.is_fifo()
    with replacing(tmp_path / "table.csv") as path:
        path.write_text("a")
        assert not (tmp_path / "table.csv").exists()
    assert (tmp_path / "table.csv").read_text() == "a"
