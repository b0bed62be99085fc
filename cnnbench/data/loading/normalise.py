"""From uint8 batches in host memory to normalised floats on the device where they are used."""

from __future__ import annotations

import torch

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig
from cnnbench.data.augment.draws import apply_rows
from cnnbench.data.loading.loader import Batch
from cnnbench.runtime.backends import backend_of
from cnnbench.runtime.devices import memory_format


class Normalise:
    """A batch -> float32 (N, C, H, W) on `device`: what is left of the augmentation, then (x / 255 - mean) / std."""

    def __init__(
        self, arch: ArchConfig, device: torch.device, channels_last: bool | str, augment: AugmentConfig | None = None
    ) -> None:
        mean, std = torch.tensor(arch.mean), torch.tensor(arch.std)
        if arch.in_channels == 1:
            mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
        self.scale = (1 / (255 * std)).to(device).view(1, -1, 1, 1)
        self.offset = (mean / std).to(device).view(1, -1, 1, 1)
        self.device, self.augment = device, augment
        self.memory_format, self.beside = memory_format(channels_last, device), backend_of(device).streams

    def __call__(self, batch: Batch) -> torch.Tensor:
        images = batch.images.to(self.device, non_blocking=self.beside).permute(0, 3, 1, 2)
        if self.augment is not None and batch.parameters.shape[1]:
            images = apply_rows(images, batch.parameters, self.augment)
        return images.to(torch.float32, memory_format=self.memory_format).mul_(self.scale).sub_(self.offset)
