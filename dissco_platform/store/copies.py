"""Copies of a store: everything in it is immutable and has a name, so a copy is made once and never again.

A copy has the store's own layout (`{stage}/{dataset}/{version}/…`, `blobs/…`, `published/…`), whatever the store lies in.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dissco_platform.store.objects import FILES
from dissco_platform.store.versions import DatasetStore

Told = Callable[[int], None]


@dataclass
class Copied:
    """How many folders and files were copied, and how many were there already."""

    new: int = 0
    known: int = 0
    bytes: int = 0


def copy_store(store: DatasetStore, folder: Path, told: Told = lambda count: None) -> Copied:
    """Bring what `folder` does not have yet of a store into it; what is being built is left out."""
    done = Copied()
    folder.mkdir(parents=True, exist_ok=True)
    for key, is_folder in _contents(store):
        target = folder / key
        if target.exists():
            done.known += 1
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.parent / f".copying-{uuid.uuid4().hex}"
        try:
            if store.objects is None:
                _copy(store.root / key, partial)
            elif is_folder:
                partial.mkdir()
                store.objects.fetch_folder(key, partial)
            else:
                store.objects.fetch(key, partial)
            done.bytes += _size(partial)
            partial.rename(target)
        finally:
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)
        done.new += 1
        told(done.new)
    return done


def restore_store(folder: Path, store: DatasetStore, told: Told = lambda count: None) -> Copied:
    """Bring everything that a copy has into a store; what the store has already is left as it is."""
    done = Copied()
    for key, is_folder in _contents(DatasetStore(folder)):
        source = folder / key
        if store.objects is None:
            there = (store.root / key).exists()
        else:
            there = store.objects.has_folder(key) if is_folder else store.objects.has(key)
        if there:
            done.known += 1
            continue
        if store.objects is None:
            (store.root / key).parent.mkdir(parents=True, exist_ok=True)
            partial = (store.root / key).parent / f".copying-{uuid.uuid4().hex}"
            _copy(source, partial)
            partial.rename(store.root / key)
        elif is_folder:
            store.objects.send_folder(source, key)
        else:
            store.objects.send(source, key)
        done.new += 1
        done.bytes += _size(source)
        told(done.new)
    return done


def _contents(store: DatasetStore) -> Iterator[tuple[str, bool]]:
    """Yield the key of everything complete, and whether it is a folder."""
    if store.objects is None:
        for stage in sorted(store.root.iterdir()) if store.root.is_dir() else ():
            if stage.name.startswith(".") or not stage.is_dir():
                continue
            for path in sorted(stage.glob("*" if stage.name == "blobs" else "*/*")):
                if not path.name.startswith("."):
                    yield path.relative_to(store.root).as_posix(), path.is_dir()
        return
    for key in store.objects.names(""):
        if key.endswith(f"/{FILES}"):
            yield key.removesuffix(f"/{FILES}"), True
        elif key.startswith(("blobs/", "published/")):
            yield key, False


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    for path in [target, *target.rglob("*")] if target.is_dir() else [target]:
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())


def _size(path: Path) -> int:
    return (
        path.stat().st_size
        if path.is_file()
        else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    )
