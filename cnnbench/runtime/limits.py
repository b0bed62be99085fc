"""Limits of the system that a loader, or a group of processes, runs into: looked at before it starts."""

from __future__ import annotations

import os

from cnnbench.runtime.errors import UserError

FILES = 256  # descriptors that a training process needs beside its loader's
PER_WORKER = 4  # and for each loader worker: its pipe, its end, and the files it reads
PER_PROCESS = 2  # and for each other process of its group: gloo connects all with all, for messages and to agree
SMALLEST_SHARED = 1 << 30  # bytes of /dev/shm below which NCCL between several GPUs may end in "Bus error"


def check_open_files(workers: int, world: int = 1) -> None:
    """Raise the limit of open files to what `workers` loader workers and a group of `world` processes need; UserError
    where the system does not let."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES + PER_WORKER * workers + PER_PROCESS * (world - 1)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        who = [f"{workers} loader workers"] * (workers > 0) + [f"a group of {world} processes"] * (world > 1)
        raise UserError(
            f"this system allows {hard} open files, and {' and '.join(who)} need {needed}: raise the limit "
            "(ulimit -n), or use fewer " + ("data.workers" if workers else "processes")
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def small_shared_memory(gpus: int) -> str | None:
    """A warning where /dev/shm is too small for several GPUs on one machine, as in a container by default; else None.

    The loader itself uses none of it.
    """
    try:
        system = os.statvfs("/dev/shm")
    except (OSError, AttributeError):
        return None
    size = system.f_frsize * system.f_blocks
    if gpus < 2 or size >= SMALLEST_SHARED:
        return None
    return (
        f"warning: /dev/shm has {size >> 20} MiB, which is little for {gpus} GPUs (NCCL uses it): start the container "
        "with --shm-size=8g or --ipc=host"
    )
