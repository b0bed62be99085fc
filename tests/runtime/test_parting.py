"""What processes that have parted still tell each other by the store, through the leader: any number of them."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch.distributed as dist

from cnnbench.runtime import parting
from cnnbench.runtime.parting import Process, Ties, Unanswered, collect, exchange

WORLD = 16


def _all(work: Any, silent: tuple[int, ...] = (), late: int | None = None) -> list[Any]:
    """What `work(process)` gives, or the error that it raises, on each of WORLD processes with one store; None of those
    that are `silent`."""
    store = dist.HashStore()

    def one(rank: int) -> Any:
        if rank in silent:
            return None
        time.sleep(0.2 * (rank == late))
        try:
            return work(Process(rank, WORLD, 0, store))
        except Unanswered as error:
            return str(error)

    with ThreadPoolExecutor(WORLD) as pool:
        return list(pool.map(one, range(WORLD)))


def _own(process: Process) -> list[bytes]:
    return exchange(process, "place", bytes([process.rank, 255]))


def test_each_learns_what_each_has_given() -> None:
    expected = [bytes([rank, 255]) for rank in range(WORLD)]
    assert _all(_own, late=0) == [expected] * WORLD
    assert _all(_own, late=7) == [expected] * WORLD


def test_what_is_large_goes_to_the_leader_alone() -> None:
    found = _all(lambda process: collect(process, "gathered", bytes([process.rank])))
    assert found == [[bytes([rank]) for rank in range(WORLD)]] + [[]] * (WORLD - 1)


def test_those_that_do_not_answer_are_named_by_all_and_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one after the other: of many there would be no end."""
    monkeypatch.setattr(parting, "ANSWER", 0.4)
    begun = time.monotonic()
    found = _all(_own, silent=(3, 4, 5, 11))
    assert time.monotonic() - begun < 2
    sentence = "process 3 and 4 and 5 and 11 did not answer"
    assert found == [None if rank in (3, 4, 5, 11) else sentence for rank in range(WORLD)]


def test_a_leader_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parting, "ANSWER", 0.2)
    assert _all(_own, silent=(0,)) == [None] + ["process 0 did not answer"] * (WORLD - 1)


def test_a_number_that_has_become_that_of_another_file_is_left_alone() -> None:
    """As that of a socket which the group has closed by itself: a child closed the pipe to its parent in its place."""
    ties = Ties()
    with ties.growing():
        one, other = socket.socketpair()
    number = one.fileno()
    one.close()
    a, b = socket.socketpair()
    assert number in (a.fileno(), b.fileno())
    ties.close_in_child()
    assert a.send(b"x") == 1
    assert b.recv(1) == b"x"
    with pytest.raises(OSError, match="Bad file descriptor"):
        other.send(b"x")
    for end in (a, b):
        end.close()
    other.detach()
