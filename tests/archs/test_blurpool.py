"""Blurred pooling: where it acts, and what it computes, against a sum over shifted maps."""

from __future__ import annotations

import pytest
import torch
from composing import composed
from torch import nn
from torch.nn import functional
from torchvision.models import resnet50

from cnnbench.analysis.describe.network import describe
from cnnbench.archs.blurpool import BlurredConv2d, apply_blurpool
from cnnbench.archs.from_config import build_network
from cnnbench.archs.registry import build


def blurred(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, BlurredConv2d)]


def test_it_acts_where_ffcv_imagenet_does_and_keeps_the_weights():
    stages = [f"layer{stage}.0" for stage in (2, 3, 4)]
    model = build("resnet50", 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    apply_blurpool(model, "resnet50")
    assert blurred(model) == [f"{stage}.{name}" for stage in stages for name in ("conv2", "downsample.0")]
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    small = build("resnet20", 10)  # whose second stage reads 16 channels, and whose shortcuts are no convolutions
    apply_blurpool(small, "resnet20")
    assert blurred(small) == ["layer2.0.conv1", "layer3.0.conv1"]


def test_each_pixel_is_the_weighted_sum_of_its_nine_neighbours():
    torch.manual_seed(0)
    conv, x = nn.Conv2d(16, 4, 3, stride=2, padding=1, groups=2), torch.randn(2, 16, 7, 5)
    padded, sums = functional.pad(x, (1, 1, 1, 1)), torch.zeros_like(x)
    for i, down in enumerate((1, 2, 1)):
        for j, across in enumerate((1, 2, 1)):
            sums += down * across * padded[:, :, i : i + 7, j : j + 5]
    assert torch.allclose(BlurredConv2d(conv)(x), conv(sums / 16), atol=1e-6)


def test_the_network_is_torchvisions_with_a_blur_before_each_stride():
    torch.manual_seed(0)
    theirs = resnet50(num_classes=10).eval()
    ours = build_network(composed("arch=resnet50", "arch.blurpool=true").arch, 10, 64).eval()
    ours.load_state_dict(theirs.state_dict())
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        for parent, name in ((stage[0], "conv2"), (stage[0].downsample, "0")):
            conv = getattr(parent, name)
            blur = nn.Conv2d(conv.in_channels, conv.in_channels, 3, padding=1, groups=conv.in_channels, bias=False)
            blur.weight = nn.Parameter(torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).expand_as(blur.weight) / 16)
            setattr(parent, name, nn.Sequential(blur, conv))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_a_network_without_such_a_convolution_is_refused(name, command):
    done = command("describe", f"arch={name}", "arch.blurpool=true")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (
        f"arch.blurpool acts on convolutions with a stride, and {name} has none: give arch.blurpool=false"
        in done.stderr
    )


def test_what_it_costs_is_counted():
    with torch.device("meta"):
        plain, blurry = build("resnet18", 10), build("resnet18", 10)
        apply_blurpool(blurry, "resnet18")
    before, after = ({layer.name: layer for layer in describe(model, 224).layers} for model in (plain, blurry))
    assert after["layer2.0.conv1"].macs - before["layer2.0.conv1"].macs == 9 * 64 * 56 * 56
    assert before["layer2.0.conv1"].receptive_field == (51, 51)
    assert after["layer2.0.conv1"].receptive_field == (51 + 2 * 4, 51 + 2 * 4)
