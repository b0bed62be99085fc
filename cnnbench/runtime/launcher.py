"""The front process of several processes on one machine: starts them, passes on signals, waits, tells how they ended.

They meet in a file that has no name (meeting.py), and nothing listens beyond the loopback. When one has failed, the
others leave by themselves; those that cannot, because they still wait to meet it or are stopped, are ended.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import torch.distributed as dist

from cnnbench.runtime.distributed import FAILURES, JOINED, WHY
from cnnbench.runtime.errors import INTERRUPTED, TO_BE_CONTINUED, Lost, Stopped
from cnnbench.runtime.group import FILE
from cnnbench.runtime.machine import is_stopped, leave_behind
from cnnbench.runtime.meeting import group_store, meeting_file, own_path
from cnnbench.runtime.system import KILL, signals

METHOD = "spawn"  # each begins anew: torch's threads and a GPU's driver do not survive a fork
PASSED_ON = signals("SIGTERM", "SIGUSR1", "SIGINT")  # what our processes answer by saving
LAST = 30.0  # seconds for the others after one has left with another status than 0: they may still be saving
LOOK = 0.5  # seconds after which those others are looked at again
DEATH = 5.0  # seconds in which a process that is killed is gone, unless the system holds it


def launch(function: Callable[..., Any], processes: int, *arguments: Any) -> Any:
    """What `function(*arguments)` returns on rank 0, run in `processes` new processes of one group.

    If one of them fails, or all were asked to stop, this process leaves with the exit status of the first that left;
    they have said why themselves. Raises Lost if that one was killed from outside.
    """
    context: Any = multiprocessing.get_context(METHOD)
    receiver, sender = context.Pipe(duplex=False)
    with meeting_file() as file:
        members = []
        for rank in range(processes):
            place = (rank, processes, file, sender if rank == 0 else None)
            name = f"process {rank} of {processes}"
            members.append(context.Process(target=_member, args=(place, function, arguments), name=name))
        with _passing_on_signals(members) as asked:
            _start(members)
            if asked:  # meanwhile
                _ask_to_stop(members, asked)
            sender.close()
            result, first = _wait_for(members, receiver, group_store(file), asked)
    if first is None:
        return result
    status = first.exitcode or 0
    if _was_asked(status, asked):
        raise _stopped(asked[0])
    if status == -KILL:
        raise Lost(_death(first))
    sys.exit(max(1, status))


def _start(members: list[BaseProcess]) -> None:
    """Start `members` without Ctrl-C, which a terminal sends to them too: this process passes it on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for member in members:
            member.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _member(
    place: tuple[int, int, str, Connection | None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    """One of the processes: what a launcher tells its processes is in its environment while `function` runs."""
    rank, processes, file, sender = place
    for number in PASSED_ON:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    threading.Thread(target=_stop_with_front, daemon=True).start()
    told = {"RANK": rank, "WORLD_SIZE": processes, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": processes}
    os.environ.update({name: str(value) for name, value in told.items()} | {FILE: own_path(file)})
    result = function(*arguments)
    if sender is not None:
        sender.send(result)


def _stop_with_front() -> None:
    """Ask this process to stop once the front process has ended, however that came."""
    front = multiprocessing.parent_process()
    assert front is not None
    front.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for(
    members: list[BaseProcess], receiver: Connection, store: dist.Store, asked: list[int]
) -> tuple[Any, BaseProcess | None]:
    """Once all have left: what rank 0 returned, and the first that left with another status than 0, if any."""
    running, signs, result = list(members), [receiver], None
    first: BaseProcess | None = None
    end = 0.0
    while running:
        ready = wait([*signs, *(member.sentinel for member in running)], None if first is None else LOOK)
        if receiver in ready:
            try:
                result = receiver.recv()
            except EOFError:
                signs = []
        for member in [member for member in running if not member.is_alive()]:
            running.remove(member)
            if first is None and member.exitcode:
                first, end = member, time.monotonic() + LAST
                _say_death(member, store, asked)
        if first is not None:
            running = [member for member in running if not _ended(member, members.index(member), store, end)]
    return result, first


def _say_death(member: BaseProcess, store: dist.Store, asked: list[int]) -> None:
    """Have the group know of the first process that failed by which signal it was ended, which it could not say."""
    status = member.exitcode or 0
    if status >= 0 or _was_asked(status, asked):
        return
    if store.add(FAILURES, 1) == 1:
        store.set(WHY, _death(member))
        if status != -KILL:  # of which `launch` tells
            _say(_death(member))


def _death(member: BaseProcess) -> str:
    number = -(member.exitcode or 0)
    memory = " (out of memory?)" if number == KILL else ""
    return f"{member.name} was ended by {signal.Signals(number).name}{memory}"


def _was_asked(status: int, asked: list[int]) -> bool:
    """Whether a process left with `status` because it was asked to, before it could answer by saving."""
    return bool(asked) and status in (-signal.SIGTERM, -KILL)


def _say(sentence: str) -> None:
    print(f"cnnbench: {sentence}", file=sys.stderr, flush=True)


def _ended(member: BaseProcess, rank: int, store: dist.Store, end: float) -> bool:
    """End `member`, whose group has failed, if it cannot leave by itself: whether that was so."""
    met = store.check([f"{JOINED}/{rank}"])
    stuck = is_stopped(member.pid or 0) or time.monotonic() > end
    if met and not stuck:
        return False
    member.kill()
    member.join(DEATH)
    if member.is_alive():
        leave_behind(member)
        _say(f"{member.name} (process {member.pid}) cannot be ended: it is left")
    elif stuck:
        _say(f"{member.name} did not answer, and was ended")
    return True


@contextmanager
def _passing_on_signals(members: list[BaseProcess]) -> Iterator[list[int]]:
    """Within this block a signal to this process asks `members` to stop, and is noted in the list; a second Ctrl-C
    ends them at once."""
    asked: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        asked.append(number)
        _ask_to_stop(members, asked)

    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask_to_stop(members: list[BaseProcess], asked: list[int]) -> None:
    for member in members:
        if member.pid is not None and member.exitcode is None:  # started, and there
            # A terminal sends Ctrl-C to every process of its own: here it is passed on as another signal.
            os.kill(member.pid, KILL if asked.count(signal.SIGINT) > 1 else signal.SIGTERM)


def _stopped(number: int) -> Stopped:
    """What a run does that was asked to stop by signal `number`: leave with the status that says so."""
    return Stopped(
        f"stopped by {signal.Signals(number).name}", INTERRUPTED if number == signal.SIGINT else TO_BE_CONTINUED
    )
