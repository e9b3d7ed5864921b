"""Versioned Parquet in folders: immutable once named, so a reader never meets half a table.

Layout: `{root}/{stage}/{dataset}/{version}/…`, downloads in `blobs/{sha256}`, published parts in
`published/{dataset}/{part}`. A stage's output is built in a folder with a temporary name beside its final place and
renamed when complete; a version that already exists is kept as it is, since equal versions are equal content.

With object storage the same layout is in the bucket, and `root` is a working copy on this machine: what is built here is
sent before it has a name anywhere else, what others built is fetched when it is read.
"""

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dissco_platform.errors import UsageError
from dissco_platform.settings import Settings
from dissco_platform.store.objects import FILES, Objects
from dissco_platform.store.working_copy import WorkingCopy

_BUILDING = ".building-"
_BLOBS = "blobs"
_PUBLISHED = "published"
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Version:
    """A version that is there, and when it was made."""

    name: str
    modified: datetime


@dataclass
class Build:
    """A version under construction: write into `path`, then `publish` it under its content version."""

    path: Path
    _store: "DatasetStore"
    _key: str
    published: Path | None = field(default=None)

    def publish(self, version: str) -> Path:
        """Give the finished folder its name; an existing equal version wins and this one is dropped.

        One that lacks a file of this one, or has a Parquet file that is cut off, is damaged: this one takes its place.
        """
        target = self.path.parent / version
        if target.exists() and _is_damaged(target, self.path):
            broken = self.path.with_name(f"{self.path.name}-broken")  # is swept if we are killed now
            target.rename(broken)
            self.path.rename(target)
            shutil.rmtree(broken)
        elif target.exists():
            shutil.rmtree(self.path)
        else:
            _sync(path for path in self.path.rglob("*") if path.is_file())
            try:
                self.path.rename(target)
            except OSError:
                if not target.exists():
                    raise
                shutil.rmtree(self.path)  # another process published the same content first
        self.published = target
        self._store.send(f"{self._key}/{version}", target)
        return target


