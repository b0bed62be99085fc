"""Random erasing: a rectangle is painted over (Zhong et al. 2017, algorithm 1; in torchvision's form).

Numbers: where the rectangle lies in the room that it leaves, in [0, 1), across and down; its width and height, as
shares of the sides (0: no rectangle fitted); the place of the fill in FILLS; a number that the noise depends on.
"""

from __future__ import annotations

import math
from random import Random
from typing import TypeVar

import numpy as np
import torch

from cnnbench.config.augment import FILLS, EraseConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.runtime.devices import to_device

Array = TypeVar("Array", np.ndarray, torch.Tensor)
MEAN = {3: (124, 116, 104), 1: (117,)}  # channels -> ILSVRC's mean colour, levels; its luma
NOISE = FILLS.index("noise")
TRIES = 10


def draw(erase: EraseConfig, random: Random) -> tuple[float, ...]:
    low, high = (math.log(value) for value in erase.ratio)
    for _ in range(TRIES):
        area, aspect = random.uniform(*erase.scale), math.exp(random.uniform(low, high))
        width, height = math.sqrt(area / aspect), math.sqrt(area * aspect)
        if width < 1 and height < 1:
            break
    else:
        width = height = 0.0
    fill, seed = float(FILLS.index(erase.fill)), float(random.randrange(2**24))
    return random.random(), random.random(), width, height, fill, seed


def apply(image: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    left, right = span(numbers[0], numbers[2], image.shape[1])
    top, bottom = span(numbers[1], numbers[3], image.shape[0])
    erased, fill = image.copy(), int(numbers[4])
    if fill == NOISE:
        y, x, channel = np.ogrid[top:bottom, left:right, : image.shape[2]]
        erased[top:bottom, left:right] = noise(x, y, channel, int(numbers[5]))
    else:
        erased[top:bottom, left:right] = colours(image.shape[2])[fill]
    return erased


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    _, channels, height, width = images.shape
    device = images.device
    # Rectangles are worked out where their numbers are, with the same arithmetic as for one image.
    rows = numbers.tolist()
    across = torch.tensor([span(row[0], row[2], width) for row in rows])
    down = torch.tensor([span(row[1], row[3], height) for row in rows])
    across, down = to_device(across, device).view(-1, 1, 1, 1, 2), to_device(down, device).view(-1, 1, 1, 1, 2)
    x = torch.arange(width, device=device)
    y = torch.arange(height, device=device).view(-1, 1)
    inside = (x >= across[..., 0]) & (x < across[..., 1]) & (y >= down[..., 0]) & (y < down[..., 1])
    table = torch.tensor([*colours(channels), (0,) * channels], dtype=torch.uint8)
    fill = to_device(table[numbers[:, 4].long()], device)[:, :, None, None]
    if (numbers[:, 4] == NOISE).any():
        noisy = to_device(numbers[:, 4] == NOISE, device).view(-1, 1, 1, 1)
        seed = to_device(numbers[:, 5].long(), device).view(-1, 1, 1, 1)
        values = noise(x, y, torch.arange(channels, device=device).view(-1, 1, 1), seed)
        fill = torch.where(noisy, values.to(torch.uint8), fill)
    return torch.where(inside, fill, images)


def span(place: float, share: float, length: int) -> tuple[int, int]:
    """The first pixel of `share` of a side of `length` pixels, and the first after it; each place is as likely."""
    pixels = round(share * length)
    first = int(place * (length - pixels + 1))
    return first, first + pixels


def colours(channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of `zero` and `mean`, the first two of FILLS."""
    return (0,) * channels, MEAN[channels]


def noise(x: Array, y: Array, channel: Array, seed: int | Array) -> Array:
    """Values in 0 .. 255 that look random, int64: a hash of 32 bits, the same in NumPy and in torch."""
    mixed = (x * 73856093 + y * 19349663 + channel * 83492791 + seed * 2654435761) & 0xFFFFFFFF
    for _ in range(2):
        mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 16)) & 255


ERASE = Operation(6, draw, apply, apply_batch)
