"""What the stages of the chain are held against: what the machine needs for the bytes alone, and how it is done elsewhere.

Each function is one measurement in a process of its own (`stages` takes the turns): a dataset's home after a first load, or an
archive.
"""

import hashlib
import json
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from benchmarks.measuring import folder_bytes

SLUG = "benchmark"
SAMPLE = 2_000  # documents for peers that take a millisecond or more each


# --- limits: what the machine needs for the bytes alone ------------------------------------------------------------


def limit_inflate(archive: Path) -> dict[str, Any]:
    """Inflate the archive."""
    total = 0
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            with zipped.open(info) as member:
                while block := member.read(2**20):
                    total += len(block)
    return {"bytes": total}


def limit_hash(archive: Path) -> dict[str, Any]:
    """Inflate and hash (SHA-256)."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            with zipped.open(info) as member:
                while block := member.read(2**20):
                    digest.update(block)
    return {"digest": digest.hexdigest()[:8]}


def limit_parquet(home: Path) -> dict[str, Any]:
    """Write the parsed tables as Parquet again, from memory (reading them is part of the cost)."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        for path in sorted((home / "parsed-first").glob("*.parquet")):
            pl.read_parquet(path).write_parquet(Path(folder) / path.name)
        return {"bytes": folder_bytes(Path(folder))}


def limit_documents(home: Path) -> dict[str, Any]:
    """Hash every document and write it as Parquet again (reading them is part of the cost)."""
    from dissco_platform.opends.outputs import DOCUMENTS
    from dissco_platform.opends.spill import ParquetOut
    from dissco_platform.provenance import fingerprint

    with tempfile.TemporaryDirectory(dir=home) as folder:
        for path in sorted((home / "store" / "documents" / SLUG / "first").glob("*.parquet")):
            out = ParquetOut(Path(folder) / path.name, DOCUMENTS, 1_000, texts=("content", "relationships"))
            scan = pl.scan_parquet(path)
            for start in range(0, scan.select(pl.len()).collect().item(), 10_000):
                frame = scan.slice(start, 10_000).collect()
                frame.select(fingerprint(["content", "relationships"]))
                out.write(frame)
            out.close()
        return {"bytes": folder_bytes(Path(folder))}


def limit_json(home: Path) -> dict[str, Any]:
    """Read every document as JSON and write it again."""
    count = 0
    for path in sorted((home / "store" / "documents" / SLUG / "first").glob("*.parquet")):
        for frame in pl.scan_parquet(path).select("content").collect().iter_slices(10_000):
            for text in frame["content"]:
                count += len(orjson.dumps(orjson.loads(text))) > 0
    return {"documents": count}


# --- peers: how it is done elsewhere ---------------------------------------------------------------------------------


def peer_read(archive: Path) -> dict[str, Any]:
    """python-dwca-reader: iterate the core rows with their extension rows; nothing is written."""
    from dwca.read import DwCAReader

    count = 0
    with DwCAReader(str(archive)) as opened:
        for row in opened:
            count += bool(row.data) + 0 * len(row.extensions)
    return {"records": count}


def peer_names(home: Path) -> dict[str, Any]:
    """gbif-name-parser: parse the distinct names one by one; nothing is matched."""
    import nameparser

    distinct = pl.read_parquet(home / "names-first" / "names.parquet", columns=["dwc:scientificName"]).to_series()
    done = 0
    for name in distinct.drop_nulls().unique():
        try:
            nameparser.parse(name, None, None, None)
        except nameparser.UnparsableNameError:
            continue
        done += 1
    return {"names": done}


def peer_documents(home: Path) -> dict[str, Any]:
    """A dictionary a record: the same cells, put into a nested document and written as JSON; no rule, no validation."""
    records = pl.read_parquet(home / "parsed-first" / "records.parquet")
    count = 0
    for row in records.iter_rows(named=True):
        filled = {key: value for key, value in row.items() if value is not None}
        event = {key: filled.pop(key) for key in [*filled] if key in {"dwc:eventDate", "dwc:year", "dwc:month"}}
        taxon = {key: filled.pop(key) for key in [*filled] if key in {"dwc:scientificName", "dwc:genus", "dwc:family"}}
        document = {
            "@type": "ods:DigitalSpecimen",
            **filled,
            "ods:hasEvents": [{"@type": "ods:Event", **event}],
            "ods:hasIdentifications": [{"@type": "ods:Identification", "ods:hasTaxonIdentifications": [taxon]}],
        }
        count += len(json.dumps(document)) > 0
    return {"records": count}


def _sample(home: Path) -> list[str]:
    path = home / "store" / "documents" / SLUG / "first" / "documents.parquet"
    return pl.scan_parquet(path).select("content").head(SAMPLE).collect()["content"].to_list()


def peer_validation(home: Path) -> dict[str, Any]:
    """jsonschema: the same schema, a sample of the documents, in Python."""
    import jsonschema

    from dissco_platform.opends.schema import json_schema

    validator = jsonschema.Draft202012Validator(json_schema("ods:DigitalSpecimen", content=True))
    return {
        "documents": sum(1 for text in _sample(home) if list(validator.iter_errors(orjson.loads(text))) is not None)
    }


def ours_validation(home: Path) -> dict[str, Any]:
    """What the build calls for every new document, on the same sample."""
    from dissco_platform.opends.schema import problems

    texts = _sample(home)
    list(problems("ods:DigitalSpecimen", texts, ["[]"] * len(texts)))
    return {"documents": len(texts)}


def peer_registry(home: Path) -> dict[str, Any]:
    """One upsert and one commit an object, in SQLite: a sample."""
    path = home / "upserts.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS object (key TEXT PRIMARY KEY, suffix TEXT UNIQUE, hash TEXT, version INT)"
    )
    for number in range(SAMPLE):
        connection.execute(
            "INSERT INTO object VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET hash = excluded.hash",
            (f"key-{number}", f"suffix-{number}", "h"),
        )
        connection.commit()
    connection.close()
    path.unlink()
    return {"objects": SAMPLE}
