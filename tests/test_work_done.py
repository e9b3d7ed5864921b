"""How much work is done, in counts and never in seconds: what grows with change must not grow with size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, event

from benchmarks.archives.generate import Change, Dirt, generate
from benchmarks.stages import documents, enrol, make_index, names, publish, read
from dissco_platform.registry import bulk

SIZES = (300, 1_200)
NO_DIRT = Dirt(0, 0, 0, 0, 0, 0)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Yield [statements, rows sent with them] of all databases while the block lasts."""
    work = [0, 0]

    def before(
        _connection: object, _cursor: object, statement: str, parameters: object, _context: object, many: bool
    ) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            work[0] += 1
            work[1] += len(parameters) if many and isinstance(parameters, list) else 1

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield work
    finally:
        event.remove(Engine, "before_cursor_execute", before)


@contextmanager
def entered() -> Iterator[dict[str, int]]:
    """Yield how many rows of each table are inserted or updated in bulk while the block lasts."""
    rows: dict[str, int] = {}
    execute = bulk._execute_many

    def count(cursor: Any, frame: pl.DataFrame, statement: Callable[[str], str]) -> None:
        table = statement("").removeprefix("INSERT INTO ").removeprefix("UPDATE ").split()[0]
        rows[table] = rows.get(table, 0) + frame.height
        execute(cursor, frame, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_execute_many", count)
        yield rows


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("checklist"))


def edition(
    home: Path, name: str, records: int, number: int, change: Change, index: Path, previous: str | None
) -> dict[str, int]:
    """Take an edition through the chain; return the work that was done."""
    archive = home / f"{name}.zip"
    facts = generate(archive, records, edition=number, dirt=NO_DIRT, change=change)
    read(home, archive, name)
    harmonised = names(home, name, index, previous)
    built = documents(home, name, previous)
    with counted() as work, entered() as entries:
        published = publish(home, name)
    return {
        "changed_upstream": facts.get("changed", 0),
        "matched": harmonised["distinct_names"] - harmonised["kept"],
        "rendered": built["rendered"],
        "document_bytes": built["document_bytes"],
        "versions": published["new"] + published["changed"],
        "statements": work[0],
        "rows": work[1],
        "published_bytes": published["bytes"],
        "objects_written": entries.get("digital_object", 0),
        "versions_written": entries.get("version", 0),
    }


@pytest.fixture(scope="module", params=SIZES)
def work(
    request: pytest.FixtureRequest, index: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, int]]:
    home, size = tmp_path_factory.mktemp("chain"), request.param
    enrol(home)
    return {
        "first": edition(home, "first", size, 1, Change(), index, None),
        "unchanged": edition(home, "unchanged", size, 2, Change(0, 0, 0), index, "first"),
        "changed": edition(home, "changed", size, 3, Change(0.02, 0, 0), index, "unchanged"),
        "size": {"records": size},
    }


def test_only_changed_records_are_rendered_and_get_a_version(work: dict[str, dict[str, int]]) -> None:
    size = work["size"]["records"]
    assert work["first"]["rendered"] == work["first"]["versions"] == size
    assert work["unchanged"]["rendered"] == work["unchanged"]["versions"] == work["unchanged"]["matched"] == 0
    assert work["first"]["matched"] > 0 == work["changed"]["matched"]  # places changed, not names
    assert 0 < work["changed"]["changed_upstream"] < 0.05 * size
    assert work["changed"]["rendered"] == work["changed"]["versions"] == work["changed"]["changed_upstream"]


def test_an_unchanged_edition_writes_no_document_and_hardly_a_row(work: dict[str, dict[str, int]]) -> None:
    assert work["unchanged"]["published_bytes"] == 0
    assert work["unchanged"]["rows"] <= 60
    assert work["changed"]["document_bytes"] < 0.2 * work["first"]["document_bytes"]


def test_statements_do_not_grow_with_the_dataset(work: dict[str, dict[str, int]]) -> None:
    assert work["first"]["statements"] <= 120
    assert work["unchanged"]["statements"] <= 60
    assert work["changed"]["statements"] <= 90
    assert work["changed"]["rows"] <= 40 + 12 * work["changed"]["rendered"]


def test_an_object_is_written_once_for_each_of_its_versions(work: dict[str, dict[str, int]]) -> None:
    for name in ("first", "unchanged", "changed"):
        assert work[name]["objects_written"] == work[name]["versions_written"] >= work[name]["versions"]
    assert work["first"]["objects_written"] > work["size"]["records"]  # media as well
    assert work["unchanged"]["objects_written"] == 0
