"""Files beside the figures of an evaluation, for those who want to know where a network is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cnnbench.data.contact_sheet import Row, Tile, draw_contact_sheet, save_contact_sheet
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.ilsvrc import class_in_words, class_names
from cnnbench.data.layouts.names import plain
from cnnbench.data.layouts.relabel import image_name
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.counts import TOP
from cnnbench.evaluation.predictions import Predictions, confusion, most_confident_mistakes
from cnnbench.evaluation.statistics import wilson_interval
from cnnbench.runtime.cells import csv_cell
from cnnbench.runtime.errors import printable
from cnnbench.runtime.files import write_text, writing

ACROSS, DOWN, SIDE = 8, 5, 144  # the sheet of mistakes: images, images, pixels
PICTURE = 800  # pixels along the picture of a confusion matrix, or one per class if that is more


def write_details(folder: Path, predictions: Predictions, split: Split) -> list[str]:
    """per_class.csv, confusion.csv, confusion.png, predictions.csv and, if there are any, mistakes.png; their names."""
    matrix = confusion(predictions, split.labels, len(split.classes))
    written = ["per_class.csv", "confusion.csv", "confusion.png", "predictions.csv"]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "per_class.csv", _per_class(predictions, split))
        names = [["class", *split.classes], *([name, *row] for name, row in zip(split.classes, matrix, strict=True))]
        _write(folder / "confusion.csv", names)
        write_predictions(folder / "predictions.csv", predictions, split)
    save_contact_sheet(_picture(matrix), str(folder / "confusion.png"))
    mistakes = most_confident_mistakes(predictions, ACROSS * DOWN)
    if len(mistakes):
        tiles = [_tile(predictions, split, row) for row in mistakes]
        rows = [Row("", tiles[start : start + ACROSS]) for start in range(0, len(tiles), ACROSS)]
        save_contact_sheet(draw_contact_sheet(rows, SIDE), str(folder / "mistakes.png"))
        written.append("mistakes.png")
    return written


def write_predictions(path: Path, predictions: Predictions, split: Split) -> None:
    """A CSV file with a line for each image, as evaluation/answers.py reads it. Raises OSError."""
    _write(path, _every(predictions, split))


def _per_class(predictions: Predictions, split: Split) -> Iterable[Sequence[object]]:
    """A line for each class that has images: errors in percent and their 95 % intervals (Wilson), the worst first."""
    yield ["class", "name", "n", *(f"{what}{k}{end}" for k in TOP for what, end in _COLUMNS)]
    lines = []
    for label in np.unique(split.labels):
        ranks = predictions.rank[split.labels == label]
        line = [split.classes[label], class_names().get(split.classes[label], ""), len(ranks)]
        for k in TOP:
            wrong = int((ranks >= k).sum())
            line += [
                wrong,
                *(f"{value:.3f}" for value in (100 * wrong / len(ranks), *wilson_interval(wrong, len(ranks)))),
            ]
        lines.append(line)
    yield from sorted(lines, key=lambda line: (-float(line[4]), line[0]))


_COLUMNS = (("wrong_top", ""), ("top", "_error"), ("top", "_low"), ("top", "_high"))


def _every(predictions: Predictions, split: Split) -> Iterable[Sequence[object]]:
    """A line for each image: rank 0 is right at top 1, below 5 right at top 5; a broken image has no classes."""
    width = predictions.first.shape[1]
    yield ["image", "class", "rank", *(f"{what}{k + 1}" for k in range(width) for what in ("class", "probability"))]
    for row in range(len(split)):
        name = image_name(split, row)
        line = [name if name.isprintable() else plain(name), split.classes[split.labels[row]], predictions.rank[row]]
        if not predictions.broken[row]:
            for label, probability in zip(predictions.first[row], predictions.probability[row], strict=True):
                line += [split.classes[label], f"{probability:.6g}"]
        yield line


def _picture(matrix: np.ndarray) -> Image.Image:
    """White to black: the share of each row; a square of pixels for each pair of classes."""
    share = matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    image = Image.fromarray(np.round(255 * (1 - share)).astype(np.uint8))
    side = len(matrix) * max(1, PICTURE // len(matrix))
    return image.resize((side, side), Image.Resampling.NEAREST)


def _tile(predictions: Predictions, split: Split, row: int) -> Tile:
    predicted, true = (split.classes[label] for label in (predictions.first[row, 0], split.labels[row]))
    name = printable(image_name(split, row))
    caption = f"{predictions.probability[row, 0]:.3f} {_short(predicted)}\nis {_short(true)}\n{name}"
    return Tile(read_image(split.read(row), split.name(row), split.max_megapixels), caption)


def _short(name: str) -> str:
    return printable(class_in_words(name))


def _write(path: Path, lines: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([csv_cell(cell) for cell in line] for line in lines)
    write_text(path, text.getvalue())
