"""Being asked to stop: by a signal or by max_hours. All processes agree on it and leave at the same step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cnnbench.runtime.distributed import Agreement, Process
from cnnbench.runtime.errors import INTERRUPTED, TO_BE_CONTINUED, Stopped

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
TIME_IS_UP = 1  # beside the numbers of signals; of several reasons the largest counts


class Preemption:
    """Remembers that this process was asked to stop, and asks the others."""

    def __init__(self, process: Process, max_hours: float | None) -> None:
        self.process = process
        self.asked, self.asked_at = 0, 0.0
        self.end = float("inf") if max_hours is None else time.monotonic() + 3600 * max_hours
        self.agreement = Agreement(process)

    def check(self) -> None:
        """At a step boundary, by every process alike: raise Stopped if one of them was asked to stop by its last check
        but one (at the first check: by now)."""
        wish = self.asked or (TIME_IS_UP if time.monotonic() >= self.end else 0)
        agreed = self.agreement.largest(wish)
        if agreed == TIME_IS_UP:
            raise Stopped("max_hours is over", _status(TO_BE_CONTINUED))
        if agreed:
            status = INTERRUPTED if agreed == signal.SIGINT else _status(TO_BE_CONTINUED)
            raise Stopped(f"stopped by {signal.Signals(agreed).name}", status)

    def ask(self, number: int, _: FrameType | None) -> None:
        """The signal handler: a second Ctrl-C leaves at once, and the next start takes the save before."""
        if number == signal.SIGINT:
            if self.asked == signal.SIGINT and time.monotonic() - self.asked_at > 1:  # launchers pass one on twice
                os._exit(INTERRUPTED)
            if self.process.leads:
                os.write(2, b"\nstopping after this step; Ctrl-C again leaves at once\n")
        if self.asked != signal.SIGINT:  # a launcher passes Ctrl-C on as another signal
            self.asked, self.asked_at = number, time.monotonic()


@contextmanager
def listening(process: Process, max_hours: float | None) -> Iterator[Preemption]:
    """Within this block the signals ask the run to stop."""
    preemption = Preemption(process, max_hours)
    before = {number: signal.signal(number, preemption.ask) for number in SIGNALS}
    try:
        yield preemption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _status(status: int) -> int:
    """torchrun starts processes again that leave with another status than 0, if it may: not when they were to stop."""
    return 0 if int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0)) > 0 else status
