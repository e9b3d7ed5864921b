"""Many datasets through the production layout, each exactly once, whatever is killed meanwhile.

    python -m benchmarks.cluster.prove --datasets 200                  # undisturbed: seconds a dataset, connections
    python -m benchmarks.cluster.prove --datasets 40 --fault all       # worker, daemon, broker, PostgreSQL, S3
    python -m benchmarks.cluster.prove --datasets 20 --compare         # two workers, one, the default launcher, in turn

`seconds_a_dataset` is counted from the first dataset's end to the last one's: what starting costs is in `seconds` alone.
Prints JSON. Exit code 1 when the final state is not that of an undisturbed run: every dataset published once, every specimen
exactly one DOI and one version, registry, documents and DOI service equal. Only final state is read.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from deploy.cluster import Cluster
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.tables import dataset, digital_object, outbox
from dissco_platform.store import open_store
from tests.house import EXAMPLES, ORGANISATION
from tests.sensors.publisher import Publisher, Rows, publishing

RECORDS = 300
FAULTS = ("worker", "daemon", "broker", "postgres", "s3")
SANDBOX = ("DISSCO.SANDBOX", "sandbox", "10.5555")


def own(slug: str) -> Callable[[Rows], Rows]:
    """Return an edit that gives a dataset's records identifiers and images of their own."""

    def edit(rows: Rows) -> Rows:
        return [
            {
                name: f"{slug}-{value}" if value and name in {"occurrenceID", "catalogNumber"} else value
                for name, value in row.items()
            }
            | {"associatedMedia": (row.get("associatedMedia") or "").replace("https://", f"https://{slug}.")}
            for row in rows
        ]

    return edit


def enrol(cluster: Cluster, registry: Registry, publisher: Publisher, count: int) -> None:
    """Publish and add the datasets."""
    for number in range(count):
        slug = f"museum-{number:04}"
        publisher.publish(slug, 0, RECORDS, own(slug))
        with registry.write() as connection:
            add_dataset(
                connection,
                slug=slug,
                source=publisher.source(slug),
                organisation_id=ORGANISATION,
                organisation_name="A museum",
                source_system_id=f"https://hdl.handle.net/20.5000.1025/AAA-{number // 1000:03}-{number % 1000:03}",
                doi_only=False,
            )


def progress(registry: Registry) -> tuple[int, int]:
    """Return how many datasets are published, and how many DOIs wait."""
    with registry.read() as connection:
        done = connection.execute(select(dataset.c.slug).where(dataset.c.latest.is_not(None))).all()
        waiting = connection.execute(select(outbox.c.object_id).limit(1)).all()
        pending = connection.execute(
            select(digital_object.c.id).where(digital_object.c.doi_state != "registered").limit(1)
        ).all()
    return len(done), len(waiting) + len(pending)


def disturb(cluster: Cluster, fault: str, away: float, said: list[str]) -> None:
    """Kill one part as a power cut does, and bring it back after a while."""
    said.append(f"{time.strftime('%H:%M:%S')} {fault} away for {away:.0f} s")
    if fault == "s3":  # the bucket is in its memory: it stops answering and goes on
        cluster.pause_part("s3", True)
        time.sleep(away)
        cluster.pause_part("s3", False)
        return
    name = {"worker": "worker-1"}.get(fault, fault)
    cluster.kill_part(name)
    time.sleep(away)
    cluster.start_part(name)


def final_state(registry: Registry) -> dict[str, Any]:
    """Return what every dataset came to, without what differs between any two runs (DOIs, times)."""
    o = digital_object.c
    state: dict[str, Any] = {}
    with registry.read() as connection:
        rows = connection.execute(select(o.dataset, o.kind, o.identity_key, o.version, o.state, o.doi_state, o.suffix))
        for slug, kind, key, version, status, doi_state, suffix in rows:
            state.setdefault(slug, []).append((kind, key, version, status, doi_state, suffix is not None))
    return {slug: sorted(objects) for slug, objects in sorted(state.items())}


def at_datacite(url: str) -> list[dict[str, Any]]:
    """Return what the sandbox lists."""

    async def walk() -> list[dict[str, Any]]:
        async with DataCiteClient(DataCiteAccount(url, *SANDBOX)) as client:
            return [record async for record in client.walk()]

    return asyncio.run(walk())


