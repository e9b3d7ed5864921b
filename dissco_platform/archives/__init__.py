"""Archives: Darwin Core Archives, ABCD and data packages, read into Parquet tables with every row accounted for.

`read_archive` reads, `inspect_archive` reports. The tables are defined in `tables.py`. No network here (`http.py` and
BioCASe harvesting fetch), no meaning (`opends/` maps the tables to specimens).
"""

from pathlib import Path

from dissco_platform.archives.inspect import inspect_archive
from dissco_platform.archives.model import DEFAULT_LIMITS, FileReport, Limits, ParsedArchive, Progress
from dissco_platform.archives.reading import read_any

__all__ = ["DEFAULT_LIMITS", "FileReport", "Limits", "ParsedArchive", "inspect_archive", "read_archive"]


def read_archive(
    path: Path, out: Path, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> ParsedArchive:
    """Read an archive (file or folder) into the empty folder `out` as one Parquet file a table.

    Example:
        >>> parsed = read_archive(Path("crustacea.zip"), Path("tables"))  # doctest: +SKIP
        >>> parsed.records  # doctest: +SKIP
        31485

    Raises:
        ArchiveError: with a `reason` code, where it cannot be read at all or holds no specimens.
    """
    return read_any(path, out, limits=limits, progress=progress)
