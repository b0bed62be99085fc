"""What becomes of a run that was asked to stop and cannot: a thread looks whether it still does anything.

The main thread may be waiting for a loader whose worker is stopped, for another process that is, or for a disk. Its own
signal handler runs only between two steps of Python; so the system tells this thread of a signal by a descriptor. A
process that takes no processor time is stuck: it is torn from what it waits for, and saves what it has; where that
does not come to an end either, it leaves.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from cnnbench.runtime.errors import printable

TIME_IS_UP = 1  # beside the numbers of signals
SAVE = 25.0  # seconds that the last save may take: Slurm and torchrun kill 30 seconds after they have asked to stop
PATIENCE = 5  # looks without work after which a process is stuck; twice as many, and it cannot be helped
LOOK = 1.0  # seconds between two looks
WORK = 0.03  # share of a core, below which a process does nothing
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Watch:
    """Waits for one of `signals`, or for the moment `end` of time.monotonic, which is as good as signal TIME_IS_UP.

    From then on calls, in its thread, `tear` with that number while the process is stuck; and `leave` with the number
    and what it waits for, if that does not help, or once the last save has taken SAVE seconds. Made in the main thread.
    """

    def __init__(
        self,
        signals: tuple[signal.Signals, ...],
        end: float,
        tear: Callable[[int], None],
        leave: Callable[[int, str], None],
    ) -> None:
        self.signals, self.end, self.tear, self.leave = signals, end, tear, leave
        self._saving: float | None = None
        self._done = threading.Event()
        self._told, system = socket.socketpair()
        system.setblocking(False)
        self._system = system
        self._before = signal.set_wakeup_fd(system.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watch")
        self._thread.start()

    def saves(self) -> None:
        """Called by the run, once it is on its way to its last save."""
        self._saving = self._saving or time.monotonic()

    def close(self) -> None:
        """End the thread."""
        self._done.set()
        signal.set_wakeup_fd(self._before)
        self._system.shutdown(socket.SHUT_WR)  # the thread reads the end, also where a forked process holds it open
        self._thread.join()
        self._system.close()
        self._told.close()

    def _asked(self) -> int | None:
        """The number of the signal that asks to stop, once there is one; None if this thread is to end."""
        while True:
            left = self.end - time.monotonic()
            self._told.settimeout(None if left == float("inf") else max(0.001, left))
            try:
                told = self._told.recv(64)
            except TimeoutError:
                return TIME_IS_UP
            if not told:
                return None
            for number in told:
                if number in self.signals:
                    return number

    def _watch(self) -> None:
        number = self._asked()
        if number is None:
            return
        idle, before = 0, time.process_time()
        while not self._done.wait(LOOK):
            now = time.process_time()
            idle, before = idle + 1 if now - before < WORK * LOOK else 0, now
            if self._saving is not None:
                if time.monotonic() - self._saving > SAVE:
                    self.leave(number, f"its save has not come to an end in {SAVE:g} seconds")
            elif idle >= 2 * PATIENCE:
                self.leave(number, f"it waits in {_place()} and cannot be saved")
            elif idle >= PATIENCE:
                self.tear(number)


def _place() -> str:
    """The innermost line of this package that the main thread is at: a file, its line and a function."""
    frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "the start of Python"
    file = os.path.relpath(frame.f_code.co_filename, os.path.dirname(PACKAGE))
    return printable(f"{file}, line {frame.f_lineno} ({frame.f_code.co_name})")
