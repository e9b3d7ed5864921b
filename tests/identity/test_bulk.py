"""What is entered in bulk is held to the same rules as what is entered row by row."""

from collections.abc import Callable

import polars as pl
import pytest
from sqlalchemy import func, insert, select

from dissco_platform.errors import RegistryError
from dissco_platform.registry import Registry, bulk
from dissco_platform.registry import objects as registered
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.tables import digital_object

ROWS = 2_500  # more than one statement has, and more than are checked one by one
TIME = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def moths(enrol: Callable[[str], Dataset]) -> str:
    return enrol("moths").slug


def objects(slug: str, states: list[str], first: int = 1) -> pl.DataFrame:
    """Return rows of digital objects with the given states."""
    number = pl.int_range(first, first + len(states), eager=True)
    constant = {"kind": "specimen", "dataset": slug, "attempt": 0, "doi_only": False, "version": 1, "missed": 0}
    constant |= {"content_hash": "", "visible_hash": "", "doi_state": "pending", "created": TIME, "modified": TIME}
    return pl.DataFrame({"id": number, "identity_key": number.cast(pl.String), "state": states}).with_columns(
        pl.lit(value).alias(name) for name, value in constant.items()
    )


def count(registry: Registry) -> int:
    with registry.read() as connection:
        return connection.execute(select(func.count()).select_from(digital_object)).scalar_one()


@pytest.mark.parametrize(
    "states",
    [["lost"] * ROWS, ["active"] * (ROWS - 1) + ["lost"], ["lost"] + ["active"] * (ROWS - 1)],
    ids=["all", "the last", "the first"],
)
def test_a_state_that_there_is_not_is_refused_wherever_it_stands(
    registry: Registry, moths: str, states: list[str]
) -> None:
    with pytest.raises(RegistryError), registry.write() as connection:
        bulk.insert_frame(connection, digital_object, objects(moths, states))
    assert count(registry) == 0


def test_what_follows_rows_that_were_checked_once_is_checked_again(registry: Registry, moths: str) -> None:
    with registry.write() as connection:
        bulk.insert_frame(connection, digital_object, objects(moths, ["active"] * ROWS))
    assert count(registry) == ROWS
    for first in (1, 2):  # statements of the same text are kept ready by the driver
        with pytest.raises(RegistryError), registry.write() as connection:
            rows = objects(moths, ["active"] * ROWS, first * ROWS + 1)
            bulk.insert_frame(connection, digital_object, rows)
            connection.execute(insert(digital_object), rows.with_columns(state=pl.lit("lost")).row(0, named=True))
        with pytest.raises(RegistryError), registry.write() as connection:
            rows = objects(moths, [*["active"] * (ROWS - 1), "lost"], first * ROWS + 1)
            bulk.insert_frame(connection, digital_object, rows)
    assert count(registry) == ROWS


def test_checks_are_on_again_after_rows_that_were_refused_for_another_reason(registry: Registry, moths: str) -> None:
    twice = objects(moths, ["active"] * ROWS).with_columns(identity_key=pl.lit("one"))
    with registry.write() as connection:
        savepoint = connection.begin_nested()
        with pytest.raises(connection.dialect.loaded_dbapi.IntegrityError):
            bulk.insert_frame(connection, digital_object, twice)
        savepoint.rollback()
        with pytest.raises(connection.dialect.loaded_dbapi.IntegrityError):
            bulk.insert_frame(connection, digital_object, objects(moths, [*["active"] * (ROWS - 1), "lost"]))
        connection.rollback()
    assert count(registry) == 0


@pytest.mark.parametrize("asked", [["BBB"], ["XXX", "BBB", "YYY", "AAA", "ZZZ"], ["XXX", "YYY", "ZZZ", "WWW"]])
def test_suffixes_that_are_taken_are_found_among_fewer_and_among_more_objects(
    registry: Registry, moths: str, asked: list[str]
) -> None:
    rows = objects(moths, ["active"] * 3).with_columns(pl.Series("suffix", ["AAA", "BBB", None]))
    with registry.write() as connection:
        bulk.insert_frame(connection, digital_object, rows)
    with registry.read() as connection:
        taken = registered.taken_suffixes(connection, pl.Series("suffix", asked))
    assert sorted(taken) == sorted({"AAA", "BBB"} & set(asked))
