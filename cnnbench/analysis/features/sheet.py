"""Pictures beside the images whose features are nearest to theirs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PIL import Image

from cnnbench.data.contact_sheet import Row, Tile, draw_contact_sheet
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.ilsvrc import class_in_words
from cnnbench.data.layouts.split import Split
from cnnbench.runtime.errors import printable

SIDE = 144  # of a picture, pixels
MOST = 60  # rows of a sheet


def draw_neighbours(queries: Split, split: Split, found: Sequence[Sequence[tuple[float, int]]]) -> Image.Image:
    """A row for each query, the picture itself first; `found`: (distance, image of `split`), the nearest first."""
    rows = []
    for number, nearest in list(enumerate(found))[:MOST]:
        query = Tile(_image(queries, number), f"query\n{_file(queries, number)}")
        tiles = [
            Tile(_image(split, i), f"{distance:.4g} {_class(split, i)}\n{_file(split, i)}") for distance, i in nearest
        ]
        rows.append(Row("", [query, *tiles]))
    return draw_contact_sheet(rows, SIDE)


def _image(split: Split, index: int) -> Image.Image:
    return read_image(split.read(index), split.name(index), split.max_megapixels)


def _class(split: Split, index: int) -> str:
    return printable(class_in_words(split.classes[split.labels[index]]))


def _file(split: Split, index: int) -> str:
    name = os.path.basename(split.name(index))
    _, inside, number = name.rpartition(", image ")  # of a file that holds many
    return printable(f"image {number}" if inside else name)
