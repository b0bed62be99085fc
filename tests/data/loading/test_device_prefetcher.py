"""Batches made ready for the device: in their order, one at a time, and what was waited for them."""

from __future__ import annotations

import time

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
