"""A house with two datasets that are up to date, given anew to every scenario."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sensors.house import FULL, AutomatedHouse, automated_house, furnish
from tests.sensors.publisher import Publisher, publishing, write_archive

# Dagster's SQLite commits every event: on a disk, one run takes twice as long.
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dissco-automation-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def publisher(_folder: Path) -> Iterator[Publisher]:
    """An IPT with one resource, `alpha`."""
    (_folder / "published").mkdir()
    with publishing(_folder / "published") as serving:
        serving.publish("alpha", 0, 40)
        yield serving


@pytest.fixture(scope="session")
def _template(_folder: Path, publisher: Publisher) -> Path:
    """The state after two new datasets were brought up to date: `alpha` of an IPT, `beta` a local file."""
    home = _folder / "home"
    home.mkdir()
    furnish(home)
    with automated_house(home) as house:
        house.checklist()
        house.add("alpha", publisher.source("alpha"))
        write_archive(house.home / "beta.zip", 100, 30)
        house.add("beta", str(house.home / "beta.zip"))
        ran = house.settle()
        assert [(run.slug, run.assets, run.cause, run.success) for run in ran] == [
            ("alpha", FULL, "new dataset", True),
            ("beta", FULL, "new dataset", True),
        ]
        assert [run.rendered for run in ran] == [40, 30]
        house.look()
    template = _folder / "template"
    shutil.copytree(home, template)
    return template


@pytest.fixture
def house(_folder: Path, _template: Path, publisher: Publisher) -> Iterator[AutomatedHouse]:
    """The two datasets, up to date, and a publisher that is up."""
    home = _folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(_template, home)
    publisher.down, publisher.feed, publisher.validators = False, True, True
    publisher.versions.clear()
    publisher.publish("alpha", 0, 40)
    publisher.requests.clear()
    with automated_house(home) as opened:
        yield opened
