"""Versioned Parquet in folders: immutable once named, so a reader never meets half a table.

Layout: `{root}/{stage}/{dataset}/{version}/…`. A stage's output is built in a folder with a temporary name beside its
final place and renamed when complete; a version that already exists is kept as it is, since equal versions are equal
content. Downloads lie in `{root}/blobs/{sha256}`. What the tables hold is not known here.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dissco_platform.errors import UsageError

_BUILDING = ".building-"


@dataclass
class Build:
    """A version under construction: write into `path`, then `publish` it under its content version."""

    path: Path
    _parent: Path
    published: Path | None = field(default=None)

    def publish(self, version: str) -> Path:
        """Give the finished folder its name; an existing equal version wins and this one is dropped."""
        target = self._parent / version
        if target.exists():
            shutil.rmtree(self.path)
        else:
            for file in self.path.rglob("*"):
                if file.is_file():
                    with file.open("rb") as handle:
                        os.fsync(handle.fileno())
            try:
                self.path.rename(target)
            except OSError:
                if not target.exists():
                    raise
                shutil.rmtree(self.path)  # another process published the same content first
        self.published = target
        return target


class DatasetStore:
    """Reads and writes versions under one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, stage: str, dataset: str, version: str) -> Path:
        """Return the folder of a version.

        Raises:
            UsageError: it is not there (swept, or another store's).
        """
        path = self.root / stage / dataset / version
        if not path.is_dir():
            raise UsageError(
                f"{stage} of {dataset} in version {version} is not in the store {self.root}; "
                f"materialise {stage} again or point DISSCO_STORE at the right folder."
            )
        return path

    def has(self, stage: str, dataset: str, version: str) -> bool:
        """Say whether a version is there."""
        return (self.root / stage / dataset / version).is_dir()

    @contextmanager
    def building(self, stage: str, dataset: str) -> Iterator[Build]:
        """Yield a `Build`; whatever is not published when the block ends is removed."""
        parent = self.root / stage / dataset
        parent.mkdir(parents=True, exist_ok=True)
        path = parent / f"{_BUILDING}{os.getpid()}-{uuid.uuid4().hex}"
        path.mkdir()
        build = Build(path, parent)
        try:
            yield build
        finally:
            if build.published is None:
                shutil.rmtree(path, ignore_errors=True)

    def blob(self, sha256: str) -> Path:
        """Return where the download with this SHA-256 lies (whether or not it is there)."""
        return self.root / "blobs" / sha256

    def sweep(self, stage: str, dataset: str, keep: set[str]) -> list[str]:
        """Remove every version of a stage that is not in `keep`, and what killed processes left; return the names."""
        parent = self.root / stage / dataset
        if not parent.is_dir():
            return []
        removed = []
        for path in sorted(parent.iterdir()):
            if path.name in keep or (path.name.startswith(_BUILDING) and _is_alive(path.name)):
                continue
            shutil.rmtree(path)
            removed.append(path.name)
        return removed


def _is_alive(building_name: str) -> bool:
    pid = int(building_name.removeprefix(_BUILDING).split("-", 1)[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
