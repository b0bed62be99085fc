"""What the networks share, by the names that users of timm and torchvision expect."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn


class Network(nn.Module):
    """A classifier: images (N, in_channels, H, W) -> logits (N, num_classes).

    CLASSIFIER: dotted name of the layer that gives the logits; archs/classifiers.py reads it, and its auxiliary heads'.
    """

    CLASSIFIER: ClassVar[str]

    def get_classifier(self) -> nn.Module:
        """The layer that gives the logits, under one name for all networks, as timm has it."""
        return self.get_submodule(self.CLASSIFIER)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """The last map (N, C, H, W), before it is averaged or flattened: `feature_map` of archs/layer_names.py.

        The forward pass ends before the classifier. By hooks, so neither for torch.compile nor for export.
        """
        maps: list[torch.Tensor] = []

        def keep(_: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.dim() == 4:
                maps[:] = [output]

        def stop(_: nn.Module, inputs: Any) -> None:
            raise _BeforeClassifier

        hooks = [child.register_forward_hook(keep) for child in self.children()]
        hooks.append(self.get_classifier().register_forward_pre_hook(stop))
        try:
            self(images)
        except _BeforeClassifier:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return maps[0]


class _BeforeClassifier(Exception):
    """The classifier's turn has come."""
