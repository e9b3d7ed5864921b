"""Are DOIs and versions safe whatever happens? `python -m benchmarks.identity.faults [--repetitions 50] [--only NAME …]`

Each fault strikes at random points of so many publications of one growing museum, each of which is then run again until
it comes through. At the end a checker that reads only the final state (`check`) compares registry, documents and the
sandbox with what the editions ask for. Prints JSON; exit code 1 where anything differs, or where a fault
struck less often.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from benchmarks.identity.check import problems
from benchmarks.identity.editions import Edition, open_museum, publish_edition
from dissco_platform.errors import DisscoError
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient, Patience
from dissco_platform.identity.datacite.drain import drain
from dissco_platform.registry import Registry
from dissco_platform.sandbox import running_sandbox
from dissco_platform.store import DatasetStore

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = Patience(connect=2, read=0.5, attempts=2, base=0.01, longest=0.05, pause=0.05)
RATE = 0.2
SERVICE_FAULTS = ("rate_limited", "error_500", "error_502", "timeout", "reset", "dropped")
# Phase → the function (of which module) at whose first call a child begins to count down to its end.
PHASES = {
    "minting": ("dissco_platform.identity.publish", "reserve"),
    "publishing": ("dissco_platform.identity.parts", "PartWriter.write"),
    "committing": ("dissco_platform.identity.publish", "add_parts"),
    "draining": ("dissco_platform.registry.outbox", "lease"),
}
SIGNALLED, FULL = -signal.SIGKILL, 3
SHARES = {"committing": 0.2}  # of `--longest`: the commit of a few specimens takes some hundredths of a second


@dataclass
class Museum:
    """A growing museum, the editions that it published, and what struck it."""

    folder: Path
    url: str
    registry: Registry
    store: DatasetStore
    draw: random.Random
    nursery: "Nursery | None" = None
    editions: list[Edition] = field(default_factory=list)
    struck: int = 0

    def next(self) -> Edition:
        """Return the next edition: five more specimens, and a few that say something new."""
        number = len(self.editions)
        edition = Edition(60 + 5 * number, changed=self.draw.randint(5, 25), wording=f"w{number}", media_every=5)
        self.editions.append(edition)
        return edition

    def bear(self, edition: Edition, phase: str, amount: float, fault: str) -> int:
        """Publish an edition in a process of its own that meets a fault; return its exit code."""
        if self.nursery is None:
            self.nursery = Nursery()
        return self.nursery.bear(edition, self.folder, self.url, phase, amount, fault)

    def through(self, edition: Edition, seconds: float = 120) -> None:
        """Publish and drain until both come through, as a person or the reconciler would run it again."""
        until = time.monotonic() + seconds
        while True:
            try:
                publish_edition(self.registry, self.store, self.folder, edition)
                report = drain(self.registry, self.store, client(self.url), seconds=20)
                if not report.remaining:
                    return
            except DisscoError:
                self.struck += 1
            if time.monotonic() > until:
                raise TimeoutError(f"{edition} did not come through within {seconds} s")


def client(url: str) -> DataCiteClient:
    """Return a client of the sandbox with little patience."""
    account = DataCiteAccount(url, "DISSCO.SANDBOX", "sandbox", "10.5555")
    return DataCiteClient(account, concurrency=4, patience=PATIENCE)


def killed(museum: Museum, phase: str, longest: float) -> None:
    """Publish in a child that is killed some time after it came into a phase, then again."""
    edition = museum.next()
    if phase == "draining":  # a service on this machine answers sooner than anybody could kill
        httpx.put(f"{museum.url}/sandbox/faults", json={"latency_seconds": 0.05}).raise_for_status()
    result = museum.bear(edition, phase, museum.draw.uniform(0, longest), "kill")
    museum.struck += result == SIGNALLED
    museum.through(edition)


def disk_full(museum: Museum) -> None:
    """Publish in a child that cannot write a Parquet file to its end, then again."""
    edition = museum.next()
    result = museum.bear(edition, "publishing", museum.draw.uniform(50, 1_200), "full")
    museum.struck += result == FULL
    museum.through(edition)


def service_fault(museum: Museum, kind: str) -> None:
    """Publish while a fifth of all writes to the DOI service fails."""
    plan = {"rates": {kind: RATE}, "seed": museum.draw.randrange(2**31), "hang_seconds": 1.0}
    httpx.put(f"{museum.url}/sandbox/faults", json=plan).raise_for_status()
    museum.through(museum.next())
    drawn = httpx.get(f"{museum.url}/sandbox/counters").json()["faults"]
    museum.struck = drawn.get(kind, 0)


def database_locked(museum: Museum) -> None:
    """Publish while somebody else holds the database's lock for a while."""
    place = str(museum.folder / "registry.sqlite")

    def hold(seconds: float) -> None:
        connection = sqlite3.connect(place, timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.rollback()
        connection.close()

    with _meanwhile(museum, lambda: hold(museum.draw.uniform(0.2, 2.0))):
        museum.through(museum.next())
    museum.struck += 1


def database_gone(museum: Museum) -> None:
    """Publish while the database server throws everybody out and lets nobody in for a while (PostgreSQL)."""
    name = museum.registry.engine.url.database
    admin = museum.registry.engine.url.set(database="postgres")

    def away(seconds: float) -> None:
        from sqlalchemy import create_engine

        engine = create_engine(admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
            ended = connection.execute(
                text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"),
                {"name": name},
            ).scalar_one()
            museum.struck += bool(ended)
            time.sleep(seconds)
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        engine.dispose()

    with _meanwhile(museum, lambda: away(museum.draw.uniform(0.2, 2.0))):
        museum.through(museum.next())


@contextlib.contextmanager
def _meanwhile(museum: Museum, act: Callable[[], None]) -> Iterator[None]:
    """Do something at a random moment while the block runs; both have ended afterwards."""
    delay = museum.draw.uniform(0, 0.5)

    def later() -> None:
        time.sleep(delay)
        act()

    thread = threading.Thread(target=later)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class Nursery:
    """Gives birth to children that meet a fault: a process that has imported everything and forks, which saves seconds.

    It has done nothing but import, so that no thread pool is in use when it forks.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.identity.faults", "--nursery"]
        # Their messages go nowhere: the limit on what a child may write holds for a log file as well.
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def bear(self, edition: Edition, folder: Path, url: str, phase: str, amount: float, fault: str) -> int:
        """Publish an edition in a process of its own that meets a fault; return its exit code."""
        assert self._process.stdin is not None and self._process.stdout is not None
        order = [asdict(edition), str(folder), url, phase, amount, fault]
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def nursery() -> int:
    """Be the nursery: an order a line, the child's exit code a line."""
    for line in sys.stdin:
        edition, folder, url, phase, amount, fault = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = run_child(Edition(**edition), Path(folder), url, phase, amount, fault)
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return 0


def run_child(edition: Edition, folder: Path, url: str, phase: str, amount: float, fault: str) -> int:
    """Be the child: publish and drain, and end by the fault."""
    import importlib

    module, path = PHASES[phase]
    owner: Any = importlib.import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def begin(*arguments: Any, **named: Any) -> Any:
        if fault == "kill":
            threading.Timer(amount, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(amount), resource.RLIM_INFINITY))
        setattr(owner, name, original)
        return original(*arguments, **named)

    setattr(owner, name, begin)
    registry, store = open_museum(folder)
    try:
        publish_edition(registry, store, folder, edition)
        drain(registry, store, client(url), seconds=20)
    except DisscoError as error:
        print(error, file=sys.stderr)
        return FULL
    return 0


def strikes(longest: float) -> dict[str, Callable[[Museum], None]]:
    """Return the faults by name; a phase is killed within so many seconds of its beginning."""
    made: dict[str, Callable[[Museum], None]] = {
        f"killed in {phase}": lambda museum, phase=phase: killed(museum, phase, longest * SHARES.get(phase, 1))  # type: ignore[misc]
        for phase in PHASES
    }
    for kind in SERVICE_FAULTS:
        made[f"service: {kind}"] = lambda museum, kind=kind: service_fault(museum, kind)  # type: ignore[misc]
    made["database locked"] = database_locked
    made["database gone"] = database_gone
    made["disk full"] = disk_full
    return made


def prove(name: str, strike: Callable[[Museum], None], repetitions: int, seed: int) -> dict[str, Any]:
    """Let a fault strike so many times and return what the checker says."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(running_sandbox(folder / "sandbox.sqlite"))
        url = None
        if name == "database gone":
            from benchmarks.identity.million import postgres

            url = stack.enter_context(postgres())
            with contextlib.closing(_named(url)) as made:
                url = made.url
        registry, store = open_museum(folder, url)
        museum = Museum(folder, sandbox.url, registry, store, random.Random(seed))
        began = time.monotonic()
        museum.through(museum.next())
        tried = 0
        while tried < repetitions or (museum.struck < repetitions and tried < 3 * repetitions):
            strike(museum)
            tried += 1
        httpx.delete(f"{sandbox.url}/sandbox/faults")
        museum.through(museum.editions[-1])
        found = problems(registry, store, sandbox.url, museum.editions)
        registry.close()
        if museum.nursery is not None:
            museum.nursery.close()
    return {
        "publications": tried,
        "struck": museum.struck,
        "specimens": museum.editions[-1].specimens,
        "problems": found[:10],
        "seconds": round(time.monotonic() - began, 1),
    }


class _named:  # noqa: N801  a database of its own on a server, to be closed to everybody
    def __init__(self, server: str) -> None:
        from dissco_platform.registry import open_registry

        admin = open_registry(server)
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CREATE DATABASE museum"))
        admin.close()
        self.url = server.replace("/postgres?", "/museum?")

    def close(self) -> None:
        """Nothing to give back: the server goes as a whole."""


def main() -> int:
    """Prove, print, and say whether all held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument(
        "--longest", type=float, default=0.15, help="seconds after a phase's beginning that kill at most"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of faults (default: all)")
    parser.add_argument("--nursery", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.nursery:
        return nursery()
    results = {}
    for name, strike in strikes(arguments.longest).items():
        if not arguments.only or name in arguments.only:
            results[name] = prove(name, strike, arguments.repetitions, arguments.seed)
            print(name, json.dumps(results[name]), file=sys.stderr, flush=True)
    print(json.dumps(results, indent=2))
    return int(any(result["problems"] or result["struck"] < arguments.repetitions for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
