"""Which decoder is the fastest here, on a data set's own files: measured once, in half a second, and remembered.

Which one is depends on the processor: the native decoder has vector code for some. Pixels do not depend on it.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np

from cnnbench import __version__
from cnnbench.config.data import DataConfig
from cnnbench.data.decode.engines import ENGINES, choose_engine, make_engine
from cnnbench.data.decode.jpeg_structure import START
from cnnbench.data.decode.native.library import load
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.region import central_window, cut
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import Lost, UserError
from cnnbench.runtime.machine import processor
from cnnbench.runtime.measured import kept, known
from cnnbench.runtime.system import forks
from cnnbench.runtime.workers import Processes

FILE = "engines.json"
SECONDS = 0.5  # of processor time for all engines together
IMAGES = 16
ROUNDS = 5
MOST = 10.0  # seconds of processor time after which it is given up: a round always comes to its end
SIZE, CROP_RATIO = 224, 0.875  # of the crop that is timed: the usual centre crop


def engine_for(split: Split, name: str) -> str:
    """The engine that data.engine=`name` means for `split`; "auto": the fastest of those that are here."""
    if name != "auto":
        return choose_engine(name)
    times = engine_times(split)
    return min(times, key=lambda engine: times[engine]) if times else choose_engine("auto")


def engine_times(split: Split) -> dict[str, float]:
    """CPU ms per image of each engine that is here, measured now or before; nothing where there is no choice, or no
    JPEG file."""
    here = [engine for engine, kind in ENGINES.items() if kind.is_here()]
    return {} if len(here) < 2 else remembered(here) or measured(split, here)


def engine_in_words(split: Split, data: DataConfig) -> str:
    """The engine of `split`, and whether it has a side index to go by, or makes one."""
    engine = engine_for(split, data.engine)
    if engine != "native" or not (split.side_indices or data.decoder_index):
        return engine
    return f"{engine} with a side index" + ", which grows" * data.decoder_index


def remembered(engines: list[str]) -> dict[str, float] | None:
    """CPU ms per image of each of `engines` on this machine, as measured before; None if they were not."""
    times = known(FILE).get(machine())
    if not isinstance(times, dict) or sorted(times) != sorted(engines):
        return None
    return times if all(isinstance(milliseconds, float) for milliseconds in times.values()) else None


def measured(split: Split, engines: list[str]) -> dict[str, float]:
    """The same, measured on files of `split`, and remembered; nothing where it has no JPEG files, or where one of them
    is too much for a decoder."""
    contents = some_jpegs(split)
    if not contents:
        return {}
    rounds = _in_a_fence(partial(_rounds, {engine: _crops(engine, contents) for engine in engines}))
    if not rounds:
        return {}
    times = {engine: round(float(np.median(rounds[engine])) / len(contents) * 1e3, 4) for engine in engines}
    kept(FILE, machine(), times)
    return times


def machine() -> str:
    """What times depend on."""
    library = load()
    return f"{processor()}, {library.instructions if library else 'no library'}, cnnbench {__version__}"


def _in_a_fence(work: Callable[[], dict[str, list[float]]]) -> dict[str, list[float]]:
    """What `work` gives in a process of its own; nothing where a file ends that, or takes too long."""
    if not forks() or multiprocessing.current_process().daemon:
        return work()

    def limited(_: None) -> dict[str, list[float]]:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, MOST)
        return work()

    process: Processes[None, dict[str, list[float]]] = Processes(limited, 1)
    try:
        process.submit(None)
        return process.receive()[0].value
    except (RuntimeError, Lost):
        return {}
    finally:
        process.close()


def some_jpegs(split: Split) -> list[bytes]:
    """Contents of a few of the JPEG files, from all over the split."""
    found = []
    for index in np.linspace(0, len(split) - 1, min(IMAGES, len(split))).astype(int).tolist():
        with suppress(UserError):
            content = split.read(index)
            if isinstance(content, bytes) and content.startswith(START):
                found.append(content)
    return found


def _crops(engine: str, contents: list[bytes]) -> Callable[[], None]:
    """What makes the central crop of each file."""
    decode = make_engine(engine)

    def make() -> None:
        for content in contents:
            with suppress(UserError):
                picture = open_picture(content, "", decode)
                cut(picture, central_window(picture.width, picture.height, SIZE, CROP_RATIO), "bilinear")

    return make


def _rounds(works: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """CPU seconds of each work in each round, in turn; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    began = time.thread_time()
    for number in range(1 + ROUNDS):
        for name, work in works.items():
            start = time.thread_time()
            work()
            if number:
                times[name].append(time.thread_time() - start)
        if number and time.thread_time() - began > SECONDS:
            break
    return times
