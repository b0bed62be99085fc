"""Which places of an image speak for a class: class activation maps and Grad-CAM.

Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative Localization, CVPR 2016.
Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM, ICCV 2017.
"""

from __future__ import annotations

import torch

from cnnbench.analysis.look.network import Network, logits_and_values, require_map
from cnnbench.archs.capture import capture
from cnnbench.archs.forward_pass import Point
from cnnbench.evaluation.class_maps import find_averaged_map
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
    """The class activation map of `target` for `image` (1, C, H, W): (h, w). UserError for a network that does not
    average its last map right before its classifier."""
    averaged = find_averaged_map(network.model, network.names, image)
    if averaged is None:
        raise UserError(
            f"class_activation needs a network that averages its last map right before a linear classifier, which "
            f"{network.key} does not: take pictures=[grad_cam]"
        )
    with capture(network.model, {"map": averaged.point}) as run:
        (values,) = run(image)["map"]
    return averaged.of_classes(values, torch.tensor([target], device=values.device))[0]