class DatasetStore:
    """Reads and writes versions under one root folder, or in object storage through a working copy.

    Args:
        root: the store's folder; with `objects`, the working copy's.
        objects: where the store really is, if that is object storage.
        working_copy_bytes: size that the working copy may grow to before what was not used lately goes.
    """

    def __init__(self, root: Path, objects: Objects | None = None, working_copy_bytes: int = 50 * 2**30) -> None:
        self.root = root
        self.objects = objects
        self._copy = WorkingCopy(root, working_copy_bytes) if objects is not None else None
        self._seen: set[str] = set()  # keys that the object store is known to have: they are immutable

    # --- versions of a stage ------------------------------------------------------------------------------------

    def path(self, stage: str, dataset: str, version: str) -> Path:
        """Return the folder of a version on this machine, fetched if it is not there yet.

        Raises:
            UsageError: it is not there (swept, or another store's).
            StoreError: the object store does not answer.
        """
        path = self.root / stage / dataset / version
        if path.is_dir() or self._fetch_folder(f"{stage}/{dataset}/{version}", path):
            if self._copy is not None:
                self._copy.used(path)
            return path
        raise UsageError(
            f"{stage} of {dataset} in version {version} is not in the store {self}; "
            f"materialise {stage} again or point DISSCO_STORE at the right place."
        )

    def has(self, stage: str, dataset: str, version: str) -> bool:
        """Say whether a version is there."""
        if self.objects is None:
            return (self.root / stage / dataset / version).is_dir()
        return self._is_stored(f"{stage}/{dataset}/{version}/{FILES}")

    @contextmanager
    def building(self, stage: str, dataset: str) -> Iterator[Build]:
        """Yield a `Build`; whatever is not published when the block ends is removed."""
        parent = self.root / stage / dataset
        parent.mkdir(parents=True, exist_ok=True)
        path = parent / f"{_BUILDING}{os.getpid()}-{uuid.uuid4().hex}"
        path.mkdir()
        build = Build(path, self, f"{stage}/{dataset}")
        try:
            yield build
        finally:
            if build.published is None:
                shutil.rmtree(path, ignore_errors=True)

    def send(self, key: str, folder: Path) -> None:
        """Make sure that the object store has a finished folder; nothing where there is none."""
        if self.objects is not None and not self._is_stored(f"{key}/{FILES}"):
            self.objects.send_folder(folder, key)
            self._seen.add(f"{key}/{FILES}")
        if self._copy is not None:
            self._copy.used(folder)

    def versions(self, stage: str, dataset: str) -> list[Version]:
        """Return the versions that are there, the newest first."""
        if self.objects is not None:
            found = [Version(item.name, item.modified) for item in self.objects.folders(f"{stage}/{dataset}")]
        else:
            parent = self.root / stage / dataset
            folders = (
                [path for path in parent.iterdir() if not path.name.startswith(_BUILDING)] if parent.is_dir() else []
            )
            found = [Version(path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC)) for path in folders]
        return sorted(found, key=lambda version: (version.modified, version.name), reverse=True)

    def sweep(self, stage: str, dataset: str, keep: Collection[str]) -> list[str]:
        """Remove every version of a stage that is not in `keep`, and what killed processes left; return the names.

        No run of the dataset may be going on.
        """
        removed = []
        if self.objects is not None:
            prefix = f"{stage}/{dataset}"
            gone = {version.name for version in self.versions(stage, dataset)} | set(self.objects.incomplete(prefix))
            for name in sorted(gone - set(keep)):
                self.objects.remove_folder(f"{prefix}/{name}")
                self._seen.discard(f"{prefix}/{name}/{FILES}")
                removed.append(name)
        parent = self.root / stage / dataset
        for path in sorted(parent.iterdir()) if parent.is_dir() else []:
            if path.name in keep or (path.name.startswith(_BUILDING) and _is_alive(path.name)):
                continue
            shutil.rmtree(path)
            if path.name not in removed and self.objects is None:
                removed.append(path.name)
        return removed

    # --- downloads ----------------------------------------------------------------------------------------------

    @property
    def blobs(self) -> Path:
        """The folder that downloads are brought into, each named by its SHA-256; then call `keep_blob`."""
        folder = self.root / _BLOBS
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def has_blob(self, sha256: str) -> bool:
        """Say whether the download with this SHA-256 is there."""
        if self.objects is None:
            return (self.root / _BLOBS / sha256).exists()
        return self._is_stored(f"{_BLOBS}/{sha256}")

    def keep_blob(self, sha256: str) -> None:
        """Make a download in `blobs` part of the store."""
        if self.objects is not None and not self._is_stored(f"{_BLOBS}/{sha256}"):
            self.objects.send(self.root / _BLOBS / sha256, f"{_BLOBS}/{sha256}")
            self._seen.add(f"{_BLOBS}/{sha256}")

    def blob(self, sha256: str) -> Path:
        """Return where the download with this SHA-256 lies on this machine; it is fetched if it is not there yet.

        Raises:
            UsageError: the store does not have it.
        """
        path = self.blobs / sha256
        if path.exists() or self._fetch(f"{_BLOBS}/{sha256}", path):
            return path
        raise UsageError(f"The download {sha256} is not in the store {self}; materialise raw_archive again.")

    # --- published parts ----------------------------------------------------------------------------------------

    def new_parts(self, dataset: str) -> Path:
        """Return the folder into which parts of a publication are written; then call `keep_parts`, then commit."""
        return self.root / _PUBLISHED / dataset

    def keep_parts(self, dataset: str, names: Collection[str]) -> None:
        """Make new parts durable: on this machine's disk, and in the object store."""
        folder = self.new_parts(dataset)
        _sync(folder / name for name in names)
        if self.objects is not None:
            for name in names:
                self.objects.send(folder / name, f"{_PUBLISHED}/{dataset}/{name}")

    def part(self, dataset: str, name: str) -> Path:
        """Return where a published part lies on this machine; it is fetched if it is not there yet.

        Raises:
            UsageError: the store does not have it.
        """
        path = self.new_parts(dataset) / name
        if path.exists():
            if self._copy is not None:
                self._copy.used(path)
            return path
        if self._fetch(f"{_PUBLISHED}/{dataset}/{name}", path):
            return path
        raise UsageError(f"The published part {dataset}/{name} is not in the store {self}; restore it from a backup.")

    def remove_part(self, dataset: str, name: str) -> None:
        """Remove a part file that no publication names."""
        if self.objects is not None:
            self.objects.remove(f"{_PUBLISHED}/{dataset}/{name}")
        (self.new_parts(dataset) / name).unlink(missing_ok=True)

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield `(dataset, name)` of every part file that is there, committed or not."""
        if self.objects is not None:
            keys = (key.split("/")[-2:] for key in self.objects.names(_PUBLISHED) if key.endswith(".parquet"))
            yield from ((dataset, name) for dataset, name in keys)
            return
        for path in sorted((self.root / _PUBLISHED).glob("*/*.parquet")):
            yield path.parent.name, path.name

    # --- the object store behind ----------------------------------------------------------------------------------

    def address(self, *parts: str) -> str:
        """Return where something lies in the store, for people: a path, or an object store's address."""
        return "/".join((str(self), *parts))

    def __str__(self) -> str:
        return self.objects.address if self.objects is not None else str(self.root)

    def _is_stored(self, key: str) -> bool:
        assert self.objects is not None
        if key not in self._seen and self.objects.has(key):
            self._seen.add(key)
        return key in self._seen

    def _fetch(self, key: str, path: Path) -> bool:
        if self.objects is None or self._copy is None:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._copy.make_room()
        return self.objects.fetch(key, path)

    def _fetch_folder(self, key: str, path: Path) -> bool:
        if self.objects is None or self._copy is None:
            return False
        self._copy.make_room()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.parent / f"{_BUILDING}{os.getpid()}-{uuid.uuid4().hex}"
        partial.mkdir()
        try:
            if not self.objects.fetch_folder(key, partial):
                return False
            try:
                partial.rename(path)
            except OSError:
                if not path.is_dir():  # else another process fetched it first
                    raise
            return True
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def open_store(address: str, working_copy: Path, *, endpoint: str | None = None, bytes_here: int) -> DatasetStore:
    """Return the store at an address: a folder, or object storage (`s3://bucket/prefix`) with its working copy.

    Raises:
        StoreError: the address is not one that the object store's client understands.
    """
    if "://" not in address:
        return DatasetStore(Path(address))
    return DatasetStore(working_copy, Objects(address, endpoint), bytes_here)


def store_of(settings: Settings) -> DatasetStore:
    """Return the store that the settings name."""
    return open_store(
        settings.store_address,
        settings.working_copy_path,
        endpoint=settings.store_endpoint,
        bytes_here=settings.store_working_copy_bytes,
    )


def _sync(files: Iterator[Path]) -> None:
    for file in files:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _is_damaged(version: Path, again: Path) -> bool:
    """Return whether a version lacks what the same version, made again, has."""
    for made in again.rglob("*"):
        if not made.is_file():
            continue
        kept = version / made.relative_to(again)
        if not kept.is_file() or (_ends_as_parquet(made) and not _ends_as_parquet(kept)):
            return True
    return False


def _ends_as_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - len(_PARQUET), 0))
        return file.read() == _PARQUET


def _is_alive(building_name: str) -> bool:
    pid = int(building_name.removeprefix(_BUILDING).split("-", 1)[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
