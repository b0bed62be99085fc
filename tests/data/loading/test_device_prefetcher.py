"""Batches made ready for the device: in their order, one at a time, and what was waited for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import torch

from cnnbench.config.arch import ArchConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise

NORMALISE = Normalise(ArchConfig(name="tiny", mean=[0.5] * 3, std=[0.25] * 3), torch.device("cpu"), True)


def test_batches_are_normalised_and_only_the_loader_is_waited_for():
    slot, given = torch.zeros(2, 4, 4, 3, dtype=torch.uint8), []

    def loader():
        for number in range(3):
            time.sleep(0.02)
            given.append(number)
            yield Batch(slot.fill_(number), torch.tensor([number, number]), torch.zeros(2, 0))

    ahead = DevicePrefetcher(loader(), NORMALISE)
    for number, (images, labels) in enumerate(ahead):
        assert given == list(range(number + 1))  # the slot is filled again only once the next batch is asked for
        assert labels.tolist() == [number] * 2
        torch.testing.assert_close(images, torch.full((2, 3, 4, 4), (number / 255 - 0.5) / 0.25))
        waited = ahead.waited
        assert waited >= 0.02 * (number + 1)
        time.sleep(0.01)
        assert ahead.waited == waited


class Stream:
    """A GPU's queue, whose work is done only when somebody waits for it: as late as it may ever be."""

    current: Stream

    def __init__(self, _: object = None) -> None:
        self.work: list[Callable[[], object]] = []

    def finish(self) -> None:
        while self.work:
            self.work.pop(0)()

    def record_event(self) -> SimpleNamespace:
        last = [True]
        self.work.append(last.clear)
        return SimpleNamespace(synchronize=lambda: last and self.finish(), query=lambda: not last)

    def wait_stream(self, other: Stream) -> None:
        self.work.append(other.finish)

    @contextmanager
    def chosen(self) -> Iterator[None]:
        before, Stream.current = Stream.current, self
        yield
        Stream.current = before


class OnDevice(torch.Tensor):
    """A tensor in host memory, and the copies of it that are made on the current stream."""

    used_by: ClassVar[list[object]] = []

    def to(self, device: object, non_blocking: bool) -> torch.Tensor:
        assert non_blocking
        copy = torch.zeros_like(self)
        Stream.current.work.append(lambda: copy.copy_(self))
        return copy

    def record_stream(self, stream: object) -> None:
        self.used_by.append(stream)


def test_on_a_gpu_a_slot_is_given_back_only_after_its_copy_and_the_host_is_one_batch_ahead(monkeypatch):
    computing, slot = Stream(), torch.zeros(2).as_subclass(OnDevice)
    Stream.current = computing
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: computing)
    monkeypatch.setattr(torch.cuda, "stream", Stream.chosen)
    given, seen, launched = [], [], []

    def normalise(batch: Batch) -> torch.Tensor:
        ready = torch.zeros_like(batch.images)
        Stream.current.work.append(lambda: ready.copy_(batch.images * 10))
        return ready

    def loader() -> Iterator[Batch]:
        for number in range(1, 6):
            given.append(number)
            assert len(launched) - len(seen) <= 1, "more than one batch is launched and not done"
            yield Batch(slot.fill_(number), slot, torch.zeros(2, 0))

    normalise.device = SimpleNamespace(type="cuda")
    ahead = DevicePrefetcher(loader(), normalise)
    for images, labels in ahead:
        launched.append(images)
        computing.work.append(lambda images=images, labels=labels: seen.append((images.tolist(), labels.tolist())))
        if len(launched) == 2:
            computing.finish()  # at once, once
    computing.finish()
    assert given == [1, 2, 3, 4, 5]
    assert seen == [([10.0 * number] * 2, [float(number)] * 2) for number in given]
    assert OnDevice.used_by == [computing] * 10, "memory is taken again only after the computation"
    assert ahead.waited > 0
