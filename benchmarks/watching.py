"""What each step of a command costs, seen from outside: its processes are sampled, the steps' times are Dagster's.

CPU seconds and memory are read from `/proc` some twenty times a second and laid over the times at which each asset began
and ended, so that they are right to about a sample's length; nothing is measured inside the command.
"""

import os
import threading
import time
from bisect import bisect_left, bisect_right
from pathlib import Path

import dagster as dg

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL = 0.05

Sample = tuple[float, float, int]  # time (seconds since 1970), CPU seconds, bytes of the largest process


class Watch:
    """Samples a process and all its descendants while the block runs."""

    def __init__(self, pid: int) -> None:
        self.samples: list[Sample] = []
        self._pid, self._ended = pid, threading.Event()
        self._cpu: dict[int, float] = {}  # of processes that ended as well
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            largest = 0
            for pid in _family(self._pid):
                cpu, memory = _usage(pid)
                self._cpu[pid] = max(cpu, self._cpu.get(pid, 0.0))
                largest = max(largest, memory)
            self.samples.append((time.time(), sum(self._cpu.values()), largest))


def costs(samples: list[Sample], began: float, ended: float) -> dict[str, float]:
    """Return `wall_s`, `cpu_s`, `first_mib` and `peak_mib` (of the largest process) of a stretch of time."""
    times = [sample[0] for sample in samples]
    first, last = max(bisect_right(times, began) - 1, 0), min(bisect_left(times, ended), len(samples) - 1)
    inside = samples[first : last + 1]
    cpu = inside[-1][1] - inside[0][1] if inside else 0.0
    return {
        "wall_s": round(ended - began, 2),
        "cpu_s": round(cpu, 2),
        "first_mib": round((inside[0][2] if inside else 0) / 2**20),
        "peak_mib": round(max((sample[2] for sample in inside), default=0) / 2**20),
    }


def steps(dagster_home: Path, samples: list[Sample], since: float) -> dict[str, dict[str, float]]:
    """Return the costs of every step that began after a time, in order; `registered_dois` is the drain."""
    found = []
    os.environ["DAGSTER_HOME"] = str(dagster_home)  # which the folder's configuration names
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        for run in instance.get_runs():
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time and step.end_time and step.start_time >= since:
                    found.append((step.start_time, step.end_time, step.step_key))
    return {name: costs(samples, began, ended) for began, ended, name in sorted(found)}


def _family(pid: int) -> list[int]:
    """Return a process and its descendants; those that end meanwhile are left out."""
    members = [pid]
    for member in members:  # grows while it is read
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                members.extend(map(int, children.read_text().split()))
            except OSError:
                continue
    return members


def _usage(pid: int) -> tuple[float, int]:
    """Return (CPU seconds, bytes of resident memory) of a process; zeros once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE
