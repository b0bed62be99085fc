"""Batches made ready for the device: in their order, one at a time, and what was waited for them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from unittest import mock

import pytest
import torch

from cnnbench.config.arch import ArchConfig
from cnnbench.data.loading.device_prefetcher import DevicePrefetcher
from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise
from cnnbench.runtime.backends import BACKENDS
from cnnbench.runtime.devices import pinned
from tests.simulated.device import SimulatedDevice
from tests.simulated.streams import Event

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


def _batches(slots: torch.Tensor, count: int) -> Iterator[Batch]:
    """Batches 1 to `count`, in the slots in turn, each of which is filled again when a batch more is asked for than
    there are slots."""
    for number in range(1, count + 1):
        slot = slots[number % len(slots)]
        yield Batch(slot.fill_(number), torch.tensor([number] * len(slot)), torch.zeros(len(slot), 0))


def _seen(batches: Iterator[Batch], device: SimulatedDevice) -> list[float]:
    """The first pixel of each batch as a computation sees it that is launched when the batch is there, as a number."""
    normalise = Normalise(ArchConfig(name="tiny", mean=[0.0] * 3, std=[1 / 255] * 3), device.torch_device, True)
    seen = [images[0, 0, 0, 0] for images, _ in DevicePrefetcher(batches, normalise)]
    return [value.item() for value in seen]


@pytest.mark.parametrize("seed", range(5))
def test_a_slot_is_filled_again_only_after_its_copy(seed: int, accelerator: SimulatedDevice) -> None:
    accelerator.schedule.random.seed(seed)
    slots = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    unpin = pinned(slots)
    assert unpin is not None
    assert _seen(_batches(slots, 12), accelerator) == [*range(1, 13)]
    assert accelerator.waits["value"] == 2 + 12, "of Normalise's two constants, and what the test itself reads"
    unpin()


def test_a_slot_that_is_filled_too_early_shows(accelerator: SimulatedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: without the wait for the copy other pixels are seen."""
    slots = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    pinned(slots)
    monkeypatch.setattr(Event, "synchronize", lambda _: None)
    assert _seen(_batches(slots, 12), accelerator) != [*range(1, 13)]


def test_the_host_is_one_batch_ahead_of_the_device(accelerator: SimulatedDevice) -> None:
    accelerator.schedule.sooner = 0.0
    stream, slots, waited = torch.sim.current_stream(), torch.zeros(1, 1, 2, 2, 3, dtype=torch.uint8), 0.0
    done, launched = [], []

    def loader() -> Iterator[Batch]:
        for batch in _batches(slots, 5):
            assert len(launched) - len(done) <= 1, "more than one batch is launched and not done"
            yield batch

    normalise = Normalise(ArchConfig(name="tiny", mean=[0.0] * 3, std=[1.0] * 3), accelerator.torch_device, True)
    ahead = DevicePrefetcher(loader(), normalise)
    for images, _ in ahead:
        launched.append(images)
        waited = waited or ahead.waited
        stream.launch(lambda: done.append(1))
    stream.drain()
    assert len(done) == 5
    assert ahead.waited == waited > 0, "after the first batch the device had work while the loader was waited for"


def test_without_streams_a_batch_is_copied_while_the_host_waits(accelerator: SimulatedDevice) -> None:
    slots = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    accelerator.lock(slots.data_ptr(), slots.numel())
    with mock.patch.dict(BACKENDS, sim=dataclasses.replace(BACKENDS["sim"], streams=False)):
        assert _seen(_batches(slots, 12), accelerator) == [*range(1, 13)]
