"""Colour jitter: brightness, contrast, saturation, hue, in an order that may be random (Howard 2013, fb.resnet.torch).

The first three are Pillow's ImageEnhance: a blend with black, with the mean grey, with each pixel's own grey. The hue
turns in HSV of floats, as torchvision's tensors; Pillow's whole numbers lose up to 3 levels.

Numbers: the factors of the first three, the turn of the hue (1 is a full turn), and the place of the order in ORDERS.
"""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import torch
from PIL import Image, ImageEnhance

from cnnbench.config.augment import JitterConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.data.decode.opencv import cv2
from cnnbench.runtime.devices import to_device

ORDERS = list(itertools.permutations(range(4)))
NEUTRAL = (1.0, 1.0, 1.0, 0.0)  # the numbers that change nothing
ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
HUE = 3


def draw(jitter: JitterConfig, random: Random) -> tuple[float, ...]:
    spans = jitter.brightness, jitter.contrast, jitter.saturation
    factors = [random.uniform(max(0.0, 1 - span), 1 + span) for span in spans]
    turn = random.uniform(-jitter.hue, jitter.hue)
    return *factors, turn, float(random.randrange(len(ORDERS)) if jitter.random_order else 0)


def apply(image: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    changed = image
    for which in ORDERS[int(numbers[4])]:
        if numbers[which] == NEUTRAL[which]:
            continue
        if which == HUE:
            changed = turn_hue(changed, numbers[HUE])
        else:
            picture = Image.fromarray(changed if changed.shape[2] == 3 else changed[:, :, 0])
            changed = np.asarray(ENHANCERS[which](picture).enhance(numbers[which])).reshape(image.shape)
    return changed.copy() if changed is image else changed


def turn_hue(image: np.ndarray, turn: float) -> np.ndarray:
    if image.shape[2] == 1:
        return image
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + 360 * turn) % 360
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).astype(np.uint8)


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    images = images.clone()
    orders = torch.tensor(ORDERS)[numbers[:, 4].long()]
    for place, which in itertools.product(range(4), range(4)):
        chosen = ((orders[:, place] == which) & (numbers[:, which] != NEUTRAL[which])).nonzero().squeeze(1)
        if len(chosen):
            index = to_device(chosen, images.device)
            factors = to_device(numbers[chosen, which].float(), images.device).view(-1, 1, 1, 1)
            images.index_copy_(0, index, CHANGES[which](images.index_select(0, index), factors))
    return images


def grey_of(images: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 luma with Pillow's rounding, int32 (N, 1, H, W), of uint8 (N, 1 or 3, H, W)."""
    if images.shape[1] == 1:
        return images.int()
    red, green, blue = images.int().split(1, 1)
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16


def brightness(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    return blend(torch.zeros((), dtype=torch.int32, device=images.device), images, factors)


def contrast(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    grey, pixels = grey_of(images), images.shape[2] * images.shape[3]
    total = grey.sum((1, 2, 3), dtype=torch.int64, keepdim=True)
    return blend(((2 * total + pixels) // (2 * pixels)).int(), images, factors)


def saturation(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    return blend(grey_of(images), images, factors)


def blend(start: torch.Tensor, images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """From `start` (factor 0) by way of `images` (1) and beyond, cut to whole levels as Pillow does."""
    return (start + factors * (images - start)).clamp(0, 255).to(torch.uint8)


def hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Channel k of HSV's inverse is value - chroma * f((k + hue) mod 6), with hue in sixths of a turn."""
    if images.shape[1] == 1:
        return images
    colours = images.float()
    red, green, blue = colours.split(1, 1)
    value = colours.amax(1, keepdim=True)
    chroma = value - colours.amin(1, keepdim=True)
    divisor = chroma.clamp(min=1)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixths = sixths + 6 * turns
    channels = []
    for offset in (5, 3, 1):
        place = (offset + sixths) % 6
        channels.append(value - chroma * torch.minimum(place, 4 - place).clamp(0, 1))
    return torch.cat(channels, 1).round_().to(torch.uint8)


CHANGES = (brightness, contrast, saturation, hue)
JITTER = Operation(5, draw, apply, apply_batch)
