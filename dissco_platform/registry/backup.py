"""Copies of a whole registry in one file, to be restored into SQLite or PostgreSQL whichever it came from.

A zip of one Parquet file a table and a manifest. It holds the minting key, hence is readable by its owner alone; what
the registry can find again by itself (copies of Dagster's records, the pace) is left out. Documents are in the store and
are not copied: parts are immutable, any copy of the store's `published` folder taken afterwards holds them.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from sqlalchemy import Boolean, Connection, Float, Integer, Table, delete, func, inspect, select, text

from dissco_platform.errors import RegistryError, UsageError
from dissco_platform.registry.bulk import frames, insert_frame
from dissco_platform.registry.engine import Registry, now
from dissco_platform.registry.tables import mapping_version, metadata, pace, recorded

FORMAT = "dissco-registry-1"
_LEFT_OUT = {recorded.name, mapping_version.name, pace.name}
# What happened is added to and never changed; the database itself refuses to delete it.
_STAYS = ("audit", "application_event", "allocation_round", "allocation_grant")
TABLES = [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]
_ROWS = 200_000


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself: when it was made, by which schema, how many rows of each table."""

    made: str
    revision: str
    rows: dict[str, int]


def backup(registry: Registry, target: Path) -> Manifest:
    """Write a backup of one consistent view; nobody is kept from writing meanwhile.

    Raises:
        UsageError: the target is there already, or cannot be written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already; a backup never replaces another.")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    rows: dict[str, int] = {}
    try:
        with (
            tempfile.TemporaryDirectory(dir=target.parent) as folder,
            os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
            _one_view(registry) as connection,
        ):
            revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            for table in TABLES:
                place = Path(folder) / f"{table.name}.parquet"
                rows[table.name] = _write(connection, table, place)
                archive.write(place, place.name)
                place.unlink()
            manifest = Manifest(now(), revision, rows)
            archive.writestr("manifest.json", json.dumps({"format": FORMAT, **vars(manifest)}, indent=2))
        partial.rename(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror or error}).") from error
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        UsageError: it is not a backup of a registry.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            said = json.loads(archive.read("manifest.json"))
        if said.pop("format") != FORMAT:
            raise KeyError("format")
        return Manifest(**said)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{source} is not a backup of a registry ({error}).") from error


def restore(registry: Registry, source: Path, *, replace: bool = False) -> Manifest:
    """Fill an empty registry from a backup, in one transaction.

    Args:
        registry: where to.
        source: the backup.
        replace: delete what the registry holds first.

    Raises:
        UsageError: it is no backup, or the registry holds datasets and shall not be replaced.
        RegistryError: the backup is of a newer schema.
    """
    manifest = read_manifest(source)
    with registry.write() as connection:
        revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
        if manifest.revision > revision:
            raise RegistryError(
                f"{source} is of schema {manifest.revision}, newer than this software's ({revision}); install that version."
            )
        if not replace and is_filled(connection):
            raise UsageError("The registry holds datasets already; restoring replaces all of it: say so with --yes.")
        for table in reversed(TABLES):
            if not _has_rows(connection, table):
                continue
            if table.name in _STAYS:
                raise UsageError(
                    f"The registry's {table.name} is never deleted, hence it cannot be replaced: restore into a new "
                    "database and let DISSCO_REGISTRY name it."
                )
            connection.execute(delete(table))
        with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory() as folder:
            for table in TABLES:
                name = f"{table.name}.parquet"
                if name in archive.namelist():
                    _read(connection, table, Path(archive.extract(name, folder)))
        for table in TABLES:
            _continue_numbers(connection, table)
        for name, count in manifest.rows.items():
            there = connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
            if there != count:
                raise RegistryError(
                    f"{source} is damaged: {there} rows of {name} instead of {count}; nothing was changed."
                )
    return manifest


def is_filled(connection: Connection) -> bool:
    """Say whether a registry holds anything that a restore would replace."""
    return any(_has_rows(connection, table) for table in TABLES)


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table).limit(1)).first() is not None


@contextmanager
def _one_view(registry: Registry) -> Iterator[Connection]:
    """Yield a connection that sees one moment throughout."""
    with registry.read() as connection:
        # SQLite gives that to every transaction.
        yield connection if registry.is_sqlite else connection.execution_options(isolation_level="REPEATABLE READ")


def _schema(table: Table) -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type
        kinds[column.name] = (
            pl.Boolean
            if isinstance(kind, Boolean)
            else pl.Float64
            if isinstance(kind, Float)
            else pl.Int64
            if isinstance(kind, Integer)
            else pl.String
        )
    return kinds


def _write(connection: Connection, table: Table, place: Path) -> int:
    schema, count = _schema(table), 0
    query = select(*table.columns)
    with pq.ParquetWriter(place, pl.DataFrame(schema=schema).to_arrow().schema, compression="zstd") as writer:
        for frame in frames(connection, query, schema):
            writer.write_table(frame.to_arrow())
            count += frame.height
    return count


def _read(connection: Connection, table: Table, place: Path) -> None:
    for group in pq.ParquetFile(place).iter_batches(batch_size=_ROWS):
        frame = pl.from_arrow(group)
        assert isinstance(frame, pl.DataFrame)
        insert_frame(connection, table, frame)


def _continue_numbers(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows from where the restored ones end."""
    if connection.dialect.name != "postgresql" or "id" not in table.c:
        return
    if inspect(connection).get_columns(table.name)[0].get("autoincrement"):
        last = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last, true)"),
            {"name": table.name, "last": last or 1},
        )
