"""Images as a caller of Python has them: those of a data set, one by one, and those at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.pictures import pictures
from cnnbench.data.layouts.split import Split
from cnnbench.data.storage.given import Given, as_given
from cnnbench.runtime.errors import UserError


@dataclass(frozen=True, repr=False)
class Images:
    """Images with classes, of one split of a data set: `len(images)`, `images[i]` -> (picture, label)."""

    split: Split

    def __repr__(self) -> str:
        return f"<{len(self):,} images of {len(self.classes)} classes>"

    def __len__(self) -> int:
        return len(self.split)

    @overload
    def __getitem__(self, index: slice) -> Images: ...

    @overload
    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...

    def __getitem__(self, index: int | slice) -> tuple[Image.Image, int] | Images:
        """The whole picture, RGB, and the number of its class in `classes`; of a slice Images. UserError if it is
        broken."""
        if isinstance(index, slice):
            return Images(self.split.chosen(np.arange(len(self))[index]))
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self):,}")
        index %= len(self)
        picture = read_image(self.split.read(index), self.split.name(index), self.split.max_megapixels)
        return picture, int(self.split.labels[index])

    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        return (self[index] for index in range(len(self)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the labels."""
        return self.split.classes

    @property
    def labels(self) -> np.ndarray:
        """The number of each image's class in `classes`, int64 (n,)."""
        return self.split.labels

    def name(self, index: int) -> str:
        """What messages call image `index`: its path, if it has one."""
        return self.split.name(index)


def split_of(images: Any) -> Split:
    """The images as a split whose labels mean nothing unless they are Images. One image or a sequence of them, each as
    `as_given` takes it, also as one array (N, H, W, C); or a folder. UserError for none, and for what is not one."""
    if isinstance(images, Images):
        return images.split
    if isinstance(images, str | Path) and Path(images).expanduser().is_dir():
        return pictures([str(images)], ("",))
    alone = isinstance(images, str | Path | bytes | Image.Image) or (isinstance(images, np.ndarray) and images.ndim < 4)
    given = [as_given(image, number) for number, image in enumerate([images] if alone else images)]
    if not given:
        raise UserError("no images are given")
    return Split(("",), np.zeros(len(given), np.int64), np.arange(len(given)), Given(given))
