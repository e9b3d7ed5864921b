"""Small archives made on the spot."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.archives.model import DEFAULT_LIMITS, Limits, ParsedArchive
from dissco_platform.archives.reading import read_any


@dataclass
class Read:
    """An archive that was read, and where its tables are."""

    parsed: ParsedArchive
    out: Path

    def table(self, name: str = "records") -> pl.DataFrame:
        return pl.read_parquet(self.out / f"{name}.parquet")


Make = Callable[[dict[str, str | bytes]], Path]
Reader = Callable[..., Read]


@pytest.fixture
def make_zip(tmp_path: Path) -> Make:
    """Write a zip of the given members and return its path."""

    def make(members: dict[str, str | bytes]) -> Path:
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return make


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read an archive into a folder of its own."""
    number = 0

    def run(path: Path, limits: Limits = DEFAULT_LIMITS, *, any_core: bool = False) -> Read:
        nonlocal number
        number += 1
        out = tmp_path / f"tables-{number}"
        out.mkdir()
        parsed = read_any(path, out, limits=limits, any_core=any_core)
        for report in parsed.files:
            assert report.rows_read == report.rows_parsed + report.rows_rejected
        return Read(parsed, out)

    return run
