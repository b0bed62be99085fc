"""Mirroring left to right."""

from __future__ import annotations

from random import Random

import numpy as np
import torch

from cnnbench.config.augment import FlipConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.data.decode.opencv import cv2


def draw(_: FlipConfig, random: Random) -> tuple[()]:
    return ()


def apply(image: np.ndarray, _: tuple[()]) -> np.ndarray:
    return cv2.flip(image, 1).reshape(image.shape)


def apply_batch(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return images.flip(3)


FLIP = Operation(0, draw, apply, apply_batch)
