"""From lists of image numbers to uint8 batches, made by worker processes; and on the device to normalised floats."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cnnbench.config import ArchConfig, AugmentConfig
from cnnbench.data.augment import evaluation_image, training_image
from cnnbench.data.decode import read_image
from cnnbench.data.sampler import image_random
from cnnbench.data.split import Split
from cnnbench.errors import UserError

Transform = Callable[[Image.Image, int, int], Image.Image]  # (image, epoch, index of the image)
Batch = tuple[torch.Tensor, torch.Tensor]  # images uint8 (N, H, W, C), labels int64 (N,)


def training_transform(arch: ArchConfig, augment: AugmentConfig, size: int, seed: int) -> Transform:
    """Augmentation that depends on (seed, epoch, image) alone."""
    return partial(_augmented, arch=arch, augment=augment, size=size, seed=seed)


def evaluation_transform(arch: ArchConfig, size: int) -> Transform:
    """The central crop."""
    return partial(_central, arch=arch, size=size)


def _augmented(
    image: Image.Image, epoch: int, index: int, arch: ArchConfig, augment: AugmentConfig, size: int, seed: int
) -> Image.Image:
    random = image_random(seed, epoch, index)
    return training_image(image, augment, size, arch.crop_ratio, arch.interpolation, random)


def _central(image: Image.Image, epoch: int, index: int, arch: ArchConfig, size: int) -> Image.Image:
    return evaluation_image(image, size, arch.crop_ratio, arch.interpolation)


class Images(Dataset):
    """Makes whole batches, so that a worker hands over one block of memory per batch."""

    def __init__(self, split: Split, transform: Transform, channels: int, size: int) -> None:
        self.split, self.transform, self.channels, self.size = split, transform, channels, size

    def __getitems__(self, chosen: list[tuple[int, int]]) -> Batch | UserError:
        """The batch of the given (epoch, index) pairs; a UserError is returned, so that it arrives as it is."""
        images = torch.empty(len(chosen), self.size, self.size, self.channels, dtype=torch.uint8)
        slots = images.numpy()
        try:
            for slot, (epoch, index) in zip(slots, chosen, strict=True):
                image = self.transform(
                    read_image(self.split.read(index), self.split.name(index), self.channels), epoch, index
                )
                slot[:] = np.asarray(image).reshape(slot.shape)
        except UserError as error:
            return error
        return images, torch.from_numpy(self.split.labels[[index for _, index in chosen]])


class Loader:
    """Iterates over the batches of `order` (lists of (epoch, image)), prepared ahead by `workers` processes."""

    def __init__(
        self, images: Images, order: Iterable[list[tuple[int, int]]], workers: int, prefetch: int, pin: bool
    ) -> None:
        self.order = order
        self.loader = DataLoader(
            images,
            batch_sampler=_Order(order),
            collate_fn=_unchanged,
            num_workers=workers,
            prefetch_factor=prefetch if workers else None,
            pin_memory=pin,
            worker_init_fn=_start_worker,
            # The same workers for every pass: a fork beside threads is a risk (CPython's own lock may be held), so few.
            persistent_workers=workers > 0,
            # Linux's own way also inside a launcher that has set another: workers share the index, and start at once.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        )

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if isinstance(batch, UserError):
                raise batch
            yield batch


class _Order:
    """An iterable that DataLoader accepts as a batch sampler without asking for its length."""

    def __init__(self, batches: Iterable[list[tuple[int, int]]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)


def _unchanged(batch: Batch | UserError) -> Batch | UserError:
    return batch


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the parent decides


class Normalise:
    """uint8 (N, H, W, C) on any device -> float32 (N, C, H, W) on `device`, (x / 255 - mean) / std."""

    def __init__(self, arch: ArchConfig, device: torch.device, channels_last: bool) -> None:
        mean, std = torch.tensor(arch.mean), torch.tensor(arch.std)
        if arch.in_channels == 1:
            mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
        self.scale = (1 / (255 * std)).to(device).view(1, -1, 1, 1)
        self.offset = (mean / std).to(device).view(1, -1, 1, 1)
        self.device = device
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        images = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        return images.to(torch.float32, memory_format=self.memory_format).mul_(self.scale).sub_(self.offset)
