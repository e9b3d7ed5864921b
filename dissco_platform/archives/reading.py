"""Which reader an archive needs: the one place that tells Darwin Core Archives, ABCD and data packages apart."""

from pathlib import Path

from dissco_platform.archives.abcd import abcd_members, read_abcd
from dissco_platform.archives.container import open_container
from dissco_platform.archives.datapackage import is_data_package, plan_package
from dissco_platform.archives.dwca import read_dwca, read_plan
from dissco_platform.archives.model import DEFAULT_LIMITS, Limits, ParsedArchive, Progress


def read_any(
    path: Path,
    out: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    any_core: bool = False,
) -> ParsedArchive:
    """Read an archive into the empty folder `out`; with `any_core` also checklists and other cores without specimens.

    Raises:
        ArchiveError: with a `reason` code.
    """
    with open_container(path, limits) as container:
        if is_data_package(container):
            return read_plan(container, plan_package(container, limits), out, limits, progress)
        if container.find("meta.xml") is None:
            pages = abcd_members(container)
            if pages:
                return read_abcd(container, pages, out, limits, progress)
        return read_dwca(container, out, limits, progress, any_core=any_core)
