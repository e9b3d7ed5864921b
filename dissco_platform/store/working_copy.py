"""What of an object store lies on this machine: copies of immutable things, of which all may go that is not in use."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

# What was used within this time may be open in a process of this machine.
IN_USE_SECONDS = 6 * 3600.0
# Looking at every file costs time: it is done at most this often.
_LOOK_SECONDS = 60.0


class WorkingCopy:
    """Keeps the folder below a size, as far as what is in use allows."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit = root, limit
        self._looked = 0.0

    def used(self, path: Path) -> None:
        """Note that something is in use now."""
        try:
            os.utime(path)
        except FileNotFoundError:
            return

    def make_room(self, moment: float | None = None) -> list[Path]:
        """Remove what was used least lately until the size is below the limit; return what went."""
        moment = moment or time.time()
        if moment - self._looked < _LOOK_SECONDS:
            return []
        self._looked = moment
        entries = sorted((path.stat().st_mtime, _size(path), path) for path in self._entries())
        total = sum(size for _, size, _ in entries)
        gone = []
        for used, size, path in entries:
            if total <= self.limit or moment - used < IN_USE_SECONDS:
                break
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            total -= size
            gone.append(path)
        return gone

    def _entries(self) -> Iterator[Path]:
        for stage in self.root.iterdir() if self.root.is_dir() else ():
            if not stage.is_dir() or stage.name.startswith("."):
                continue
            for path in stage.glob("*" if stage.name == "blobs" else "*/*"):
                if not path.name.startswith("."):
                    yield path


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
