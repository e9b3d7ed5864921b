"""Costs of a piece of work in a process of its own: seconds, CPU seconds, peak memory; and what machine it was."""

import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PACKAGES = ("dagster", "polars", "pyarrow", "sqlalchemy", "lxml", "orjson", "jsonschema-rs", "gbif-name-parser")


def as_installed() -> None:
    """Begin anew with compiled modules that are kept, where this Python is told to keep none.

    An installation has its modules compiled. Compiling them in every process takes longer than all else of its start: a CPU
    second for each stage, which would be measured as the stage's.
    """
    if not sys.flags.dont_write_bytecode:
        return
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "dissco-benchmarks-compiled")
    arguments = [argument for argument in sys.orig_argv[1:] if argument != "-B"]
    os.execve(sys.executable, [sys.executable, *arguments], kept)


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Do the work in a new process; return what it returns with `wall_s`, `cpu_s` and `peak_mib` (all its processes' largest).

    `spawn_s` is what passed before the work began: Python's start, and modules that this one and the work's import.
    """
    ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(theirs, work, arguments, time.time()))
    process.start()
    theirs.close()
    try:
        result: dict[str, Any] = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{work.__name__} ended with exit code {process.exitcode}") from None
    process.join()
    return result


def _child(pipe: Connection, work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], spawned: float) -> None:
    spawn = time.time() - spawned
    before, began = _cpu(), time.perf_counter()
    result = work(*arguments)
    wall = time.perf_counter() - began
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    pipe.send({**result, "wall_s": wall, "cpu_s": _cpu() - before, "spawn_s": spawn, "peak_mib": round(peak / 1024)})
    pipe.close()


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of repeated measurements, with the spread (smallest, largest) of the CPU seconds."""
    cpu = [run["cpu_s"] for run in runs]
    return {
        **runs[-1],
        "wall_s": round(statistics.median(run["wall_s"] for run in runs), 3),
        "cpu_s": round(statistics.median(cpu), 3),
        "cpu_spread_s": [round(min(cpu), 3), round(max(cpu), 3)],
        "peak_mib": max(run["peak_mib"] for run in runs),
        "repeats": len(runs),
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and with which versions."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) // 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def folder_bytes(path: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def write(path: Path, value: object) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
