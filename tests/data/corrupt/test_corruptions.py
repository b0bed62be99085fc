"""The corruptions against the published implementation's outputs, which tests/golden/corruptions.tsv has as figures.

They were made by ImageNet-C/imagenet_c/imagenet_c/corruptions.py of github.com/hendrycks/robustness after
np.random.seed (severity), with scikit-image 0.26, scipy 1.17.1 and OpenCV 5.0, of the picture of
tests/support/corruption_figures.py; in place of ImageMagick's motion blur stood that of the package imagecorruptions
1.1.2, and random_noise was that of the time.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from corruption_figures import figures, picture
from numpy.random import RandomState

from cnnbench.config import corruptions as keys
from cnnbench.config.arch import ArchConfig
from cnnbench.data.corrupt.corruptions import CORRUPTIONS, corrupt, image_random_state, mean_corruption_error
from cnnbench.data.corrupt.digital import through_jpeg
from cnnbench.data.decode.picture import from_pixels
from cnnbench.data.loading.around import Corrupted
from cnnbench.data.loading.transform import EvaluationTransform

TABLE = Path(__file__).parents[2] / "golden/corruptions.tsv"
PUBLISHED = {
    (line["corruption"], int(line["severity"])): [float(value) for value in list(line.values())[2:]]
    for line in csv.DictReader(TABLE.read_text().splitlines(), delimiter="\t")
}


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != keys.FROST])
def test_the_figures_are_those_of_the_published_implementation(name):
    """Levels are cut, not rounded: a value next to a whole one may fall on either side of it."""
    for severity in keys.SEVERITIES:
        found = figures(corrupt(picture(), name, severity, RandomState(severity)))
        assert found == pytest.approx(PUBLISHED[name, severity], abs=0.05), severity


def test_frost_is_a_part_of_a_picture_laid_over():
    """By hand: the third of five pictures, from a place that the state draws next."""
    frosts = [np.full((300, 260, 3), level, np.uint8) for level in (0, 50, 100, 150, 200)]
    state = RandomState(7)
    level = frosts[state.randint(5)][0, 0, 0]
    found = corrupt(picture(), "frost", 2, RandomState(7), frosts)
    expected = np.clip(0.8 * picture() + 0.6 * float(level), 0, 255)
    assert np.abs(found - expected).max() <= 1.001


def test_the_table_has_what_the_keys_have_and_every_severity_is_worse_to_see():
    assert tuple(CORRUPTIONS) == keys.CORRUPTIONS
    assert {len(one.values) for one in CORRUPTIONS.values()} == {5}


def test_mce_is_the_mean_of_errors_over_those_of_alexnet():
    """AlexNet's own is 100 %; with half its errors, 50 %. The mean of AlexNet's errors is 78.9 (augmix,
    imagenet.py)."""
    own = {name: one.alexnet for name, one in CORRUPTIONS.items()}
    assert mean_corruption_error(own) == pytest.approx(100)
    assert mean_corruption_error({name: error / 2 for name, error in own.items()}) == pytest.approx(50)
    assert sum(own.values()) / 15 == pytest.approx(78.8993, abs=1e-4)


def test_what_is_drawn_is_of_the_image_and_the_corruption():
    draws = [
        image_random_state(*each).random_sample() for each in ((0, "fog", 1, 5), (0, "fog", 1, 6), (0, "fog", 2, 5))
    ]
    assert len(set(draws)) == 3
    assert image_random_state(0, "fog", 1, 5).random_sample() == draws[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_is_corrupted_and_kept_as_jpeg(channels):
    arch = ArchConfig("lenet", in_channels=channels, image_size=32, crop_ratio=1.0)
    image = picture()[:64, :64]
    plain, slot = np.empty((32, 32, channels), np.uint8), np.empty((32, 32, channels), np.uint8)
    transform = EvaluationTransform(arch, 32)
    transform(from_pixels(image), 0, 3, plain, np.empty(0))
    Corrupted(transform, "contrast", 5, seed=1)(from_pixels(image), 0, 3, slot, np.empty(0))
    three = np.repeat(plain, 3, 2) if channels == 1 else plain
    expected = through_jpeg(corrupt(three, "contrast", 5, RandomState(0)), 85)
    assert np.abs(slot.astype(int) - expected[..., :channels]).max() <= (1 if channels == 1 else 0)
