"""Crops against torchvision's on a real image; operations against what they claim."""

from __future__ import annotations

import dataclasses
from random import Random

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from cnnbench.config import (
    AugmentConfig,
    ContrastConfig,
    CropConfig,
    EqualizeConfig,
    FlipConfig,
    RotateConfig,
    ShiftConfig,
)
from cnnbench.data import augment


@pytest.fixture(scope="module")
def photo(sample) -> Image.Image:
    """A real image, of a size that nothing divides, in colour."""
    bags = sorted((sample / "train/bag").iterdir())[:3]
    return Image.merge("RGB", [Image.open(bag) for bag in bags]).resize((101, 67), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("shape", [(101, 67), (67, 101), (64, 64), (33, 90)])
@pytest.mark.parametrize(("size", "ratio"), [(32, 0.875), (37, 0.875), (56, 1.0)])
def test_evaluation_crop_is_torchvisions(photo, shape, size, ratio):
    image = photo.resize(shape)
    reference = v2.Compose([v2.Resize(round(size / ratio)), v2.CenterCrop(size)])
    ours = augment.evaluation_image(image, size, ratio, "bilinear")
    assert np.array_equal(np.asarray(ours), np.asarray(reference(image)))


def test_random_boxes_follow_their_ranges():
    crop, random = CropConfig(scale=[0.2, 0.6], ratio=[0.5, 2.0]), Random(0)
    boxes = np.array([augment.random_box(300, 200, crop, random) for _ in range(4000)])
    left, top, width, height = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 300).all()
    assert (top + height <= 200).all()
    area, aspect = width * height / 60000, width / height
    assert 0.19 < area.min() < 0.22
    assert 0.55 < area.max() < 0.61
    assert 0.49 < aspect.min() < 0.55
    assert 1.9 < aspect.max() < 2.05


def test_random_box_that_never_fits_is_the_largest_central_one():
    crop = CropConfig(scale=[1.0, 1.0], ratio=[3 / 4, 4 / 3])
    assert augment.random_box(1000, 10, crop, Random(0)) == (493, 0, 13, 10)
    assert augment.random_box(10, 1000, crop, Random(0)) == (0, 493, 10, 13)
    assert augment.random_box(1, 1, crop, Random(0)) == (0, 0, 1, 1)


def test_operations_do_what_they_say(photo):
    pixels = np.asarray(photo).astype(int)
    assert np.array_equal(np.asarray(augment.flip(photo, FlipConfig(), Random(0))), pixels[:, ::-1])

    shifted = np.asarray(augment.shift(photo, ShiftConfig(fraction=0.2), random := Random(1)))
    draw = Random(1)
    x, y = (round(draw.uniform(-1, 1) * 0.2 * side) for side in photo.size)
    assert random.getstate() == draw.getstate()
    expected = np.zeros_like(shifted)
    height, width = pixels.shape[:2]
    expected[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = pixels[
        max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
    ]
    assert np.array_equal(shifted, expected)

    turned = augment.rotate(photo, RotateConfig(degrees=0), Random(0))
    assert np.array_equal(np.asarray(turned), pixels)
    assert not np.array_equal(np.asarray(augment.rotate(photo, RotateConfig(degrees=45), Random(0))), pixels)

    grey = Image.fromarray(np.linspace(90, 150, 64 * 64).astype(np.uint8).reshape(64, 64))
    stretched = np.asarray(augment.contrast(grey, ContrastConfig(cutoff=0), Random(0)))
    assert (stretched.min(), stretched.max()) == (0, 255)
    histogram = np.histogram(augment.equalize(grey, EqualizeConfig(), Random(0)), bins=4, range=(0, 256))[0]
    assert histogram.min() > 0.8 * histogram.max()


def test_order_and_probability(photo):
    config = AugmentConfig(order=["flip", "crop"], crop=CropConfig(kind="center"), flip=FlipConfig(p=1.0))
    once = augment.training_image(photo, config, 32, 1.0, "bilinear", Random(0))
    never = dataclasses.replace(config, flip=FlipConfig(p=0.0))
    plain = augment.training_image(photo, never, 32, 1.0, "bilinear", Random(0))
    mirrored = augment.evaluation_image(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 32, 1.0, "bilinear")
    assert np.array_equal(np.asarray(once), np.asarray(mirrored))
    assert np.array_equal(np.asarray(plain), np.asarray(augment.evaluation_image(photo, 32, 1.0, "bilinear")))


@pytest.mark.parametrize("kind", ["random_resized", "random", "center"])
def test_every_crop_gives_the_square_asked_for(photo, kind):
    config = AugmentConfig(crop=CropConfig(kind=kind))
    for seed in range(5):
        assert augment.training_image(photo, config, 29, 0.875, "bicubic", Random(seed)).size == (29, 29)
