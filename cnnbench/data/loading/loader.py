"""From lists of image numbers to uint8 batches, prepared ahead in slots of memory that all workers share.

A batch is cut into parts, so that all workers share the first one too. The slots are anonymous shared memory: nothing
is pickled but numbers, nothing lies in /dev/shm, and no more memory is taken however long it runs.
"""

from __future__ import annotations

import itertools
import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from cnnbench.config.data import MOST_SECONDS, DataConfig
from cnnbench.data.decode.engines import choose_engine, make_engine
from cnnbench.data.decode.gathering import Gatherer
from cnnbench.data.decode.jpeg_engines import by_index
from cnnbench.data.decode.picture import Engine, Undecided, open_picture
from cnnbench.data.layouts.split import ImageName, Split
from cnnbench.data.loading.fastest import engine_for
from cnnbench.data.loading.fence import Fence
from cnnbench.data.loading.sampler import SampleKey
from cnnbench.data.loading.transform import TrainingTransform, Transform
from cnnbench.runtime.cache import own_cache_folder, remove_abandoned
from cnnbench.runtime.devices import pinned
from cnnbench.runtime.errors import Lost, Stopped, UserError
from cnnbench.runtime.files import writing
from cnnbench.runtime.shell import counted_bytes
from cnnbench.runtime.system import forks
from cnnbench.runtime.workers import Inline, Processes, TaskResult, Threads, Workers

PART = 16  # most images of one task: enough that handing it over costs nothing, few enough to share out evenly
BROKEN_LABEL = -1  # the label of an image that could not be decoded, where it must not be replaced
TRIES = 20  # images in a row that may be broken before a replacement is given up


@dataclass(frozen=True)
class Batch:
    """`images` uint8 (N, H, W, C), `labels` int64 (N,), `parameters` float64 (N, P): what is left to do on the device.

    Where an image has V views, `images` is (N V, H, W, C): all of the first image, then all of the next.
    They are views of a slot, valid until the next batch is asked for.
    """

    images: torch.Tensor
    labels: torch.Tensor
    parameters: torch.Tensor


@dataclass(frozen=True)
class ImageMaker:
    """How the images of a split are made. `replace`: a broken one becomes the next whole one, or gets BROKEN_LABEL.
    Decoding one takes at most `max_seconds` of processor time. `in_place`: decoders of others work in this process."""

    split: Split
    transform: Transform
    channels: int
    engine: str
    loose: bool = False
    replace: bool = False
    max_seconds: float = MOST_SECONDS
    gatherer: Gatherer | None = None
    in_place: bool = False

    @cached_property
    def open(self) -> Engine:
        """The decoder. Made before workers are forked, it shares what is read of side indices with them."""
        looks = by_index(self.split.side_indices) if self.gatherer is None else self.gatherer
        return make_engine(choose_engine(self.engine), self.loose, looks, None if self.in_place else self.max_seconds)

    def close(self) -> None:
        """Keep what has been found out about files."""
        if self.gatherer is not None:
            self.gatherer.seal()

    def fill(self, chosen: list[SampleKey], batch: Batch, fence: Fence | None = None) -> list[tuple[int, str]]:
        """Make the images `chosen` in `batch`; the numbers of those that are broken, and why. UserError if that cannot
        be said of one that must not be replaced."""
        around = nullcontext if fence is None else fence.around
        images, labels, parameters = batch.images.numpy(), batch.labels.numpy(), batch.parameters.numpy()
        broken: list[tuple[int, str]] = []
        ahead = self._fetched([index for _, index in chosen])
        if self.transform.views > 1:
            images = images.reshape(len(chosen), self.transform.views, *images.shape[1:])
        for place, (draw, index) in enumerate(chosen):
            slot = images[place], parameters[place]
            for candidate in self._candidates(index):
                try:
                    with around(candidate):
                        self._make(draw, candidate, *slot, ahead)
                    labels[place] = self.split.labels[candidate]
                    break
                except Lost:  # no fault of the image
                    raise
                except UserError as error:
                    if isinstance(error, Undecided) and not self.replace:
                        raise UserError(f"{error}{error.advice}") from error
                    broken.append((candidate, str(error)))
            else:
                slot[0][:], slot[1][:], labels[place] = 0, 0, BROKEN_LABEL
        return broken

    def _candidates(self, index: int) -> Iterator[int]:
        """Image `index`, and those that may take its place."""
        return (number % len(self.split) for number in range(index, index + (TRIES if self.replace else 1)))

    def _fetched(self, indices: list[int]) -> dict[int, bytes]:
        try:
            return self.split.read_many(indices)
        except UserError:
            return {}  # then one by one, to see which of them it is

    def _make(
        self,
        draw: int,
        index: int,
        slot: np.ndarray,
        parameters: np.ndarray,
        ahead: dict[int, bytes],
    ) -> None:
        """Make image `index` in `slot` and `parameters`. UserError if it is broken."""
        content = ahead[index] if index in ahead else self.split.read(index)
        name = ImageName(self.split, index)
        try:
            picture = open_picture(content, name, self.open, self.split.max_megapixels)
            self.transform(picture, draw, index, slot, parameters)
        except MemoryError as error:
            raise Undecided(f"{name} cannot be made: memory ran out") from error


