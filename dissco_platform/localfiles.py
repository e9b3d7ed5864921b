"""Sources on the operator's own disk: what a path means, its hash, and a copy of it that does not change any more.

A file's hash is the SHA-256 of its bytes, a folder's that of its files' names and hashes. What comes over the network is
`http.py`; who may name a path is for the caller to say.
"""

import hashlib
import shutil
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dissco_platform.errors import SourceError


def local_path(source: str) -> Path | None:
    """Return the path that a source without `http(s)` scheme means, or None for an address.

    Raises:
        SourceError: its scheme is none that we know.
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme in {"http", "https"}:
        return None
    if scheme == "file":
        return Path(unquote(urlsplit(source).path))
    if scheme:
        raise SourceError(f"{source}: {scheme} addresses are not supported; give an http(s) address or a path.")
    return Path(source)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(path: Path) -> str:
    """Return the hash of a file or folder.

    Raises:
        SourceError: it does not exist or cannot be read.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the path.")
    if path.is_dir():
        return _folder_digest(path)
    try:
        return sha256_of(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            digest.update(f"{path.relative_to(folder)}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def take(path: Path, blobs: Path) -> tuple[Path, str, int]:
    """Copy a file or folder into the blobs, so that a run's input stays what it was; return the copy, SHA-256, bytes.

    Raises:
        SourceError: it does not exist or cannot be read.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the path.")
    building = blobs / f".local-{uuid.uuid4().hex}"
    try:
        if path.is_dir():
            shutil.copytree(path, building, symlinks=True)
            sha256, size = _folder_digest(building), sum(f.stat().st_size for f in building.rglob("*") if f.is_file())
        else:
            shutil.copyfile(path, building)
            sha256, size = sha256_of(building), building.stat().st_size
        target = blobs / sha256
        if target.exists():
            _remove(building)
        else:
            building.rename(target)
    except OSError as error:
        _remove(building)
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
    return target, sha256, size


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
