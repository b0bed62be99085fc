"""What units answer to: in the image, and in the images of a split (Figure 2 of Zeiler and Fergus 2014)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from cnnbench.analysis.look.deconvolution import deconvolve
from cnnbench.analysis.look.draw.drawn import Drawn, bare, beside_image, show_pixels, signed, tile_sheet
from cnnbench.analysis.look.fields import Box, box_of, theoretical_field
from cnnbench.analysis.look.network import is_map
from cnnbench.analysis.look.subject import SplitImages, Subject
from cnnbench.analysis.look.units import MOST, Strongest
from cnnbench.analysis.report import style

UNITS = 6  # units with their nine images
COLUMNS = 6


def deconvolution(subject: Subject) -> Iterator[Drawn]:
    """The strongest units in the image; then some units with the images of the split that they answer to most."""
    yield _in_image(subject)
    if subject.split is not None:
        yield _in_split(subject, subject.split)


def _chosen(subject: Subject, most: int) -> list[int]:
    """The unit that is looked at, and those that answer most to the image."""
    return [subject.unit, *(unit for unit in subject.units if unit != subject.unit)][:most]


def _in_image(subject: Subject) -> Drawn:
    chosen = _chosen(subject, 2 * COLUMNS - 1)
    figure, panels = beside_image(subject.pixels, len(chosen), COLUMNS, 1.45)
    for axes, unit in zip(panels, chosen, strict=True):
        show_pixels(axes, signed(deconvolve(subject.network, subject.image, subject.layer, unit)[0]))
        axes.set_title(f"channel {unit}", fontsize=9, pad=3)
    caption = (
        f"What the {len(chosen)} channels of {subject.layer_name} that answer most to the image see in it: the "
        "activation at the strongest place of each, brought down to the pixels by the transposed filters, the switches "
        "of max pooling and ReLU (Zeiler and Fergus 2014). Mid grey is zero; each is stretched to its own largest "
        "value."
    )
    return Drawn("deconvolution", f"Deconvolution of {subject.layer_name} in the image", figure, caption)


def _in_split(subject: Subject, split: SplitImages) -> Drawn:
    best = subject.survey.strongest
    chosen = _chosen(subject, min(UNITS, len(best.values)))
    figure = style.new_figure(2.05 * -(-len(chosen) // 2))
    panels = figure.subplots(-(-len(chosen) // 2), 2, squeeze=False).ravel()
    for axes in panels:
        bare(axes)
    for axes, unit in zip(panels, chosen, strict=False):
        seen, patches = _nine(subject, split, best, unit)
        left, right = tile_sheet(seen, 3), tile_sheet(patches, 3)
        between = np.ones((len(left), 24, 3))
        axes.imshow(np.concatenate([left, between, right], 1), interpolation="antialiased")
        axes.set_title(f"channel {unit}: {best.values[unit, 0]:.3g} to {best.values[unit, -1]:.3g}", fontsize=9)
    field = "the field of that place" if is_map(subject.layer) else "the whole image"
    caption = (
        f"For {len(chosen)} channels of {subject.layer_name}, the one that is looked at first, the "
        f"{best.values.shape[1]} of {len(split.numbers)} images of the split with the largest activation, each at its "
        f"strongest place. Left of each pair: that activation brought down to the pixels; right: {field} in the image. "
        "Above: the largest and the last of the activations (Zeiler and Fergus 2014, Figure 2)."
    )
    return Drawn("top-images", f"The {MOST} images that units of {subject.layer_name} answer to most", figure, caption)


def _nine(
    subject: Subject, split: SplitImages, best: Strongest, unit: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each of the unit's images, the strongest first: what is seen, and the part of the image it is seen in."""
    numbers = tuple(best.images[unit].tolist())
    places = list(zip(best.rows[unit].tolist(), best.columns[unit].tolist(), strict=True))
    made = list(split.batches(numbers, "deconvolution"))
    images, pixels = torch.cat([each[1] for each in made]), np.concatenate([each[3] for each in made])
    mapped = is_map(subject.layer)
    down = deconvolve(subject.network, images, subject.layer, unit, places if mapped else None)
    field = theoretical_field(subject.network.model, subject.layer, subject.image) if mapped else None
    side = subject.side
    boxes = [box_of(field, place) if field is not None else Box(0, 0, side, side) for place in places]
    parts = [box.clipped(side) for box in boxes]
    return [signed(each[:, rows, columns]) for each, (rows, columns) in zip(down, parts, strict=True)], [
        each[rows, columns] for each, (rows, columns) in zip(pixels, parts, strict=True)
    ]
