"""Content hashes: what makes two things the same thing.

Rows get a 128-bit fingerprint (the first 32 hexadecimal digits of BLAKE3 over their columns); a table's content version
is the order-free sum of its row fingerprints together with its schema, so that row order, row groups and compression
never make a new version. Where versions are recorded and compared is `sensors/reconcile.py`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson
import polars as pl
import polars_hash  # noqa: F401  registers the .chash and .nchash namespaces

FINGERPRINT_DIGITS = 32
_SEPARATOR = "\x1f"
_NULL = "\x00"


def fingerprint(columns: Sequence[str | pl.Expr]) -> pl.Expr:
    """Return a String expression of 32 hexadecimal digits over `columns` in the given order.

    A null and an empty string differ. Columns that are not strings are cast; lists must be joined by the caller.
    """
    if not columns:
        raise ValueError("a fingerprint needs at least one column")
    parts = [
        (pl.col(column) if isinstance(column, str) else column).cast(pl.String).fill_null(_NULL) for column in columns
    ]
    text = pl.concat_str(parts, separator=_SEPARATOR) if len(parts) > 1 else parts[0]  # not copied for nothing
    return text.chash.blake3().str.head(FINGERPRINT_DIGITS)  # type: ignore[attr-defined, no-any-return]


def text_version(*texts: str | bytes) -> str:
    """Return 32 hexadecimal digits over the given texts, in order."""
    digest = hashlib.blake2b(digest_size=FINGERPRINT_DIGITS // 2)
    for text in texts:
        encoded = text.encode() if isinstance(text, str) else text
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()


def json_version(value: object) -> str:
    """Return 32 hexadecimal digits over a JSON-able value, whatever the order of its keys."""
    return text_version(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum(fingerprints: pl.Series) -> int:
    total = fingerprints.to_frame("f").select(pl.col("f").nchash.xxh3_128().sum()).item()  # type: ignore[attr-defined]
    return int(total or 0)


class ContentVersion:
    """Order-free 128-bit sum of row fingerprints, fed in batches of any size.

    Example:
        >>> one, two = ContentVersion(), ContentVersion()
        >>> one.add("records", pl.Series(["ab", "cd"]))
        >>> two.add("records", pl.Series(["cd"]))
        >>> two.add("records", pl.Series(["ab"]))
        >>> one.hexdigest() == two.hexdigest()
        True
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}
        self._schemas: dict[str, str] = {}

    def add(self, table: str, fingerprints: pl.Series) -> None:
        """Add rows of `table` by their fingerprints (a String series without nulls)."""
        self._change(table, _sum(fingerprints), fingerprints.len())

    def remove(self, table: str, fingerprints: pl.Series) -> None:
        """Take rows out that were added; the version is then as if they never had been."""
        self._change(table, -_sum(fingerprints), -fingerprints.len())

    def join(self, other: "ContentVersion") -> None:
        """Add the rows of other tables, of which this one has none."""
        self._sums |= {table: found for table, found in other._sums.items() if found[1]}
        self._schemas |= other._schemas

    def count(self, table: str) -> int:
        """Return how many rows of a table were added."""
        return self._sums.get(table, (0, 0))[1]

    def only(self, table: str) -> "ContentVersion":
        """Return a version of one table's rows alone."""
        version = ContentVersion()
        if table in self._sums:
            version._sums[table] = self._sums[table]
        return version

    def include(self, other: "ContentVersion") -> None:
        """Add the rows of another version, to the same tables."""
        for table, (total, rows) in other._sums.items():
            self._change(table, total, rows)

    def _change(self, table: str, total: int, rows: int) -> None:
        old_total, old_rows = self._sums.get(table, (0, 0))
        self._sums[table] = ((old_total + total) % 2**128, old_rows + rows)

    def sums(self) -> dict[str, list[str]]:
        """Return what was added so far as plain data, for `resume`."""
        return {table: [f"{total:032x}", str(rows)] for table, (total, rows) in self._sums.items()}

    @classmethod
    def resume(cls, sums: Mapping[str, Sequence[str]]) -> "ContentVersion":
        """Return a version to which was added what `sums` says; schemas must be stated again."""
        version = cls()
        version._sums = {table: (int(total, 16), int(rows)) for table, (total, rows) in sums.items()}
        return version

    def schema(self, table: str, schema: Mapping[str, object] | Iterable[str]) -> None:
        """State a table's columns; part of the version, order included."""
        self._schemas[table] = _SEPARATOR.join(str(column) for column in schema)

    def hexdigest(self) -> str:
        """Return the version as 32 hexadecimal digits."""
        return json_version(
            {
                "sums": {table: f"{total:032x}/{rows}" for table, (total, rows) in self._sums.items()},
                "schemas": self._schemas,
            }
        )
