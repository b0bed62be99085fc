"""What networks answered for single images, read back from predictions.csv, and brought onto the same images. Imports
no torch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbench.evaluation.statistics import TOP
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.foreign import foreign

NEEDED = "it needs the columns image, class and either rank or class1, as `cnnbench eval details=FOLDER` writes them"


@dataclass(frozen=True)
class Answers:
    """Of each image: its name, its class, `rank` int64 (n,): classes before the right one; `first` the class that was
    answered and `probability` float64 (n,) how surely, nan where that is not told."""

    images: list[str]
    classes: list[str]
    rank: np.ndarray
    first: list[str]
    probability: np.ndarray

    def wrong(self, top: int) -> np.ndarray:
        """bool (n,): whether the image is wrong at the first `top` answers."""
        return self.rank >= top

    def part(self, rows: Sequence[int]) -> Answers:
        """The images of these rows."""
        names = ([column[row] for row in rows] for column in (self.images, self.classes, self.first))
        images, classes, first = names
        return Answers(images, classes, self.rank[list(rows)], first, self.probability[list(rows)])


def read_answers(path: Path) -> Answers:
    """The file that `cnnbench eval` wrote, or one of that form. Raises UserError."""
    if path.is_dir():
        path = path / "predictions.csv"
    with foreign(path), open(path, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not {"image", "class"} <= rows[0].keys() or not {"rank", "class1"} & rows[0].keys():
        raise UserError(f"{path} is not a file of predictions: {NEEDED}")
    with foreign(path):
        rank = np.array([_rank(row) for row in rows], np.int64)
        probability = np.array([float(row.get("probability1") or "nan") for row in rows])
        images, classes = [row["image"] for row in rows], [row["class"] for row in rows]
    if len(set(images)) < len(images):
        twice = next(name for place, name in enumerate(images) if images.index(name) != place)
        raise UserError(f"{path} has the image {twice} twice: each image needs a line of its own")
    return Answers(images, classes, rank, [row.get("class1") or "" for row in rows], probability)


def same_images(given: Sequence[Answers], names: Sequence[str]) -> tuple[list[Answers], list[str]]:
    """All `given`, called `names`, on the images that they have in common, in the order of the first; and a sentence
    where that leaves some out. Raises UserError without any in common, or where two name another class for one."""
    places = [{name: row for row, name in enumerate(one.images)} for one in given]
    common = [name for name in given[0].images if all(name in place for place in places)]
    if not common:
        raise UserError(
            f"{names[0]} and {', '.join(names[1:])} have no image in common: a comparison is of answers for the same "
            f"images, and these begin with {' and '.join(one.images[0] for one in given[:2])}"
        )
    found = [one.part([place[name] for name in common]) for one, place in zip(given, places, strict=True)]
    for one, name in zip(found[1:], names[1:], strict=True):
        for image, own, first in zip(common, one.classes, found[0].classes, strict=True):
            if own != first:
                raise UserError(f"the image {image} is of class {first} in {names[0]}, and of {own} in {name}")
    most = max(len(one.images) for one in given)
    return found, [f"{most - len(common):,} images that not all have are left out"] if len(common) < most else []


def _rank(row: dict[str, str]) -> int:
    """How many classes stand before the right one, or as many as are told where it is not among them."""
    if row.get("rank"):
        return int(row["rank"])
    answered = [row[f"class{k + 1}"] for k in range(max(TOP)) if f"class{k + 1}" in row]
    return answered.index(row["class"]) if row["class"] in answered else max(TOP)
