"""Workers that fill parts of batches: processes, threads, or none but the one that asks.

A task goes to the worker with the least to do; results come in any order.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import queue
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import torch

from cnnbench.runtime.errors import Lost, UserError
from cnnbench.runtime.machine import end_with_parent, leave_behind
from cnnbench.runtime.system import KILL, signals

Task = TypeVar("Task")
Value = TypeVar("Value")
LEAVE = 2.0  # seconds in which workers leave by themselves
DEATH = 2.0  # and in which they are gone once they are killed, unless the system holds them
NOTED = 0.5  # seconds
MOST_NAMED = 3  # workers
IGNORED = signals("SIGINT", "SIGTERM", "SIGUSR1")  # the training process decides what they mean, and closes


class _Forking:
    """`lock` is held while a pipe is opened or closed, and while a process is forked. A child that another thread forks
    in the midst of it would keep a pipe that is not its own, or close its own for one."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)  # held by a thread that is not there

    def renew(self) -> None:
        self.lock = threading.RLock()  # what a garbage collection closes may be within


_forking = _Forking()


@dataclass(frozen=True)
class TaskResult(Generic[Task, Value]):
    """A task, what the function returned for it, and how long that took, in seconds."""

    task: Task
    value: Value
    seconds: float


class Guard(Protocol):
    """What has a say in a worker process, and on its end."""

    def enter(self, worker: int) -> None:
        """Called in the process of `worker` before its first task."""

    def blames(self, worker: int, exit_code: int) -> bool:
        """Whether `worker` ended by a task of its own, so that another process is to go on in its place."""


class Workers(Protocol[Task, Value]):
    """What each kind of workers does."""

    def submit(self, task: Task) -> None:
        """Have a worker do `task`."""

    def receive(self) -> list[TaskResult[Task, Value]]:
        """Wait for at least one submitted task; the results that are there. RuntimeError if a worker failed."""

    def close(self) -> None:
        """End the workers."""

    def unanswered(self) -> str:
        """What has been waited for in vain, in words."""


class Inline(Generic[Task, Value]):
    """No worker: a task is done when its result is asked for."""

    def __init__(self, function: Callable[[Task], Value]) -> None:
        self.function = function
        self.tasks: deque[Task] = deque()
        self.task: Task | None = None  # that is being done

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def receive(self) -> list[TaskResult[Task, Value]]:
        self.task = self.tasks.popleft()
        return [_do(self.function, self.task)]

    def close(self) -> None:
        self.tasks.clear()

    def unanswered(self) -> str:
        return str(self.task)


class Threads(Generic[Task, Value]):
    """Threads of this process."""

    def __init__(self, function: Callable[[Task], Value], count: int) -> None:
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()  # None: leave
        self.results: queue.SimpleQueue[TaskResult[Task, Value] | Exception] = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self._serve, args=(function,), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _serve(self, function: Callable[[Task], Value]) -> None:
        while (task := self.tasks.get()) is not None:
            try:
                self.results.put(_do(function, task))
            except Exception as error:
                self.results.put(error)

    def submit(self, task: Task) -> None:
        self.tasks.put(task)

    def receive(self) -> list[TaskResult[Task, Value]]:
        result = self.results.get()
        if isinstance(result, UserError):
            raise result
        if isinstance(result, Exception):
            raise RuntimeError("a loader thread failed") from result
        return [result]

    def close(self) -> None:
        while not self.tasks.empty():
            self.tasks.get()
        for _ in self.threads:
            self.tasks.put(None)
        end = time.monotonic() + LEAVE
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))  # one that is stuck is left: it ends with this process

    def unanswered(self) -> str:
        return f"{len(self.threads)} loader threads"


