"""Batch normalisation as keys set it, and over groups of images, against each group normalised on its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnnbench.archs.from_config import build_network
from cnnbench.archs.norms import GhostBatchNorm2d, about_norms, apply_norm_keys, batch_norms, with_ghost_batches
from cnnbench.config.arch import ArchConfig
from cnnbench.runtime.errors import UserError

ARCH = ArchConfig(name="tiny")


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3)))


def test_keys_reach_every_batch_normalisation_and_null_leaves_it():
    model = tiny()
    apply_norm_keys(model, ARCH)
    assert about_norms(model) == "2 of momentum 0.1, epsilon 1e-05"
    apply_norm_keys(model, replace(ARCH, bn_momentum=0.0003, bn_epsilon=1e-3, bn_scale=False))
    assert about_norms(model) == "2 of momentum 0.0003, epsilon 0.001, without scale"
    for norm in batch_norms(model).values():
        assert (norm.momentum, norm.eps, norm.weight.requires_grad, norm.bias.requires_grad) == (
            3e-4,
            1e-3,
            False,
            True,
        )


@pytest.mark.parametrize("keys", [{"bn_momentum": 0.0}, {"bn_epsilon": 1e-3}, {"bn_scale": False}])
def test_a_network_without_batch_normalisation_refuses_its_keys(keys):
    with pytest.raises(ValueError, match=f"arch.{next(iter(keys))} acts on batch normalisation, and tiny has none"):
        apply_norm_keys(nn.Conv2d(2, 3, 3), replace(ARCH, **keys))


def test_scales_that_begin_at_zero_cannot_stay():
    model = tiny()
    nn.init.zeros_(model[1].weight)
    with pytest.raises(ValueError, match="zero_init=false"):
        apply_norm_keys(model, replace(ARCH, bn_scale=False))


@pytest.mark.parametrize(("images", "groups"), [(4, (4, 4, 4)), (5, (4, 4, 4)), (8, (6, 6)), (12, (12,))])
def test_each_group_is_normalised_by_its_own_statistics(images, groups):
    """Outputs, gradients and running statistics against groups taken one by one, as on devices of their own."""
    whole = tiny()
    with_ghost_batches(whole, images)
    alone = tiny()[1]
    ghost = whole[1]
    assert isinstance(ghost, GhostBatchNorm2d)
    assert [*whole.state_dict()] == [*tiny().state_dict()]
    x = torch.randn(12, 3, 5, 4, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    means, variances, outputs = [], [], []
    for part in y.split(list(groups)):
        flat = part.transpose(0, 1).flatten(1)
        mean, variance = flat.mean(1), flat.var(1, correction=0)
        means.append(mean.detach())
        variances.append(flat.var(1, correction=1).detach())
        shape = (1, 3, 1, 1)
        outputs.append((part - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt())
    expected, found = torch.cat(outputs), ghost(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(found.shape)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(ghost.running_mean, 0.1 * torch.stack(means).mean(0))
    torch.testing.assert_close(ghost.running_var, 0.9 + 0.1 * torch.stack(variances).mean(0))
    assert ghost.num_batches_tracked == 1
    alone.load_state_dict(ghost.state_dict())
    assert torch.equal(ghost.eval()(x), alone.eval()(x))


def test_ghost_batches_share_the_networks_own_tensors():
    model = tiny()
    before = [*model.parameters(), *model.buffers()]
    with_ghost_batches(model, 2)
    assert [id(tensor) for tensor in [*model.parameters(), *model.buffers()]] == [id(tensor) for tensor in before]


def built(name: str, **keys: object) -> nn.Module:
    torch.manual_seed(0)
    return build_network(ArchConfig(name=name, **keys), 10, 32)


def test_stochastic_depth_from_the_first_block_is_timms():
    """drop_path_rate 0.05 of resnet50: 0 for the first of 16 blocks, 0.05 x 15/15 for the last."""
    with torch.device("meta"):
        model = built("resnet50", stochastic_depth=0.05, stochastic_depth_from="first_block")
    found = [block.stochastic_depth.p for stage in model.stages for block in getattr(model, stage)]
    assert found == pytest.approx([0.05 * block / 15 for block in range(16)])


@pytest.mark.parametrize(("name", "last"), [("resnet20", "bn2"), ("resnet50", "bn3"), ("preact_resnet18", "conv2")])
def test_branches_that_start_at_zero_make_a_block_its_shortcut(name, last):
    model = built(name, zero_init=True)
    block = model.layer1[1].eval()
    assert not block.get_submodule(last).weight.any()
    x = torch.rand(2, block.conv1.in_channels, 8, 8)
    assert torch.equal(block(x), x)
    other = built(name)
    assert other.layer1[1].get_submodule(last).weight.any()
    other.layer1[1].get_submodule(last).weight.data.zero_()
    assert torch.equal(other.fc.weight, model.fc.weight), "nothing else is drawn otherwise"


@pytest.mark.parametrize("name", ["plain20", "vgg11_bn"])
def test_a_network_without_shortcuts_has_no_branch_to_start_at_zero(name):
    with pytest.raises(UserError, match=f"{name} has none: give arch.zero_init=false"):
        built(name, zero_init=True)
