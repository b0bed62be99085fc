"""Class activation maps and Grad-CAM: against what moving a channel does to the logit, and against the classifier."""

import pytest
import torch
from small_networks import small_images, small_network

from cnnbench.analysis.look.class_maps import class_activation, grad_cam
from cnnbench.analysis.look.network import logits_and_values
from cnnbench.runtime.errors import UserError

TARGETS = (0, 4, 7)
STEP = 1e-6  # in float64: nothing crosses the corner of a ReLU


def slow_grad_cam(network, image, layer, target):
    """Each channel is moved up and down by a little, all places together, and the logit looked at."""
    point = network.find(layer)
    _, values = logits_and_values(network, image, point)
    channels, places = values.shape[1], values.shape[2] * values.shape[3]
    moved = STEP * torch.cat([torch.eye(channels), -torch.eye(channels)]).double()[:, :, None, None]
    hook = network.model.get_submodule(point.path).register_forward_hook(lambda _m, _i, output: output + moved)
    up, down = network.model(image)[:, target].chunk(2)  # one image comes in, and one with each channel moved goes on
    hook.remove()
    total = torch.zeros(values.shape[2:], dtype=torch.float64)
    for channel in range(channels):
        weight = (up[channel] - down[channel]) / (2 * STEP) / places  # all places were moved: that gives their sum
        total += weight * values[0, channel]
    return torch.where(total > 0, total, 0.0)


@pytest.mark.parametrize(("name", "layer"), [("alexnet", "conv5"), ("vgg11", "conv5_2"), ("resnet20", "layer2")])
@torch.no_grad()
def test_grad_cam_is_what_moving_each_channel_does(name, layer):
    network, image = small_network(name), small_images(name).double()
    network.model.double()
    try:
        expected = [slow_grad_cam(network, image, layer, target) for target in TARGETS]
        found = [grad_cam(network, image, network.find(layer), target) for target in TARGETS]
    finally:
        network.model.float()
    assert max(each.max() for each in expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", ["resnet20", "densenet121", "googlenet"])
def test_the_mean_of_a_class_activation_map_is_the_logit_without_its_bias(name):
    network, image = small_network(name), small_images(name)
    with torch.no_grad():
        logits = network.model(image)[0]
    classifier = network.model.get_submodule(network.model.CLASSIFIER)
    for target in (0, 7):
        found = class_activation(network, image, target)
        assert found.shape == network.names["feature_map"].shape[1:]
        assert found.mean().item() == pytest.approx((logits - classifier.bias)[target].item(), rel=1e-3)
        positive = found.clamp(min=0) / found.numel()  # for such networks the two methods agree (Selvaraju et al., 3)
        cam = grad_cam(network, image, network.last_map, target)
        assert torch.allclose(cam, positive, rtol=1e-3, atol=1e-4 * positive.max().item())


def test_networks_that_end_otherwise_are_told_so():
    said = r"^class_activation needs .* linear classifier, which vgg11 does not: take pictures=\[grad_cam\]$"
    with pytest.raises(UserError, match=said):
        class_activation(small_network("vgg11"), small_images("vgg11"), 0)
    network = small_network("vgg11")
    with pytest.raises(UserError, match=r"^grad_cam needs a layer with maps, and fc6 gives 40: the .* conv5_2$"):
        grad_cam(network, small_images("vgg11"), network.find("fc6"), 0)
