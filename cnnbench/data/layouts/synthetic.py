"""Images without files, for measurements and tries: `synthetic`, or `synthetic:CLASSESxIMAGES` (images per class)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.config.data import SYNTHETIC
from cnnbench.data.layouts.listing import Listing
from cnnbench.runtime.errors import UserError

CLASSES, IMAGES = 1000, 10  # of each split, by default


@dataclass(frozen=True)
class Noise:
    """Uniform noise, uint8 (side, side, 3), drawn from the split and the number of the image."""

    count: int
    split: str
    side: int = 256
    form: str = "synthetic noise"

    def __len__(self) -> int:
        return self.count

    def read(self, number: int) -> np.ndarray:
        random = np.random.default_rng((*self.split.encode(), number))
        return np.frombuffer(random.bytes(self.side * self.side * 3), np.uint8).reshape(self.side, self.side, 3)

    def name(self, number: int) -> str:
        return f"synthetic {self.split} image {number}"

    def path(self, number: int) -> str:
        return self.name(number)


def recognises(root: Path) -> bool:
    return SYNTHETIC.fullmatch(str(root)) is not None  # the path of a folder is absolute


def list_images(root: Path, split: str) -> Listing:
    """As many images of each class in train as in val, of other pixels."""
    chosen = SYNTHETIC.fullmatch(str(root))
    if chosen is None:
        raise UserError(f"data={root}: write it as synthetic:CLASSESxIMAGES")
    classes, images = int(chosen["classes"] or CLASSES), int(chosen["images"] or IMAGES)
    names = tuple(f"synthetic-{number:0{len(str(classes - 1))}}" for number in range(classes))
    labels = np.repeat(np.arange(classes), images)
    return Listing(str(root), names, labels, Noise(len(labels), split))
