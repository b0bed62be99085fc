"""Blurs: out of focus, of frosted glass, of motion and of zoom. Values are levels in [0, 1], float64 (H, W, C), unless
said otherwise; the arithmetic is that of the published files, which name skimage, scipy and ImageMagick for it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import RandomState


def gaussian(values: np.ndarray, sigma: float, truncate: float = 4.0, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """skimage.filters.gaussian: a kernel cut at `truncate` sigmas; float (H, W) or (H, W, C)."""
    reach = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-reach, reach + 1) ** 2)
    weights /= weights.sum()
    return cv2.sepFilter2D(values, -1, weights, weights, borderType=border)


def defocus(image: np.ndarray, _: RandomState, radius: float, alias: float) -> np.ndarray:
    """By a disk whose edge is smoothed."""
    reach = np.arange(-8, 9) if radius <= 8 else np.arange(-radius, radius + 1)
    x, y = np.meshgrid(reach, reach)
    disk = np.array((x**2 + y**2) <= radius**2, np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (3, 3) if radius <= 8 else (5, 5), alias)
    return cv2.filter2D(image / 255, -1, kernel)


def glass(image: np.ndarray, random: RandomState, sigma: float, reach: int, times: int) -> np.ndarray:
    """Smoothed, each pixel replaced by one near it, smoothed again.

    The published loop means to swap two pixels, but copies: both names are views of one array."""
    pixels = (gaussian(image / 255, sigma) * 255).astype(np.uint8)
    height, width = image.shape[:2]
    rows, columns = np.arange(height - reach, reach, -1), np.arange(width - reach, reach, -1)
    places = (rows[:, None] * width + columns).ravel().tolist()
    source = list(range(height * width))
    for _ in range(times):
        steps = random.randint(-reach, reach, size=(len(places), 2)) @ [1, width]
        for place, step in zip(places, steps.tolist(), strict=True):
            source[place] = source[place + step]
    return gaussian(pixels.reshape(height * width, -1)[source].reshape(pixels.shape) / 255, sigma)


def motion(image: np.ndarray, random: RandomState, radius: int, sigma: float) -> np.ndarray:
    """In a direction within 45 degrees of the horizontal."""
    return moved(image, radius, sigma, random.uniform(-45, 45)) / 255


def moved(levels: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """ImageMagick's motion blur of uint8 (H, W, C): half a Gaussian of 2 radius + 1 steps along `angle`, in degrees;
    the edge goes on outside. Whole levels, float64."""
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    height, width = levels.shape[:2]
    total = np.zeros(levels.shape)
    for step, weight in enumerate(weights / weights.sum()):
        rows = np.clip(np.arange(height) + math.ceil(step * sine - 0.5), 0, height - 1)
        columns = np.clip(np.arange(width) + math.ceil(step * cosine - 0.5), 0, width - 1)
        total += weight * levels[rows][:, columns]
    return np.floor(total + 0.5)


def zoom(image: np.ndarray, _: RandomState, most: float, step: float) -> np.ndarray:
    """The mean of the image at sizes from 1 to `most`, and itself once more."""
    values = (image / 255).astype(np.float32)
    factors = np.arange(1, most, step)
    total = sum((zoomed(values, factor) for factor in factors), np.zeros_like(values))
    return (values + total) / (len(factors) + 1)


def zoomed(values: np.ndarray, factor: float) -> np.ndarray:
    """The centre of a square, enlarged linearly from corner to corner (scipy.ndimage.zoom, order 1) to its own size."""
    side = len(values)
    part = math.ceil(side / factor)
    start, large = (side - part) // 2, round(part * factor)
    crop = values[start : start + part, start : start + part]
    places = np.arange(large) * ((part - 1) / max(1, large - 1))
    low = np.minimum(places.astype(int), max(0, part - 2))
    high, share = np.minimum(low + 1, part - 1), (places - low).astype(np.float64)
    rows = crop[low] * (1 - share)[:, None, None] + crop[high] * share[:, None, None]
    whole = rows[:, low] * (1 - share)[:, None] + rows[:, high] * share[:, None]
    trim = (large - side) // 2
    return whole[trim : trim + side, trim : trim + side].astype(values.dtype)
