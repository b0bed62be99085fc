"""`cnnbench data show`: a contact sheet of a data set, or of what augmentation makes of some of its images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from cnnbench.config.data_commands import ShowConfig
from cnnbench.config.image_size import input_size
from cnnbench.data.commands.fenced import map_fenced
from cnnbench.data.contact_sheet import Row, Tile, draw_contact_sheet, save_contact_sheet
from cnnbench.data.decode.picture import Picture, open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.transform import TrainingTransform
from cnnbench.runtime.errors import UserError, nearest, printable
from cnnbench.runtime.shell import counted


def show(config: ShowConfig) -> None:
    """Write the sheet: a row per class, its images evenly over the class; or, with draws, a row per image."""
    split = read_split(config.data, config.split)
    labels = _labels(split, config)
    chosen = {label: _chosen(split, label, config.count) for label in labels}
    images = [index for label in labels for index in chosen[label]]
    if config.draws is None:
        made = map_fenced(partial(_tile, split), _ended, split, images, 1, "drawing")
        tiles = dict(zip(images, made, strict=True))
        rows = [_row(split, label, [tiles[index] for index in chosen[label]]) for label in labels]
    else:
        transform = TrainingTransform(config.arch, config.augment, input_size(config), config.seed)
        rows = list(drawn_apart(split, images, transform, config.draws, 1))
    save_contact_sheet(draw_contact_sheet(rows, config.side), config.output)
    print(f"{config.output}: {counted(len(images), 'image')} of {len(labels)} classes of {config.data.path}")
    if config.draws is not None and max(config.augment.mixup.p, config.augment.cutmix.p) > 0:
        print("not shown: mixup and cutmix, which act on whole batches")


def _labels(split: Split, config: ShowConfig) -> list[int]:
    if not config.classes:
        return evenly(len(split.classes), config.rows)
    for name in config.classes:
        if name not in split.classes:
            raise UserError(f"classes: {config.split} has no class '{name}'{nearest(name, split.classes)}")
    return [split.classes.index(name) for name in config.classes]


def _ended(_: str) -> Tile:
    return Tile(None, "broken")


def _row(split: Split, label: int, tiles: list[Tile]) -> Row:
    images = int((split.labels == label).sum())
    return Row(f"{printable(split.classes[label])}  ({images:,} images)", tiles)


def _chosen(split: Split, label: int, count: int) -> list[int]:
    """At most `count` images of a class, evenly over it."""
    images = np.flatnonzero(split.labels == label)
    return [int(images[place]) for place in evenly(len(images), count)]


def drawn_apart(
    split: Split, images: list[int], transform: TrainingTransform, draws: int, workers: int
) -> Iterator[Row]:
    """`drawn` of each of `images`, by other processes: one that no decoder survives is an empty tile."""
    draw = partial(drawn, split, transform=transform, draws=draws)
    return map_fenced(draw, lambda why: Row(printable(why), [_ended(why)]), split, images, workers, "drawing")


def drawn(split: Split, index: int, transform: TrainingTransform, draws: int) -> Row:
    """The image, then what training makes of it: in its first epochs, where nothing repeats."""
    before, size = _tile(split, index), transform.size
    title = f"{printable(split.classes[split.labels[index]])}  (image {index}, {size} x {size} pixels after the crop)"
    if before.image is None:
        return Row(title, [before])
    # On a GPU the operations after the crop are the same but for rounding.
    transform = replace(transform, augment=replace(transform.augment, device="cpu"))
    picture, nothing = _opened(split, index), np.empty(0)
    tiles = [before]
    for draw in range(draws):
        pixels = np.empty((transform.side(draw), transform.side(draw), transform.arch.in_channels), np.uint8)
        transform(picture, draw, index, pixels, nothing)
        tiles.append(Tile(Image.fromarray(pixels.squeeze()), f"draw {draw + 1}"))
    return Row(title, tiles)


def _opened(split: Split, index: int) -> Picture:
    return open_picture(split.read(index), split.name(index), pillow, split.max_megapixels)


def evenly(length: int, count: int) -> list[int]:
    """At most `count` of the numbers below `length`, at even distances."""
    return np.unique(np.linspace(0, length - 1, min(length, count), dtype=np.int64)).tolist()


def _tile(split: Split, index: int) -> Tile:
    """The image with its size and the name of its file; an empty tile that says so if it is broken."""
    name = printable(os.path.basename(split.name(index)))
    try:
        image = read_image(split.read(index), name, split.max_megapixels)
    except UserError:
        return Tile(None, f"broken\n{name}")
    return Tile(image, f"{image.width} x {image.height}\n{name}")
