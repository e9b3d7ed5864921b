"""What reading an archive gives back and what bounds it: `Limits`, `FileReport`, `ParsedArchive`.

The columns of the tables themselves are in `tables.py`; who fills these classes is `dwca.py`, `abcd.py` and
`datapackage.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Progress = Callable[[str, int], None]
"""Called as `progress(table, rows so far)` after each block; may raise to stop the reading."""

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds on what a stranger's archive may make us do. Sizes in bytes unless said otherwise.

    The ratio rule follows what honest tables reach: tab-separated text compresses up to 60 times, a bomb 1,000 times.
    """

    max_members: int = 10_000
    max_total: int = 200 * 1024 * MEBIBYTE
    max_member: int = 100 * 1024 * MEBIBYTE
    max_ratio: float = 200.0
    ratio_floor: int = 100 * MEBIBYTE
    """Members smaller than this are not judged by their ratio."""
    max_document: int = 20 * MEBIBYTE
    """A descriptor or metadata document (read whole)."""
    max_columns: int = 2_000
    max_cell: int = MEBIBYTE
    max_record: int = 8 * MEBIBYTE
    """One row of a delimited file, line breaks inside quotes included."""
    max_rows: int | None = None
    block: int = 8 * MEBIBYTE
    """Bytes of text parsed at a time."""
    row_group: int = 100_000
    """Rows a Parquet row group."""
    max_raw: int = 10_000
    """Characters of a rejected row that are kept."""


DEFAULT_LIMITS = Limits()


@dataclass
class FileReport:
    """What became of one file: always `rows_read == rows_parsed + rows_rejected`.

    Rows are data rows: header lines and empty lines are not rows. `flags` are stable codes of what was unusual.
    """

    name: str
    table: str
    encoding: str = "UTF-8"
    rows_read: int = 0
    rows_parsed: int = 0
    rows_rejected: int = 0
    flags: list[str] = field(default_factory=list)

    def flag(self, code: str) -> None:
        """Note `code` once."""
        if code not in self.flags:
            self.flags.append(code)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {
            "name": self.name,
            "table": self.table,
            "encoding": self.encoding,
            "rows_read": self.rows_read,
            "rows_parsed": self.rows_parsed,
            "rows_rejected": self.rows_rejected,
            "flags": list(self.flags),
        }


@dataclass(frozen=True)
class ParsedArchive:
    """One archive, read: where its tables are and what was counted.

    `rejects` counts core rows set aside by reason, `extension_rejects` rows of extensions (by reason; the table is in
    `rejects.parquet`). `columns` names each written table's columns. `data_version` is a hash of the content: the
    order of rows, files and columns does not enter it.
    """

    kind: str
    files: list[FileReport]
    records: int
    rejects: dict[str, int]
    extension_rejects: dict[str, int]
    metadata: dict[str, Any]
    flags: list[str]
    columns: dict[str, list[str]]
    data_version: str
    core: str = ""
    """Row type of the core as a CURIE, e.g. `dwc:Occurrence`; empty for ABCD."""
    path: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON-able values (without the path)."""
        return {
            "kind": self.kind,
            "core": self.core,
            "files": [report.to_json() for report in self.files],
            "records": self.records,
            "rejects": self.rejects,
            "extension_rejects": self.extension_rejects,
            "metadata": self.metadata,
            "flags": self.flags,
            "columns": self.columns,
            "data_version": self.data_version,
        }
