"""Workers that fill parts of batches: processes, threads, or none but the one that asks.

Each kind has `submit(task)`, `receive()` (waits for at least one finished task) and `close()`. A task goes to the
worker with the least to do; answers come in any order.
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
from typing import Any

import torch

Work = Callable[[Any], Any]
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the training process decides what they mean, and closes


@dataclass(frozen=True)
class Answer:
    task: Any
    result: Any
    seconds: float  # of work


class Inline:
    """No worker: a task is done when its answer is asked for."""

    def __init__(self, work: Work) -> None:
        self.work, self.tasks = work, deque()

    def submit(self, task: Any) -> None:
        self.tasks.append(task)

    def receive(self) -> list[Answer]:
        return [_answer(self.work, self.tasks.popleft())]

    def close(self) -> None:
        self.tasks.clear()


class Threads:
    def __init__(self, work: Work, count: int) -> None:
        self.tasks: queue.SimpleQueue = queue.SimpleQueue()
        self.answers: queue.SimpleQueue = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self._serve, args=(work,), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _serve(self, work: Work) -> None:
        while (task := self.tasks.get()) is not None:
            try:
                self.answers.put(_answer(work, task))
            except Exception as error:
                self.answers.put(error)

    def submit(self, task: Any) -> None:
        self.tasks.put(task)

    def receive(self) -> list[Answer]:
        answer = self.answers.get()
        if isinstance(answer, Exception):
            raise RuntimeError("a loader thread failed") from answer
        return [answer]

    def close(self) -> None:
        while not self.tasks.empty():
            self.tasks.get()
        for _ in self.threads:
            self.tasks.put(None)
        for thread in self.threads:
            thread.join()


class Processes:
    """Forked processes, which share the index with this one and have imported what they need already."""

    def __init__(self, work: Work, count: int) -> None:
        context = multiprocessing.get_context("fork")
        self.connections: list[Connection] = []
        self.processes: list[multiprocessing.Process] = []
        self.waiting: list[deque] = [deque() for _ in range(count)]  # tasks of each that have no answer yet
        for number in range(count):
            ours, theirs = context.Pipe()
            self.connections.append(ours)
            # A child that kept our ends of the pipes would never see them close when this process dies.
            arguments = (work, theirs, list(self.connections))
            self.processes.append(context.Process(target=_serve, args=arguments, daemon=True, name=f"loader {number}"))
            self.processes[-1].start()
            theirs.close()
        # At exit, before Python asks its children to end by a signal that these ignore, and waits for them.
        self.leave = multiprocessing.util.Finalize(self, _close, args=(self.connections,), exitpriority=10)

    def submit(self, task: Any) -> None:
        number = min(range(len(self.waiting)), key=lambda number: len(self.waiting[number]))
        self.waiting[number].append(task)
        try:
            self.connections[number].send(task)
        except OSError:
            self._died(number)

    def receive(self) -> list[Answer]:
        ready = wait([*self.connections, *(process.sentinel for process in self.processes)])
        answers = []
        for number, connection in enumerate(self.connections):
            if connection not in ready and self.processes[number].sentinel not in ready:
                continue
            try:
                answer = connection.recv() if connection.poll() else self._died(number)
            except (EOFError, OSError):
                self._died(number)
            if isinstance(answer, str):
                raise RuntimeError(f"a loader process failed:\n{answer}")
            self.waiting[number].popleft()
            answers.append(answer)
        return answers

    def _died(self, number: int) -> None:
        process = self.processes[number]
        process.join()
        code = process.exitcode
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


def _serve(work: Work, connection: Connection, others: list[Connection]) -> None:
    """Work on one task after the other until the other end closes."""
    for other in others:
        other.close()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        while True:
            task = connection.recv()
            try:
                answer = _answer(work, task)
            except Exception:
                answer = traceback.format_exc()
            connection.send(answer)
    except (EOFError, OSError):
        os._exit(0)  # nothing to clean up, and what the parent registered to run at its exit is not ours


def _answer(work: Work, task: Any) -> Answer:
    start = time.perf_counter()
    return Answer(task, work(task), time.perf_counter() - start)
