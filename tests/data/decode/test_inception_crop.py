"""The test image of the Inception papers' code against Pillow's own sampling of it."""

from __future__ import annotations

import numpy as np
import pytest
from photos import mosaic
from PIL import Image

from cnnbench.data.decode.inception_crop import central_share, squashed


@pytest.mark.parametrize("shape", [(500, 375), (333, 500), (97, 60), (40, 40)])
def test_the_share_is_the_papers(shape):
    """A sixteenth of each side is cut from each end, rounded down."""
    width, height = shape
    assert central_share(width, height, 0.875) == (
        *(width // 16, height // 16),
        *(width - width // 16 * 2, height - height // 16 * 2),
    )
    assert central_share(width, height, 1.0) == (0, 0, width, height)


@pytest.mark.parametrize(("shape", "size"), [((438, 330), 299), ((292, 500), 299), ((161, 97), 96), ((40, 40), 64)])
def test_the_square_is_pillows_without_antialiasing(sample, shape, size):
    """An affine map whose first output pixel is the first of the image, as TensorFlow 1 has it."""
    image = mosaic(sample, *shape)
    across, down = image.width / size, image.height / size
    half = (1 - across) / 2, (1 - down) / 2  # Pillow counts from the middle of pixels
    expected = image.transform(
        (size, size), Image.Transform.AFFINE, (across, 0, half[0], 0, down, half[1]), Image.Resampling.BILINEAR
    )
    difference = np.abs(squashed(np.asarray(image), size).astype(int) - np.asarray(expected))
    assert difference.max() <= 1  # Pillow rounds down
    assert difference.mean() < 0.6


def test_grey_stays_grey_and_a_flat_image_flat():
    grey = np.full((31, 50, 1), 77, np.uint8)
    assert np.array_equal(squashed(grey, 24), np.full((24, 24, 1), 77))