class Processes(Generic[Task, Value]):
    """Forked processes, which share the index with this one and have imported what they need already."""

    def __init__(
        self,
        function: Callable[[Task], Value],
        count: int,
        guard: Guard | None = None,
        last: Callable[[], None] | None = None,
    ) -> None:
        self.function, self.guard, self.last = function, guard, last
        self.connections: list[Connection] = []
        self.processes: list[BaseProcess] = []
        self.waiting: list[deque[Task]] = [deque() for _ in range(count)]  # tasks of each that have no result yet
        # A child that kept our ends of the pipes, these or other ones, would have workers never see them close.
        multiprocessing.util.register_after_fork(self, lambda mine: _close(mine.connections))
        for number in range(count):
            self._start(number)
        # At exit, before Python asks its children to end by a signal that these ignore, and waits for them.
        self.leave = multiprocessing.util.Finalize(self, _close, args=(self.connections,), exitpriority=10)

    def _start(self, number: int) -> None:
        """Start worker `number`, which may be the next one, or stand in for one that has ended."""
        context = multiprocessing.get_context("fork")
        with _forking.lock:
            ours, theirs = context.Pipe()
            self.connections[number : number + 1] = [ours]
            arguments = (self.function, theirs, number, self.guard, self.last)
            process = context.Process(target=_serve, args=arguments, daemon=True, name=f"loader {number}")
            self.processes[number : number + 1] = [process]
            process.start()
            theirs.close()

    def submit(self, task: Task) -> None:
        number = min(range(len(self.waiting)), key=lambda number: len(self.waiting[number]))
        self.waiting[number].append(task)
        try:
            self.connections[number].send(task)
        except OSError:
            self._replace(number)

    def receive(self) -> list[TaskResult[Task, Value]]:
        ready = wait([*self.connections, *(process.sentinel for process in self.processes)])
        results = []
        for number, connection in enumerate(self.connections):
            if connection in ready or self.processes[number].sentinel in ready:
                results += self._received(number)
        return results

    def _received(self, number: int) -> list[TaskResult[Task, Value]]:
        connection = self.connections[number]
        try:
            result = connection.recv() if connection.poll() else None
        except (EOFError, OSError):
            result = None
        if result is None:
            self._replace(number)
            return []
        if isinstance(result, UserError):
            raise result
        if isinstance(result, str):
            raise RuntimeError(f"a loader process failed:\n{result}")
        self.waiting[number].popleft()
        return [result]

    def _replace(self, number: int) -> None:
        """Have another process do the tasks of worker `number`, which has ended, if a task is to blame."""
        code = _exit_code(self.processes[number])
        if self.guard is None or not self.guard.blames(number, code):
            self._raise_death(number)
        self.connections[number].close()
        self.processes[number].close()
        self._start(number)
        for task in self.waiting[number]:
            self.connections[number].send(task)

    def _raise_death(self, number: int) -> NoReturn:
        code = _exit_code(self.processes[number])
        cause = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        memory = " (out of memory?)" if code == -KILL else ""
        doing = f", while it worked on {self.waiting[number][0]}" if self.waiting[number] else ""
        text = f"loader process {number} of {len(self.processes)} was ended {cause}{memory}{doing}"
        raise Lost(text) if code == -KILL else RuntimeError(text)

    def close(self) -> None:
        self.leave()
        end = time.monotonic() + LEAVE
        for process in self.processes:
            process.join(max(0, end - time.monotonic()))
        stuck = [process for process in self.processes if process.is_alive()]
        for process in stuck:
            process.kill()
        end = time.monotonic() + DEATH
        for process in stuck:
            process.join(max(0, end - time.monotonic()))
        for process in self.processes:
            if process.is_alive():  # the system holds it, as where a disk does not answer
                leave_behind(process)
            else:
                process.close()

    def unanswered(self) -> str:
        """In words, which workers have not done what they were asked to."""
        busy = [(number, tasks[0]) for number, tasks in enumerate(self.waiting) if tasks]
        found = [f"loader process {number} of {len(self.waiting)} (at {task})" for number, task in busy]
        return " and ".join(found[:MOST_NAMED]) + ("" if len(found) <= MOST_NAMED else ", and others") or "nothing"


def _close(connections: list[Connection]) -> None:
    """Close our ends of the pipes, which is the workers' sign to leave."""
    with _forking.lock:
        for connection in connections:
            connection.close()


def _exit_code(process: BaseProcess) -> int:
    """Of one that has ended, or is about to; 0 where it cannot be had. Another thread may have waited for it, and be
    about to note it."""
    process.join()
    end = time.monotonic() + NOTED
    while process.exitcode is None and time.monotonic() < end:
        time.sleep(0.001)
    return process.exitcode or 0


def _serve(
    function: Callable[[Any], Any],
    connection: Connection,
    number: int,
    guard: Guard | None,
    last: Callable[[], None] | None,
) -> None:
    """Do one task after the other until the other end closes, and then `last`; of a task that fails the UserError, or
    the traceback, is sent."""
    for ignored in IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    end_with_parent()
    if guard is not None:
        guard.enter(number)
    torch.set_num_threads(1)
    try:
        while True:
            task = connection.recv()
            try:
                result: TaskResult[Any, Any] | UserError | str = _do(function, task)
            except UserError as error:
                result = error
            except Exception:
                result = traceback.format_exc()
            connection.send(result)
    except (EOFError, OSError):
        if last is not None:
            last()
        os._exit(0)  # nothing to clean up, and what the parent registered to run at its exit is not ours


def _do(function: Callable[[Task], Value], task: Task) -> TaskResult[Task, Value]:
    start = time.perf_counter()
    return TaskResult(task, function(task), time.perf_counter() - start)
