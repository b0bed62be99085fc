"""What a network loses when a part of the image is covered.

Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2 and Figure 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from cnnbench.analysis.look.network import Network
from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import Point
from cnnbench.runtime.progress import tqdm

COVER = 0.0  # what covers: the data's mean colour, as normalised pixels have it


@dataclass(frozen=True)
class Square:
    """What covers: its side, and the pixels from one place to the next."""

    side: int
    stride: int

    def places(self, length: int) -> np.ndarray:
        """The first pixels of all places that lie whole within `length` pixels, int64."""
        return np.arange(0, length - self.side + 1, self.stride)


@dataclass(frozen=True)
class Occlusion:
    """For each place of the square, by its top left pixel at (tops[i], lefts[j]), arrays (R, C).

    `probability`: of the class asked for, float64; `label`: the most probable class, int64; `activation`: the sum over
    the map of the chosen unit, float64.
    """

    tops: np.ndarray
    lefts: np.ndarray
    square: Square
    probability: np.ndarray
    label: np.ndarray
    activation: np.ndarray


@torch.inference_mode()
def occlude(
    network: Network, image: torch.Tensor, target: int, unit: tuple[Point, int], square: Square, batch: int = 32
) -> Occlusion:
    """Cover `image` (1, C, H, W), normalised, by `square` at every place, `batch` places at a time.

    `target`: the class; `unit`: layer and channel. The square is at most as large as the image.
    """
    point, channel = unit
    points = {"layer": point, "logits": network.names["logits"]}
    tops, lefts = (square.places(length) for length in image.shape[2:])
    places = list(product(tops.tolist(), lefts.tolist()))
    rows: list[torch.Tensor] = []
    bar = tqdm(range(0, len(places), batch), "occlusion", leave=False, delay=2, disable=None, unit="batch")
    with capture(network.model, points) as run:
        for first in bar:
            some = places[first : first + batch]
            covered = image.repeat(len(some), 1, 1, 1)
            for each, (top, left) in zip(covered, some, strict=True):
                each[:, top : top + square.side, left : left + square.side] = COVER
            found = run(covered)
            probability, label = found["logits"].softmax(1)[:, target], found["logits"].argmax(1)
            activation = found["layer"][:, channel].reshape(len(some), -1).sum(1)
            rows.append(torch.stack([probability.double(), label.double(), activation.double()], 1))
    made = torch.cat(rows).cpu().numpy().reshape(len(tops), len(lefts), 3)
    return Occlusion(tops, lefts, square, made[..., 0], made[..., 1].astype(np.int64), made[..., 2])
