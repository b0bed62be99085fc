"""The same function for every image of a data set, by worker processes: results in order, a bar, a clean end."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.machine import usable_cores
from cnnbench.runtime.progress import tqdm
from cnnbench.runtime.system import KILL, forks

Result = TypeVar("Result")

CHUNK = 16  # images that go to a worker at a time
AHEAD = 4  # chunks per worker that may be under way: bounds the memory
SECONDS = 10  # between two lines of progress where there is no terminal


class WorkerEnded(UserError):
    """Number `process` of the system, a worker, ended with `exit_code`: negative, the signal that ended it."""

    def __init__(self, text: str, process: int, exit_code: int) -> None:
        super().__init__(text)
        self.process, self.exit_code = process, exit_code


_function: Callable[[int], Any]  # of a worker process, which has no other


def map_images(
    function: Callable[[int], Result], indices: Sequence[int], workers: int | None, title: str, unit: str = "images"
) -> Iterator[Result]:
    """`function(index)` for each of `indices`, in their order, while a bar with `title` shows how far it is.

    `workers` processes: None is one per core, 0 none beside this one. `function` reaches them once; its errors are
    raised here. UserError if a worker dies. Close the iterator (or let it end) to end the workers.
    """
    chosen = min(usable_cores() if workers is None else workers, len(indices))
    results = _in_processes(function, indices, chosen) if chosen else map(function, indices)
    return _with_progress(results, len(indices), title, unit)


def _with_progress(results: Iterator[Result], count: int, title: str, unit: str) -> Iterator[Result]:
    with progress(title, count, unit) as advance:
        for result in results:
            yield result
            advance()


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, elsewhere a line on standard error every SECONDS; gives the function that counts one on."""
    if sys.stderr.isatty():
        with tqdm(total=total, desc=title, unit=f" {unit}", leave=False, dynamic_ncols=True, unit_scale=True) as bar:
            yield bar.update
        return
    counter, start, shown = itertools.count(1), time.monotonic(), [time.monotonic()]

    def advance() -> None:
        done, now = next(counter), time.monotonic()
        if now - shown[0] >= SECONDS:
            shown[0], speed = now, done / (now - start)
            left = (total - done) / speed
            print(f"{title}: {done:,} of {total:,} {unit}, {speed:,.0f}/s, {left:,.0f} s left", file=sys.stderr)

    yield advance


def _in_processes(function: Callable[[int], Result], indices: Sequence[int], workers: int) -> Iterator[Result]:
    method = "fork" if forks() else None  # workers share what `function` holds
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(workers, context, _start_worker, (function,))
    pending: deque[Future] = deque()
    processes: list = []
    chunks = iter(range(0, len(indices), CHUNK))
    try:
        for start in itertools.islice(chunks, workers * AHEAD):
            pending.append(pool.submit(_run_chunk, indices[start : start + CHUNK]))
        processes = multiprocessing.active_children()
        while pending:
            yield from pending.popleft().result()
            if (following := next(chunks, None)) is not None:
                pending.append(pool.submit(_run_chunk, indices[following : following + CHUNK]))
    except BrokenProcessPool as error:
        pool.shutdown()  # until then the exit statuses are not known
        raise _end_of([(process.pid, process.exitcode) for process in processes]) from error
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
        for process in multiprocessing.active_children():  # which wait for a thread that is not there
            process.terminate()
        pool.shutdown(wait=False)
        few = "no thread can be started, as memory or the number of processes is limited (ulimit -v, -u)"
        raise UserError(f"{few}: give fewer, as in workers=2, or workers=0") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _run_chunk(indices: Sequence[int]) -> list:
    return [_function(index) for index in indices]


def _start_worker(function: Callable[[int], Any]) -> None:
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this process once its parent has ended, however that came; for a thread of its own."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()  # a parent that is killed cannot end its workers
    os._exit(1)


def _end_of(ended: list[tuple[int, int | None]]) -> WorkerEnded:
    """What to tell of a pool that broke; the pool itself ends the workers that are left with SIGTERM."""
    others = (None, 0, -signal.SIGTERM)
    process, code = next(((process, code) for process, code in ended if code not in others), (0, None))
    if code == -KILL:
        text = "a worker process was killed, most likely because memory ran out: give fewer, as in workers=2"
    else:
        how = f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit status {code}"
        text = f"a worker process ended {how}: repeat the command, with workers=0 to see its error"
    return WorkerEnded(text, process, code or 0)
