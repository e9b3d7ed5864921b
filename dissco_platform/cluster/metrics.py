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


def read_metrics(registry: Registry, instance: dg.DagsterInstance, moment: float) -> list[Metric]:
    """Return the present figures."""
    datasets = GaugeMetricFamily("dissco_datasets", "Datasets by state", labels=["state"])
    objects = GaugeMetricFamily(
        "dissco_objects", "Digital objects by kind, state and DOI state", labels=["kind", "state", "doi_state"]
    )
    registered = CounterMetricFamily("dissco_dois_registered", "DOIs that are registered; its rate is the drain's")
    waiting = GaugeMetricFamily(
        "dissco_outbox", "DOI records on their way (queued) or refused (dead)", labels=["state"]
    )
    age = GaugeMetricFamily(
        "dissco_last_check_age_seconds", "Seconds since a dataset's source was looked at", labels=["dataset"]
    )
    failures = GaugeMetricFamily(
        "dissco_source_failures", "Looks at a dataset's source that failed in a row", labels=["dataset"]
    )
    failed = GaugeMetricFamily("dissco_run_failed", "1 where a dataset's latest run failed", labels=["dataset"])
    rejects = GaugeMetricFamily(
        "dissco_rejected_records", "Records of a dataset's current edition that were set aside", labels=["dataset"]
    )
    records = GaugeMetricFamily("dissco_records", "Records of a dataset's current edition", labels=["dataset"])
    with registry.read() as connection:
        for state, count in connection.execute(select(dataset.c.state, func.count()).group_by(dataset.c.state)):
            datasets.add_metric([state], count)
        o = digital_object.c
        total = 0
        for kind, state, doi_state, count in connection.execute(
            select(o.kind, o.state, o.doi_state, func.count()).group_by(o.kind, o.state, o.doi_state)
        ):
            objects.add_metric([kind, state, doi_state], count)
            total += count if doi_state == "registered" else 0
        registered.add_metric([], total)
        queued: dict[str, int] = dict(
            connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).tuples().all()
        )
        for state in ("queued", "dead"):
            waiting.add_metric([state], queued.get(state, 0))
        for slug, checked, looks_failed, run_failed in connection.execute(
            select(dataset.c.slug, dataset.c.checked, watch.c.looks_failed, watch.c.run_failed)
            .outerjoin(watch, watch.c.dataset == dataset.c.slug)
            .where(dataset.c.state == "active")
        ):
            if checked:
                age.add_metric([slug], moment - datetime.fromisoformat(checked).timestamp())
            failures.add_metric([slug], looks_failed or 0)
            failed.add_metric([slug], int(run_failed is not None))
        for slug, facts in connection.execute(
            select(recorded.c.dataset, recorded.c.facts).where(recorded.c.asset == "parsed_records")
        ):
            found = json.loads(facts)
            if "records" in found:
                records.add_metric([slug], float(found["records"]))
                rejects.add_metric([slug], float(found.get("rejects", 0)))
    runs = GaugeMetricFamily("dissco_runs", "Runs by status", labels=["status"])
    for status in _RUNS:
        runs.add_metric([status.value.lower()], instance.get_runs_count(dg.RunsFilter(statuses=[status])))
    return [datasets, objects, registered, waiting, age, failures, failed, records, rejects, runs]


class _Latest:
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
            self.error = f"Dagster's storage cannot be read ({type(error).__name__})."
        self.seconds = time.monotonic() - began

    def start(self) -> None:
        self.read()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def collect(self) -> Iterable[Metric]:
        """Yield what a scrape gets."""
        up = GaugeMetricFamily("dissco_up", "1 where the registry and Dagster's storage answered the last reading")
        up.add_metric([], int(self.error is None))
        took = GaugeMetricFamily("dissco_reading_seconds", "Seconds that the last reading of these figures took")
        took.add_metric([], self.seconds)
        yield from (up, took)
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
