"""The portal over a large synthetic publication: landing pages and JSON-LD at a steady rate, search with three facets, an
index delta. Prints JSON; exits 1 where a figure is not reached.

python -m benchmarks.portal.serve --specimens 1000000

Figures (two idle cores, one million specimens): landing page and JSON-LD p99 < 50 ms at 100 requests a second, search
with three facets p95 < 300 ms, index delta for 1 % < 10 s. Requests are sent when they are due, whether or not earlier
ones were answered, and waiting counts. CPU time a request is given beside, for machines that are not idle. `--home` keeps
the publication for the next time.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from sqlalchemy import insert

from dissco_platform.identity.parts import ROWS_PER_GROUP, ROWS_PER_PART
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.tables import batch, digital_object, version
from dissco_platform.search.index import open_index, update_index
from dissco_platform.settings import Settings
from dissco_platform.store import DatasetStore

ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"[:32]
COUNTRIES = ["NL", "BE", "DE", "FR", "GB", "ES", "IT", "SE", "NO", "FI", "DK", "PL", "ID", "BR", "ZA", "AU", "US", "MX"]
DATASETS = 20
MOMENT = "2026-01-01T00:00:00.000Z"


def suffix(number: int) -> str:
    """Return the suffix of a specimen: spread over the alphabet, no two the same."""
    value = (number * 0x9E3779B1 + 12345) % 2**45
    text = "".join(ALPHABET[(value >> (5 * place)) & 31] for place in range(9))
    return f"{text[:3]}-{text[3:6]}-{text[6:]}"


def document(number: int, edition: int, draw: random.Random) -> bytes:
    """Return an openDS document of about three kilobytes."""
    order, family, genus, species = draw.randrange(25), draw.randrange(4), draw.randrange(6), draw.randrange(30)
    name = f"Genus{order}x{family}x{genus} species{species}"
    doi = f"https://doi.org/10.5555/{suffix(number)}"
    country = COUNTRIES[min(int(draw.expovariate(0.25)), len(COUNTRIES) - 1)]
    year = 1850 + draw.randrange(170)
    taxon = {
        "@type": "ods:TaxonIdentification", "dwc:taxonID": f"T{order}{family}{genus}{species}", "dwc:scientificName": name,
        "dwc:kingdom": "Animalia", "dwc:phylum": "Arthropoda", "dwc:class": "Insecta", "dwc:order": f"Order{order}",
        "dwc:family": f"Family{order}x{family}", "dwc:genus": name.split(maxsplit=1)[0],
        "dwc:specificEpithet": f"species{species}",
        "dwc:taxonomicStatus": "accepted", "dwc:taxonRank": "species",
    }  # fmt: skip
    made: dict[str, Any] = {
        "@id": doi, "@type": "ods:DigitalSpecimen", "dcterms:identifier": doi, "ods:version": edition,
        "ods:status": "Active", "dcterms:created": MOMENT, "dcterms:modified": MOMENT,
        "ods:fdoType": "https://doi.org/21.T11148/894b1e6cad57e921764e", "ods:midsLevel": draw.choice([0, 1, 1, 1, 2, 2, 3]),
        "ods:physicalSpecimenID": f"https://museum.example.org/{number}", "ods:sourceSystemName": "Synthetic",
        "ods:organisationID": f"https://ror.org/0{number % DATASETS % 10}66bfb96", "ods:organisationName": "A museum",
        "ods:topicDiscipline": draw.choice(["Zoology", "Zoology", "Botany"]), "ods:specimenName": name,
        "dcterms:license": "https://creativecommons.org/publicdomain/zero/1.0/", "dwc:basisOfRecord": "PreservedSpecimen",
        "dwc:collectionCode": f"C{number % 3}", "dwc:preparations": "pinned",
        "ods:isKnownToContainMedia": draw.random() < 0.4,
        "ods:hasIdentifiers": [{"@type": "ods:Identifier", "dcterms:title": "dwc:catalogNumber",
                                "dcterms:identifier": f"CAT.{number}"}],
        "ods:hasIdentifications": [{"@type": "ods:Identification", "dwc:verbatimIdentification": name,
                                    "ods:isVerifiedIdentification": True, "ods:hasTaxonIdentifications": [taxon, taxon],
                                    **({"dwc:typeStatus": "holotype"} if draw.random() < 0.01 else {})}],
        "ods:hasEvents": [{
            "@type": "ods:Event", "dwc:eventDate": f"{year}-0{1 + number % 9}-1{number % 10}",
            "ods:hasAgents": [{"@type": "schema:Person", "schema:name": f"Collector {draw.randrange(3000)}"}],
            "ods:hasLocation": {"@type": "ods:Location", "dwc:countryCode": country, "dwc:country": country,
                                "dwc:locality": f"Place {draw.randrange(20000)}, by the river",
                                "ods:hasGeoreference": {"dwc:decimalLatitude": draw.uniform(-60, 70),
                                                        "dwc:decimalLongitude": draw.uniform(-180, 180)}},
        }],
        "ods:hasEntityRelationships": [{"@type": "ods:EntityRelationship", "dwc:relationshipOfResource": f"has{one}",
                                        "dwc:relatedResourceID": f"https://example.org/{one}"} for one in "ABCDE"],
    }  # fmt: skip
    return orjson.dumps(made)


def publish(registry: Registry, store: DatasetStore, numbers: range, edition: int, first_batch: int) -> int:
    """Write parts and registry rows for specimens; return the next free batch number."""
    draw = random.Random(edition)
    for position, start in enumerate(range(numbers.start, numbers.stop, ROWS_PER_PART)):
        members = range(start, min(start + ROWS_PER_PART, numbers.stop))
        slug = f"synthetic-{start // ROWS_PER_PART % DATASETS}"
        name = f"{first_batch + position:06}-specimen.parquet"
        payload = {"titles": [{"title": "x"}], "creators": [{"name": "A museum"}], "publisher": {"name": "DiSSCo"}}
        frame = pl.DataFrame(
            {
                "suffix": [suffix(number) for number in members],
                "version": [edition] * len(members),
                "document": [document(number, edition, draw).decode() for number in members],
                "payload": [orjson.dumps({**payload, "n": number}).decode() for number in members],
            }
        ).sort("suffix")
        folder = store.new_parts(slug)
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / name, compression="zstd", compression_level=3, row_group_size=ROWS_PER_GROUP)
        store.keep_parts(slug, [name])
        with registry.write() as connection:
            row = {"id": first_batch + position, "dataset": slug, "path": name, "created": MOMENT, "made_from": "{}"}
            connection.execute(insert(batch), row)
            if edition == 1:
                common = {"kind": "specimen", "dataset": slug, "attempt": 0, "state": "active", "doi_only": False,
                          "version": 1, "content_hash": "c", "visible_hash": "v", "doi_state": "registered",
                          "created": MOMENT, "modified": MOMENT, "missed": 0}  # fmt: skip
                connection.execute(
                    insert(digital_object),
                    [{"id": n + 1, "identity_key": f"k{n}", "suffix": suffix(n), **common} for n in members],
                )
            else:
                ids = [{"b": number + 1} for number in members]
                connection.exec_driver_sql(
                    "UPDATE digital_object SET version = 2 WHERE id = ?", [(one["b"],) for one in ids]
                )
            versions = {"version": edition, "batch_id": first_batch + position, "content_hash": "c", "created": MOMENT}
            connection.execute(insert(version), [{"object_id": n + 1, "cause": "new", **versions} for n in members])
    return first_batch + position + 1


async def steady(host: str, port: int, paths: list[str], rate: float, connections: int = 32) -> list[float]:
    """Ask for paths at a rate; return the milliseconds from when each was due until it was answered."""
    waiting: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
    taken: list[float] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while True:
            due, path = await waiting.get()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split(b" ", 2)[1] == b"200", (path, head[:200])
            length = re.search(rb"content-length: (\d+)", head.lower())
            assert length, head
            await reader.readexactly(int(length[1]))
            taken.append((time.perf_counter() - due) * 1000)
            waiting.task_done()

    workers = [asyncio.create_task(worker()) for _ in range(connections)]
    began = time.perf_counter()
    for position, path in enumerate(paths):
        due = began + position / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        waiting.put_nowait((due, path))
    await asyncio.wait([asyncio.create_task(waiting.join()), *workers], return_when=asyncio.FIRST_COMPLETED)
    for one in workers:
        if one.done() and one.exception():
            raise one.exception()  # type: ignore[misc]
        one.cancel()
    return taken


def percentile(values: list[float], share: float) -> float:
    """Return a percentile, rounded."""
    return round(sorted(values)[min(int(len(values) * share), len(values) - 1)], 1)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == pid or int(parts[2]) == pid:  # the process group that it leads
            total += int(parts[11]) + int(parts[12])
    return total / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--specimens", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=options.home or Path(folder))
        figures = measured(settings, options)
    print(json.dumps(figures, indent=2))
    return 0 if all(figures["reached"].values()) else 1


def measured(settings: Settings, options: argparse.Namespace) -> dict[str, Any]:
    """Make the publication where it is not there, and measure."""
    settings.home.mkdir(parents=True, exist_ok=True)
    store = DatasetStore(Path(settings.store_address))
    figures: dict[str, Any] = {"specimens": options.specimens, "load": os.getloadavg()[0]}
    done = settings.home / "made"
    if not done.exists():
        registry, index = open_registry(settings.registry_url), open_index(settings.search_url)
        with registry.write() as connection:
            for number in range(DATASETS):
                add_dataset(
                    connection, slug=f"synthetic-{number}", source="x", doi_only=False, organisation_name="A museum",
                    organisation_id=f"https://ror.org/0{number % 10}66bfb96",
                    source_system_id=f"https://hdl.handle.net/20.5000.1025/{number}",
                )  # fmt: skip
        following = publish(registry, store, range(options.specimens), 1, 1)
        began, cpu = time.perf_counter(), time.process_time()
        for number in range(DATASETS):
            update_index(index, registry, store, f"synthetic-{number}")
        figures["first_index"] = {
            "seconds": round(time.perf_counter() - began, 1),
            "cpu": round(time.process_time() - cpu, 1),
        }
        changed = max(options.specimens // 100, 1)
        publish(registry, store, range(min(changed, ROWS_PER_PART)), 2, following)
        began, cpu = time.perf_counter(), time.process_time()
        replaced = update_index(index, registry, store, "synthetic-0").replaced
        figures["delta"] = {
            "entries": replaced,
            "seconds": round(time.perf_counter() - began, 2),
            "cpu": round(time.process_time() - cpu, 2),
        }
        registry.close()
        index.close()
        done.write_text(json.dumps(figures))
    else:
        figures |= {
            name: value for name, value in json.loads(done.read_text()).items() if name in ("first_index", "delta")
        }
    figures["bytes"] = {name: (settings.home / f"{name}.sqlite").stat().st_size for name in ("registry", "search")}
    server = subprocess.Popen(
        [sys.executable, "-c", "from dissco_platform.cli import main; main()", "portal", "--port", "0", "--no-index",
         "--workers", str(options.workers)],
        env={**os.environ, "DISSCO_HOME": str(settings.home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])  # type: ignore[index]
        figures |= asked(port, server.pid, options)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
    figures["reached"] = {
        "landing p99 < 50 ms": figures["landing"]["p99"] < 50,
        "JSON-LD p99 < 50 ms": figures["jsonld"]["p99"] < 50,
        "search p95 < 300 ms": figures["search"]["p95"] < 300,
        "delta < 10 s": figures["delta"]["seconds"] < 10,
    }
    return figures


def asked(port: int, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """Ask the portal and return what it took."""
    draw = random.Random(1)
    count = int(options.seconds * options.rate)
    dois = [f"/10.5555/{suffix(draw.randrange(options.specimens))}" for _ in range(count)]

    def question() -> str:
        chosen = draw.sample(
            [f"country={draw.choice(COUNTRIES[:8])}", f"discipline={draw.choice(['Zoology', 'Botany'])}",
             f"mids={draw.randrange(4)}", f"collection=C{draw.randrange(3)}", f"media={draw.choice(['true', 'false'])}",
             f"dataset=synthetic-{draw.randrange(DATASETS)}"], 3,
        )  # fmt: skip
        return "/search?" + "&".join(chosen)

    kinds = {
        "landing": (dois, options.rate),
        "jsonld": ([f"{doi}.jsonld" for doi in dois], options.rate),
        "search": ([question() for _ in range(200)], 5),
        "search_words": ([f"/search?q=collector+{draw.randrange(3000)}" for _ in range(50)], 5),
    }
    figures = {}
    for name, (paths, rate) in kinds.items():
        asyncio.run(steady("127.0.0.1", port, paths[: 40 if name.startswith("search") else 200], 20))  # warm
        cpu = cpu_seconds(pid)
        taken = asyncio.run(steady("127.0.0.1", port, paths, rate))
        figures[name] = {
            "requests": len(taken),
            "rate": rate,
            "p50": percentile(taken, 0.5),
            "p95": percentile(taken, 0.95),
            "p99": percentile(taken, 0.99),
            "cpu_ms": round((cpu_seconds(pid) - cpu) / len(taken) * 1000, 2),
        }
    return figures


if __name__ == "__main__":
    sys.exit(main())
