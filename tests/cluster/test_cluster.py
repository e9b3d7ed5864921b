"""The production layout, whole: PostgreSQL, broker, S3, two workers, daemon; and a worker that is killed at work."""

import json
import subprocess
import sys

from tests.house import REPOSITORY


def test_every_dataset_is_published_once_although_a_worker_is_killed() -> None:
    arguments = ["--datasets", "3", "--workers", "2", "--fault", "worker", "--away", "2", "--timeout", "420"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster.prove", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
    )
    assert done.stdout, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["ok"] and done.returncode == 0, report
    assert report["datasets"] == 3
    assert report["faults"]
    assert report["most_database_connections"] < 100
