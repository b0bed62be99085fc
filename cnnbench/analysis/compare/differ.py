"""Where two groups differ: the classes, and the images that one has right and the other wrong; tables and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnbench.analysis.compare.groups import Group
from cnnbench.analysis.tables import Table
from cnnbench.config.data import DataConfig
from cnnbench.data.contact_sheet import Row, Tile, draw_contact_sheet
from cnnbench.data.decode.reference import read_image
from cnnbench.data.layouts.ilsvrc import class_in_words
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.relabel import image_name
from cnnbench.evaluation.answers import Answers
from cnnbench.evaluation.distributions import holm
from cnnbench.evaluation.paired import difference, discordant, over_both
from cnnbench.runtime.cells import csv_cell
from cnnbench.runtime.errors import UserError, printable

ACROSS, DOWN, SIDE = 8, 3, 144  # images of the sheet: in a row, rows for each group, pixels


@dataclass(frozen=True)
class Differing:
    """Images that all trainings of one group have wrong and all of the other right: `only_first` and `only_second` are
    wrong in the first and in the second group, int64 (k,), the surest mistake first."""

    first: Group
    second: Group
    only_first: np.ndarray
    only_second: np.ndarray


def differing(first: Group, second: Group) -> Differing:
    """The images on which the groups differ at top 1. Both need answers."""
    ones, twos = _wrong(first), _wrong(second)
    only = np.flatnonzero(ones.all(0) & ~twos.any(0)), np.flatnonzero(~ones.any(0) & twos.all(0))
    surest = [
        rows[np.argsort(-_sureness(group)[rows], kind="stable")]
        for group, rows in zip((first, second), only, strict=True)
    ]
    return Differing(first, second, *surest)


def class_table(first: Group, second: Group, most: int) -> Table:
    """The classes on which the groups' top-1 errors differ, the least probable by chance first."""
    ones, twos, classes = _wrong(first), _wrong(second), _one(first).classes
    names = np.array(classes)
    rows = []
    for name in dict.fromkeys(classes):
        a, b = ones[:, names == name], twos[:, names == name]
        spread = over_both(a, b) if a.shape[1] > 1 else None
        p = discordant(a[0], b[0]).p if spread is None else spread.p(difference(a, b))
        rows.append([_in_words(name), a.shape[1], 100 * float(a.mean()), 100 * float(b.mean()), difference(a, b), p])
    corrected = holm([row[-1] for row in rows])
    rows = [[*row, p] for row, p in zip(rows, corrected, strict=True) if row[4] != 0]
    rows.sort(key=lambda row: (row[5], -abs(row[4])))
    columns = {
        **{"class": "", "images": "", f"{first.name} %": ".1f", f"{second.name} %": ".1f"},
        **{"difference": "+.1f", "p": ".3g", "p, corrected": ".3g"},
    }
    more = [f"{len(rows) - most:,} more classes differ"] if len(rows) > most else []
    note = f"p, corrected: for {len(corrected):,} classes (Holm)"
    return Table("Classes that differ most, top-1 error", columns, rows[:most], [note, *more])


def image_table(found: Differing, most: int) -> Table:
    """The images that one group has wrong and the other right, the surest mistakes first."""
    columns = {"image": "", "class": "", "wrong": "", "which said": "", "probability": ".3f"}
    rows = []
    for group, wrong in ((found.first, found.only_first), (found.second, found.only_second)):
        one = _one(group)
        for row in wrong[: most // 2 + most % 2]:
            said = one.first[row] or "nothing"
            sure = None if np.isnan(one.probability[row]) else float(one.probability[row])
            rows.append([one.images[row], _in_words(one.classes[row]), group.name, _in_words(said), sure])
    counts = [
        f"{len(wrong):,} images are wrong in {group.name} alone"
        for group, wrong in ((found.first, found.only_first), (found.second, found.only_second))
    ]
    if max(len(group.trainings) for group in (found.first, found.second)) > 1:
        counts.append("wrong in all trainings of one, and right in all of the other")
    return Table("Images that differ, the surest mistakes", columns, rows, counts)


def draw_difference(found: Differing, data: DataConfig) -> Image.Image:
    """A sheet of both groups' own mistakes. Raises UserError where the images are not those of `data`."""
    split = read_split(data, "val")
    place = {str(csv_cell(image_name(split, row))): row for row in range(len(split))}
    rows = []
    for group, other, wrong in (
        (found.first, found.second, found.only_first),
        (found.second, found.first, found.only_second),
    ):
        one, right = _one(group), _one(other)
        tiles = []
        for row in wrong[: ACROSS * DOWN]:
            if one.images[row] not in place:
                raise UserError(f"{data.given_path} has no image {one.images[row]}: give the data= of the predictions")
            index = place[one.images[row]]
            image = read_image(split.read(index), split.name(index), split.max_megapixels)
            said = f"{_said(one, row)}\n{_said(right, row)}"
            tiles.append(Tile(image, f"{said}\n{printable(one.images[row])}"))
        names = f"wrong in {printable(group.name)} (first line), right in {printable(other.name)} (second line)"
        title = f"{names}: {len(wrong):,}"
        parts = [tiles[start : start + ACROSS] for start in range(0, len(tiles), ACROSS)] or [[Tile(None, "none")]]
        rows += [Row(title if i == 0 else "", part) for i, part in enumerate(parts)]
    return draw_contact_sheet(rows, SIDE)


def _sureness(group: Group) -> np.ndarray:
    """How sure the first training is of its answers; float64 (n,), 0 where that is not told."""
    return np.nan_to_num(_one(group).probability)


def _one(group: Group) -> Answers:
    """The answers of the first training, which stands for the others where one has to."""
    assert group.answers is not None  # of both groups, or none of this is asked for
    return group.answers[0]


def _wrong(group: Group) -> np.ndarray:
    wrong = group.wrong(1)
    assert wrong is not None
    return wrong


def _said(one: Answers, row: int) -> str:
    sure = one.probability[row]
    return ("" if np.isnan(sure) else f"{sure:.3f} ") + _in_words(one.first[row])


def _in_words(name: str) -> str:
    return printable(class_in_words(name))


def differing_data(groups: Sequence[Group], data: DataConfig) -> DataConfig:
    """The images to draw: those of `data`, or of the first run among the groups. Raises UserError without any."""
    if data.path is not None:
        return data
    for group in groups:
        for one in group.trainings:
            if one.config is not None:
                return one.config.data
    raise UserError("sheet= needs the images: give data=PATH, which the predictions are of")
