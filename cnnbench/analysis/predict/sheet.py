"""Pictures with what a network says of them, on one sheet."""

from __future__ import annotations

import os

from PIL import Image

from cnnbench.data.contact_sheet import Row, Tile, draw_contact_sheet
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.predict import Answered, Prediction
from cnnbench.runtime.errors import printable

ACROSS, SIDE = 6, 176  # pictures in a row, and the side of each in pixels
MOST = 240  # pictures of one sheet
SHOWN = 3  # answers below a picture


def draw_answers(prediction: Prediction) -> tuple[Image.Image, int]:
    """The first pictures, with their most probable classes and the name of the file; and how many they are."""
    shown = prediction.pictures[:MOST]
    tiles = [_tile(prediction.split, i, one) for i, one in enumerate(shown)]
    rows = [Row("", tiles[start : start + ACROSS]) for start in range(0, len(tiles), ACROSS)]
    return draw_contact_sheet(rows, SIDE), len(shown)


def _tile(split: Split, index: int, one: Answered) -> Tile:
    name = printable(os.path.basename(one.picture))
    if one.broken is not None:
        return Tile(None, f"left out\n{name}")
    answers = [f"{answer.probability:.3f} {printable(answer.words)}" for answer in one.answers[:SHOWN]]
    image = read_image(split.read(index), split.name(index), split.max_megapixels)
    return Tile(image, "\n".join([*answers, name]))
