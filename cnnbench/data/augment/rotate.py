"""Rotation about the centre of the image, bilinear; what was outside the image is black.

Numbers: the angle in degrees, counter-clockwise. Both forms interpolate at exact places and differ by rounding alone.
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from torch.nn.functional import grid_sample

from cnnbench.config.augment import RotateConfig
from cnnbench.data.augment.operation import Operation
from cnnbench.data.decode.opencv import cv2
from cnnbench.runtime.devices import to_device


def draw(rotate: RotateConfig, random: Random) -> tuple[float]:
    return (random.uniform(-rotate.degrees, rotate.degrees),)


def apply(image: np.ndarray, numbers: tuple[float]) -> np.ndarray:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), numbers[0], 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR).reshape(image.shape)


def apply_batch(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[2:]
    angle = torch.deg2rad(numbers[:, 0])
    turn = to_device(torch.stack([angle.cos(), angle.sin()]).float(), images.device).view(2, -1, 1, 1)
    x = torch.arange(width, device=images.device) - (width - 1) / 2  # from the centre
    y = (torch.arange(height, device=images.device) - (height - 1) / 2).view(-1, 1)
    # Not by affine_grid: its matrix product loses a tenth of a pixel where TF32 is allowed.
    places = torch.stack([(turn[0] * x - turn[1] * y) * (2 / width), (turn[1] * x + turn[0] * y) * (2 / height)], dim=3)
    return grid_sample(images.float(), places, "bilinear", "zeros", align_corners=False).round_().to(torch.uint8)


ROTATE = Operation(1, draw, apply, apply_batch)
