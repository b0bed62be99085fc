"""The same function for every image of a split, by worker processes, in the fence that training has: an image that ends
its worker is known by its number, and the work goes on without it."""

from __future__ import annotations

import mmap
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NoReturn, TypeVar

import numpy as np

from cnnbench.config.data import MOST_SECONDS
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fence import Fence
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import usable_cores
from cnnbench.runtime.parallel import WorkerEnded, map_images
from cnnbench.runtime.system import forks

Result = TypeVar("Result")


def map_fenced(
    function: Callable[[int], Result],
    ended: Callable[[str], Result],
    split: Split,
    indices: Sequence[int],
    workers: int | None,
    title: str,
) -> Iterator[Result]:
    """As map_images for `indices`, one after the other, of the images of `split`; of an image that ends its worker, or
    takes too long, `ended` of a sentence that says so. One process at least, since it is the fence; none where they
    cannot be forked."""
    count = max(1, usable_cores() if workers is None else workers) if forks() else 0
    fence = Fence(split, max(1, count), MOST_SECONDS, replace=True)
    done = 0
    while True:
        work = _Fenced(function, ended, fence, count) if count else None
        try:
            for result in map_images(work or function, indices[done:], count, title):
                yield result
                done += 1
            return
        except WorkerEnded as end:
            if work is None or not work.blames(end):
                raise


class _Fenced(Generic[Result]):
    """`function` within `fence`, in each of `workers` processes, which take their numbers when they begin."""

    def __init__(
        self, function: Callable[[int], Result], ended: Callable[[str], Result], fence: Fence, workers: int
    ) -> None:
        self.function, self.ended, self.fence = function, ended, fence
        self.taken = multiprocessing.get_context("fork").Value("i", 0)
        self.processes = np.frombuffer(mmap.mmap(-1, 8 * workers), np.int64)  # the process of each number
        self.entered = False  # in this process

    def __call__(self, index: int) -> Result:
        if not self.entered:
            self._enter()
        if (why := self.fence.refusal(index)) is not None:
            return self.ended(why)
        with self.fence.around(index):
            return self.function(index)

    def _enter(self) -> None:
        with self.taken.get_lock():
            number = self.taken.value
            self.taken.value += 1
        self.processes[number], self.entered = os.getpid(), True
        self.fence.enter(number)

    def blames(self, end: WorkerEnded) -> bool:
        """Whether an image ended the worker, which it will not again."""
        numbers = np.flatnonzero(self.processes == end.process)
        return len(numbers) > 0 and self.fence.blames(int(numbers[0]), end.exit_code)


def refuse(why: str) -> NoReturn:
    """For commands that need every image."""
    raise UserError(why)
