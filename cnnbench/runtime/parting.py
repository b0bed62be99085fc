"""Leaving a group that cannot go on together: one of it is stopped, waits for a disk in vain, or has lost a worker.

Messages go through connections whose ends wait for each other. A process that has to leave cuts its own: that ends the
waiting of the others, who find in the group's store why. From then on the store carries what they still have to tell
each other, with a time-out, for one last save.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import torch.distributed as dist

from cnnbench.runtime.errors import Stopped

ANSWER = 5.0  # seconds in which a process that is not stuck answers by the store
WORD = 1.0  # and in which one that has cut its connections has said why, since it says so first
LEAST = 0.01  # seconds: less than a millisecond would be for ever
# Keys of the store: how many have parted, and why the first did; what each has given; whether rank 0 has saved.
TEXT = "latin-1"  # a letter for each byte: values of a store are texts
PARTING, PARTED, SHARE, SAVED = "parting", "parted", "share", "saved"


class Unanswered(Exception):
    """What is needed of all processes of the group cannot be had of some."""


@dataclass
class Ties:
    """The connections of a process to its group, until it has cut them, and those to the group's store, which stay.

    Each with the system's name for it: a number alone may be another's by now, as that of one that was closed is given
    to the next file or pipe that is opened.
    """

    sockets: set[tuple[int, str]] = field(default_factory=set)
    to_store: set[tuple[int, str]] = field(default_factory=set)
    cut: bool = False

    @contextmanager
    def growing(self, to_store: bool = False) -> Iterator[None]:
        """Note the connections that are made within the block."""
        before = _sockets()
        yield
        (self.to_store if to_store else self.sockets).update(_sockets() - before)

    def close_in_child(self) -> None:
        """Close them in a process that has been forked: else the others would not notice the end of this one."""
        for handle in open_still(self.sockets | self.to_store):
            with suppress(OSError):
                os.close(handle)


@dataclass(frozen=True)
class Process:
    """This process among `world`; `local_rank` counts on its own machine and picks the GPU."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    store: dist.Store | None = None  # small values that all processes of a group can read
    ties: Ties = field(default_factory=Ties, compare=False)

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and prints."""
        return self.rank == 0

    def __str__(self) -> str:
        return f"process {self.rank} of {self.world}"


def part(process: Process, stop: Stopped) -> None:
    """Leave the group because of `stop`: say so in the store, and end the waiting of this process and of the others."""
    if process.ties.cut or process.store is None:
        return
    process.ties.cut = True
    if process.store.add(PARTING, 1) == 1:
        process.store.set(PARTED, json.dumps([str(stop), stop.status, stop.lost]))
    for handle in open_still(process.ties.sockets):
        with suppress(OSError), socket.socket(fileno=os.dup(handle)) as connection:
            connection.getpeername()  # fails for one that listens, which gloo does not survive the end of
            connection.shutdown(socket.SHUT_RDWR)


def why_parted(process: Process) -> Stopped | None:
    """Why another process has left the group, if it has said so. This one parts as well then."""
    if process.store is None:
        return None
    try:
        process.store.wait([PARTED], timedelta(seconds=WORD))
        why, status, lost = json.loads(process.store.get(PARTED))
    except (dist.DistError, RuntimeError):
        return None
    stop = Stopped(why, status, lost)
    part(process, stop)
    return stop


def exchange(process: Process, what: str, own: bytes) -> list[bytes]:
    """What each process has given for `what`, by rank, over the store. Raises Unanswered."""
    collected = [part.decode(TEXT) for part in collect(process, what, own)]
    return [part.encode(TEXT) for part in json.loads(_of_leader(process, f"{what}/all", json.dumps(collected)))]


def collect(process: Process, what: str, own: bytes) -> list[bytes]:
    """As `exchange`, but rank 0 alone is given it; elsewhere []. Raises Unanswered, also there.

    The leader reads for all of them: if each read what each gave, the requests would be the square of their number.
    """
    store = process.store
    assert store is not None
    store.set(f"{SHARE}/{what}/{process.rank}", own.decode(TEXT))
    found, silent = _given(process, store, what) if process.leads else ([], [])
    silent = json.loads(_of_leader(process, f"{what}/silent", json.dumps(silent)))
    if silent:
        raise Unanswered(f"process {' and '.join(map(str, silent))} did not answer")
    return found


def _given(process: Process, store: dist.Store, what: str) -> tuple[list[bytes], list[int]]:
    """What the processes have given by rank, within ANSWER seconds in all, and who has not."""
    found, silent, end = list[bytes](), list[int](), time.monotonic() + ANSWER
    for rank in range(process.world):
        key = f"{SHARE}/{what}/{rank}"
        try:
            if (left := end - time.monotonic()) > LEAST:
                store.wait([key], timedelta(seconds=left))
            if store.check([key]):
                found.append(store.get(key).decode().encode(TEXT))
                continue
        except (dist.DistError, RuntimeError):
            pass
        silent.append(rank)
    return found, silent


def _of_leader(process: Process, what: str, text: str) -> str:
    """The `text` of rank 0 on every process, which may come here ANSWER seconds after the others and then wait for one.
    Raises Unanswered."""
    store, key = process.store, f"{SHARE}/{what}"
    assert store is not None
    try:
        if process.leads:
            store.set(key, text)
            return text
        store.wait([key], timedelta(seconds=2 * ANSWER))
        return store.get(key).decode()
    except (dist.DistError, RuntimeError) as error:
        raise Unanswered("process 0 did not answer") from error


def wait_for_leader(process: Process, seconds: float) -> None:
    """Return when rank 0 has come here, or has left, at the latest after `seconds`."""
    if process.store is None:
        return
    with suppress(dist.DistError, RuntimeError):
        if process.leads:
            process.store.set(SAVED, "")
        else:
            process.store.wait([SAVED], timedelta(seconds=seconds))


def open_still(connections: set[tuple[int, str]]) -> list[int]:
    """Of `connections`, the numbers of those that are open."""
    return [handle for handle, name in connections if _name_of(handle) == name]


def _sockets() -> set[tuple[int, str]]:
    """This process's open sockets, where there is a /proc that tells."""
    try:
        names = {handle: _name_of(handle) for handle in map(int, os.listdir("/proc/self/fd"))}
    except OSError:
        return set()
    return {(handle, name) for handle, name in names.items() if name.startswith("socket:")}


def _name_of(handle: int) -> str:
    """The system's name for what is open by that number, "" for nothing."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return ""
