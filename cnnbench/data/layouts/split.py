"""The images of one split: where they lie, and which class each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnbench.config.data import MOST_MEGAPIXELS
from cnnbench.data.decode.entry_index import Place
from cnnbench.data.layouts.account import Account
from cnnbench.data.storage.files import Storage
from cnnbench.data.storage.ranges import Ranges


@dataclass(frozen=True)
class Split:
    """Flat arrays, which forked workers share without copying.

    `labels` are int64 (n,), indices into `classes`; image i has number `numbers[i]` in `storage`, which may hold more.
    `account` says what was left out of it; an image of more than `max_megapixels` counts as broken; `side_indices`
    are where the entry points of its JPEG files lie, `side_folder` is where those go that are found later. `border`:
    pixels around each image that are no part of it.
    `competing`, int64 (classes,), of a test: which classes compete: those of one number are one answer, -1 takes no
    part; None: all do.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    numbers: np.ndarray
    storage: Storage
    account: Account = Account()
    max_megapixels: float = MOST_MEGAPIXELS
    side_indices: tuple[Place, ...] = ()
    side_folder: Path | None = None
    border: int = 0
    competing: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def counted_in(self, classes: Sequence[str]) -> Split:
        """The same images, with labels that count in `classes`, among which all of this split's are."""
        label_of = {name: label for label, name in enumerate(classes)}
        labels = np.array([label_of[name] for name in self.classes], np.int64)[self.labels]
        return replace(self, classes=tuple(classes), labels=labels)

    def chosen(self, positions: np.ndarray) -> Split:
        """Only the images at `positions`, int64, in that order."""
        return replace(self, labels=self.labels[positions], numbers=self.numbers[positions])

    def read(self, index: int) -> bytes | np.ndarray:
        """The file of image `index`, or its pixels: uint8 (H, W, C), C = 1 or 3."""
        return self.storage.read(int(self.numbers[index]))

    def read_many(self, indices: list[int]) -> dict[int, bytes]:
        """The files of `indices` where fetching them together saves time, as over a network; else nothing."""
        if not isinstance(self.storage, Ranges) or not self.storage.is_remote:
            return {}
        return dict(zip(indices, self.storage.read_many(self.numbers[indices].tolist()), strict=True))

    def name(self, index: int) -> str:
        """What messages and lists call image `index`."""
        return self.storage.name(int(self.numbers[index]))

    def path(self, index: int) -> str:
        """What lists and results call image `index`: SPLIT/CLASS/FILE, or ARCHIVE/FILE."""
        return self.storage.path(int(self.numbers[index]))


class ImageName(NamedTuple):
    """What messages call image `number` of `split`, put together only where there is a message."""

    split: Split
    number: int

    def __str__(self) -> str:
        return self.split.name(self.number)
