"""`dissco serve …`: the processes of a layout with several machines, each in the foreground until it is told to stop.

On one machine `dissco ui` is all of them together. How they are put together: docs/operations.md.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Annotated

import typer

from dissco_platform.cli.house import House
from dissco_platform.cli.output import messages
from dissco_platform.errors import UsageError
from dissco_platform.logs import use_json_lines
from dissco_platform.settings import CHECKOUT, Settings

app = typer.Typer(
    help="The processes of a layout with several machines: daemon, web server, workers, DOI drain, metrics.",
    no_args_is_help=True,
)

_CHECK_SECONDS = 5.0
WORKSPACE = CHECKOUT / "workspace.yaml"

Port = Annotated[int, typer.Option(help="Port; 0 takes a free one where the process can.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command("daemon")
def daemon() -> None:
    """Run Dagster's daemon: sensors, schedules, the run queue, run monitoring. A second one is refused."""
    from dagster._daemon.cli import run_command

    from dissco_platform.cluster.sole import sole_daemon

    with House() as house:
        os.environ.update(environment(house))
        with sole_daemon(house.registry, house.settings.dagster_path) as held:
            lost = _watch(held)
            form = "json" if house.settings.log_format == "json" else "colored"
            logging.getLogger().addHandler(
                logging.NullHandler()
            )  # else a library's first word there doubles every line
            run_command.main(["-w", str(WORKSPACE), "--log-format", form], standalone_mode=False)
            if lost.is_set():
                raise UsageError("The database was away and another daemon took over meanwhile: this one stopped.")


@app.command("web")
def web(port: Port = 3000, host: Host = "127.0.0.1") -> None:
    """Run Dagster's web interface. It has no sign-in of its own: put it behind one."""
    _become("dagster_webserver", "-w", str(WORKSPACE), "-h", host, "-p", str(port))


@app.command("worker")
def worker(
    queue: Annotated[list[str] | None, typer.Option(help="Queue to take runs from; may be repeated.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 1,
    name: Annotated[str, typer.Option(help="Name of this worker, one of its kind a machine.")] = "dissco",
    runs_per_process: Annotated[
        int, typer.Option(min=1, help="Runs after which a process is replaced, so that memory stays flat.")
    ] = 50,
) -> None:
    """Run a Celery worker that executes runs. Told to stop (SIGTERM), it finishes the run that it is at first."""
    _become(
        "celery",
        "--app=dissco_platform.cluster.worker",
        "--quiet",
        "worker",
        f"--queues={','.join(queue or ['dagster'])}",
        f"--concurrency={concurrency}",
        f"--hostname={name}@%h",
        "--prefetch-multiplier=1",
        f"--max-tasks-per-child={runs_per_process}",
        "--loglevel=INFO",
    )


@app.command("drain")
def drain(
    pause: Annotated[float, typer.Option(min=0.1, help="Seconds between looks at an empty outbox.")] = 15.0,
) -> None:
    """Register the DOIs that wait, and go on doing so: for weeks of new DOIs at the pace that DataCite allows."""
    from dissco_platform.cli.registries import doi_service_of
    from dissco_platform.errors import DoiServiceError

    with House() as house:
        log = _logger(house.settings, "dissco.drain")
        stopped = _stop_on_signals()
        with doi_service_of(house) as service:
            while not stopped:
                try:
                    report = service.drain(house.registry, house.store, None, lambda what, count: None)
                except DoiServiceError as error:
                    log.error(str(error))
                else:
                    if report.written or report.failed:
                        log.info(f"{report.written} DOIs written, {report.failed} refused, {report.remaining} wait")
                until = time.monotonic() + pause
                while not stopped and time.monotonic() < until:
                    time.sleep(0.1)


@app.command("metrics")
def metrics(port: Port = 9100, host: Host = "127.0.0.1") -> None:
    """Serve metrics for Prometheus at /metrics, and whether everything is reachable at /healthz."""
    from dissco_platform.cluster.metrics import serve_metrics

    with House() as house:
        stopped = _stop_on_signals()
        with serve_metrics(house.registry, house.instance, host, port) as address:
            messages.print(f"Metrics: {address}/metrics")
            while not stopped:
                time.sleep(0.1)


def environment(house: House) -> dict[str, str]:
    """Return the environment of the processes started here: which instance, which state."""
    _ = house.instance  # makes the instance's folder
    return {
        **os.environ,
        "DAGSTER_HOME": str(house.settings.dagster_path),
        "DISSCO_HOME": str(house.settings.home.absolute()),
        "PYTHONUNBUFFERED": "1",
    }


def _become(module: str, *arguments: str) -> None:
    """Go on as another program: signals, exit code and memory are then its own."""
    with House() as house:
        variables = environment(house)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], variables)  # noqa: S606


def _watch(held: Callable[[], bool]) -> threading.Event:
    """Interrupt this process when the lock is not held any more; the event says that this is why."""
    lost = threading.Event()

    def look() -> None:
        while held():
            time.sleep(_CHECK_SECONDS)
        lost.set()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=look, daemon=True).start()
    return lost


class _Stopped:
    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


def _stop_on_signals() -> _Stopped:
    stopped = _Stopped()

    def ask(*_: object) -> None:
        stopped.asked = True

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, ask)
    return stopped


def _logger(settings: Settings, name: str) -> logging.Logger:
    if settings.log_format == "json":
        use_json_lines()
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    return logging.getLogger(name)
