"""Figures for Prometheus: datasets, DOIs on their way, runs, what was set aside, how long ago sources were looked at.

All of it is read from the registry and Dagster's storage, so one exporter speaks for all machines. Reading costs more on a large
registry than a scrape may take: it is done in the background, at most every `EVERY_SECONDS`.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from dissco_platform.errors import DisscoError
from dissco_platform.registry import Registry
from dissco_platform.registry.tables import dataset, digital_object, outbox, recorded, watch

EVERY_SECONDS = 30.0
_RUNS = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.SUCCESS,
)


def _families() -> dict[str, Metric]:
    """Return every figure, without values, by its name behind `dissco_`."""
    return {
        "datasets": GaugeMetricFamily("dissco_datasets", "Datasets by state", labels=["state"]),
        "objects": GaugeMetricFamily(
            "dissco_objects", "Digital objects by kind, state and DOI state", labels=["kind", "state", "doi_state"]
        ),
        "registered": CounterMetricFamily(
            "dissco_dois_registered", "DOIs that are registered; its rate is the drain's", labels=[]
        ),
        "outbox": GaugeMetricFamily(
            "dissco_outbox", "DOI records on their way (queued) or refused (dead)", labels=["state"]
        ),
        "age": GaugeMetricFamily(
            "dissco_last_check_age_seconds", "Seconds since a dataset's source was looked at", labels=["dataset"]
        ),
        "source_failures": GaugeMetricFamily(
            "dissco_source_failures", "Looks at a dataset's source that failed in a row", labels=["dataset"]
        ),
        "run_failed": GaugeMetricFamily(
            "dissco_run_failed", "1 where a dataset's latest run failed", labels=["dataset"]
        ),
        "records": GaugeMetricFamily(
            "dissco_records", "Records of a dataset's current edition that were read", labels=["dataset"]
        ),
        "rejected": GaugeMetricFamily(
            "dissco_rejected_records", "Records of a dataset's current edition that were set aside", labels=["dataset"]
        ),
        "runs": GaugeMetricFamily("dissco_runs", "Runs by status", labels=["status"]),
    }


def read_metrics(registry: Registry, instance: dg.DagsterInstance, moment: float) -> list[Metric]:
    """Return the present figures; `moment` is now, in seconds since the epoch."""
    families = _families()

    def add(name: str, value: float, *labels: str) -> None:
        families[name].add_metric(labels, value)  # type: ignore[attr-defined]

    with registry.read() as connection:
        for state, count in connection.execute(select(dataset.c.state, func.count()).group_by(dataset.c.state)):
            add("datasets", count, state)
        o = digital_object.c
        registered = 0
        for kind, state, doi_state, count in connection.execute(
            select(o.kind, o.state, o.doi_state, func.count()).group_by(o.kind, o.state, o.doi_state)
        ):
            add("objects", count, kind, state, doi_state)
            registered += count if doi_state == "registered" else 0
        add("registered", registered)
        counted = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all()
        waiting = {row[0]: row[1] for row in counted}
        for state in ("queued", "dead"):
            add("outbox", waiting.get(state, 0), state)
        for slug, checked, looks_failed, run_failed in connection.execute(
            select(dataset.c.slug, dataset.c.checked, watch.c.looks_failed, watch.c.run_failed)
            .outerjoin(watch, watch.c.dataset == dataset.c.slug)
            .where(dataset.c.state == "active")
        ):
            if checked:
                add("age", moment - datetime.fromisoformat(checked).timestamp(), slug)
            add("source_failures", looks_failed or 0, slug)
            add("run_failed", int(run_failed is not None), slug)
        for slug, facts in connection.execute(
            select(recorded.c.dataset, recorded.c.facts).where(recorded.c.asset == "parsed_records")
        ):
            found = json.loads(facts)
            if "records" in found:
                add("records", float(found["records"]), slug)
                add("rejected", float(found.get("rejects", 0)), slug)
    for status in _RUNS:
        add("runs", instance.get_runs_count(dg.RunsFilter(statuses=[status])), status.value.lower())
    return list(families.values())


def described() -> Collector:
    """Return a collector of every figure without values: what dashboards may ask for."""

    class Described(Collector):
        def collect(self) -> Iterable[Metric]:
            return [*_families().values(), *_own(None, 0.0)]

    return Described()


def _own(error: str | None, seconds: float) -> list[Metric]:
    up = GaugeMetricFamily("dissco_up", "1 where the registry and Dagster's storage answered the last reading")
    up.add_metric([], int(error is None))
    took = GaugeMetricFamily("dissco_reading_seconds", "Seconds that the last reading of these figures took")
    took.add_metric([], seconds)
    return [up, took]


class _Latest(Collector):
    """The figures of the last reading, and whether it succeeded."""

    def __init__(self, registry: Registry, instance: dg.DagsterInstance) -> None:
        self.registry, self.instance = registry, instance
        self.metrics: list[Metric] = []
        self.error: str | None = "nothing was read yet"
        self.seconds = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def read(self) -> None:
        began = time.monotonic()
        try:
            self.metrics = read_metrics(self.registry, self.instance, time.time())
            self.error = None
        except DisscoError as error:
            self.error = str(error)
        except Exception as error:  # Dagster's storage raises what its driver raises; the next reading may succeed
            self.error = f"Dagster's storage cannot be read ({type(error).__name__}: {error})."
        self.seconds = time.monotonic() - began

    def start(self) -> None:
        self.read()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def collect(self) -> Iterable[Metric]:
        """Yield what a scrape gets."""
        yield from _own(self.error, self.seconds)
        if self.error is None:  # old figures would look like present ones
            yield from self.metrics

    def _go_on(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.read()


@contextmanager
def serve_metrics(registry: Registry, instance: dg.DagsterInstance, host: str, port: int) -> Iterator[str]:
    """Serve `/metrics` and `/healthz` while the block lasts; yield the address."""
    latest = _Latest(registry, instance)
    latest.start()
    figures = CollectorRegistry()
    figures.register(latest)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(figures), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                text = latest.error or "ok"
                self._answer(503 if latest.error else 200, f"{text}\n".encode(), "text/plain; charset=utf-8")
            else:
                self._answer(404, b"/metrics and /healthz are what is here\n", "text/plain; charset=utf-8")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are not worth a line each."""

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        latest.stop()
