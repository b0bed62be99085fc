"""Boxes of objects in images: files that list them, the box of a class activation map, and how far two agree."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch.nn import functional

from cnnbench.data.decode.opencv import cv2
from cnnbench.data.decode.region import Window
from cnnbench.data.layouts.lists import pairs, read_table
from cnnbench.runtime.errors import UserError

THRESHOLD = 0.2  # share of a map's maximum (Zhou et al. 2016, section 3.2)
NUMBERS = 4  # of a box
FORM = "ImageId,PredictionString with `class xmin ymin xmax ymax` for each box, as in Kaggle's LOC_val_solution.csv"


@dataclass(frozen=True)
class Box:
    """Columns `left` to `right` and rows `top` to `bottom` of an image, pixels, the last ones included."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Intersection over union, with whole pixels, as ILSVRC's development kit counts them."""
        width = min(self.right, other.right) - max(self.left, other.left) + 1
        height = min(self.bottom, other.bottom) - max(self.top, other.top) + 1
        common = max(0.0, width) * max(0.0, height)
        return common / (self.area + other.area - common)

    @property
    def area(self) -> float:
        return (self.right - self.left + 1) * (self.bottom - self.top + 1)


def read_boxes(path: Path, names: Collection[str]) -> dict[str, list[Box]]:
    """The boxes of each image, by its name without folder and ending; nothing if the file has none of `names`, so
    written. The file may be as lists of images may: any separator, quotes, encoding. Raises UserError for another form.
    """
    table = read_table(path, str(path))
    try:
        rows = pairs(table, lambda field: stem(field) in names, lambda field: bool(_boxes(field.split()))).rows
    except UserError as error:  # several columns that could be the class: of boxes one would be enough
        raise UserError(f"{path} is no list of boxes: it should be {FORM}") from error
    found: dict[str, list[Box]] = {}
    for name, words in rows:
        boxes = _boxes(words.split())
        if not boxes:
            raise UserError(f"{path} has no boxes of {name}: it should be {FORM}")
        found.setdefault(stem(name), []).extend(boxes)
    return found


def stem(name: str) -> str:
    """What images are called in lists of boxes: the name without folder and ending."""
    return PurePosixPath(name.strip()).stem


def box_of_map(values: torch.Tensor, size: int) -> Box:
    """The box of a class activation map (h, w), enlarged bilinearly to `size` x `size` pixels: the smallest around the
    largest part, connected also over corners, that is above a fifth of the maximum; of equal parts the first. The whole
    square where nothing speaks for the class."""
    whole = functional.interpolate(values[None, None].float(), (size, size), mode="bilinear")[0, 0].cpu().numpy()
    if not whole.max() > 0:
        return Box(0, 0, size - 1, size - 1)
    _, _, parts, _ = cv2.connectedComponentsWithStats((whole > THRESHOLD * whole.max()).astype(np.uint8))
    left, top, width, height, _ = parts[1 + int(parts[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    return Box(left, top, left + width - 1, top + height - 1)


def in_image(box: Box, window: Window, width: int, height: int) -> Box:
    """`box`, of the square that `window` cuts from an image, in that image of `width` x `height` pixels."""
    across, down = width / window.width, height / window.height
    return Box(
        (box.left + window.left) * across,
        (box.top + window.top) * down,
        (box.right + 1 + window.left) * across - 1,
        (box.bottom + 1 + window.top) * down - 1,
    )


def _boxes(words: list[str]) -> list[Box] | None:
    """`class xmin ymin xmax ymax`, any number of times; None for anything else."""
    try:
        numbers = [float(word) for i, word in enumerate(words) if i % (NUMBERS + 1)]
        quads = [numbers[i : i + NUMBERS] for i in range(0, len(numbers), NUMBERS)]
        boxes = [Box(*quad) for quad in quads]
    except (TypeError, ValueError):
        return None
    sound = len(words) % (NUMBERS + 1) == 0 and np.isfinite(numbers).all()
    return boxes if sound and all(box.left <= box.right and box.top <= box.bottom for box in boxes) else None
