"""Noise, contrast, elastic distortion, coarse pixels and JPEG. As blur.py."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.random import RandomState
from PIL import Image


def gaussian_noise(image: np.ndarray, random: RandomState, scale: float) -> np.ndarray:
    return image / 255 + random.normal(size=image.shape, scale=scale)


def shot_noise(image: np.ndarray, random: RandomState, photons: float) -> np.ndarray:
    return random.poisson(image / 255 * photons) / photons


def impulse_noise(image: np.ndarray, random: RandomState, share: float) -> np.ndarray:
    """A `share` of all values is 0 or 1, either as often (skimage.util.random_noise, salt and pepper)."""
    struck, white = random.random_sample(image.shape) < share, random.random_sample(image.shape) < 0.5
    return np.where(struck, white, image / 255)


def contrast(image: np.ndarray, _: RandomState, share: float) -> np.ndarray:
    values = image / 255
    means = values.mean((0, 1), keepdims=True)
    return (values - means) * share + means


def elastic(image: np.ndarray, random: RandomState, reach: float, sigma: float, affine: float) -> np.ndarray:
    """A random affine map of about `affine` pixels, then each pixel from up to `reach` away, smoothly (`sigma`)."""
    values: np.ndarray = image.astype(np.float32) / np.float32(255)
    height, width = image.shape[:2]
    centre, third = np.array([height, width], np.float32) // 2, min(height, width) // 3
    corners = np.array([centre + third, [centre[0] + third, centre[1] - third], centre - third], np.float32)
    there = corners + random.uniform(-affine, affine, corners.shape).astype(np.float32)
    turn = cv2.getAffineTransform(corners, there)
    values = cv2.warpAffine(values, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    steps = [(_smooth(random.uniform(-1, 1, (height, width)), sigma) * reach).astype(np.float32) for _ in range(2)]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    places = (columns + steps[0]).astype(np.float32), (rows + steps[1]).astype(np.float32)
    return cv2.remap(values, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def pixelate(image: np.ndarray, _: RandomState, share: float) -> np.ndarray:
    side = int(len(image) * share)
    small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize(image.shape[1::-1], Image.Resampling.BOX)) / 255


def jpeg(image: np.ndarray, _: RandomState, quality: int) -> np.ndarray:
    return through_jpeg(image, quality) / 255


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """uint8 (H, W, 3), written as a JPEG file by Pillow and read again."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _smooth(field: np.ndarray, sigma: float) -> np.ndarray:
    """Smoothed by a Gaussian that is cut at three sigmas, mirrored at the edges as often as it is wide."""
    reach = int(3 * sigma + 0.5)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        wide = np.pad(field, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], "symmetric")
        field = np.apply_along_axis(np.convolve, axis, wide, weights / weights.sum(), "valid")
    return field
