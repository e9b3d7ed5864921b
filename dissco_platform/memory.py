"""Gives memory back that nobody holds: a chain runs in one process, and what one step freed is of little use to the next."""

import ctypes
import gc
import resource
import sys
from pathlib import Path

import pyarrow as pa

LARGE = 400 * 2**20  # bytes of a process that is worth looking through


def give_back() -> None:
    """Have Arrow and the C library return to the system what is free; in a large process, Python as well.

    What is there at the first call, modules and definitions above all, stays for as long as the process: it is not looked
    through again, which would take two tenths of a second each time.
    """
    _release()
    if not gc.get_freeze_count():
        gc.freeze()
    if _resident() > LARGE:
        gc.collect()  # frames in circles of objects that nobody holds
        _release()


def _release() -> None:
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc has it, musl has not
        trim(0)


def _resident() -> int:
    """Return the bytes of this process in memory, as many as matter where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return LARGE + 1
