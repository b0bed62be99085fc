"""One network of an evaluation, built with its weights, and the views of an image that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from cnnbench.archs.from_config import build_network
from cnnbench.config.image_size import input_size
from cnnbench.config.protocols import BOTH_SIDES, CENTER, PROTOCOLS
from cnnbench.data.loading.around import WithoutBorder
from cnnbench.data.loading.transform import CropsTransform, EvaluationTransform, Transform, inception_crop
from cnnbench.evaluation.ensemble import EnsembleMember
from cnnbench.runtime.devices import memory_format


def transform_of(member: EnsembleMember, border: int = 0) -> Transform:
    """What makes the views of an image, of which `border` pixels on each side are no part, for a protocol of crops."""
    views = _views_of(member)
    return WithoutBorder(views, border) if border else views


def _views_of(member: EnsembleMember) -> Transform:
    arch, size, crops = member.arch, input_size(member.settings), PROTOCOLS[member.settings.protocol].crops
    if crops == CENTER:
        return EvaluationTransform(arch, size)
    if crops == BOTH_SIDES:
        return EvaluationTransform(arch, size, inception_crop)
    return CropsTransform(arch, size, crops, tuple(member.scales))


def member_network(
    member: EnsembleMember, classes: int, device: torch.device, tell: Callable[[str], None] | None = None
) -> nn.Module:
    """The network of `member`, with its weights, on `device`; `tell` gets a line for each thing that loading did
    besides. Raises UserError for weights that do not fit."""
    trained_model, settings = member.trained_model, member.settings
    model = build_network(member.arch, classes, input_size(settings), trained_model.weights, tell=tell)
    if trained_model.averaged is not None:
        model.load_state_dict(trained_model.averaged)
    return model.to(device).to(memory_format=memory_format(settings.channels_last, device))


def member_networks(
    group: list[EnsembleMember], classes: int, device: torch.device, tell: Callable[[str], None] | None = None
) -> Iterable[tuple[EnsembleMember, nn.Module]]:
    """The members of `group`, each with its `member_network`, which is built when it is asked for."""
    return ((member, member_network(member, classes, device, tell)) for member in group)
