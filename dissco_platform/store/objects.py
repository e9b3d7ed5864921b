"""Folders and files in object storage: written once, then named.

A folder's files are sent first, then the list that names them (`_files.json`: names and sizes). A folder whose list is not
there does not exist, however many of its files do, so a reader never meets half a table and nothing is listed to find one.
Multipart, connections and retries are the client's (`obstore`).
"""

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import orjson
from obstore.exceptions import BaseError
from obstore.store import from_url

from dissco_platform.errors import StoreError

FILES = "_files.json"

# A service that is away for a few minutes is waited for; one that is away for longer fails the run, which is tried again.
_RETRY = {
    "max_retries": 40,
    "retry_timeout": timedelta(minutes=5),
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=10), "base": 2},
}
_STREAMS = 4
_CHUNK = 8 * 2**20


@dataclass(frozen=True)
class Listed:
    """A name directly below a prefix, and when it was last written."""

    name: str
    modified: datetime


class Objects:
    """One bucket's prefix.

    Args:
        address: `s3://bucket/prefix`, `gs://…`, `az://…`; credentials come from the service's own environment
            variables (`AWS_ACCESS_KEY_ID` …) or the machine's role, never from settings.
        endpoint: address of an S3-compatible service that is not Amazon's.
    """

    def __init__(self, address: str, endpoint: str | None = None) -> None:
        self.address = address.rstrip("/")
        options: dict[str, Any] = {"retry_config": _RETRY}
        if endpoint:
            options["config"] = {"endpoint": endpoint, "virtual_hosted_style_request": False}
            options["client_options"] = {"allow_http": endpoint.startswith("http://")}
        try:
            self._store = from_url(self.address, **options)
        except (BaseError, ValueError) as error:
            raise StoreError(f"DISSCO_STORE {self.address} cannot be used: {_sentence(error)}.") from error

    def has(self, key: str) -> bool:
        """Say whether an object is there."""
        return self._size(key) is not None

    def has_folder(self, key: str) -> bool:
        """Say whether a complete folder is there."""
        return self.has(f"{key}/{FILES}")

    def send(self, path: Path, key: str) -> None:
        """Store a file; large ones go in parts."""
        self._call(obstore.put, key, path)

    def fetch(self, key: str, path: Path) -> bool:
        """Bring an object to `path` (under another name first); False where it is not there."""
        partial = path.with_name(f".fetching-{uuid.uuid4().hex}")
        try:
            with partial.open("wb") as handle:
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK):
                    handle.write(chunk)
            partial.replace(path)
        except FileNotFoundError:
            return False
        except BaseError as error:
            raise self._error(key, error) from error
        finally:
            partial.unlink(missing_ok=True)
        return True

    def send_folder(self, folder: Path, key: str) -> None:
        """Store a folder's files, then the list that names them."""
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILES)
        listed = [{"name": path.relative_to(folder).as_posix(), "size": path.stat().st_size} for path in files]
        with ThreadPoolExecutor(_STREAMS) as pool:
            list(pool.map(lambda path: self.send(path, f"{key}/{path.relative_to(folder).as_posix()}"), files))
        self._call(obstore.put, f"{key}/{FILES}", orjson.dumps({"files": listed}))

    def fetch_folder(self, key: str, folder: Path) -> bool:
        """Bring a folder's files into an empty `folder`, its list last; False where there is no such folder."""
        try:
            text = bytes(obstore.get(self._store, f"{key}/{FILES}").bytes())
        except FileNotFoundError:
            return False
        except BaseError as error:
            raise self._error(key, error) from error
        files = orjson.loads(text)["files"]

        def bring(file: dict[str, Any]) -> None:
            target = folder / file["name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            if not self.fetch(f"{key}/{file['name']}", target) or target.stat().st_size != file["size"]:
                raise StoreError(
                    f"{self.address}/{key}/{file['name']} is not the {file['size']} bytes that its list names; "
                    "materialise what made it again."
                )

        with ThreadPoolExecutor(_STREAMS) as pool:
            list(pool.map(bring, files))
        (folder / FILES).write_bytes(text)
        return True

    def remove_folder(self, key: str) -> None:
        """Remove a folder: its list first, so that it is gone at once, then its files."""
        self._call(obstore.delete, f"{key}/{FILES}", missing_is_fine=True)
        names = [item["path"] for item in self._walk(f"{key}/")]
        if names:
            self._call(obstore.delete, names, missing_is_fine=True)

    def remove(self, key: str) -> None:
        """Remove one file, if it is there."""
        self._call(obstore.delete, key, missing_is_fine=True)

    def folders(self, prefix: str) -> list[Listed]:
        """Return the complete folders directly below a prefix."""
        found = self._call(obstore.list_with_delimiter, f"{prefix}/")
        names = [str(path).rsplit("/", 1)[-1] for path in found["common_prefixes"]]
        with ThreadPoolExecutor(_STREAMS) as pool:
            times = list(pool.map(lambda name: self._modified(f"{prefix}/{name}/{FILES}"), names))
        return [Listed(name, time) for name, time in zip(names, times, strict=True) if time is not None]

    def incomplete(self, prefix: str) -> list[str]:
        """Return the names directly below a prefix that have files and no list: what killed processes left."""
        found = self._call(obstore.list_with_delimiter, f"{prefix}/")
        names = [str(path).rsplit("/", 1)[-1] for path in found["common_prefixes"]]
        return [name for name in names if self._modified(f"{prefix}/{name}/{FILES}") is None]

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below a prefix (empty: all)."""
        for item in self._walk(f"{prefix}/" if prefix else ""):
            yield str(item["path"])

    def _walk(self, prefix: str) -> Iterable[Any]:
        try:
            for chunk in obstore.list(self._store, prefix):
                yield from chunk
        except BaseError as error:
            raise self._error(prefix, error) from error

    def _size(self, key: str) -> int | None:
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise self._error(key, error) from error

    def _modified(self, key: str) -> datetime | None:
        try:
            return obstore.head(self._store, key)["last_modified"]
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise self._error(key, error) from error

    def _call(self, function: Any, *arguments: Any, missing_is_fine: bool = False) -> Any:
        try:
            return function(self._store, *arguments)
        except FileNotFoundError as error:  # of a write: the bucket
            if missing_is_fine:
                return None
            raise self._error(str(arguments[0]), error) from error
        except BaseError as error:
            raise self._error(str(arguments[0]), error) from error

    def _error(self, key: str, error: Exception) -> StoreError:
        return StoreError(f"The object store {self.address} failed at {key}: {_sentence(error)}.")


def _sentence(error: Exception) -> str:
    """Return the client's own first line: what follows it is its source code's view."""
    return str(error).strip().splitlines()[0].rstrip(". ") if str(error).strip() else type(error).__name__
