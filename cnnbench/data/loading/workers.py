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

Task = TypeVar("Task")
Value = TypeVar("Value")
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the training process decides what they mean, and closes


@dataclass(frozen=True)
class TaskResult(Generic[Task, Value]):
    """A task, what the function returned for it, and how long that took, in seconds."""

    task: Task
    value: Value
    seconds: float


class Workers(Protocol[Task, Value]):
    """What each kind of workers does."""

    def submit(self, task: Task) -> None:
        """Have a worker do `task`."""

    def receive(self) -> list[TaskResult[Task, Value]]:
        """Wait for at least one submitted task; the results that are there. RuntimeError if a worker failed."""

    def close(self) -> None:
        """End the workers."""


class Inline(Generic[Task, Value]):
    """No worker: a task is done when its result is asked for."""

    def __init__(self, function: Callable[[Task], Value]) -> None:
        self.function = function
        self.tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def receive(self) -> list[TaskResult[Task, Value]]:
        return [_do(self.function, self.tasks.popleft())]

    def close(self) -> None:
        self.tasks.clear()


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
        if isinstance(result, Exception):
            raise RuntimeError("a loader thread failed") from result
        return [result]

    def close(self) -> None:
        while not self.tasks.empty():
            self.tasks.get()
        for _ in self.threads:
            self.tasks.put(None)
        for thread in self.threads:
            thread.join()


class Processes(Generic[Task, Value]):
    """Forked processes, which share the index with this one and have imported what they need already."""

    def __init__(self, function: Callable[[Task], Value], count: int) -> None:
        context = multiprocessing.get_context("fork")
        self.connections: list[Connection] = []
        self.processes: list[BaseProcess] = []
        self.waiting: list[deque[Task]] = [deque() for _ in range(count)]  # tasks of each that have no result yet
        for number in range(count):
            ours, theirs = context.Pipe()
            self.connections.append(ours)
            # A child that kept our ends of the pipes would never see them close when this process dies.
            arguments = (function, theirs, list(self.connections))
            self.processes.append(context.Process(target=_serve, args=arguments, daemon=True, name=f"loader {number}"))
            self.processes[-1].start()
            theirs.close()
        # At exit, before Python asks its children to end by a signal that these ignore, and waits for them.
        self.leave = multiprocessing.util.Finalize(self, _close, args=(self.connections,), exitpriority=10)

    def submit(self, task: Task) -> None:
        number = min(range(len(self.waiting)), key=lambda number: len(self.waiting[number]))
        self.waiting[number].append(task)
        try:
            self.connections[number].send(task)
        except OSError:
            self._raise_death(number)

    def receive(self) -> list[TaskResult[Task, Value]]:
        ready = wait([*self.connections, *(process.sentinel for process in self.processes)])
        results = []
        for number, connection in enumerate(self.connections):
            if connection in ready or self.processes[number].sentinel in ready:
                results.append(self._received(number))
                self.waiting[number].popleft()
        return results

    def _received(self, number: int) -> TaskResult[Task, Value]:
        connection = self.connections[number]
        try:
            result = connection.recv() if connection.poll() else None
        except (EOFError, OSError):
            result = None
        if result is None:
            self._raise_death(number)
        if isinstance(result, str):
            raise RuntimeError(f"a loader process failed:\n{result}")
        return result

    def _raise_death(self, number: int) -> NoReturn:
        process = self.processes[number]
        process.join()
        code = process.exitcode or 0
        cause = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        memory = " (out of memory?)" if code == -signal.SIGKILL else ""
        doing = f", while it worked on {self.waiting[number][0]}" if self.waiting[number] else ""
        raise RuntimeError(f"loader process {number} of {len(self.processes)} was ended {cause}{memory}{doing}")

    def close(self) -> None:
        self.leave()
        for process in self.processes:
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _close(connections: list[Connection]) -> None:
    """Close our ends of the pipes, which is the workers' sign to leave."""
    for connection in connections:
        connection.close()


def _serve(function: Callable[[Any], Any], connection: Connection, others: list[Connection]) -> None:
    """Do one task after the other until the other end closes; of one that fails the traceback is sent."""
    for other in others:
        other.close()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        while True:
            task = connection.recv()
            try:
                result: TaskResult[Any, Any] | str = _do(function, task)
            except Exception:
                result = traceback.format_exc()
            connection.send(result)
    except (EOFError, OSError):
        os._exit(0)  # nothing to clean up, and what the parent registered to run at its exit is not ours


def _do(function: Callable[[Task], Value], task: Task) -> TaskResult[Task, Value]:
    start = time.perf_counter()
    return TaskResult(task, function(task), time.perf_counter() - start)
