"""Colour moved along the principal axes of ILSVRC's colours, the same way in all pixels (Krizhevsky et al. 2012, 4.1).

Numbers: what is added to R, G and B, whole levels of 255. To grey images their luma is added.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch

from cnnbench.config.augment import PcaConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.data.decode.opencv import cv2
from cnnbench.runtime.devices import to_device

# Of ILSVRC's training pixels, R, G and B in [0, 1], as published in fb.resnet.torch. The paper writes "eigenvalue" for
# the scale of an axis; all implementations take the standard deviation along it, the root of the covariance's.
DEVIATIONS = (0.2175, 0.0188, 0.0045)
AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))  # a row: R, G, B
LUMA = (0.299, 0.587, 0.114)


def draw(pca: PcaConfig, random: Random) -> tuple[float, ...]:
    moves = [random.gauss(0, pca.std) * deviation for deviation in DEVIATIONS]
    return tuple(float(round(255 * sum(a * m for a, m in zip(axis, moves, strict=True)))) for axis in AXES)


def apply(image: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    if image.shape[2] == 1:
        numbers = (round(sum(w * n for w, n in zip(LUMA, numbers, strict=True))),)
    scalar = (*numbers, 0.0, 0.0)[:4]
    return cv2.add(image, scalar).reshape(image.shape)  # type: ignore[call-overload]  # OpenCV's stub lacks scalars


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    if images.shape[1] == 1:
        numbers = (numbers.double() @ torch.tensor(LUMA, dtype=torch.float64)).round()[:, None]
    added = to_device(numbers.short(), images.device)[:, :, None, None]
    return (images + added).clamp(0, 255).to(torch.uint8)


PCA = Operation(3, draw, apply, apply_batch)
