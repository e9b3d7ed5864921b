"""The chain, stage by stage, on a generated dataset: cost, peers, physical limits, and how cost follows change.

    python -m benchmarks.stages --records 100000 [--repeat 3] [--shares 0 0.001 0.01 0.1 1] [--no-peers] [-o FILE]

Stages: `read` (zip → parsed Parquet), `names` (distinct names → checklist), `documents` (openDS documents, validated),
`publish` (identity, DOIs, versions, parts and registry on SQLite; DataCite is not asked). Each measurement runs in a process
of its own; stages, peers and limits take turns within one run, and medians are kept with their spread. Importing a
stage's modules, compiled as in an installation, is part of it and also measured alone (`starts`). Per share of changed records
an edition of its own goes through the chain over a copy of the first one's state: all four stages always, though the platform
publishes nothing where the build comes out the same (`needed`). The first load is also measured on a dataset without extensions
(`bare`). Prints JSON.
"""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import peers as against
from benchmarks.archives.generate import Change, Dirt, generate
from benchmarks.archives.values import EPITHET, GENERA, GENUS, SPECIES
from benchmarks.measuring import apart, as_installed, folder_bytes, machine, summed, write
from benchmarks.peers import SLUG

MAPPINGS = Path(__file__).resolve().parents[1] / "mappings"
STAGES = ("read", "names", "documents", "publish")
MODULES = {
    "read": ("archives",),
    "names": ("names.harmonise",),
    "documents": ("opends.build", "store"),
    "publish": ("identity.publish", "identity.datacite.metadata", "registry.datasets", "store"),
}


# --- stages: each takes the home of one dataset's state and an edition ---------------------------------------------


def read(home: Path, archive: Path, edition: str) -> dict[str, Any]:
    """Read an archive to Parquet."""
    from dissco_platform.archives import read_archive

    out = home / f"parsed-{edition}"
    out.mkdir()
    parsed = read_archive(archive, out)
    return {"records": parsed.records, "bytes": folder_bytes(out)}


def start(stage: str) -> dict[str, Any]:
    """Import what a stage imports, and do nothing."""
    for module in MODULES[stage]:
        importlib.import_module(f"dissco_platform.{module}")
    return {}


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
        "data_version": report.data_version,
        "document_bytes": written,
        "bytes": written + folder_bytes(out),
    }


def enrol(home: Path) -> dict[str, Any]:
    """Make the registry and add the dataset to it, which is done long before its first run."""
    from dissco_platform.registry import open_registry
    from dissco_platform.registry.datasets import add_dataset

    registry = open_registry(f"sqlite:///{home / 'registry.sqlite'}")
    with registry.write() as connection:
        add_dataset(
            connection,
            slug=SLUG,
            source="generated",
            organisation_id="https://ror.org/0566bfb96",
            organisation_name="Example Museum",
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA",
            doi_only=False,
        )
    registry.close()
    return {}


def publish(home: Path, edition: str) -> dict[str, Any]:
    """Give identities, versions and DOIs; commit the registry."""
    from dissco_platform.identity.datacite.metadata import DataCiteContext
    from dissco_platform.identity.parts import Rules
    from dissco_platform.identity.publish import publish as published
    from dissco_platform.registry import open_registry
    from dissco_platform.registry.datasets import get_dataset
    from dissco_platform.store import DatasetStore

    registry = open_registry(f"sqlite:///{home / 'registry.sqlite'}")
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


# --- all of it -------------------------------------------------------------------------------------------------------


def checklist(folder: Path) -> Path:
    """Write a checklist that has the generator's names."""
    rows = ["ID\tparentID\tstatus\trank\tscientificName\tauthorship"]
    rows += [f"g{number}\t\taccepted\tgenus\t{genus}\t" for number, genus in enumerate(GENUS)]
    rows += [
        f"s{number}\tg{number % GENERA}\taccepted\tspecies\t{GENUS[number % GENERA]} {EPITHET[number]}\t"
        for number in range(0, SPECIES - SPECIES // 20)  # one in twenty is not known
    ]
    source = folder / "checklist"
    source.mkdir()
    (source / "NameUsage.tsv").write_text("\n".join(rows) + "\n")
    return source


def make_index(folder: Path) -> Path:
    """Build the name index of that checklist."""
    from dissco_platform.names.backbone import build_backbone

    index = folder / "index"
    index.mkdir()
    build_backbone(checklist(folder), index)
    return index


def measure(folder: Path, records: int, repeat: int, shares: list[float], *, peers: bool) -> dict[str, Any]:
    """Run everything; return the results."""
    result: dict[str, Any] = {
        "machine": machine(),
        "records": records,
        "stages": {},
        "starts": {},
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
    for stage in STAGES:  # compiles what is not compiled, see `as_installed`
        apart(start, stage)
    collected: dict[str, dict[str, list[dict[str, Any]]]] = {"stages": {}, "starts": {}, "limits": {}, "peers": {}}
    for _ in range(repeat):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        apart(enrol, home)
        for stage in STAGES:
            cost = run_stage(stage, home, archive, "first", None, index)
            collected["stages"].setdefault(stage, []).append(cost)
            collected["starts"].setdefault(stage, []).append(apart(start, stage))
        for limit, arguments in (
            (against.limit_inflate, (archive,)),
            (against.limit_hash, (archive,)),
            (against.limit_parquet, (home,)),
            (against.limit_documents, (home,)),
            (against.limit_json, (home,)),
        ):
            collected["limits"].setdefault(limit.__name__[6:], []).append(apart(limit, *arguments))
        for peer, arguments in (
            (
                (against.peer_read, (clean,)),
                (against.peer_names, (home,)),
                (against.peer_documents, (home,)),
                (against.peer_validation, (home,)),
                (against.ours_validation, (home,)),
                (against.peer_registry, (home,)),
            )
            if peers
            else ()
        ):
            collected["peers"].setdefault(peer.__name__, []).append(apart(peer, *arguments))
        if peers:
            collected["peers"].setdefault("ours_read", []).append(apart(_read_again, folder, clean))
    for group, found in collected.items():
        result[group] = {name: summed(runs) for name, runs in found.items()}
    result["bare"] = _bare(folder, records, index)
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
        built = result["editions"][edition]["documents"]["data_version"]
        result["editions"][edition]["publish"]["needed"] = built != result["stages"]["documents"]["data_version"]
        shutil.rmtree(second)
        changed.unlink()
    result["machine"]["load_after"] = machine()["load_before"]
    return result


def _bare(folder: Path, records: int, index: Path) -> dict[str, Any]:
    """Return the costs of the first load of a dataset without extensions."""
    archive, home = folder / "bare.zip", folder / "home-bare"
    facts = generate(archive, records, dirt=Dirt(), extensions=False)
    home.mkdir()
    apart(enrol, home)
    stages = {stage: run_stage(stage, home, archive, "first", None, index) for stage in STAGES}
    shutil.rmtree(home)
    return {"facts": facts, "archive_bytes": archive.stat().st_size, "stages": stages}


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
    as_installed()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(Path(folder), options.records, options.repeat, options.shares, peers=not options.no_peers)
    if options.output:
        write(options.output, result)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
