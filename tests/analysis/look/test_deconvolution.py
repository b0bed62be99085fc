"""Deconvolution against a network taken apart: each layer undone by its own operation, from the top down."""

import pytest
import torch
from small_networks import small_images, small_network
from torch import nn
from torch.nn import functional

from cnnbench.analysis.look.deconvolution import deconvolve
from cnnbench.analysis.look.network import logits_and_values, network_of
from cnnbench.archs.alexnet import _SplitNorm
from cnnbench.archs.resnet import PaddedIdentity


def filter_down(layer, signal, before):
    """A convolution's transposed filters, to maps of the size of `before`."""
    sizes = zip(before.shape[2:], signal.shape[2:], layer.stride, layer.padding, layer.kernel_size, strict=True)
    more = [have - ((count - 1) * stride - 2 * padding + kernel) for have, count, stride, padding, kernel in sizes]
    return functional.conv_transpose2d(signal, layer.weight, None, layer.stride, layer.padding, more, layer.groups)


def strongest_units(network, images, layer):
    """Two channels that answer to both images."""
    _, values = logits_and_values(network, images, network.find(layer))
    return values.amax((2, 3)).amin(0).argsort(descending=True)[:2].tolist()


def unpool(layer, signal, before):
    """Each value to the place where the maximum stood; where windows overlap they add up."""
    _, places = functional.max_pool2d(before, layer.kernel_size, layer.stride, layer.padding, return_indices=True)
    down = torch.zeros_like(before).flatten(2)
    for image in range(len(down)):
        for channel in range(down.shape[1]):
            for value, place in zip(signal[image, channel].ravel(), places[image, channel].ravel(), strict=True):
                if value != 0:
                    down[image, channel, place] += value
    return down.view_as(before)


def one_activation(values, unit):
    """All set to zero but the largest of the channel."""
    start = torch.zeros_like(values)
    for image in range(len(values)):
        place = divmod(int(values[image, unit].argmax()), values.shape[3])
        start[(image, unit, *place)] = values[(image, unit, *place)]
    return start


def step_down(layer, signal, before):
    if isinstance(layer, nn.Conv2d):
        return filter_down(layer, signal, before)
    if isinstance(layer, nn.MaxPool2d):
        return unpool(layer, signal, before)
    if isinstance(layer, nn.ReLU):
        return torch.where(signal > 0, signal, 0.0)
    if isinstance(layer, nn.BatchNorm2d):
        return signal * (layer.weight / (layer.running_var + layer.eps).sqrt())[:, None, None]
    assert isinstance(layer, _SplitNorm)  # no contrast normalisation on the way down
    return signal


def down_a_row(layers, images, unit):
    before = [images]
    for layer in layers:
        before.append(layer(before[-1].clone()).clone())
    signal = one_activation(before.pop(), unit)
    for layer in reversed(layers):
        signal = step_down(layer, signal, before.pop())
    return signal


def down_resnet(model, images, unit):
    """The residual network of basic blocks with shortcuts of option A, from its last block down."""
    stem = [model.conv1, model.bn1, model.relu]
    inputs, x = [images], images
    for layer in stem:
        x = layer(x.clone())
        inputs.append(x.clone())
    blocks = [block for stage in model.stages for block in getattr(model, stage)]
    starts = []
    for block in blocks:
        starts.append(x.clone())
        x = block(x.clone())
    signal = one_activation(x, unit)
    for block, start in zip(reversed(blocks), reversed(starts), strict=True):
        branch = [block.conv1, block.bn1, block.relu, block.conv2, block.bn2]
        before = [start]
        for layer in branch:
            before.append(layer(before[-1].clone()).clone())
        before.pop()
        signal = torch.where(signal > 0, signal, 0.0)
        short = signal
        for layer in reversed(branch):
            signal = step_down(layer, signal, before.pop())
        if isinstance(block.downsample, PaddedIdentity):
            kept = torch.zeros_like(start)
            kept[:, :, :: block.downsample.stride, :: block.downsample.stride] = short[:, : start.shape[1]]
            short = kept
        signal = signal + short
    inputs.pop()
    for layer in reversed(stem):
        signal = step_down(layer, signal, inputs.pop())
    return signal


@pytest.mark.parametrize(("name", "layer", "end"), [("alexnet", "conv4", 12), ("vgg11", "conv3_2", 10)])
@torch.no_grad()
def test_networks_in_a_row_are_undone_layer_by_layer(name, layer, end):
    network, images = small_network(name), small_images(name, 2)
    for unit in strongest_units(network, images, layer):
        found = deconvolve(network, images, network.find(layer), unit)
        expected = down_a_row(list(network.model.features[:end]), images, unit)
        assert expected.abs().amax((1, 2, 3)).min() > 0
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5 * expected.abs().max())


@torch.no_grad()
def test_a_residual_network_is_undone_block_by_block():
    network, images = small_network("resnet20"), small_images("resnet20", 2)
    for unit in strongest_units(network, images, "layer3"):
        found = deconvolve(network, images, network.find("layer3"), unit)
        expected = down_resnet(network.model, images, unit)
        assert expected.abs().amax((1, 2, 3)).min() > 0
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5 * expected.abs().max())


def test_the_place_can_be_chosen_and_its_value_is_passed_down():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    network, image = network_of("one", model, 8, 1), torch.rand(1, 1, 8, 8)
    model[0].weight.data.uniform_(0.1, 1)
    value = model[0](image)[0, 0, 4, 1].item()
    found = deconvolve(network, image, network.find("1"), 0, [(4, 1)])
    assert torch.allclose(found[0, 0, 4:7, 1:4], value * model[0].weight[0, 0], atol=1e-6)
    assert found.abs().sum() == pytest.approx(found[0, 0, 4:7, 1:4].abs().sum().item())


def test_what_the_gradient_would_stop_goes_down_and_the_other_way_round():
    """The rule of ReLU is on what goes down, not on what came up: here the two differ in every pixel."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False), nn.Flatten())
    model[0].weight.data[:] = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    model[2].weight.data[:] = torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)
    network, image = network_of("two", model, 2, 1), torch.ones(1, 1, 2, 2)
    found = deconvolve(network, -image, network.find("2"), 0, [(0, 0)])  # gives 1: by the second channel
    assert found[0, 0].tolist() == [[-1.0, 0.0], [0.0, 0.0]]
    found = deconvolve(network, image, network.find("2"), 0, [(0, 0)])  # gives -1, by the first
    assert found[0, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]
