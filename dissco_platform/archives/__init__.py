"""Archives: Darwin Core Archives, ABCD and data packages, read into Parquet tables with every row accounted for.

`read_archive` reads, `inspect_archive` reports. The tables are defined in `tables.py`. No network here (`http.py` and
BioCASe harvesting fetch), no meaning (`opends/` maps the tables to specimens).
"""

from pathlib import Path

from dissco_platform.archives.abcd import abcd_members, read_abcd
from dissco_platform.archives.container import open_container
from dissco_platform.archives.dwca import read_dwca
from dissco_platform.archives.model import DEFAULT_LIMITS, FileReport, Limits, ParsedArchive, Progress

__all__ = ["DEFAULT_LIMITS", "FileReport", "Limits", "ParsedArchive", "read_archive"]


def read_archive(
    path: Path, out: Path, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> ParsedArchive:
    """Read an archive (file or folder) into the empty folder `out` as one Parquet file a table.

    Raises:
        ArchiveError: with a `reason` code, where it cannot be read at all.
    """
    with open_container(path, limits) as container:
        pages = abcd_members(container) if container.find("meta.xml") is None else []
        if pages:
            return read_abcd(container, pages, out, limits, progress)
        return read_dwca(container, out, limits, progress)
