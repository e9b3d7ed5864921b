"""One suite for both kinds of store: a folder, and object storage with its working copy."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url

from dissco_platform.errors import StoreError, UsageError
from dissco_platform.store import DatasetStore, open_store
from dissco_platform.store.working_copy import IN_USE_SECONDS
from tests.object_storage import CREDENTIALS, ObjectStorage, object_storage

ROOM = 2**30
Machine = Callable[[str], DatasetStore]


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as service:
        yield service


@pytest.fixture(params=["folder", "s3"])
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a function that opens the store as a machine of that name sees it."""
    if request.param == "folder":
        return lambda name: open_store(str(tmp_path / "store"), tmp_path / name, bytes_here=ROOM)
    service: ObjectStorage = request.getfixturevalue("storage")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    address = service.bucket() + "/dissco"
    return lambda name: open_store(address, tmp_path / name, endpoint=service.endpoint, bytes_here=ROOM)


def make(store: DatasetStore, version: str, text: str = "whole", stage: str = "parsed_records") -> None:
    with store.building(stage, "moths") as build:
        (build.path / "records.parquet").write_text(text)
        (build.path / "index").mkdir()
        (build.path / "index" / "words.parquet").write_text(f"{text} words")
        build.publish(version)


def test_a_version_appears_whole_or_not_at_all(machine: Machine) -> None:
    store = machine("here")
    with pytest.raises(RuntimeError), store.building("parsed_records", "moths") as build:
        (build.path / "records.parquet").write_text("half")
        raise RuntimeError
    assert not store.versions("parsed_records", "moths")
    make(store, "v1")
    assert (store.path("parsed_records", "moths", "v1") / "records.parquet").read_text() == "whole"
    make(store, "v1", "again")
    assert (store.path("parsed_records", "moths", "v1") / "records.parquet").read_text() == "whole"
    assert store.has("parsed_records", "moths", "v1")
    assert not store.has("parsed_records", "moths", "v2")
    with pytest.raises(UsageError, match="materialise parsed_records again"):
        store.path("parsed_records", "moths", "v2")


def test_what_one_machine_made_another_one_reads(machine: Machine) -> None:
    make(machine("here"), "v1")
    there = machine("there")
    assert there.has("parsed_records", "moths", "v1")
    folder = there.path("parsed_records", "moths", "v1")
    assert (folder / "index" / "words.parquet").read_text() == "whole words"
    assert [version.name for version in there.versions("parsed_records", "moths")] == ["v1"]


def test_the_newest_version_comes_first(machine: Machine) -> None:
    store = machine("here")
    for version in ("b", "c", "a"):
        make(store, version)
        time.sleep(1.05)  # S3 keeps whole seconds
    assert [version.name for version in machine("there").versions("parsed_records", "moths")] == ["a", "c", "b"]


def test_sweeping_keeps_what_is_named_and_what_another_process_is_building(machine: Machine) -> None:
    store = machine("here")
    for version in ("v1", "v2", "v3"):
        make(store, version, stage="documents")
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left, going = f".building-{int(killed.stdout)}-x", f".building-{os.getpid()}-x"
    for name in (left, going):
        (store.root / "documents" / "moths" / name).mkdir()
    assert set(store.sweep("documents", "moths", {"v3"})) - {left} == {"v1", "v2"}
    assert {path.name for path in (store.root / "documents" / "moths").iterdir()} == {going, "v3"}
    there = machine("there")
    assert [version.name for version in there.versions("documents", "moths")] == ["v3"]
    assert not there.has("documents", "moths", "v1")


def test_a_download_is_kept_under_its_hash(machine: Machine) -> None:
    here, there = machine("here"), machine("there")
    assert not here.has_blob("abc")
    (here.blobs / "abc").write_bytes(b"archive")
    here.keep_blob("abc")
    assert there.has_blob("abc")
    assert there.blob("abc").read_bytes() == b"archive"
    with pytest.raises(UsageError, match="materialise raw_archive again"):
        there.blob("def")


