"""The images of one split: where they lie, and which class each belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnbench.data.storage import Storage


@dataclass(frozen=True)
class Split:
    """Flat arrays, which forked workers share without copying.

    `labels` are int64 (n,), indices into `classes`; image i has number `numbers[i]` in `storage`, which may hold more.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    numbers: np.ndarray
    storage: Storage

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> bytes | np.ndarray:
        """The file of image `index`, or its pixels: uint8 (H, W, C), C = 1 or 3."""
        return self.storage.read(int(self.numbers[index]))

    def name(self, index: int) -> str:
        """What messages and lists call image `index`."""
        return self.storage.name(int(self.numbers[index]))
