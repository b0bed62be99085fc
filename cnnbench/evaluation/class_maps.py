"""Class activation maps. Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
Localization, CVPR 2016."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cnnbench.archs.capture import capture
from cnnbench.archs.classifiers import classifier_of
from cnnbench.archs.forward_pass import Point, in_inference
from cnnbench.archs.layer_names import Names


@dataclass(frozen=True)
class AveragedMap:
    """The last map of a network, at `point`, which it averages over its places; `weight` float (classes, K): of the
    linear classifier that reads the averages, None where these are the logits themselves, as in NIN."""

    point: Point
    weight: torch.Tensor | None

    def of_classes(self, values: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """The maps of `classes`, int64 (T,), of one image whose last map is `values` (K, h, w): (T, h, w), the sums of
        w_k f_k(x, y) over channels k (Zhou et al., equation 2, without the bias)."""
        if self.weight is None:
            return values[classes]
        return torch.einsum("tk,khw->thw", self.weight[classes], values)


@torch.inference_mode()
def find_averaged_map(model: nn.Module, names: Names, image: torch.Tensor) -> AveragedMap | None:
    """The map that `model`, with layers of `names`, averages right before a linear classifier, as `image`
    (1, C, H, W) shows it; None for a network that does not end so."""
    points = {name: names[name] for name in names if name in ("pre_logits", "logits")}
    maps = {str(point): point for point in names.values() if len(point.shape) == 3 and point.shape[1:] != (1, 1)}
    with in_inference(model), capture(model, points | maps) as run:
        found = run(image)
    classifier = model.get_submodule(classifier_of(model) or "")
    for name in reversed(maps):
        average = found[name].mean((2, 3))
        if isinstance(classifier, nn.Linear) and _same(average, found["pre_logits"]):
            return AveragedMap(maps[name], classifier.weight.detach())
        if _same(average, found["logits"]):  # NIN: the averages are the logits
            return AveragedMap(maps[name], None)
    return None


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5)
