"""The chain, stage by stage, on a generated dataset: cost, peers, physical limits, and how cost follows change.

    python -m benchmarks.stages --records 100000 [--repeat 3] [--shares 0 0.001 0.01 0.1 1] [--no-peers] [-o FILE]

Stages: `read` (zip → parsed Parquet), `names` (distinct names → checklist), `documents` (openDS documents, validated),
`publish` (identity, DOIs, versions, parts and registry on SQLite; DataCite is not asked). Each measurement runs in a process
of its own; stages, peers and limits take turns within one run, and medians are kept with their spread. Per share of changed
records an edition of its own goes through the chain over a copy of the first one's state. Prints JSON.
"""

import argparse
import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from benchmarks.archives.generate import EPITHET, GENERA, GENUS, SPECIES, Change, Dirt, generate
from benchmarks.measuring import apart, folder_bytes, machine, summed, write

SLUG = "benchmark"
MAPPINGS = Path(__file__).resolve().parents[1] / "mappings"
STAGES = ("read", "names", "documents", "publish")
SAMPLE = 2_000  # documents for peers that take a millisecond or more each


# --- stages: each takes the home of one dataset's state and an edition ---------------------------------------------


def read(home: Path, archive: Path, edition: str) -> dict[str, Any]:
    """Read an archive to Parquet."""
    from dissco_platform.archives import read_archive

    out = home / f"parsed-{edition}"
    out.mkdir()
    parsed = read_archive(archive, out)
    return {"records": parsed.records, "bytes": folder_bytes(out)}


def names(home: Path, edition: str, index: Path, previous: str | None = None) -> dict[str, Any]:
    """Match the distinct names that the previous edition has not."""
    from dissco_platform.names.harmonise import harmonise

    out = home / f"names-{edition}"
    out.mkdir()
    before = home / f"names-{previous}" if previous else None
    report = harmonise(home / f"parsed-{edition}", index, out, cache=home / "name_parses", previous=before)
    return {"distinct_names": sum(report.names.values()), "kept": report.kept, "bytes": folder_bytes(out)}


def documents(home: Path, edition: str, previous: str | None) -> dict[str, Any]:
    """Build the documents of what is new and changed."""
    from dissco_platform.opends.build import build_specimens
    from dissco_platform.opends.context import DatasetContext
    from dissco_platform.opends.mapping import load_mapping
    from dissco_platform.store import DatasetStore

    store = DatasetStore(home / "store")
    out = home / f"built-{edition}"
    out.mkdir()
    context = DatasetContext(
        SLUG,
        "https://ror.org/0566bfb96",
        "Example Museum",
        "https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA",
        "Example collections",
        licence="CC0-1.0",
    )
    with store.building("documents", SLUG) as kept:
        report = build_specimens(
            home / f"parsed-{edition}",
            home / f"names-{edition}",
            load_mapping(MAPPINGS / "dwc.yaml"),
            context,
            out,
            previous=home / f"built-{previous}" if previous else None,
            batch=edition,
        )
        for name in ("documents.parquet", "media_documents.parquet"):
            if (out / name).exists():
                (out / name).rename(kept.path / name)
        written = folder_bytes(kept.path)
        kept.publish(edition)
    return {
        "specimens": report.specimens,
        "rendered": report.rendered,
        "carried_over": report.carried_over,
        "media": report.media,
        "document_bytes": written,
        "bytes": written + folder_bytes(out),
    }


def publish(home: Path, edition: str) -> dict[str, Any]:
    """Give identities, versions and DOIs; commit the registry."""
    from dissco_platform.identity.datacite.metadata import DataCiteContext
    from dissco_platform.identity.parts import Rules
    from dissco_platform.identity.publish import publish as published
    from dissco_platform.registry import open_registry
    from dissco_platform.registry.datasets import add_dataset, get_dataset, list_datasets
    from dissco_platform.store import DatasetStore

    registry = open_registry(f"sqlite:///{home / 'registry.sqlite'}")
    with registry.write() as connection:
        if not list_datasets(connection):
            add_dataset(
                connection,
                slug=SLUG,
                source="generated",
                organisation_id="https://ror.org/0566bfb96",
                organisation_name="Example Museum",
                source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA",
                doi_only=False,
            )
    with registry.read() as connection:
        dataset = get_dataset(connection, SLUG)
    before = folder_bytes(home / "store")
    report = published(
        registry,
        dataset,
        home / f"built-{edition}",
        DatasetStore(home / "store"),
        rules=Rules(
            prefix="10.5555",
            yearly_quota=None,
            datacite=DataCiteContext("https://specimens.example", "https://ror.org/02wddde16", "A publisher"),
        ),
        made_from={"archive": edition, "release": "one", "mapping": "one", "code": "one"},
    )
    registry.close()
    return {
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "bytes": folder_bytes(home / "store") - before,
        "registry_bytes": (home / "registry.sqlite").stat().st_size,
    }


