"""The test image of the Inception papers' released code (TensorFlow slim, inception_preprocessing.py,
preprocess_for_eval): the central share of both sides, resized to a square by TensorFlow 1's resize_bilinear.

That does not antialias, and its grid (align_corners=False) starts at the first pixel: the output pixel i lies at
i * input / output, half a pixel before where today's libraries have it. The same is done here, but for one thing: the
result is rounded to whole levels, as all images here are.
"""

from __future__ import annotations

import numpy as np


def central_share(width: int, height: int, share: float) -> tuple[int, int, int, int]:
    """Left, top, width and height of the central `share` of both sides, as tf.image.central_crop rounds them."""
    left, top = int((width - width * share) / 2), int((height - height * share) / 2)
    return left, top, width - 2 * left, height - 2 * top


def squashed(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pixels uint8 (H, W, C) resized to (size, size, C), whatever their aspect."""
    above, below, down = _neighbours(pixels.shape[0], size)
    before, after, across = _neighbours(pixels.shape[1], size)
    rows = _between(pixels[above], pixels[below], down[:, None, None])
    return np.rint(_between(rows[:, before], rows[:, after], across[:, None])).astype(np.uint8)


def _neighbours(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `target` places the two pixels of `source` that it lies between, int64 (target,), and how far it is
    from the first to the second, float32 (target,)."""
    places = np.arange(target, dtype=np.float32) * np.float32(source / target)
    first = np.minimum(places.astype(np.int64), source - 1)
    return first, np.minimum(first + 1, source - 1), places - first.astype(np.float32)


def _between(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    one = one.astype(np.float32)
    return one + (other - one) * share
