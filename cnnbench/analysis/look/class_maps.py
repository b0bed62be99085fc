"""Which places of an image speak for a class: class activation maps and Grad-CAM.

Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative Localization, CVPR 2016.
Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM, ICCV 2017.
"""

from __future__ import annotations

import torch
from torch import nn

from cnnbench.analysis.look.network import Network, is_map, logits_and_values, require_map
from cnnbench.archs.capture import capture
from cnnbench.archs.classifiers import classifier_of
from cnnbench.archs.forward_pass import Point
from cnnbench.runtime.errors import UserError


def grad_cam(network: Network, image: torch.Tensor, point: Point, target: int) -> torch.Tensor:
    """ReLU of the weighted sum of the channels at `point` for `image` (1, C, H, W): float (h, w).

    A channel's weight is the gradient of the logit of `target`, averaged over its places (Selvaraju et al., equations 1
    and 2). UserError where no maps pass.
    """
    require_map(network, point, "grad_cam")
    with torch.enable_grad():
        logits, values = logits_and_values(network, image.detach().requires_grad_(), point)
        (gradient,) = torch.autograd.grad(logits[0, target], values)
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * values.detach()).sum(1)[0].clamp(min=0)


@torch.inference_mode()
def class_activation(network: Network, image: torch.Tensor, target: int) -> torch.Tensor:
    """The class activation map of `target` for `image` (1, C, H, W): the sum of w_k f_k(x, y) over channels k, (h, w).

    f is the last map, which the network averages over its places, and w the weights of the class (Zhou et al., equation
    2; without the bias). UserError for a network that does not end so.
    """
    points = {name: network.names[name] for name in network.names if name in ("pre_logits", "logits")}
    maps = {str(point): point for point in network.names.values() if is_map(point)}
    with capture(network.model, points | maps) as run:
        found = run(image)
    classifier = network.model.get_submodule(classifier_of(network.model) or "")
    for name in reversed(maps):
        values = found[name]
        average = values.mean((2, 3))
        if isinstance(classifier, nn.Linear) and _same(average, found["pre_logits"]):
            return torch.einsum("k,khw->hw", classifier.weight[target], values[0])
        if _same(average, found["logits"]):  # NIN: the averages are the logits
            return values[0, target]
    raise UserError(
        f"class_activation needs a network that averages its last map right before a linear classifier, which "
        f"{network.key} does not: take pictures=[grad_cam]"
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
