"""Decoders of others, in a process beside this one: no picture takes this process with it, or keeps it for long.

Worker processes have a fence around each image (data/loading/fence.py). What is decoded elsewhere comes here: images of
loaders without worker processes, whole images, single ones of a caller. The project's own decoder, a pass over the
file, is not kept apart.

Each thread has one such process, forked when it first needs it. Pixels come in bands, so that neither side holds a
large image twice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cnnbench.data.decode.jpeg_structure import START
from cnnbench.data.decode.picture import Engine, Picture, Undecided, from_pixels
from cnnbench.data.decode.pillow_engine import known_formats
from cnnbench.runtime.errors import Lost, UserError
from cnnbench.runtime.system import KILL, forks, signals
from cnnbench.runtime.workers import Processes

# Signals by which a decoder ends its process, or the timer does. By others it is ended from outside.
OWN_ENDS = frozenset(signals("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP", "SIGPROF"))
LEAST = 0.001  # seconds: 0 would be no timer
BAND = 1 << 20  # values of pixels that are handed over at a time
SMALL = 1 << 14  # pixels

Make = Callable[..., Engine]


def why_ended(ended_by: int, seconds: float) -> str:
    """What an image did whose process was ended by a signal of OWN_ENDS."""
    if ended_by == signal.SIGPROF:
        return f"takes more than data.max_seconds={seconds:g} of processor time to decode"
    return f"ends the process that decodes it ({signal.Signals(ended_by).name})"


def advice(ended_by: int) -> str:
    """What to do where the image cannot be done without."""
    return f": it cannot be counted; repair or remove it{', or raise data.max_seconds' * (ended_by == signal.SIGPROF)}"


def apart(make: Make, arguments: tuple[Any, ...], seconds: float) -> Engine:
    """The engine `make(*arguments)`, a function of a module, in a process of its own, for at most so many `seconds` of
    processor time an image. Undecided for an image that ends it. Where there is a fence already, or no process can be
    forked, the engine as it is."""
    here = make(*arguments)
    ended: dict[bytes, int] = {}  # contents, and the signals by which they ended it: not again

    def open_file(content: bytes, name: object) -> Picture:
        if not _is_needed():
            return here(content, name)
        if ended and content in ended:
            raise _undecided(str(name), ended[content], seconds)
        task = _Open(make, arguments, content, str(name), seconds)
        width, height, cost, whole = _answer(task, task, ended)
        if whole is not None:
            return Picture(width, height, from_pixels(whole).region, cost)

        def region(*box: int) -> np.ndarray:
            return _region(task, box, ended)

        return Picture(width, height, region, cost)

    return open_file


def _undecided(name: str, ended_by: int, seconds: float) -> Undecided:
    return Undecided(f"{name} {why_ended(ended_by, seconds)}", advice(ended_by))


@dataclass(frozen=True, eq=False)
class _Open:
    """Open a file: width, height and cost, and of a small one all pixels, which saves a question; not of a JPEG file,
    whose scans are still to be counted."""

    make: Make
    arguments: tuple[Any, ...]
    content: bytes
    name: str
    seconds: float


class _Region(NamedTuple):
    """Decode a part of the file that is open: its rows, and the first of them."""

    box: tuple[int, ...]


class _Rows(NamedTuple):
    """More rows of that part, from `start` on."""

    start: int


class _Server:
    """What the process does. The timer of the system ends it where an image takes too long."""

    def __init__(self) -> None:
        self.engines: dict[tuple[Any, ...], Engine] = {}
        self.picture: Picture | None = None
        self.pixels: np.ndarray | None = None
        self.left = 0.0  # seconds of processor time for the picture

    def __call__(self, task: _Open | _Region | _Rows) -> Any:
        """The answer, or the UserError that there is one in its place."""
        self.left = task.seconds if isinstance(task, _Open) else max(LEAST, self.left)
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, self.left)
        try:
            return self._open(task) if isinstance(task, _Open) else self._rows(task)
        except UserError as error:
            return error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.left -= time.process_time() - began  # what the timer has left is rounded up, each time

    def _open(self, task: _Open) -> tuple[int, int, float, np.ndarray | None]:
        self.picture = self.pixels = None
        kind = task.make, *task.arguments
        if kind not in self.engines:
            self.engines[kind] = task.make(*task.arguments)
        self.picture = picture = self.engines[kind](task.content, task.name)
        return (
            picture.width,
            picture.height,
            picture.cost,
            None if task.content.startswith(START) else _whole_of_small(picture),
        )

    def _rows(self, task: _Region | _Rows) -> tuple[int, np.ndarray]:
        if isinstance(task, _Region):
            assert self.picture is not None
            self.pixels = None
            self.pixels = self.picture.region(*task.box)
        assert self.pixels is not None
        start = task.start if isinstance(task, _Rows) else 0
        rows = max(1, BAND // max(1, self.pixels[:1].size))
        band, height = self.pixels[start : start + rows], len(self.pixels)
        if start + rows >= height:
            self.pixels = None
        return height, band


def _whole_of_small(picture: Picture) -> np.ndarray | None:
    """All pixels of a small picture, None of a large or a broken one, whose parts are asked for."""
    if picture.width * picture.height * picture.cost > SMALL:
        return None
    try:
        return picture.region(0, 0, picture.width, picture.height)
    except UserError:
        return None


class _Ended(Exception):
    """By the signal of that number."""


class _Guard:
    """On the end of the process. `name`: of the file that is open there."""

    name = ""

    def enter(self, _: int) -> None:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def blames(self, _: int, exit_code: int) -> bool:
        if -exit_code in OWN_ENDS:
            raise _Ended(-exit_code)
        if -exit_code == KILL:
            raise Lost(f"the process that decodes {self.name} was ended by SIGKILL (out of memory?)")
        return False


class _Decoder:
    """The process, of this one alone: one that is forked has its own."""

    def __init__(self) -> None:
        known_formats()  # Pillow's own start is not to be the first picture's time
        self.owner, self.guard = os.getpid(), _Guard()
        self.opened: _Open | None = None  # the file that is open there
        self.processes: Processes[Any, Any] = Processes(_Server(), 1, self.guard)

    def answer(self, task: Any, file: _Open) -> Any:
        """To `task` on `file`, which is opened before if another one is open. UserError in its place."""
        self.guard.name = file.name
        if self.opened is not file:
            self.opened = None
            opened = self._answer(file)
            self.opened = file
            if task is file:
                return opened
        return self._answer(task)

    def _answer(self, task: Any) -> Any:
        self.processes.submit(task)
        while not (results := self.processes.receive()):
            pass
        if isinstance(answer := results[0].value, UserError):
            raise _Refused(answer)
        return answer


class _Refused(Exception):
    """By the engine, with a UserError; the process goes on."""


_of_thread = threading.local()  # its `decoder`


def _is_needed() -> bool:
    """Whether there is no fence around this process: neither its own timer, nor others who start it anew."""
    alone = forks() and not multiprocessing.current_process().daemon
    return alone and signal.getitimer(signal.ITIMER_PROF)[0] == 0


def _answer(task: Any, file: _Open, ended: dict[bytes, int]) -> Any:
    """By the process of this thread. UserError, Undecided or Lost; what ended it is noted in `ended`."""
    decoder: _Decoder | None = getattr(_of_thread, "decoder", None)
    if decoder is None or decoder.owner != os.getpid():
        decoder = _of_thread.decoder = _Decoder()
    try:
        return decoder.answer(task, file)
    except _Refused as refused:
        raise refused.args[0] from None
    except BaseException as error:  # the process has ended, or is in the midst of something
        del _of_thread.decoder
        decoder.processes.close()
        if not isinstance(error, _Ended):
            raise
        ended[file.content] = error.args[0]
        raise _undecided(file.name, error.args[0], file.seconds) from None


def _region(file: _Open, box: tuple[int, ...], ended: dict[bytes, int]) -> np.ndarray:
    height, band = _answer(_Region(box), file, ended)
    if len(band) == height:
        return band
    pixels = np.empty((height, *band.shape[1:]), np.uint8)
    pixels[: len(band)] = band
    done = len(band)
    while done < height:
        _, band = _answer(_Rows(done), file, ended)
        pixels[done : done + len(band)] = band
        done += len(band)
    return pixels
