"""What this machine has: cores that may be used, the name of its processor, free memory."""

from __future__ import annotations

import ctypes
import multiprocessing.process
import os
import platform
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, for the line below every measurement."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def available_memory() -> int | None:
    """Bytes that this process could still take without harm to others, or None if the system does not say (Linux does).

    In a container with a limit of its own that is what is left of the limit, where it is less.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    try:
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - int(used)))


def peak_resident() -> int | None:
    """The most bytes of memory that this process has held; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def is_stopped(pid: int) -> bool:
    """Whether process `pid` has been stopped, as by SIGSTOP or a debugger; False where there is no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


def end_with_parent() -> None:
    """Have the system end this process, also a stopped one, when the thread that has forked it ends. Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def leave_behind(process: BaseProcess) -> None:
    """Let this process end without `process`, which cannot be ended: Python's end would wait for it."""
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]
