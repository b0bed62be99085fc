"""Colour jitter against torchvision, PCA and erasing against what their papers say of them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from photos import mosaic
from torchvision.transforms import functional as F

from cnnbench.config.augment import EraseConfig, JitterConfig, PcaConfig
from cnnbench.data.augment import erase, jitter, pca
from cnnbench.data.augment.operations import OPERATIONS


@pytest.fixture(scope="module")
def photo(sample) -> np.ndarray:
    return np.asarray(mosaic(sample, 61, 47))


@pytest.mark.parametrize("numbers", [(0.7, 1.3, 0.5), (1.4, 0.6, 1.5), (0.0, 2.0, 0.0)])
def test_jitter_is_torchvisions(photo, numbers):
    pixels = torch.tensor(photo).permute(2, 0, 1)
    for place, adjust in enumerate((F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)):
        alone = [1.0, 1.0, 1.0, 0.0, 0.0]
        alone[place] = numbers[place]
        changed = jitter.apply(photo, tuple(alone)).astype(int)
        expected = adjust(pixels, numbers[place]).permute(1, 2, 0).numpy()  # of tensors: the grey is rounded otherwise
        assert np.abs(changed - expected).max() <= 2
        assert np.abs(changed - photo).mean() > 3


@pytest.mark.parametrize("turn", [-0.5, -0.17, 0.08, 0.4])
def test_hue_is_torchvisions(photo, turn):
    pixels = torch.tensor(photo).permute(2, 0, 1)
    expected = F.adjust_hue(pixels.double() / 255, turn) * 255
    numbers = (1.0, 1.0, 1.0, turn, 0.0)
    changed = jitter.apply(photo, numbers)
    assert np.abs(changed - expected.permute(1, 2, 0).numpy()).max() <= 0.51
    batch = jitter.apply_batch(pixels[None], torch.tensor([numbers], dtype=torch.float64))
    assert (batch[0] - expected).abs().max() <= 0.51
    grey = photo[:, :, :1]
    assert np.array_equal(jitter.apply(grey, numbers), grey)


def test_jitter_draws_follow_their_keys():
    config = JitterConfig(brightness=0.4, contrast=1.5, saturation=0.0, hue=0.1)
    draws = np.array([jitter.draw(config, Random(seed)) for seed in range(3000)])
    for column, (low, high) in enumerate([(0.6, 1.4), (0.0, 2.5), (1.0, 1.0), (-0.1, 0.1)]):
        assert draws[:, column].min() == pytest.approx(low, abs=0.01)
        assert draws[:, column].max() == pytest.approx(high, abs=0.01)
    assert set(draws[:, 4]) == set(range(24))
    assert jitter.draw(JitterConfig(random_order=False), Random(1))[4] == 0


def test_pca_moves_have_the_covariance_of_ilsvrcs_colours():
    """With a standard deviation of 1 they spread as the colours do: published standard deviations, correlated."""
    moves = np.array([pca.draw(PcaConfig(std=1), Random(seed)) for seed in range(4000)])
    assert moves.std(0) / 255 == pytest.approx([0.125, 0.127, 0.127], rel=0.04)
    assert np.corrcoef(moves.T).min() > 0.95
    axes = np.array(pca.AXES)
    assert axes.T @ axes == pytest.approx(np.eye(3), abs=2e-4)
    small = np.array([pca.draw(PcaConfig(std=0.1), Random(seed)) for seed in range(4000)])
    assert small.std(0) * 10 == pytest.approx(moves.std(0), rel=0.05)


def test_erasing_takes_the_area_and_the_shape_of_its_keys():
    image = np.full((60, 60, 3), 200, np.uint8)
    config, shares, shapes = EraseConfig(scale=[0.1, 0.2], ratio=[0.5, 2.0], fill="zero"), [], []
    places = np.zeros((60, 60))
    for seed in range(800):
        black = (erase.apply(image, erase.draw(config, Random(seed))) == 0).all(2)
        rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        assert black[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert black.sum() == len(rows) * len(columns)
        shares.append(black.mean())
        shapes.append(len(rows) / len(columns))
        places += black
    assert np.mean(shares) == pytest.approx(0.15, abs=0.005)
    assert 0.09 < min(shares) < max(shares) < 0.21
    assert 0.45 < min(shapes) < 0.55 < 1.8 < max(shapes) < 2.2
    assert np.mean(np.log(shapes)) == pytest.approx(0, abs=0.05)
    assert places == pytest.approx(places[:, ::-1], abs=60)  # no side is preferred
    assert places == pytest.approx(places.T, abs=60)


def test_a_rectangle_that_fits_nowhere_is_left_out():
    image = np.full((9, 9, 3), 200, np.uint8)
    numbers = erase.draw(EraseConfig(scale=[1.0, 1.0], ratio=[3.0, 3.0]), Random(0))
    assert np.array_equal(erase.apply(image, numbers), image)


def test_noise_is_even_over_the_levels_and_differs_between_draws():
    one, other = (OPERATIONS["erase"].apply(np.zeros((99, 99, 3), np.uint8), (0, 0, 1, 1, 2, s)) for s in (7, 8))
    for values in (one, other):
        counts = np.bincount(values.ravel(), minlength=256)
        assert ((counts - values.size / 256) ** 2 / (values.size / 256)).sum() < 350  # chi-squared, 255 degrees
        neighbours = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
        assert abs(neighbours) < 0.02
    assert (one == other).mean() < 0.01


def test_a_rectangle_that_does_not_fit_is_drawn_again():
    """At once an eighth of these would be too long for the image (Zhong et al. 2017, algorithm 1: repeat)."""
    config = EraseConfig(scale=[0.3, 0.3], ratio=[0.25, 4.0])
    assert all(erase.draw(config, Random(seed))[2] > 0 for seed in range(300))


def test_the_mean_colour_is_that_of_ilsvrc():
    """The mean that all public weights are normalised by, and its luma by ITU-R 601 for grey images."""
    mean = [255 * value for value in (0.485, 0.456, 0.406)]
    assert erase.MEAN[3] == tuple(round(value) for value in mean)
    assert erase.MEAN[1] == (round(0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2]),)
