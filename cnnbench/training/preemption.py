"""Being asked to stop: by a signal or by max_hours. All processes agree on it and leave at the same step.

A process that waits for something in vain (watch.py) parts from its group, and so do the others; each goes back to the
last step that it has done, and what they have in memory is saved.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cnnbench.runtime.distributed import Agreement, Process, lost_another
from cnnbench.runtime.errors import INTERRUPTED, TO_BE_CONTINUED, Stopped
from cnnbench.runtime.group import number
from cnnbench.runtime.parting import part, why_parted
from cnnbench.runtime.system import signals
from cnnbench.training.watch import TIME_IS_UP, Watch

SIGNALS = signals("SIGTERM", "SIGUSR1", "SIGINT")
LAUNCHERS = signals("SIGTERM", "SIGUSR1")  # those of them that do not come from a keyboard
TORN = next(iter(signals("SIGUSR1")), None)  # what the watch sends the main thread, so that a wait for data ends


class Preemption:
    """Remembers that this process was asked to stop, and asks the others."""

    def __init__(self, process: Process, max_hours: float | None) -> None:
        self.process = process
        self.asked, self.asked_at = 0, 0.0
        self.end = float("inf") if max_hours is None else time.monotonic() + 3600 * max_hours
        self.agreement = Agreement(process)
        self.watch: Watch | None = None
        self.stuck = False  # the watch has found that nothing goes on
        self._interruptible = False  # the main thread is where it may be torn away

    def check(self) -> None:
        """At a step boundary, by every process alike: raise Stopped if one of them was asked to stop by its last check
        but one (at the first check: by now), or has parted. Of several reasons that with the largest number counts."""
        wish = self.asked or (TIME_IS_UP if time.monotonic() >= self.end else 0)
        with self.together():
            agreed = self.agreement.largest(wish)
        if agreed:
            raise self._reason(agreed)

    def _reason(self, agreed: int) -> Stopped:
        if agreed == TIME_IS_UP:
            return Stopped("max_hours is over", _status(TO_BE_CONTINUED))
        status = INTERRUPTED if agreed == signal.SIGINT else _status(TO_BE_CONTINUED)
        return Stopped(f"stopped by {signal.Signals(agreed).name}", status)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within this block a message that does not reach the others raises Stopped if this process, or another that
        has said why, has parted."""
        try:
            yield
        except RuntimeError as error:
            if not lost_another(error):
                raise
            stop = self._reason(self.asked) if self.stuck else why_parted(self.process)
            if stop is None:
                raise
            self.saves()
            raise stop from error

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within this block, in which nothing is changed that is saved, the main thread may be torn away by Stopped."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def ask(self, number: int, _: FrameType | None) -> None:
        """The signal handler: a second Ctrl-C leaves at once, and the next start takes the save before."""
        if self.stuck and number == TORN:
            if self._interruptible:
                self._interruptible = False
                self.saves()
                raise self._reason(self.asked)
            return
        if number == signal.SIGINT:
            if self.asked == signal.SIGINT and time.monotonic() - self.asked_at > 1:  # launchers pass one on twice
                os._exit(INTERRUPTED)
            if self.process.leads:
                os.write(2, b"\nstopping after this step; Ctrl-C again leaves at once\n")
        if self.asked != signal.SIGINT:  # a launcher passes Ctrl-C on as another signal
            self.asked, self.asked_at = number, time.monotonic()

    def saves(self) -> None:
        """The run is on its way to its last save: from now on the watch gives it the time for that."""
        if self.watch is not None:
            self.watch.saves()

    def tear(self, number: int) -> None:
        """Called by the watch, in its thread: end what the main thread waits for, as far as that can be done."""
        self.asked = self.asked or number  # the handler of a thread that is stuck may not have run
        self.stuck = True
        part(self.process, self._reason(self.asked))
        if TORN is not None:  # else the watch has it leave in the end
            signal.pthread_kill(threading.main_thread().ident or 0, TORN)

    def leave(self, number: int, waits: str, tell: Callable[[str], None]) -> None:
        """Called by the watch, in its thread: leave without a save, once `tell` was told why, if that can be done."""
        stop = self._reason(self.asked or number)
        why = f"{stop}; {self.process if self.process.world > 1 else 'the run'} leaves at once: {waits}"
        telling = threading.Thread(target=tell, args=(why,), daemon=True)  # the disk may be what it waits for
        telling.start()
        telling.join(1)
        os._exit(stop.status)


@contextmanager
def listening(
    process: Process, max_hours: float | None, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Preemption]:
    """Within this block the signals ask the run to stop. `tell` is told why a run leaves that cannot be saved.

    After Stopped a process of a group ignores them: once one has left, srun and torchrun send SIGTERM to the others,
    and one that this ended on its way out would give the job another status, with which it is not continued.
    """
    preemption = Preemption(process, max_hours)
    before = {number: signal.signal(number, preemption.ask) for number in SIGNALS}
    watch = Watch(SIGNALS, preemption.end, preemption.tear, lambda number, waits: preemption.leave(number, waits, tell))
    preemption.watch = watch
    try:
        yield preemption
    except Stopped:
        if process.world > 1:
            before |= dict.fromkeys(LAUNCHERS, signal.SIG_IGN)
        raise
    finally:
        watch.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _status(status: int) -> int:
    """torchrun starts processes again that leave with another status than 0, if it may: not when they were to stop."""
    return 0 if number(os.environ, "TORCHELASTIC_MAX_RESTARTS", 0) > 0 else status
