"""A fence around decoding in worker processes: no image takes more with it than the process that decodes it.

A word of memory for each worker, shared with the process that started it, says which image it is at. So an image at
which a worker ends is known by its number, and so is one that takes too long: a timer of the system ends the worker.
It counts processor time, which does not depend on what else the machine does.
"""

from __future__ import annotations

import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from cnnbench.data.decode.apart import OWN_ENDS, advice, why_ended
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import UserError

NOWHERE = -1


class Fence:
    """Around the images of `split`, for `workers` processes forked later, of at most `seconds` of processor time for
    each image. `replace`: an image that ends a worker counts as broken; else it ends the work, since it cannot be said
    whether it would on another machine."""

    def __init__(self, split: Split, workers: int, seconds: float, replace: bool) -> None:
        self.split, self.seconds, self.replace = split, seconds, replace
        self._at = np.frombuffer(mmap.mmap(-1, 8 * workers), np.int64)  # the image that each worker is at
        self._ended_by = np.frombuffer(mmap.mmap(-1, len(split)), np.uint8)  # of each image the signal, 0: none
        self._at[:] = NOWHERE
        self._worker: int | None = None

    def enter(self, worker: int) -> None:
        """Called in worker process number `worker` before all else."""
        self._worker = worker
        self._at[worker] = NOWHERE
        signal.signal(signal.SIGPROF, signal.SIG_DFL)

    @contextmanager
    def around(self, index: int) -> Iterator[None]:
        """Image `index` is read and decoded within this block. UserError if it has ended a worker before."""
        if self._worker is None:  # not in a worker
            yield
            return
        if (why := self.refusal(index)) is not None:
            raise UserError(why)
        self._at[self._worker] = index
        signal.setitimer(signal.ITIMER_PROF, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._at[self._worker] = NOWHERE

    def refusal(self, index: int) -> str | None:
        """A sentence on image `index` if it has ended a worker."""
        ended_by = int(self._ended_by[index])
        return f"{self.split.name(index)} {why_ended(ended_by, self.seconds)}" if ended_by else None

    def blames(self, worker: int, exit_code: int) -> bool:
        """Called where `worker` was started, once it has ended: whether the image it was at ended it, which it will not
        again. UserError if images must not be replaced."""
        index = int(self._at[worker])
        if index == NOWHERE or -exit_code not in OWN_ENDS:
            return False
        if not self.replace:
            raise UserError(f"{self.split.name(index)} {why_ended(-exit_code, self.seconds)}{advice(-exit_code)}")
        self._ended_by[index] = -exit_code
        return True
