"""What the networks share, by the names that users of timm and torchvision expect."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from cnnbench.archs.classifiers import auxiliary_of


class Network(nn.Module):
    """A classifier: images (N, in_channels, H, W) -> logits (N, num_classes).

    CLASSIFIER: dotted name of the layer that gives the logits; archs/classifiers.py reads it, and its auxiliary heads'.
    """

    CLASSIFIER: ClassVar[str]

    def get_classifier(self) -> nn.Module:
        """The layer that gives the logits, under one name for all networks, as timm has it."""
        return self.get_submodule(self.CLASSIFIER)

    @property
    def num_classes(self) -> int:
        """How many logits there are, as timm has it."""
        return _sides(self.get_classifier())[1]

    @property
    def num_features(self) -> int:
        """How many values the classifier reads, as timm has it: channels, where it is a convolution."""
        return _sides(self.get_classifier())[0]

    def reset_classifier(self, num_classes: int) -> None:
        """Give the network, and its auxiliary heads, new classifiers of so many classes, with torch's first weights, as
        timm has it."""
        heads = {head: layer for head, layer in auxiliary_of(self).items() if getattr(self, head, None) is not None}
        for name in (self.CLASSIFIER, *heads.values()):
            old = self.get_submodule(name)
            with torch.device(next(old.parameters()).device):
                self.set_submodule(name, _with_classes(old, num_classes))

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


def _sides(classifier: nn.Module) -> tuple[int, int]:
    """Values, or channels, that a classifier reads, and its classes."""
    if isinstance(classifier, nn.Linear):
        return classifier.in_features, classifier.out_features
    assert isinstance(classifier, nn.Conv2d)  # NIN's
    return classifier.in_channels, classifier.out_channels


def _with_classes(classifier: nn.Module, num_classes: int) -> nn.Module:
    """A layer as `classifier`, in its mode and of its type, with new weights for `num_classes`."""
    inputs, dtype = _sides(classifier)[0], next(classifier.parameters()).dtype
    if isinstance(classifier, nn.Conv2d):
        assert not isinstance(classifier.padding, str)
        shape = (classifier.kernel_size, classifier.stride, classifier.padding)
        new: nn.Module = nn.Conv2d(inputs, num_classes, *shape, dtype=dtype)  # type: ignore[arg-type]
    else:
        new = nn.Linear(inputs, num_classes, dtype=dtype)
    return new.train(classifier.training)


class _BeforeClassifier(Exception):
    """The classifier's turn has come."""
