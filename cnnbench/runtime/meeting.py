"""Where the processes of a group meet: a store of small values that all of them read and write.

On one machine it is a file without a name, which nobody else can open: no socket at all. A group that torchrun started
has torchrun's store; one that srun started meets at MASTER_ADDR, MASTER_PORT, where process 0 listens at that address
alone. Nothing that is read from a store is unpickled.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import Place
from cnnbench.runtime.network import listen, meeting_address

ANSWER = 20.0  # seconds in which a store answers that one has connected to
HERE = "here"  # the key that process 0 sets: another program's store has none


class NoAnswer(Exception):
    """Something listens where the group meets, and it is not process 0, which says so itself."""


@contextmanager
def meeting_file() -> Iterator[str]:
    """The path of a new empty file, for processes of this user that are started within the block.

    On Linux it has no name and ends with the last process that holds it, however that ends.
    """
    if sys.platform == "linux":
        handle = os.memfd_create("cnnbench")
        try:
            yield f"/proc/{os.getpid()}/fd/{handle}"
        finally:
            os.close(handle)
        return
    with _private_folder() as folder:
        yield os.path.join(folder, "group")


def own_path(path: str) -> str:
    """The path of the file of `meeting_file` for this process, which holds it from now on."""
    return f"/proc/self/fd/{os.open(path, os.O_RDWR)}" if path.startswith("/proc/") else path


@contextmanager
def _private_folder() -> Iterator[str]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="cnnbench-", ignore_cleanup_errors=True)
    except OSError as error:
        raise UserError(f"no temporary folder can be made ({error.strerror}): set TMPDIR to one that can be") from error
    with folder as path:
        yield path


def meet(place: Place, timeout: timedelta) -> dist.Store:
    """The store of the group, with keys of this start's own: torchrun's outlives a restart of its processes.

    Raises UserError on process 0 if it cannot listen, NoAnswer elsewhere if something else does, and what torch raises.
    """
    if place.file is not None:
        return group_store(place.file)
    start = f"cnnbench/{_job()}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return dist.PrefixStore(start, next(dist.rendezvous("env://", timeout=timeout))[0])
    store = dist.PrefixStore(start, _tcp_store(place, timeout))
    if place.rank == 0:
        store.set(HERE, "")
    else:
        _wait_for_leader(store)
    return store


def group_store(file: str) -> dist.Store:
    """The store in the file of `meeting_file`."""
    return dist.PrefixStore("cnnbench", dist.FileStore(file))


def _job() -> str:
    """What tells this job's keys from those of another one that came to the same address."""
    return ".".join(os.environ.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"))


def _tcp_store(place: Place, timeout: timedelta) -> dist.Store:
    """The store that process 0 keeps at the group's address; the others wait until it does, for `timeout`."""
    address, port = meeting_address(place), int(os.environ["MASTER_PORT"])
    if place.rank == 0:
        own = listen(address, port).detach()
        return dist.TCPStore(address, port, None, True, timeout, wait_for_workers=False, master_listen_fd=own)
    return _connected(address, port, timeout)


def _connected(address: str, port: int, timeout: timedelta) -> dist.Store:
    """The store of process 0 at `address`. torch waits for ever for a program that listens and does not answer."""
    _wait_for_listener(address, port, timeout)
    found: list[dist.Store | Exception] = []

    def connect() -> None:
        try:
            found.append(dist.TCPStore(address, port, None, False, timeout, wait_for_workers=False))
        except Exception as error:
            found.append(error)

    asking = threading.Thread(target=connect, daemon=True)
    asking.start()
    asking.join(ANSWER)
    if not found or isinstance(found[0], Exception):
        raise NoAnswer
    return found[0]


def _wait_for_listener(address: str, port: int, timeout: timedelta) -> None:
    """Return once something listens at `address`. OSError if nothing does for `timeout`."""
    end = time.monotonic() + timeout.total_seconds()
    while True:
        try:
            socket.create_connection((address, port), timeout=ANSWER).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _wait_for_leader(store: dist.Store) -> None:
    try:
        store.wait([HERE], timedelta(seconds=ANSWER))
    except (dist.DistError, RuntimeError) as error:
        raise NoAnswer from error
