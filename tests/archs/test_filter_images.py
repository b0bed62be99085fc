"""Filters as pictures, by hand."""

from __future__ import annotations

import numpy as np

from cnnbench.archs import filter_images


def test_filters_fill_the_range_each_for_itself():
    weight = np.random.default_rng(0).normal(size=(2, 3, 5, 5)) * np.array([1, 100]).reshape(2, 1, 1, 1)
    tiles = filter_images.as_images(weight)
    assert tiles.shape == (2, 5, 5, 3)
    assert tiles.min((1, 2, 3)).tolist() == [0, 0]
    assert tiles.max((1, 2, 3)).tolist() == [1, 1]
    assert filter_images.as_images(weight[:, :1]).shape == (2, 5, 5)
    assert (filter_images.as_images(np.full((1, 1, 3, 3), np.nan)) == 0.5).all()


def test_filters_stand_in_rows():
    tiles = np.arange(3.0).reshape(3, 1, 1) / 4 * np.ones((3, 2, 4))  # three pictures of 2 x 4, grey 0, 1/4, 1/2
    zoom = 8
    picture = filter_images.in_rows(tiles, 2, zoom)
    assert picture.shape == (2 * (2 * zoom + 2), 2 * (4 * zoom + 2))  # the gap is an eighth of their height
    corners = picture[:: 2 * zoom + 2, :: 4 * zoom + 2]
    assert corners.tolist() == [[0, 0.25], [0.5, 1]]  # and white where there is none
    assert (picture[2 * zoom : 2 * zoom + 2] == 1).all()
    assert filter_images.in_rows(np.zeros((4, 3, 3, 3)), 4, zoom).shape == (3 * zoom + 3, 4 * (3 * zoom + 3), 3)
