"""Stochastic depth: the rule of its probabilities, what it does to a branch, and nothing in evaluation."""

from __future__ import annotations

import pytest
import torch

from cnnbench.archs.layers import StochasticDepth
from cnnbench.archs.registry import build

pytestmark = pytest.mark.slow


def test_a_branch_is_left_out_of_whole_images_and_keeps_its_mean():
    layer, x = StochasticDepth(0.25), torch.ones(20_000, 2, 1, 1)
    torch.manual_seed(0)
    y = layer(x)
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(y[:, 0], y[:, 1])
    assert (y[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.manual_seed(0)
    assert torch.equal(layer(x), y), "drawn from torch's generator"
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    assert layer.eval()(x) is x


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", 8),
        ("resnet50", 16),
        ("preact_resnet18", 8),
        ("preact_resnet50", 16),
        ("wrn16_4", 6),
        ("resnet20", 9),
    ],
)
def test_probabilities_grow_with_the_depth(name, blocks):
    with torch.device("meta"):
        model = build(name, 10, stochastic_depth=0.2)
        plain = build(name, 10)
    found = [module.p for module in model.modules() if isinstance(module, StochasticDepth)]
    assert found == pytest.approx([0.2 * (i + 1) / blocks for i in range(blocks)])
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert not any(module.p for module in plain.modules() if isinstance(module, StochasticDepth))


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet18"])
def test_a_block_left_out_is_its_shortcut(name):
    model = build(name, 10)
    block = model.layer1[1]
    block.stochastic_depth.p = 1 - 1e-9
    x = torch.rand(2, model.layer1[0].conv1.in_channels, 8, 8)
    torch.testing.assert_close(block(x), x, rtol=0, atol=1e-6)
    assert (block.eval()(x) - x).abs().max() > 1e-3


def test_impossible_values():
    with pytest.raises(ValueError, match="not a probability"):
        build("resnet18", 10, stochastic_depth=1.0)
    with pytest.raises(ValueError, match="needs shortcuts"):
        build("plain20", 10, stochastic_depth=0.1)
