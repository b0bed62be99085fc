"""The features of a data set on the disk, standardised, to be read in parts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.features import Extractor
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import check_free_space

ROWS = 2048  # of features in memory at a time
FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Features:
    """Of the images of a split that could be decoded: each layer's values, float32 (n, D), mapped from the disk, and
    labels, int64 (n,); `broken`: why the others could not, by their number."""

    values: dict[str, np.ndarray]
    labels: np.ndarray
    broken: dict[int, str]


def extract(extractor: Extractor, split: Split, folder: Path) -> Features:
    """The features of all images of `split` as files in `folder`, batch by batch.

    Raises UserError for a disk that is too small, and if no image can be decoded."""
    widths = {name: math.prod(shape) for name, shape in extractor.shapes().items()}
    needed = FLOAT32 * len(split) * sum(widths.values())
    check_free_space(folder, needed, "make room, set TMPDIR to another disk, or lower most_values=")
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{number}.npy", "w+", np.float32, (len(split), width))
        for number, (name, width) in enumerate(widths.items())
    }
    used = 0
    broken: dict[int, str] = {}
    for batch in extractor.batches(split):
        count = len(next(iter(batch.values.values())))
        rows = [i for i in range(count) if batch.start + i not in batch.broken]
        for name, value in batch.values.items():
            arrays[name][used : used + len(rows)] = value.reshape(count, -1)[rows]
        used, broken = used + len(rows), broken | batch.broken
    if used == 0:
        raise UserError(f"none of the {len(split):,} images can be decoded: {next(iter(broken.values()))}")
    labels = np.delete(split.labels, list(broken))
    return Features({name: array[:used] for name, array in arrays.items()}, labels, broken)


def standardise(train: np.ndarray, others: list[np.ndarray]) -> None:
    """In place: every column of `train` to mean 0 and deviation 1, and the `others` by the same numbers; a column that
    is constant to mean 0. Raises UserError for values that are not finite."""
    mean = np.sum([part.sum(0, dtype=np.float64) for part in parts_of(train)], 0) / len(train)
    # about the mean: the difference of two large numbers would lose its digits
    spread = np.sum([np.square(part - mean).sum(0) for part in parts_of(train)], 0)
    if not np.isfinite(spread).all():
        raise UserError("the layer's values are not finite for some of the images: the weights are damaged")
    deviation = np.sqrt(spread / len(train))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6 * np.abs(mean) + 1e-12)
    for array in (train, *others):
        for part in parts_of(array):
            part[...] = (part - mean) * scale


def parts_of(array: np.ndarray) -> Iterator[np.ndarray]:
    """Views of consecutive rows."""
    return (array[start : start + ROWS] for start in range(0, len(array), ROWS))
