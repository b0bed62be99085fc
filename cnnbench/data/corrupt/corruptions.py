"""The 15 corruptions of ImageNet-C, each in five severities. Hendrycks, Dietterich: Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations (ICLR 2019); github.com/hendrycks/robustness,
ImageNet-C/create_c/make_imagenet_c.py.

The published files corrupt the central 224 x 224 pixels and keep them as JPEG files of quality 85, which is done here
too. What is drawn depends on (seed, corruption, severity, number of the image); numpy's RandomState, whose streams do
not change, draws in the order of the published files, so that from the same state the same pixels come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState

from cnnbench.data.corrupt import blur, digital, weather

SEVERITIES = (1, 2, 3, 4, 5)
FROST = "frost"
KEPT_AS = 85  # quality of the JPEG files of ImageNet-C


@dataclass(frozen=True)
class Corruption:
    """`make` gives levels in [0, 1], to be cut at both ends, of uint8 (side, side, 3), a RandomState and the values of
    a severity. `alexnet`: top-1 error of AlexNet in percent, the mean of the five severities on ILSVRC's validation
    images, by which errors are divided."""

    kind: str
    make: Callable[..., np.ndarray]
    values: Sequence[tuple[Any, ...]]
    alexnet: float


# Values: the file named above. AlexNet's errors: Hendrycks, Dietterich 2019, as google-research/augmix has them in
# imagenet.py, ALEXNET_ERR.
CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(
        "noise", digital.gaussian_noise, [(0.08,), (0.12,), (0.18,), (0.26,), (0.38,)], 88.6428
    ),
    "shot_noise": Corruption("noise", digital.shot_noise, [(60.0,), (25.0,), (12.0,), (5.0,), (3.0,)], 89.4468),
    "impulse_noise": Corruption("noise", digital.impulse_noise, [(0.03,), (0.06,), (0.09,), (0.17,), (0.27,)], 92.2640),
    "defocus_blur": Corruption("blur", blur.defocus, [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)], 81.9880),
    "glass_blur": Corruption(
        "blur", blur.glass, [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)], 82.6268
    ),
    "motion_blur": Corruption("blur", blur.motion, [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)], 78.5948),
    "zoom_blur": Corruption(
        "blur", blur.zoom, [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)], 79.8360
    ),
    "snow": Corruption(
        "weather",
        weather.snow,
        [
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ],
        86.6816,
    ),
    FROST: Corruption("weather", weather.frost, [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)], 82.6572),
    "fog": Corruption("weather", weather.fog, [(1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)], 81.9324),
    "brightness": Corruption("weather", weather.brightness, [(0.1,), (0.2,), (0.3,), (0.4,), (0.5,)], 56.4592),
    "contrast": Corruption("digital", digital.contrast, [(0.4,), (0.3,), (0.2,), (0.1,), (0.05,)], 85.3204),
    "elastic_transform": Corruption(
        "digital",
        digital.elastic,
        [
            *[(244 * 2, 244 * 0.7, 244 * 0.1), (244 * 2, 244 * 0.08, 244 * 0.2), (244 * 0.05, 244 * 0.01, 244 * 0.02)],
            *[(244 * 0.07, 244 * 0.01, 244 * 0.02), (244 * 0.12, 244 * 0.01, 244 * 0.02)],
        ],
        64.6056,
    ),
    "pixelate": Corruption("digital", digital.pixelate, [(0.6,), (0.5,), (0.4,), (0.3,), (0.25,)], 71.7840),
    "jpeg_compression": Corruption("digital", digital.jpeg, [(25,), (18,), (15,), (10,), (7,)], 60.6500),
}


def corrupt(
    image: np.ndarray, name: str, severity: int, random: RandomState, frosts: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """`image`, uint8 (side, side, 3), corrupted: uint8 of the same shape, before it is kept as a file. `frosts`:
    pictures that "frost" needs, uint8 (H, W, 3)."""
    corruption = CORRUPTIONS[name]
    more = (frosts,) if name == FROST else ()
    levels = corruption.make(image, random, *corruption.values[severity - 1], *more)
    return (np.clip(levels, 0, 1) * 255).astype(np.uint8)


def image_random_state(seed: int, name: str, severity: int, index: int) -> RandomState:
    """What is drawn for image `index`."""
    digest = hashlib.sha256(f"{seed} {name} {severity} {index}".encode()).digest()
    return RandomState(int.from_bytes(digest[:4], "little"))


def mean_corruption_error(errors: dict[str, float]) -> float:
    """mCE: the mean over corruptions of top-1 error in percent, the mean of the severities, over AlexNet's; percent."""
    return sum(100 * error / CORRUPTIONS[name].alexnet for name, error in errors.items()) / len(errors)
