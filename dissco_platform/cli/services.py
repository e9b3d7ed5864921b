"""`dissco sandbox`, `dissco portal` and `dissco ui`: things that run until they are interrupted."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from dissco_platform.cli.demo import museums_files
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages
from dissco_platform.cli.progress import running
from dissco_platform.cluster.sole import sole_daemon
from dissco_platform.errors import UsageError
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.sandbox import FaultPlan, running_sandbox, serve
from dissco_platform.settings import CHECKOUT

_INTERRUPT_SECONDS = 20


def sandbox(
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    database: Annotated[Path | None, typer.Option(help="Its SQLite file (default: in DISSCO_HOME).")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="KIND=RATE, for example error_500=0.1.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
) -> None:
    """Serve a DOI service that answers as DataCite's does and registers nothing anywhere.

    Point DISSCO_DATACITE_URL at the address it prints. Its account and prefix are those of the settings
    (DISSCO_DATACITE_REPOSITORY, DISSCO_DATACITE_PASSWORD, DISSCO_DOI_PREFIX).
    """
    rates: dict[str, float] = {}
    for text in fault or []:
        kind, _, rate = text.partition("=")
        try:
            rates[kind] = float(rate)
        except ValueError as error:
            raise UsageError(f"--fault takes KIND=RATE, for example error_500=0.1, not {text}.") from error
    try:
        plan = FaultPlan.parse({"rates": rates, "seed": seed})
    except ValueError as error:
        raise UsageError(str(error)) from error
    with House() as house:
        settings = house.settings
        file = database or settings.sandbox_path
        file.parent.mkdir(parents=True, exist_ok=True)
        serve(
            host,
            port,
            file,
            username=settings.datacite_repository,
            password=settings.datacite_password.get_secret_value(),
            prefix=settings.doi_prefix,
            faults=plan,
            announce=lambda facts: print(json.dumps(facts), flush=True),
        )


def portal(
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)] = 1,
    proxy: Annotated[
        str, typer.Option(help="Addresses of reverse proxies whose X-Forwarded-* headers hold.")
    ] = "127.0.0.1",
    index: Annotated[
        bool, typer.Option(help="First bring the search index up to date where it is behind (it is made by runs).")
    ] = True,
    work: Annotated[
        bool, typer.Option("--work/--no-work", help="Do what is asked for at the enrolment desk (not beside a daemon).")
    ] = True,
) -> None:
    """Serve the pages that DOIs lead to, search, the API and the enrolment desk, until Ctrl-C.

    DISSCO_LANDING_PAGE is the address under which the world reaches it; its default is this command's default port.
    """
    from dissco_platform.portal.serving import serve_portal

    with House() as house:
        _ = house.registry  # made or brought up to date once, before several processes start
        if index:
            _bring_index_up_to_date(house)
        with contextlib.ExitStack() as stack:
            stack.enter_context(museums_files(house.settings.home))  # so that one can pre-register them
            stack.enter_context(_desk_worker(work))
            serve_portal(
                house.settings,
                host,
                port,
                workers=workers,
                proxy=proxy,
                announce=lambda address: _announce_portal(address, house.settings.landing_page),
            )


def _announce_portal(address: str, landing_page: str) -> None:
    console.print(f"Portal: {address} (stop with Ctrl-C)", soft_wrap=True)
    if (
        urlsplit(address).port != (urlsplit(landing_page).port or 443)
        and urlsplit(landing_page).hostname == "localhost"
    ):
        messages.print(
            f"Links say {landing_page}, which is DISSCO_LANDING_PAGE: set it to this address.", soft_wrap=True
        )


@contextlib.contextmanager
def _desk_worker(wanted: bool) -> Iterator[None]:
    """Run the desk's worker in a process of its own: a trial load must not slow the pages down, nor outlive them."""
    if not wanted:
        yield
        return
    code = "from dissco_platform.cli import main; main()"
    worker = subprocess.Popen(
        [sys.executable, "-c", code, "enrol", "work", "--watch", "--run"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # The worker alone: helpers of Dagster in its session would die with a traceback, and end with it anyway.
        with contextlib.suppress(ProcessLookupError):
            worker.terminate()
        try:
            worker.wait(_INTERRUPT_SECONDS)
        except subprocess.TimeoutExpired:
            _end(worker)


def _bring_index_up_to_date(house: House) -> None:
    from dissco_platform.search.index import behind, open_index, update_index

    found = open_index(house.settings.search_url)
    try:
        for slug in behind(found, house.registry):
            with running(f"search index: {slug}") as told:
                update_index(
                    found, house.registry, house.store, slug, told=lambda what, count: told(f"{what}: {count:,}")
                )
    finally:
        found.close()


def ui(
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's web UI and daemon over this instance, sensors and schedules on, until Ctrl-C or SIGTERM.

    Runs started there use the sandbox if no DataCite is set. After `dissco demo`, the museums' files are served too.
    """
    _require_free(host, port)
    address = f"http://{host}:{port}"
    with House() as house, contextlib.ExitStack() as stack:
        settings = house.settings
        _ = house.instance  # makes the instance folder
        stack.enter_context(sole_daemon(house.registry, settings.dagster_path))
        with house.registry.read() as connection:
            if not list_datasets(connection):
                messages.print("No dataset is enrolled yet: `make demo` makes three, or see `dissco dataset add`.")
        environment = {
            "DISSCO_DAGSTER_URL": address,
            "PYTHONWARNINGS": "ignore",  # of Dagster about its own commands
            **os.environ,
            "DAGSTER_HOME": str(settings.dagster_path),
            "DISSCO_HOME": str(settings.home.absolute()),
        }
        stack.enter_context(museums_files(settings.home))
        if settings.uses_sandbox:
            running = stack.enter_context(
                running_sandbox(
                    settings.sandbox_path,
                    username=settings.datacite_repository,
                    password=settings.datacite_password.get_secret_value(),
                    prefix=settings.doi_prefix,
                )
            )
            environment["DISSCO_DATACITE_URL"] = running.url
            environment["DISSCO_DATACITE_PASSWORD"] = settings.datacite_password.get_secret_value()
        console.print("Starting Dagster's web server and daemon …")
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(CHECKOUT / "workspace.yaml")]
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.default_int_handler)  # a shell starts background jobs with interrupts ignored
        # A session of its own: it is ended by us, once, with all that it started.
        process = subprocess.Popen(
            [*command, "-h", host, "-p", str(port)], env=environment, cwd=CHECKOUT, start_new_session=True
        )
        try:
            if _answers(process, address):
                console.print(f"Dagster: {address} (stop with Ctrl-C)")
            code = process.wait()
        except KeyboardInterrupt:
            messages.print("Stopping …")
            code = 0
        finally:
            _end(process)
    raise typer.Exit(code if code > 0 else 0)


def _require_free(host: str, port: int) -> None:
    """Make sure that a port can be taken.

    Raises:
        UsageError: another program has it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be used ({error.strerror}); try `dissco ui --port {port + 1}`."
            ) from error


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until the web server answers; False where it ended before it did."""
    while process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/server_info", timeout=2, trust_env=False).is_success:
                return True
        time.sleep(0.5)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its session."""
    for sign, patience in ((signal.SIGINT, _INTERRUPT_SECONDS), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