class Loader:
    """Iterates over the batches of `order`, prepared by `workers` up to `prefetch` batches ahead.

    `broken` holds the images that could not be decoded, number -> reason, as they are met; more than `max_bad` of them
    raise a UserError. The pixels do not depend on the workers' number or kind. The workers start with the first batch,
    or with `start`, and stay until `close`. One iteration at a time.
    """

    def __init__(
        self,
        images: ImageMaker,
        order: Sequence[list[SampleKey]],
        workers: int,
        kind: str = "auto",
        prefetch: int = 4,
        pin: bool = False,
        max_bad: int | None = None,
    ) -> None:
        self.images, self.order, self.workers, self.prefetch, self.pin = images, order, workers, prefetch, pin
        self.max_bad = max_bad
        self.kind = ("process" if forks() else "thread") if kind == "auto" else kind
        if self.kind == "process" and workers and not forks():
            raise UserError("data.worker_kind=process needs workers that are forked, as on Linux: use thread, or auto")
        self._made, self._seconds = 0, 0.0  # images, and seconds of work added up over the workers
        self.broken: dict[int, str] = {}
        self._started: tuple[_Ring, _PartWorkers] | None = None

    def start(self, batch: int) -> None:
        """Start the workers, for batches of at most `batch` images: best before other threads run, which a fork may
        catch with a lock in their hands."""
        self._start(batch)

    def _start(self, batch: int) -> tuple[_Ring, _PartWorkers]:
        if self._started is None:
            ring = _Ring(self.images, batch, self.prefetch + 1, self.pin)
            self._started = ring, self._start_workers(ring)
        return self._started

    def _start_workers(self, ring: _Ring) -> _PartWorkers:
        _ = self.images.open
        if self.workers == 0:
            return Inline(ring.fill)
        if self.kind == "thread":
            return Threads(ring.fill, self.workers)
        maker = self.images
        ring.fence = Fence(maker.split, self.workers, maker.max_seconds, maker.replace)
        return Processes(ring.fill, self.workers, ring.fence, maker.close)

    def close(self) -> None:
        """End the workers."""
        if self._started is not None:
            ring, workers = self._started
            workers.close()
            ring.close()
            self.images.close()
            self._started = None

    @property
    def workers_in_words(self) -> str:
        """How many workers of which kind: 'no workers', '3 processes'."""
        kinds = {"process": "processes", "thread": "threads"}[self.kind]
        return f"{self.workers} {kinds}" if self.workers else "no workers"

    def supplied(self) -> float:
        """Images per second that the workers could make if they never had to wait for the consumer."""
        return max(1, self.workers) * self._made / self._seconds if self._seconds else 0.0

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Batch]:
        return self.batches(self.order)

    def batches(self, order: Iterable[list[SampleKey]]) -> Iterator[Batch]:
        """The batches of `order` in place of the loader's own, which may be drawn as they are needed."""
        rest = iter(order)
        first = next(rest, None)
        if first is None:
            return
        ring, workers = self._start(len(first))
        try:
            yield from self._serve(itertools.chain([first], rest), ring, workers)
        except Stopped as stop:  # while it waited
            waited_for = workers.unanswered()
            self.close()
            raise Stopped(f"{stop} while waiting for {waited_for}", stop.status) from stop
        except BaseException:
            self.close()
            raise

    def _serve(self, batches: Iterator[list[SampleKey]], ring: _Ring, workers: _PartWorkers) -> Iterator[Batch]:
        shapes = [(0, 0)] * ring.slots  # images of the batch in each slot, and their side
        missing = [0] * ring.slots  # parts of it that are not done
        asked = 0
        for given in itertools.count():
            while asked < given + ring.slots and (chosen := next(batches, None)) is not None:
                slot = asked % ring.slots
                parts = _parts(slot, chosen, self.workers, self.images.transform.side(chosen[0][0]))
                shapes[slot], missing[slot], asked = (len(chosen), parts[0].side), len(parts), asked + 1
                for part in parts:
                    workers.submit(part)
            if given == asked:
                return
            slot = given % ring.slots
            while missing[slot]:
                for result in workers.receive():
                    self._note(result)
                    missing[result.task.slot] -= 1
            batch = ring.batch(slot, 0, *shapes[slot])
            if self.images.replace and (batch.labels == BROKEN_LABEL).any():
                last = list(self.broken.values())[-1]
                raise UserError(f"more than {TRIES} images in a row are broken, the last: {last}")
            yield batch

    def _note(self, result: TaskResult[BatchPart, list[tuple[int, str]]]) -> None:
        self._made += len(result.task.chosen)
        self._seconds += result.seconds
        self.broken.update(result.value)
        if self.max_bad is not None and len(self.broken) > self.max_bad:
            few = "; ".join(list(self.broken.values())[:5])
            raise UserError(
                f"{len(self.broken)} broken images, more than data.max_bad={self.max_bad}: {few}"
                "; `cnnbench data check` finds them all"
            )


