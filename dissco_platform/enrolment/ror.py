"""Where institutions are looked up in ROR: the data release (an index made of it once), or ROR's API.

Both answer the same questions (`Directory`): the record of an id, records that a Wikidata item or a name belongs to, and
suggestions for what somebody types. What a record means for the requirement is `organisations`.
Sources: ROR schema 2.1; ROR data release (doi:10.5281/zenodo.6347574); ROR REST API v2 (`query` searches names and external ids).
"""

import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from dissco_platform.errors import SourceError
from dissco_platform.http import HttpClient
from dissco_platform.opends.organisations import display_name
from dissco_platform.settings import Settings

_CHUNK = 4 * 2**20
_MOST_BYTES = 8 * 2**30
_LONGEST_QUERY = 100
SUGGESTIONS = 8
# Changes when the tables below do: an index made by other code is made again.
_LAYOUT = "1"


@dataclass(frozen=True, slots=True)
class Record:
    """What counts of a ROR record; `successor` and `country` (ISO 3166-1 alpha-2) may be unknown."""

    id: str
    name: str
    status: str
    country: str | None = None
    city: str | None = None
    successor: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the institution exists as such."""
        return self.status == "active"


class Directory(Protocol):
    """Where institutions can be looked up. Each method raises `SourceError` where it cannot be asked."""

    @property
    def source(self) -> str:
        """What was asked, in words for a report."""

    def get(self, identifier: str) -> Record | None:
        """Return the record of a ROR id (`https://ror.org/…`), or None."""

    def matching(self, item: str, name: str | None) -> tuple[Record, str] | None:
        """Return an active record that belongs to a Wikidata item or bears exactly a name, and which it is."""

    def suggest(self, text: str) -> list[Record]:
        """Return active institutions that somebody may mean who typed this, the likeliest first."""


def read_record(record: dict[str, Any]) -> Record:
    """Return what counts of a ROR record (schema 2).

    Raises:
        SourceError: it is no such record.
    """
    try:
        place: dict[str, Any] = next((found.get("geonames_details", {}) for found in record.get("locations", [])), {})
        successor = next(
            (found["id"] for found in record.get("relationships") or [] if found.get("type") == "successor"), None
        )
        return Record(
            str(record["id"]),
            display_name(record) or str(record["id"]),
            str(record["status"]),
            place.get("country_code"),
            place.get("name"),
            successor,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError("A record of ROR is not as its schema 2 says; take a current data release.") from error


class RorIndex:
    """The data release as an index in a SQLite file: names are found by their beginnings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as connection:
            (self.count,) = connection.execute("SELECT count(*) FROM record").fetchone()

    @property
    def source(self) -> str:
        """What was asked."""
        return f"{self.count:,} ROR records"

    def get(self, identifier: str) -> Record | None:
        """Return the record of a ROR id, or None."""
        with self._open() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM record WHERE id = ?", (identifier,)).fetchone()
        return Record(*row) if row else None

    def matching(self, item: str, name: str | None) -> tuple[Record, str] | None:
        """Return an active record that belongs to a Wikidata item or bears exactly a name, and which it is."""
        query = (
            f"SELECT {_COLUMNS} FROM record JOIN {{0}} ON {{0}}.record = id WHERE {{0}}.value = ? AND status = 'active'"
        )
        with self._open() as connection:
            for table, value, how in (
                ("wikidata", item, "links to this Wikidata item"),
                ("name", folded(name or ""), "has the same name"),
            ):
                row = connection.execute(query.format(table), (value,)).fetchone() if value else None
                if row:
                    return Record(*row), how
        return None

    def suggest(self, text: str) -> list[Record]:
        """Return active institutions by the words of a name, the likeliest first."""
        words = folded(text[:_LONGEST_QUERY]).replace('"', " ").split()
        if not words:
            return []
        match = " ".join(f'"{word}"*' for word in words)
        # Each name of a record has a rank of its own; FTS5 gives ranks to no grouped query, hence the inner one.
        query = (
            f"SELECT {_COLUMNS} FROM record JOIN (SELECT found, min(score) AS best FROM "
            "(SELECT record AS found, rank AS score FROM words WHERE words MATCH ?) GROUP BY found ORDER BY best LIMIT 200) "
            "ON found = record.id WHERE status = 'active' ORDER BY best, length(record.name), record.id LIMIT ?"
        )
        with self._open() as connection:
            rows = connection.execute(query, (match, SUGGESTIONS)).fetchall()
        return [Record(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True)) as connection:
            yield connection