def prove(home: Path, postgres: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run it all; return the report."""
    said: list[str] = []
    (home / "published").mkdir(parents=True)
    with publishing(home / "published") as publisher:
        host = publisher.url.split("/")[2]
        cluster = Cluster(
            home / "cluster",
            workers=arguments.workers,
            postgres_home=postgres,
            launcher=arguments.launcher,
            extra={"DISSCO_TRUSTED_HOSTS": host},
        )
        try:
            cluster.start(lambda what: print(what, file=sys.stderr, flush=True))
            os.environ.update({k: v for k, v in cluster.environment("checker").items() if k.startswith("AWS_")})
            registry = open_registry(cluster.postgres("registry"))
            cluster.dissco("checklist", "use", str(EXAMPLES / "checklist.zip"))
            enrol(cluster, registry, publisher, arguments.datasets)
            began = time.monotonic()
            faults = FAULTS if arguments.fault == "all" else tuple(filter(None, arguments.fault.split(",")))
            done, connections, between = _wait(cluster, registry, arguments, faults, said)
            seconds = time.monotonic() - began
            findings = verify(
                registry,
                open_store(
                    "s3://dissco/store",
                    home / "checker",
                    endpoint=f"http://127.0.0.1:{cluster.ports['s3']}",
                    bytes_here=2**34,
                ),
                "10.5555",
                at_datacite=at_datacite(f"http://127.0.0.1:{cluster.ports['sandbox']}"),
            )
            state = final_state(registry)
            runs = _runs(cluster)
            registry.close()
            answers = _web_answers(cluster)
        finally:
            cluster.stop()
    alike = [
        sorted(
            (
                kind,
                key.replace(slug, "museum").rsplit("AAA-", 1)[-1][8:] if "AAA-" in key else key.replace(slug, "museum"),
                *rest,
            )
            for kind, key, *rest in objects
        )
        for slug, objects in state.items()
    ]
    same = all(objects == alike[0] for objects in alike)
    whole = all(obj[2:] == (1, "active", "registered", True) for objects in state.values() for obj in objects)
    serious = [vars(finding) for finding in findings if finding.code not in {"orphan_part", "not_published"}]
    return {
        "ok": done == arguments.datasets and len(state) == done and same and whole and not serious,
        "datasets": done,
        "objects": sum(map(len, state.values())),
        "every_dataset_alike": same,
        "every_object_once_and_registered": whole,
        "findings": serious,
        "runs_by_status": runs,
        "faults": said,
        "seconds": round(seconds, 1),
        "seconds_a_dataset": round(between / max(done - 1, 1), 2),
        "workers": arguments.workers,
        "launcher": arguments.launcher,
        "most_database_connections": connections,
        "web_answers": answers,
    }


def _wait(
    cluster: Cluster, registry: Registry, arguments: argparse.Namespace, faults: tuple[str, ...], said: list[str]
) -> tuple[int, int, float]:
    """Wait for every dataset; return how many are published, the most connections seen, and seconds from first end to last."""
    until, most, done = time.monotonic() + arguments.timeout, 0, 0
    ends: list[tuple[float, int]] = []
    disturbing: threading.Thread | None = None
    left = list(faults)
    next_fault = time.monotonic() + 25
    while time.monotonic() < until:
        time.sleep(1)
        try:
            done, waiting = progress(registry)
            with registry.read() as connection:
                most = max(most, connection.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one())
        except Exception:  # PostgreSQL is away, as was asked for
            registry.engine.dispose()
            continue
        if done and (not ends or done > ends[-1][1]):
            ends.append((time.monotonic(), done))
        print(f"\r{done} of {arguments.datasets} published ", end="", file=sys.stderr, flush=True)
        idle = disturbing is None or not disturbing.is_alive()
        if left and idle and time.monotonic() > next_fault:
            disturbing = threading.Thread(target=disturb, args=(cluster, left.pop(0), arguments.away, said))
            disturbing.start()
            next_fault = time.monotonic() + arguments.away + 20
        elif done == arguments.datasets and not waiting and not left and idle:
            break
    if disturbing is not None:
        disturbing.join()
    between = ends[-1][0] - ends[0][0] if ends else 0.0
    # those that had ended when the first end was seen are no part of the time
    between *= (done - 1) / max(done - ends[0][1], 1) if ends else 0.0
    return done, most, between


def _runs(cluster: Cluster) -> dict[str, int]:
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    os.environ.update(cluster.environment("checker"))
    instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(cluster.home / "dagster")))
    try:
        runs = [run for run in instance.get_runs() if run.tags.get("dagster/partition")]
        return dict(Counter(run.status.value for run in runs))
    finally:
        instance.dispose()


def _web_answers(cluster: Cluster) -> bool:
    import httpx

    return httpx.get(f"http://127.0.0.1:{cluster.ports['web']}/server_info", timeout=30).status_code == 200


def main() -> None:
    """Read the command line, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--launcher", choices=["celery", "default"], default="celery")
    parser.add_argument("--fault", default="", help=f"all, or a list of {', '.join(FAULTS)}")
    parser.add_argument("--away", type=float, default=20.0, help="seconds that a part stays away")
    parser.add_argument("--timeout", type=float, default=3600.0)
    parser.add_argument("--compare", action="store_true", help="two workers, one worker, the default launcher, in turn")
    arguments = parser.parse_args()
    turns = [("celery", 2), ("celery", 1), ("default", 2)] if arguments.compare else [("", 0)]
    reports = []
    for launcher, workers in turns:
        if launcher:
            arguments.launcher, arguments.workers = launcher, workers
        with (
            tempfile.TemporaryDirectory(prefix="cluster-") as folder,
            tempfile.TemporaryDirectory(prefix="pg-") as postgres,
        ):
            reports.append(prove(Path(folder), Path(postgres), arguments))
    print(json.dumps(reports if arguments.compare else reports[0], indent=2))
    sys.exit(0 if all(report["ok"] for report in reports) else 1)


if __name__ == "__main__":
    main()
