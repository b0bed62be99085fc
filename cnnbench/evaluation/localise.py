"""ILSVRC's localisation error, with boxes from class activation maps (Zhou et al. 2016): an answer is right if its
class is and its box overlaps one of the object's by half or more."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnnbench.archs.layer_names import layer_names
from cnnbench.config.image_size import input_size
from cnnbench.data.decode.picture import open_picture
from cnnbench.data.decode.pillow_engine import pillow
from cnnbench.data.decode.region import central_window
from cnnbench.data.layouts.relabel import image_name
from cnnbench.data.layouts.split import Split
from cnnbench.evaluation.boxes import Box, box_of_map, in_image, read_boxes, stem
from cnnbench.evaluation.class_maps import AveragedMap, find_averaged_map
from cnnbench.evaluation.ensemble import EnsembleMember
from cnnbench.evaluation.error_table import table_of_wrong
from cnnbench.evaluation.features import Extractor
from cnnbench.evaluation.predictions import Predictions
from cnnbench.runtime.cells import csv_cell
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import write_text, writing

ENOUGH = 0.5  # overlap of a box that is right (Russakovsky et al. 2015, section 4.2)
DETAILS = "localisation.csv"
MEASURES = {"top-1": "wrong_top1", "top-5": "wrong_top5", "GT-known": "wrong_known"}


@dataclass(frozen=True)
class Located:
    """Image `row` of the split: its class by number, those answered, the first one first, and of the class and of each
    answer the box and its overlap with the nearest of the object's."""

    row: int
    label: int
    answers: tuple[int, ...]
    known: tuple[Box, float] | None  # None: the image could not be decoded
    boxes: tuple[tuple[Box, float], ...] = ()

    def wrong(self, most: int) -> bool:
        """Whether none of the first `most` answers has the right class and a box that is right."""
        pairs = zip(self.answers[:most], self.boxes[:most], strict=False)
        return not any(answer == self.label and overlap >= ENOUGH for answer, (_, overlap) in pairs)

    @property
    def wrong_known(self) -> bool:
        """Whether the box of the right class, whatever the answers, is wrong: GT-known localisation."""
        return self.known is None or self.known[1] < ENOUGH


@dataclass(frozen=True)
class Localiser:
    """The `network` of `member`, its last map, which it averages, the boxes of the objects by image, and which images
    of the split have any, int64."""

    member: EnsembleMember
    network: nn.Module
    averaged: AveragedMap
    boxes: dict[str, list[Box]]
    places: np.ndarray

    def locate(self, split: Split, predictions: Predictions) -> list[Located]:
        """The images of `split` that have boxes, with those of the classes that `predictions` answers to them."""
        return list(self._located(split.chosen(self.places), predictions))

    def _located(self, part: Split, predictions: Predictions) -> Iterator[Located]:
        member, device = self.member, next(self.network.parameters()).device
        size = input_size(member.settings)
        for batch in Extractor(member, self.network, {"map": self.averaged.point}, device).batches(part):
            maps = torch.from_numpy(batch.values["map"]).to(device)
            for row, values in enumerate(maps, batch.start):
                label, place = int(part.labels[row]), int(self.places[row])
                answers = tuple(predictions.first[place].tolist())
                if row in batch.broken:
                    yield Located(place, label, answers, None)
                    continue
                picture = open_picture(part.read(row), part.name(row), pillow, part.max_megapixels)  # its header
                width, height = picture.width, picture.height
                window = central_window(width, height, size, member.arch.crop_ratio)
                found = []
                for one in self.averaged.of_classes(values, torch.tensor([label, *answers], device=device)):
                    box = in_image(box_of_map(one, size), window, width, height)
                    found.append((box, max(box.overlap(other) for other in self.boxes[stem(part.name(row))])))
                yield Located(place, label, answers, found[0], tuple(found[1:]))


def localiser_of(member: EnsembleMember, network: nn.Module, split: Split, file: str) -> Localiser:
    """What finds the boxes of `split` by the `network` of `member`, on its device, against those in `file`.

    Raises UserError for a network without such maps, for a file of another form, and if no image has a box."""
    names = [stem(split.name(place)) for place in range(len(split))]
    boxes = read_boxes(Path(file).expanduser(), set(names))
    places = [place for place, name in enumerate(names) if name in boxes]
    if not places:
        raise UserError(f"none of the {len(split):,} images has a box: {names[0]} is not in {file}, for one")
    device, size, channels = next(network.parameters()).device, input_size(member.settings), member.arch.in_channels
    noise = torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    averaged = find_averaged_map(network.eval(), layer_names(network, size, channels), noise)
    if averaged is None:
        raise UserError(
            f"boxes= needs a network that averages its last map right before a linear classifier, which "
            f"{member.arch.name} does not: leave it out"
        )
    return Localiser(member, network, averaged, boxes, np.array(places, np.int64))


def counts_of(found: list[Located]) -> dict[str, int]:
    """How many of the images are wrong by each measure, and of how many."""
    wrong = {name: sum(one.wrong(most) for one in found) for name, most in (("wrong_top1", 1), ("wrong_top5", 5))}
    return {**wrong, "wrong_known": sum(one.wrong_known for one in found), "n": len(found)}


def localisation_table(found: list[Located]) -> str:
    """The localisation errors as aligned lines."""
    counts = counts_of(found)
    return table_of_wrong({name: counts[key] for name, key in MEASURES.items()}, counts["n"])


def write_located(folder: Path, found: list[Located], split: Split) -> str:
    """Write the boxes of the maps into `folder`; the file's name there."""
    with writing(folder):
        write_text(folder / DETAILS, _as_csv(found, split))
    return DETAILS


def _as_csv(found: list[Located], split: Split) -> str:
    """A line for the class of each image, rank 0, and for each of its answers."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["image", "rank", "class", "left", "top", "right", "bottom", "overlap"])
    for one in found:
        pairs = [] if one.known is None else [(one.label, one.known), *zip(one.answers, one.boxes, strict=True)]
        for rank, (label, (box, overlap)) in enumerate(pairs):
            sides = [f"{side:.1f}" for side in (box.left, box.top, box.right, box.bottom)]
            cells = [image_name(split, one.row), rank, split.classes[label], *sides, f"{overlap:.4f}"]
            out.writerow([csv_cell(cell) for cell in cells])
    return text.getvalue()
