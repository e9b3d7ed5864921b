"""The production layout, whole: PostgreSQL, broker, S3, two workers, daemon; and a worker that is killed at work."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.cluster.prove import prove


def test_every_dataset_is_published_once_although_a_worker_is_killed(tmp_path: Path) -> None:
    arguments = argparse.Namespace(datasets=3, workers=2, launcher="celery", fault="worker", away=2.0, timeout=420.0)
    with tempfile.TemporaryDirectory(prefix="dissco-postgres-") as postgres:
        report = prove(tmp_path, Path(postgres), arguments)
    assert report["ok"], report
    assert report["datasets"] == 3
    assert report["faults"]
    assert report["most_database_connections"] < 100
