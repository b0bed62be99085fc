"""What reaches a network: the levels of images as its paper scales them."""

from __future__ import annotations

import pytest
import torch
from composing import composed

from cnnbench.data.loading.loader import Batch
from cnnbench.data.loading.normalise import Normalise


def ends(name: str, *words: str) -> list[list[float]]:
    """What levels 0 and 255 become in each channel of the network `name`."""
    arch = composed(f"arch={name}", *words).arch
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 1, 2, arch.in_channels)
    batch = Batch(pixels, torch.zeros(1, dtype=torch.int64), torch.zeros(1, 0))
    floats = Normalise(arch, torch.device("cpu"), channels_last=True)(batch)
    return floats[0, :, 0].T.tolist()


@pytest.mark.parametrize("name", ["alexnet", "zfnet", "vgg16", "vgg11", "googlenet"])
def test_papers_that_subtract_the_mean_and_divide_by_nothing(name):
    """ILSVRC's mean colour from levels 0 to 255: their initial weights and AlexNet's constants are for these."""
    low, high = ends(name)
    assert low == pytest.approx([-123.675, -116.28, -103.53], abs=1e-3)
    assert high == pytest.approx([131.325, 138.72, 151.47], abs=1e-3)


def test_lenets_background_and_ink():
    """LeCun et al. 1998, section II.B: -0.1 and 1.175, so that MNIST has about mean 0 and variance 1."""
    for channels in (3, 1):
        low, high = ends("lenet", f"arch.in_channels={channels}")
        assert low == pytest.approx([-0.1] * channels, abs=2e-4)
        assert high == pytest.approx([1.175] * channels, abs=2e-4)


@pytest.mark.parametrize("name", ["vgg16_bn", "alexnet_tv", "resnet50", "densenet121"])
def test_networks_with_torchvisions_weights_take_its_images(name):
    low, high = ends(name)
    assert low == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    assert high == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)


def test_torchvisions_weights_of_vgg_bring_their_images():
    assert ends("vgg16", "weights=torchvision") == ends("vgg16_bn")
    assert ends("vgg16", "weights=torchvision", "arch.std=[1,1,1]")[0] == pytest.approx([-0.485, -0.456, -0.406])