_COLUMNS = "record.id, record.name, record.status, record.country, record.city, record.successor"


@dataclass(frozen=True)
class RorApi:
    """ROR's API at `base`, for example https://api.ror.org/v2."""

    base: str
    http: HttpClient

    @property
    def source(self) -> str:
        """What was asked."""
        return "ROR's records"

    def get(self, identifier: str) -> Record | None:
        """Return the record of a ROR id, or None."""
        try:
            return read_record(self._ask(f"/organizations/{identifier.rsplit('/', 1)[-1]}"))
        except SourceError as error:
            if " answered 404 " in str(error):
                return None
            raise

    def matching(self, item: str, name: str | None) -> tuple[Record, str] | None:
        """Return an active record that belongs to a Wikidata item or bears exactly a name, and which it is."""
        for text, how in ((item, "links to this Wikidata item"), (name, "has the same name")):
            for found in self._search(text) if text else ():
                record = read_record(found)
                linked = any(
                    entry.get("type") == "wikidata" and item in entry.get("all", [])
                    for entry in found.get("external_ids") or []
                )
                if record.is_active and (linked if text == item else folded(text or "") in set(_names(found))):
                    return record, how
        return None

    def suggest(self, text: str) -> list[Record]:
        """Return active institutions by the words of a name, the likeliest first."""
        if not text.strip():
            return []
        found = [read_record(record) for record in self._search(text[:_LONGEST_QUERY])]
        return [record for record in found if record.is_active][:SUGGESTIONS]

    def _search(self, text: str) -> list[dict[str, Any]]:
        found = self._ask(f"/organizations?{urlencode({'query': text})}").get("items", [])
        return [record for record in found if isinstance(record, dict)]

    def _ask(self, path: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            got = self.http.fetch(self.base.rstrip("/") + path, Path(folder), trusted=True)
            try:
                answer = orjson.loads(got.path.read_bytes())
            except orjson.JSONDecodeError as error:
                raise SourceError(f"{self.base} did not answer with JSON; is it ROR's API?") from error
        if not isinstance(answer, dict):
            raise SourceError(f"{self.base} did not answer as ROR's API does.")
        return answer


def directory(settings: Settings, http: HttpClient | None = None) -> Directory | None:
    """Return where the settings say that institutions are looked up; see `find_directory`."""
    return find_directory(settings.ror_dump, settings.ror_api, settings.home, http)


def find_directory(
    dump: Path | None, api: str | None, folder: Path, http: HttpClient | None = None
) -> Directory | None:
    """Return where institutions are looked up: the dump, else the API, else None (nothing can be said).

    Raises:
        SourceError: the dump is absent or none.
    """
    if dump is not None:
        return open_index(dump, folder)
    if api is not None:
        slow = HttpClient(max_bytes=2**23, timeout=15, trusted_hosts=http.trusted_hosts if http else ())
        return RorApi(api, slow)
    return None


def official_name(identifier: str, asked: Directory | None) -> str | None:
    """Return the name of the institution that a ROR or Wikidata id means; None where nobody can be asked, or nobody knows.

    A look-up stops nothing: the dataset then goes by its publisher's name, or by its records' institution code.
    """
    if asked is None:
        return None
    try:
        if identifier.startswith("https://ror.org/"):
            record = asked.get(identifier)
        else:
            found = asked.matching(identifier.rsplit("/", 1)[-1], None)
            record = found[0] if found else None
    except SourceError:
        return None
    return record.name if record else None


def open_index(dump: Path, folder: Path) -> RorIndex:
    """Return the index of a data release, made in `folder` once for each file.

    Raises:
        SourceError: the file is absent or no ROR dump.
    """
    try:
        stat = dump.stat()
    except OSError as error:
        raise SourceError(f"{dump} cannot be read ({error.strerror}); name ROR's data release.") from error
    return _index(dump.absolute(), folder.absolute(), f"{stat.st_size:x}-{stat.st_mtime_ns:x}-{_LAYOUT}")


@cache
def _index(dump: Path, folder: Path, name: str) -> RorIndex:
    path = folder / f"ror-{name}.sqlite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            made = Path(aside) / "ror.sqlite"
            _build(dump, made)
            made.replace(path)
        for old in folder.glob("ror-*.sqlite"):
            if old != path:
                old.unlink(missing_ok=True)
    return RorIndex(path)


def _build(dump: Path, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            CREATE TABLE record (id TEXT PRIMARY KEY, name TEXT, status TEXT, country TEXT, city TEXT, successor TEXT)
              WITHOUT ROWID;
            CREATE TABLE name (value TEXT, record TEXT);
            CREATE TABLE wikidata (value TEXT, record TEXT);
            CREATE VIRTUAL TABLE words USING fts5(value, record UNINDEXED, tokenize = 'unicode61 remove_diacritics 2');
            """
        )
        for found in read_records(dump):
            record = read_record(found)
            connection.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                (record.id, record.name, record.status, record.country, record.city, record.successor),
            )
            spelled = [entry["value"] for entry in found.get("names", [])]
            connection.executemany("INSERT INTO words VALUES (?, ?)", [(name, record.id) for name in spelled])
            connection.executemany("INSERT INTO name VALUES (?, ?)", [(name, record.id) for name in _names(found)])
            connection.executemany(
                "INSERT INTO wikidata VALUES (?, ?)",
                [
                    (item, record.id)
                    for entry in found.get("external_ids") or []
                    if entry.get("type") == "wikidata"
                    for item in entry.get("all", [])
                ],
            )
        connection.executescript("CREATE INDEX by_name ON name (value); CREATE INDEX by_item ON wikidata (value);")


def _names(record: dict[str, Any]) -> list[str]:
    """Return the folded names that say which institution it is: acronyms do not."""
    return [folded(entry["value"]) for entry in record.get("names", []) if "acronym" not in entry.get("types", [])]


def folded(text: str) -> str:
    """Return a name without what people write differently: case and spaces."""
    return " ".join(text.casefold().split())


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a data release one by one; the whole is 2 GB once it is read.

    Raises:
        SourceError: the file is absent or no ROR dump.
    """
    try:
        with _text(path) as file:
            yield from _values(file, path)
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is not a ROR dump ({error}); take the JSON file of ROR's data release.") from error


@contextmanager
def _text(path: Path) -> Iterator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as packed:
        inner = [found for found in packed.infolist() if found.filename.endswith(".json")]
        if not inner or inner[-1].file_size > _MOST_BYTES:
            raise SourceError(f"{path} holds no JSON file of ROR records that can be read.")
        with packed.open(inner[-1]) as file:
            yield file


def _values(file: IO[bytes], path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON array, or of a single object or an API's answer with `items`."""
    decoder, kept, rest = json.JSONDecoder(), b"", ""
    start = file.read(_CHUNK)
    if start.lstrip()[:1] == b"{":
        try:
            whole = orjson.loads(start + file.read(_CHUNK))
        except orjson.JSONDecodeError as error:
            raise SourceError(
                f"{path} is not a ROR dump ({error}); take the JSON file of ROR's data release."
            ) from error
        yield from (_record(found, path) for found in whole.get("items", [whole]))
        return
    if start.lstrip()[:1] != b"[":
        raise SourceError(f"{path} is not a ROR dump: it is no list of organisation records with an id.")
    chunk = start.lstrip()[1:]
    while True:
        # A chunk may end inside a character: what cannot be decoded yet is kept for the next.
        data = kept + chunk
        cut = len(data) if not chunk else _whole(data)
        rest, kept = rest + data[:cut].decode(), data[cut:]
        place = 0
        while True:
            while place < len(rest) and rest[place] in " \t\r\n,":
                place += 1
            if place == len(rest) or rest[place] == "]":
                break
            try:
                found, place = decoder.raw_decode(rest, place)
            except json.JSONDecodeError as error:
                if not chunk:
                    raise SourceError(f"{path} is not a ROR dump ({error}).") from error
                break
            yield _record(found, path)
        rest = rest[place:]
        if not chunk:
            if rest[:1] != "]":
                raise SourceError(f"{path} is not a ROR dump: it ends in the middle, download it again.")
            return
        chunk = file.read(_CHUNK)


def _whole(data: bytes) -> int:
    """Return the length without an unfinished UTF-8 character at the end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if size == back else len(data) - back
    return len(data)


def _record(found: object, path: Path) -> dict[str, Any]:
    if not isinstance(found, dict) or "id" not in found:
        raise SourceError(f"{path} is not a ROR dump: it is no list of organisation records with an id.")
    return found
