"""Weather: snow, frost, fog and brightness. As blur.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import RandomState

from cnnbench.data.corrupt.blur import moved, zoomed

FROSTS = 5  # of the six pictures of frost that are published, those that are drawn


def snow(
    image: np.ndarray, random: RandomState, mean: float, spread: float, size: float, least: float, *more: float
) -> np.ndarray:
    """Flakes in motion, over an image that is whitened; `more`: radius and sigma of the motion, share of the image."""
    radius, sigma, share = more
    values = image.astype(np.float32) / np.float32(255)
    flakes = zoomed(random.normal(mean, spread, image.shape[:2])[..., None], size)
    flakes = np.where(flakes < least, 0, flakes)
    levels = (np.clip(flakes, 0, 1) * 255).astype(np.uint8)
    layer = moved(levels, int(radius), sigma, random.uniform(-135, -45)) / 255
    grey = cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)[..., None]
    whitened = share * values + (1 - share) * np.maximum(values, grey * 1.5 + 0.5)
    return whitened + layer + np.rot90(layer, 2)


def frost(
    image: np.ndarray, random: RandomState, share: float, of_frost: float, pictures: Sequence[np.ndarray]
) -> np.ndarray:
    """A part of one of the `pictures` of frost, uint8 (H, W, 3), laid over the image."""
    picture, side = pictures[random.randint(len(pictures))], len(image)
    top, left = (random.randint(0, picture.shape[axis] - side) for axis in (0, 1))
    return (share * image + of_frost * picture[top : top + side, left : left + side]) / 255


def fog(image: np.ndarray, random: RandomState, thickness: float, decay: float) -> np.ndarray:
    """A cloud of the diamond-square algorithm, the brightest level kept."""
    values, side = image / 255, len(image)
    most = values.max()
    cloud = _cloud(random, 2 ** math.ceil(math.log2(max(256, side))), decay)[:side, :side, None]
    return (values + thickness * cloud) * most / (most + thickness)


def brightness(image: np.ndarray, _: RandomState, more: float) -> np.ndarray:
    """The value of hue, saturation and value is raised; a black pixel becomes grey."""
    values = image / 255
    value = values.max(2, keepdims=True)
    raised = np.clip(value + more, 0, 1)
    return raised * (1 - (value - values) / np.where(value > 0, value, 1))


def _cloud(random: RandomState, side: int, decay: float) -> np.ndarray:
    """Heights in [0, 1], float64 (side, side), side a power of two, which repeat beyond the edges."""
    heights, step, wobble = np.zeros((side, side)), side, 100.0

    def wobbled(total: np.ndarray) -> np.ndarray:
        return total / 4 + wobble * random.uniform(-wobble, wobble, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        both = corners + np.roll(corners, -1, 0)
        heights[half::step, half::step] = wobbled(both + np.roll(both, -1, 1))
        middles, corners = heights[half::step, half::step], heights[::step, ::step]
        across = middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1)
        heights[::step, half::step] = wobbled(across)
        down = middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0)
        heights[half::step, ::step] = wobbled(down)
        step, wobble = half, wobble / decay
    heights -= heights.min()
    return heights / heights.max()
