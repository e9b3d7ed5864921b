"""Backup of all that belongs together: Dagster's storage, the registry, the store; and back again.

In this order: documents are in the store before the registry names them, and materialisations name what both have. So a store
that is copied last has everything that the copied registry names. Databases are copied while they are in use, each as one
consistent view: SQLite through its backup interface, PostgreSQL with `pg_dump`.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from dissco_platform import __version__
from dissco_platform.errors import UsageError
from dissco_platform.registry.engine import now
from dissco_platform.store import DatasetStore
from dissco_platform.store.copies import copy_store, restore_store

MANIFEST = "backup.json"
Told = Callable[[str], None]


def create_backup(
    target: Path, databases: Mapping[str, str], store: DatasetStore, copies: Path, told: Told = lambda text: None
) -> dict[str, Any]:
    """Make a backup in a new folder; return its manifest, which is written last.

    Args:
        target: the backup's folder; it must not exist or be empty.
        databases: name → SQLAlchemy URL, or a folder with SQLite files, in the order in which they are copied.
        store: the store, copied after them.
        copies: folder of the store's copy; several backups may share one.

    Raises:
        UsageError: the folder is in use, a database cannot be read, or PostgreSQL's tools are not there.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty: a backup is a folder of its own.")
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for name, where in databases.items():
        told(f"copying {name} …")
        files += [{"database": name, **_described(path, target)} for path in _dump(where, target / name)]
    told("copying the store …")
    copied = copy_store(store, copies, lambda count: told(f"copying the store … {count:,}"))
    manifest = {
        "made": now(),
        "software": __version__,
        "databases": list(databases),
        "files": files,
        "store": os.path.relpath(copies, target),
        "copied": asdict(copied),
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return manifest


def verify_backup(source: Path) -> dict[str, Any]:
    """Return a backup's manifest after comparing every database file with it.

    Raises:
        UsageError: it is not a complete backup, or a file is not what it was.
    """
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{source} is not a complete backup: it has no {MANIFEST}, which is written last.") from error
    for file in manifest["files"]:
        path = source / file["path"]
        if not path.is_file() or _sha256(path) != file["sha256"]:
            raise UsageError(f"{path} is missing or not what it was when the backup was made.")
    if not (source / manifest["store"]).is_dir():
        raise UsageError(f"The store's copy {source / manifest['store']} is not there.")
    return manifest


def restore_backup(
    source: Path, databases: Mapping[str, str], store: DatasetStore, told: Told = lambda text: None
) -> dict[str, Any]:
    """Bring a backup into empty databases and a store; return what was done.

    Raises:
        UsageError: the backup is not whole, or a database is not empty: nothing is overwritten.
    """
    manifest = verify_backup(source)
    for name, where in databases.items():
        if not _is_empty(where):
            raise UsageError(
                f"{name} is not empty: a backup is restored into empty databases only. Move {_shown(where)} away."
            )
    told("restoring the store …")
    copied = restore_store(source / manifest["store"], store, lambda count: told(f"restoring the store … {count:,}"))
    for name, where in databases.items():
        told(f"restoring {name} …")
        _load(source / name, where)
    return {"made": manifest["made"], "store": asdict(copied), "databases": list(databases)}


# --- databases ------------------------------------------------------------------------------------------------------


def _dump(where: str, target: Path) -> list[Path]:
    target.mkdir()
    url = _postgres(where)
    if url is not None:
        path = target / "database.dump"
        _run("pg_dump", "--format=custom", f"--file={path}", "--no-owner", f"--dbname={_libpq(url)}")
        return [path]
    paths = []
    for base, file in _sqlite_files(where):
        path = target / file.relative_to(base)
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)) as one,
            closing(sqlite3.connect(path)) as two,
        ):
            one.backup(two)
        paths.append(path)
    return paths


def _load(source: Path, where: str) -> None:
    url = _postgres(where)
    if url is not None:
        _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={_libpq(url)}", str(source / "database.dump"))
        return
    base = _base(where)
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = base / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _is_empty(where: str) -> bool:
    url = _postgres(where)
    if url is None:
        return not any(True for _ in _sqlite_files(where))
    engine = create_engine(url)
    try:
        return not inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        raise UsageError(f"{_shown(where)} cannot be reached: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()


def _postgres(where: str) -> URL | None:
    url = make_url(where) if "://" in where else None
    if url is None or not url.drivername.startswith("postgres"):
        return None
    return url.set(drivername="postgresql+psycopg2")


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _base(where: str) -> Path:
    """Return the folder that a database's files lie in."""
    if "://" not in where:
        return Path(where)
    return Path(make_url(where).database or "").parent


def _sqlite_files(where: str) -> Iterator[tuple[Path, Path]]:
    """Yield the SQLite files of an address, or below a folder, with the folder that their names start from."""
    base = _base(where)
    if "://" in where:
        path = Path(make_url(where).database or "")
        if path.is_file() and path.stat().st_size:
            yield base, path
        return
    for path in sorted(base.rglob("*.db")):
        yield base, path


def _run(tool: str, *arguments: str) -> None:
    if shutil.which(tool) is None:
        raise UsageError(
            f"{tool} is not on this machine: install PostgreSQL's client tools of the server's version or newer."
        )
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"{tool} failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def _described(path: Path, base: Path) -> dict[str, Any]:
    return {"path": path.relative_to(base).as_posix(), "bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _shown(where: str) -> str:
    return make_url(where).render_as_string(hide_password=True) if "://" in where else where
