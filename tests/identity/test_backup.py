"""A backup holds all that cannot be made again, fits either database, and nothing is replaced unasked."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from dissco_platform.errors import UsageError
from dissco_platform.identity.sweeping import orphans, sweep
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.backup import TABLES, backup, restore
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.tables import audit
from tests.identity.museum import SPECIMEN, Museum, edition

AFTER_ALL = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    museum = Museum(registry, enrol("moths"), tmp_path)
    records = edition(1, 2, 3)
    records.media = {SPECIMEN.format(1): ["https://images.example/a.jpg"]}
    museum.publish(records)
    museum.publish(edition(1, 2, n1='quotes " and\nlines, äé'))
    return museum


def rows(registry: Registry) -> dict[str, int]:
    with registry.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
        }


def test_what_was_lost_is_there_again_and_goes_on_as_if_nothing_was(museum: Museum, tmp_path: Path) -> None:
    target = tmp_path / "registry.zip"
    manifest = backup(museum.registry, target)
    assert manifest.rows == rows(museum.registry)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600  # it holds the minting key
    other = Museum(open_registry(f"sqlite:///{tmp_path / 'other.sqlite'}"), museum.dataset(), tmp_path)
    restore(other.registry, target)
    assert rows(other.registry) == manifest.rows
    assert verify(other.registry, museum.store, "10.5555") == []
    other.edition = museum.edition + 10
    assert other.suffixes() == museum.suffixes()
    report = other.publish(edition(1, 2, 4, n1='quotes " and\nlines, äé', n4="elsewhere"))
    assert (report.unchanged, report.new, report.missing) == (2, 1, 1)
    again = museum.publish(edition(1, 2, 4, n1='quotes " and\nlines, äé', n4="elsewhere"))
    assert again.new == 1 and museum.suffixes() == other.suffixes()  # the same key gives the same DOI
    other.registry.close()


def test_a_backup_of_either_database_restores_into_this_one(museum: Museum, tmp_path: Path) -> None:
    there = open_registry(f"sqlite:///{tmp_path / 'other.sqlite'}")
    first = backup(museum.registry, tmp_path / "one.zip")
    restore(there, tmp_path / "one.zip")
    back = backup(there, tmp_path / "two.zip")
    assert back.rows == first.rows
    suffixes = museum.suffixes()
    museum.publish(edition(1, 2, 7, n7="elsewhere"))
    restore(museum.registry, tmp_path / "two.zip", replace=True)
    assert museum.suffixes() == suffixes
    assert (
        museum.publish(edition(1, 2, 8, n8="elsewhere")).new == 1
    )  # new rows are numbered from where the restored ones end
    there.close()


def test_a_registry_that_holds_something_is_not_replaced_unasked(museum: Museum, tmp_path: Path) -> None:
    target = tmp_path / "registry.zip"
    backup(museum.registry, target)
    before = rows(museum.registry)
    with pytest.raises(UsageError, match="say so with --yes"):
        restore(museum.registry, target)
    with pytest.raises(UsageError, match="is there already"):
        backup(museum.registry, target)
    assert rows(museum.registry) == before


def test_a_log_that_only_grows_is_not_replaced_at_all(museum: Museum, tmp_path: Path) -> None:
    target = tmp_path / "registry.zip"
    entry = {"time": "2026", "actor": "me", "action": "x", "subject": "y", "reason": "z", "details": "{}"}
    with museum.registry.write() as connection:
        connection.execute(insert(audit).values(**entry))
    backup(museum.registry, target)
    before = rows(museum.registry)
    with pytest.raises(UsageError, match="audit is never deleted"):
        restore(museum.registry, target, replace=True)
    assert rows(museum.registry) == before
    other = open_registry(f"sqlite:///{tmp_path / 'other.sqlite'}")
    restore(other, target)
    assert rows(other) == before
    other.close()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_backup_is_refused_in_a_sentence(content: bytes, registry: Registry, tmp_path: Path) -> None:
    target = tmp_path / "registry.zip"
    target.write_bytes(content)
    with pytest.raises(UsageError, match="is not a backup of a registry"):
        restore(registry, target)


def test_only_parts_that_nobody_names_are_swept(museum: Museum) -> None:
    parts = set(museum.store.parts())
    debris = museum.published / "2026-01-01T000000000Z-abcdefabcdef-specimen.parquet"
    debris.write_bytes(b"half")
    stranger = museum.published / "notes.parquet"
    stranger.write_bytes(b"kept")
    assert [finding.code for finding in verify(museum.registry, museum.store, "10.5555")] == ["orphan_part"]
    found = orphans(museum.registry, museum.store)
    assert found == [(museum.slug, debris.name)]
    assert orphans(museum.registry, museum.store, before=AFTER_ALL) == found
    sweep(museum.store, found)
    assert set(museum.store.parts()) == parts | {(museum.slug, stranger.name)}


def test_parts_of_a_publication_under_way_are_left_alone(museum: Museum) -> None:
    young = museum.published / f"{datetime.now(UTC).strftime('%Y-%m-%dT%H%M%S')}000Z-abcdefabcdef-specimen.parquet"
    young.write_bytes(b"half")
    assert orphans(museum.registry, museum.store) == []
