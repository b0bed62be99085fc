"""Occlusion against a loop that covers one picture at a time, in pixels."""

import numpy as np
import pytest
import torch
from small_networks import SIDES, small_images, small_network

from cnnbench.analysis.look.network import logits_and_values
from cnnbench.analysis.look.occlusion import Square, occlude

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def slowly(network, image, target, point, channel, side, stride):
    """One place after the other: back to pixels, the square filled with the mean colour, normalised again."""
    found = []
    for top in range(0, image.shape[2] - side + 1, stride):
        for left in range(0, image.shape[3] - side + 1, stride):
            pixels = image[0].clone() * STD[:, None, None] + MEAN[:, None, None]
            for row in range(top, top + side):
                for column in range(left, left + side):
                    pixels[:, row, column] = MEAN
            again = ((pixels - MEAN[:, None, None]) / STD[:, None, None])[None]
            logits, values = logits_and_values(network, again, point)
            found.append((logits.softmax(1)[0, target], logits[0].argmax(), values[0, channel].sum()))
    return np.array(found, float)


@pytest.mark.parametrize(("name", "layer"), [("alexnet", "conv5"), ("vgg11", "conv3_1"), ("resnet20", "layer2.1")])
def test_occlusion_is_what_a_slow_loop_finds(name, layer):
    network, image, side = small_network(name), small_images(name), SIDES[name] // 3
    point = network.find(layer)
    found = occlude(network, image, 3, (point, 2), Square(side, side - 3), batch=4)
    expected = slowly(network, image, 3, point, 2, side, side - 3)
    assert found.tops.tolist() == found.lefts.tolist() == list(range(0, SIDES[name] - side + 1, side - 3))
    assert len(set(found.probability.ravel().round(6))) > 3
    for values, column in zip((found.probability, found.label, found.activation), expected.T, strict=True):
        assert np.allclose(values.ravel(), column, rtol=1e-4, atol=1e-5)


def test_the_batch_changes_nothing():
    network, image = small_network("lenet"), small_images("lenet")
    one, many = (occlude(network, image, 0, (network.find("fc4"), 5), Square(9, 5), batch) for batch in (1, 64))
    assert np.allclose(one.probability, many.probability, atol=1e-7)
    assert np.allclose(one.activation, many.activation, atol=1e-6)


def test_a_square_lies_whole_within_the_image():
    assert Square(4, 3).places(10).tolist() == [0, 3, 6]
    assert Square(10, 3).places(10).tolist() == [0]
