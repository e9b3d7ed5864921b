"""A house with two datasets that are up to date, given anew to every scenario."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import copy_database, postgres_server
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
def _server(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A PostgreSQL server where it is asked for."""
    if not request.config.getoption("--on-postgresql"):
        yield None
        return
    with postgres_server() as address:
        yield address


@pytest.fixture(scope="session")
def _template(_folder: Path, _server: str | None, publisher: Publisher) -> Path:
    """The state after two new datasets were brought up to date: `alpha` of an IPT, `beta` a local file."""
    home = _folder / "home"
    home.mkdir()
    furnish(home, copy_database(_server, "template1", "dagster") if _server else None)
    registry = copy_database(_server, "template1", "registry") if _server else None
    with automated_house(home, registry) as house:
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
    for name in ("dagster", "registry") if _server else ():
        copy_database(_server, name, f"{name}_template")
    return template


@pytest.fixture
def house(_folder: Path, _template: Path, _server: str | None, publisher: Publisher) -> Iterator[AutomatedHouse]:
    """The two datasets, up to date, and a publisher that is up."""
    home = _folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(_template, home)
    registry = None
    if _server:
        copy_database(_server, "dagster_template", "dagster")
        registry = copy_database(_server, "registry_template", "registry")
    publisher.down, publisher.busy, publisher.feed, publisher.validators = False, None, True, True
    publisher.versions.clear()
    publisher.publish("alpha", 0, 40)
    publisher.requests.clear()
    with automated_house(home, registry) as opened:
        yield opened
