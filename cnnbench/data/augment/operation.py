"""What an operation on training images is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

import numpy as np
import torch

VARYING = 0  # columns of a row, where the numbers of a draw are not always as many


Numbers = TypeVar("Numbers", bound=tuple[float, ...])  # of one draw


@dataclass(frozen=True)
class Operation(Generic[Numbers]):
    """One way to change an image, its form for one image on the CPU and its form for a batch on any device.

    parameters: how many numbers describe one draw; VARYING: a policy, which has no form for a batch.
    draw: (the operation's group of keys, generator) -> those numbers. They do not depend on the size of the image:
        shares of a side, degrees, values of keys.
    apply: (image uint8 (H, W, C) with C = 1 or 3, numbers) -> a new image of the same shape.
    apply_batch: (images uint8 (N, C, H, W) on any device, numbers float64 (N, parameters) on the CPU) -> new images of
        the same shape, dtype and device. The numbers stay where they were drawn, so that a GPU is never waited for;
        float32 numbers may move a shift that falls between two pixels to the other one.
    """

    parameters: int
    draw: Callable[[Any, Random], Numbers]
    apply: Callable[[np.ndarray, Numbers], np.ndarray]
    apply_batch: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