def run_stage(stage: str, home: Path, archive: Path, edition: str, previous: str | None, index: Path) -> dict[str, Any]:
    """Measure one stage."""
    if stage == "read":
        return apart(read, home, archive, edition)
    if stage == "names":
        return apart(names, home, edition, index, previous)
    if stage == "documents":
        return apart(documents, home, edition, previous)
    return apart(publish, home, edition)


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


# --- all of it -------------------------------------------------------------------------------------------------------


def make_index(folder: Path) -> Path:
    """Build the name index of a checklist that has the generator's names."""
    from dissco_platform.names.backbone import build_backbone

    rows = ["ID\tparentID\tstatus\trank\tscientificName\tauthorship"]
    rows += [f"g{number}\t\taccepted\tgenus\t{genus}\t" for number, genus in enumerate(GENUS)]
    rows += [
        f"s{number}\tg{number % GENERA}\taccepted\tspecies\t{GENUS[number % GENERA]} {EPITHET[number]}\t"
        for number in range(0, SPECIES - SPECIES // 20)  # one in twenty is not known
    ]
    source, index = folder / "checklist", folder / "index"
    source.mkdir()
    (source / "NameUsage.tsv").write_text("\n".join(rows) + "\n")
    index.mkdir()
    build_backbone(source, index)
    return index


def measure(folder: Path, records: int, repeat: int, shares: list[float], *, peers: bool) -> dict[str, Any]:
    """Run everything; return the results."""
    result: dict[str, Any] = {
        "machine": machine(),
        "records": records,
        "stages": {},
        "limits": {},
        "peers": {},
        "editions": {},
    }
    archive = folder / "first.zip"
    result["facts"] = generate(archive, records, dirt=Dirt())
    clean = folder / "clean.zip"
    if peers:
        generate(clean, min(records, 50_000), dirt=Dirt(0, 0, 0, 0, 0, 0))  # the peer stops at the first broken row
    result["archive_bytes"] = archive.stat().st_size
    index = make_index(folder)
    home = folder / "home"
    collected: dict[str, dict[str, list[dict[str, Any]]]] = {"stages": {}, "limits": {}, "peers": {}}
    for _ in range(repeat):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for stage in STAGES:
            cost = run_stage(stage, home, archive, "first", None, index)
            collected["stages"].setdefault(stage, []).append(cost)
        for limit, arguments in (
            (limit_inflate, (archive,)),
            (limit_hash, (archive,)),
            (limit_parquet, (home,)),
            (limit_json, (home,)),
        ):
            collected["limits"].setdefault(limit.__name__[6:], []).append(apart(limit, *arguments))
        for peer, arguments in (
            (
                (peer_read, (clean,)),
                (peer_names, (home,)),
                (peer_documents, (home,)),
                (peer_validation, (home,)),
                (ours_validation, (home,)),
                (peer_registry, (home,)),
            )
            if peers
            else ()
        ):
            collected["peers"].setdefault(peer.__name__, []).append(apart(peer, *arguments))
        if peers:
            collected["peers"].setdefault("ours_read", []).append(apart(_read_again, folder, clean))
    for group, found in collected.items():
        result[group] = {name: summed(runs) for name, runs in found.items()}
    for share in shares:
        edition = f"{share:g}"
        changed = folder / f"changed-{edition}.zip"
        # Bytes always differ (the metadata says which edition it is), content only as far as asked for.
        generate(changed, records, edition=2, dirt=Dirt(), change=Change(share, 0.0, 0.0))
        second = folder / f"home-{edition}"
        shutil.copytree(home, second)
        result["editions"][edition] = {
            stage: run_stage(stage, second, changed, edition, "first", index) for stage in STAGES
        }
        shutil.rmtree(second)
        changed.unlink()
    result["machine"]["load_after"] = machine()["load_before"]
    return result


def _read_again(folder: Path, archive: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        return read(Path(home), archive, "again")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.0, 0.001, 0.01, 0.1, 1.0])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(Path(folder), options.records, options.repeat, options.shares, peers=not options.no_peers)
    if options.output:
        write(options.output, result)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
