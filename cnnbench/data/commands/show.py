"""`cnnbench data show`: a contact sheet of a data set."""

from __future__ import annotations

import os

import numpy as np

from cnnbench.config import ShowConfig
from cnnbench.data.layouts import read_split
from cnnbench.data.reference import read_image
from cnnbench.data.sheet import Row, Tile, draw_sheet, save_sheet
from cnnbench.data.split import Split
from cnnbench.errors import UserError, nearest


def show(config: ShowConfig) -> None:
    """Write the sheet: a row per class, its images evenly over the class."""
    split = read_split(config.data, config.split)
    rows = [_row(split, label, config.count) for label in _labels(split, config)]
    save_sheet(draw_sheet(rows, config.side), config.output)
    print(f"{config.output}: {sum(len(row.tiles) for row in rows)} images of {len(rows)} classes of {config.data.path}")


def _labels(split: Split, config: ShowConfig) -> list[int]:
    if not config.classes:
        return _evenly(len(split.classes), config.rows)
    for name in config.classes:
        if name not in split.classes:
            raise UserError(f"classes: {config.split} has no class '{name}'{nearest(name, split.classes)}")
    return [split.classes.index(name) for name in config.classes]


def _row(split: Split, label: int, count: int) -> Row:
    images = np.flatnonzero(split.labels == label)
    chosen = [images[place] for place in _evenly(len(images), count)]
    return Row(f"{split.classes[label]}  ({len(images):,} images)", [_tile(split, index) for index in chosen])


def _evenly(length: int, count: int) -> list[int]:
    """At most `count` of the numbers below `length`, at even distances."""
    return np.unique(np.linspace(0, length - 1, min(length, count), dtype=np.int64)).tolist()


def _tile(split: Split, index: int) -> Tile:
    """The image with its size and the name of its file; an empty tile that says so if it is broken."""
    name = os.path.basename(split.name(index))
    try:
        image = read_image(split.read(index), name)
    except UserError:
        return Tile(None, f"broken\n{name}")
    return Tile(image, f"{image.width} x {image.height}\n{name}")
