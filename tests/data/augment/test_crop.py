"""A ratio above 1 is a field around the image of a centre crop; no other crop has one."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import CropConfig
from cnnbench.config.protocols import PROTOCOLS, short_sides
from cnnbench.data.augment.crop import training_part
from cnnbench.data.decode.picture import from_pixels
from cnnbench.data.decode.region import cut

FIELD = ArchConfig(name="lenet", crop_ratio=32 / 28, mean=[0.5] * 3)
WHITE = from_pixels(np.full((28, 28, 1), 255, np.uint8))


@pytest.mark.parametrize(
    ("kind", "black"),
    [("center", 32 * 32 - 28 * 28), ("random", 0), ("fixed_random", 0), ("ten_fixed", 0), ("random_resized", 0)],
)
def test_an_image_of_28_in_a_field_of_32(kind, black):
    pixels = cut(WHITE, training_part(28, 28, CropConfig(kind=kind), 32, FIELD, Random(0)), "bilinear")
    assert pixels.shape == (32, 32, 1)
    assert (pixels == 0).sum() == black
    assert (pixels == 255).sum() == 32 * 32 - black


def test_the_field_is_moved_with_what_is_in_it():
    crop = CropConfig(kind="padded", padding=4, border="black")
    sums = {int(cut(WHITE, training_part(28, 28, crop, 32, FIELD, Random(i)), "bilinear").sum()) for i in range(60)}
    assert max(sums) == 255 * 28 * 28
    assert min(sums) == 255 * 26 * 26  # moved by 4: 2 of the field, 2 of the image are beyond


@pytest.mark.parametrize(("protocol", "short"), [("center", 28), ("flip", 28), ("ten_crop", 32), ("dense", 32)])
def test_protocols_that_look_beyond_the_centre_have_no_field(protocol, short):
    assert short_sides(PROTOCOLS[protocol], 32, 32 / 28, []) == [short]