@pytest.mark.parametrize("harm", ["cut off", "gone"])
def test_a_damaged_version_is_replaced_when_it_is_made_again(harm: str, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"), tmp_path / "here", bytes_here=ROOM)
    make(store, "v1", "PAR1 rows PAR1")
    records = store.path("parsed_records", "moths", "v1") / "records.parquet"
    if harm == "gone":
        records.unlink()
    else:
        records.write_text("PAR1 ro")
    with store.building("parsed_records", "moths") as build:
        (build.path / "records.parquet").write_text("PAR1 rows PAR1")
        build.publish("v1")
    assert records.read_text() == "PAR1 rows PAR1"
    assert [version.name for version in store.versions("parsed_records", "moths")] == ["v1"]
    assert sorted(path.name for path in records.parent.parent.iterdir()) == ["v1"]


def test_a_published_part_is_durable_before_it_is_named(machine: Machine) -> None:
    here, there = machine("here"), machine("there")
    folder = here.new_parts("moths")
    folder.mkdir(parents=True)
    for name in ("one.parquet", "two.parquet"):
        (folder / name).write_text(name)
    here.keep_parts("moths", ["one.parquet", "two.parquet"])
    assert there.part("moths", "two.parquet").read_text() == "two.parquet"
    assert set(there.parts()) == {("moths", "one.parquet"), ("moths", "two.parquet")}
    with pytest.raises(UsageError, match="backup"):
        there.part("moths", "three.parquet")


@pytest.fixture
def s3(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return storage.bucket()


def test_a_folder_without_its_list_does_not_exist_and_is_swept(s3: str, storage: ObjectStorage, tmp_path: Path) -> None:
    bucket = from_url(s3, config={"endpoint": storage.endpoint}, client_options={"allow_http": True})
    obstore.put(bucket, "documents/moths/killed/documents.parquet", b"half")
    store = open_store(s3, tmp_path, endpoint=storage.endpoint, bytes_here=ROOM)
    assert not store.has("documents", "moths", "killed")
    with pytest.raises(UsageError):
        store.path("documents", "moths", "killed")
    assert store.sweep("documents", "moths", set()) == ["killed"]
    assert not list(obstore.list(bucket))


def test_a_file_that_was_changed_behind_our_back_is_refused(s3: str, storage: ObjectStorage, tmp_path: Path) -> None:
    make(open_store(s3, tmp_path / "here", endpoint=storage.endpoint, bytes_here=ROOM), "v1")
    bucket = from_url(s3, config={"endpoint": storage.endpoint}, client_options={"allow_http": True})
    obstore.put(bucket, "parsed_records/moths/v1/records.parquet", b"cut")
    there = open_store(s3, tmp_path / "there", endpoint=storage.endpoint, bytes_here=ROOM)
    with pytest.raises(StoreError, match="is not the 5 bytes that its list names"):
        there.path("parsed_records", "moths", "v1")
    assert not (tmp_path / "there" / "parsed_records" / "moths" / "v1").exists()


def test_the_working_copy_stays_below_its_size_and_keeps_what_is_in_use(
    s3: str, storage: ObjectStorage, tmp_path: Path
) -> None:
    make(open_store(s3, tmp_path / "here", endpoint=storage.endpoint, bytes_here=ROOM), "v1", "x" * 1000)
    store = open_store(s3, tmp_path / "there", endpoint=storage.endpoint, bytes_here=ROOM)
    old = store.path("parsed_records", "moths", "v1")
    assert store._copy is not None
    store._copy.limit = 100
    assert store._copy.make_room(time.time() + 120) == []
    assert store._copy.make_room(time.time() + IN_USE_SECONDS + 240) == [old]
    assert (store.path("parsed_records", "moths", "v1") / "records.parquet").read_text() == "x" * 1000


def test_a_bucket_that_is_not_there_is_a_sentence(storage: ObjectStorage, s3: str, tmp_path: Path) -> None:
    store = open_store("s3://no-such-bucket/x", tmp_path, endpoint=storage.endpoint, bytes_here=ROOM)
    with pytest.raises(StoreError, match="no-such-bucket") as caught:
        make(store, "v1")
    assert "\n" not in str(caught.value)


def test_an_address_that_no_client_understands_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="DISSCO_STORE ftp://host/x cannot be used"):
        open_store("ftp://host/x", tmp_path, bytes_here=ROOM)