def loader_of(
    split: Split,
    transform: Transform,
    data: DataConfig,
    order: Sequence[list[SampleKey]],
    workers: int,
    pin: bool,
) -> Loader:
    """The loader that `data` describes. A training transform has broken images replaced, up to data.max_bad of them."""
    training = isinstance(transform, TrainingTransform)
    loose = training and data.pixels == "loose"
    channels, seconds = transform.arch.in_channels, data.max_seconds
    engine = engine_for(split, data.engine)
    gatherer = gatherer_for(split, engine) if data.decoder_index else None
    images = ImageMaker(split, transform, channels, engine, loose, training, seconds, gatherer)
    max_bad = data.max_bad if training else None
    return Loader(images, order, workers, data.worker_kind, data.prefetch, pin, max_bad)


def gatherer_for(split: Split, engine: str) -> Gatherer | None:
    """What finds the entry points of the files of `split`; None where its decoder has no use for them. UserError if
    they cannot be kept."""
    folder = split.side_folder
    if engine != "native" or folder is None:
        return None
    with writing(folder, "set CNNBENCH_CACHE, or data.decoder_index=false"):
        own_cache_folder(folder.parent.name, folder.name)
    remove_abandoned(folder, ".*")
    return Gatherer(split.side_indices, folder, make_engine("simplejpeg", seconds=MOST_SECONDS))


@dataclass(frozen=True)
class BatchPart:
    """Images that one worker makes, `side` pixels wide, from `start` on in the batch in `slot`."""

    slot: int
    start: int
    chosen: list[SampleKey]
    side: int

    def __str__(self) -> str:
        return f"images {', '.join(str(index) for _, index in self.chosen)}"


_PartWorkers = Workers[BatchPart, list[tuple[int, str]]]  # the result: numbers of broken images, and why


def _parts(slot: int, chosen: list[SampleKey], workers: int, side: int) -> list[BatchPart]:
    size = max(1, min(PART, -(-len(chosen) // max(1, workers))))
    return [BatchPart(slot, start, chosen[start : start + size], side) for start in range(0, len(chosen), size)]


class _Ring:
    """Slots for whole batches, of the largest images, in memory that forked workers share; used in turn."""

    def __init__(self, images: ImageMaker, batch: int, slots: int, pin: bool) -> None:
        self.maker, self.slots = images, slots
        size, transform = images.transform.size, images.transform
        shape = (slots, batch * transform.views, size, size, images.channels)
        try:
            self.images = _shared(shape, torch.uint8)
        except (OSError, OverflowError) as error:  # of the system, and of Python
            raise UserError(
                f"images of {size} pixels at batch={batch} need {counted_bytes(math.prod(shape))} of memory for "
                f"{slots} batches, which cannot be had: take a smaller image_size=, batch= or data.prefetch="
            ) from error
        self.labels = _shared((slots, batch), torch.int64)
        self.parameters = _shared((slots, batch, transform.parameters), torch.float64)
        self.fence: Fence | None = None  # around decoding in processes, which others are not
        self.unpin = pinned(self.images) if pin else None

    def batch(self, slot: int, start: int, end: int, side: int) -> Batch:
        """Images `start` to `end` of the batch in `slot`, all of them `side` pixels wide and without gaps between."""
        channels = self.images.shape[-1]
        values = self.maker.transform.views * side * side * channels  # of one image
        images = self.images[slot].view(-1)[start * values : end * values].view(-1, side, side, channels)
        return Batch(images, self.labels[slot, start:end], self.parameters[slot, start:end])

    def fill(self, part: BatchPart) -> list[tuple[int, str]]:
        end = part.start + len(part.chosen)
        return self.maker.fill(part.chosen, self.batch(part.slot, part.start, end, part.side), self.fence)

    def close(self) -> None:
        if self.unpin is not None:
            self.unpin()


def _shared(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Zeros that this process and those forked from it see alike. OSError or OverflowError without memory for them."""
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(1, count * dtype.itemsize))
    return torch.frombuffer(memory, dtype=dtype, count=count).view(shape) if count else torch.empty(shape, dtype=dtype)
