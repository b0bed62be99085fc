"""Where the weights of a network stand in its forward pass: what lies up to a layer, and how deep each part is."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from cnnbench.archs.classifiers import auxiliary_of, classifier_of
from cnnbench.archs.forward_pass import Call, forward_pass
from cnnbench.archs.layer_names import find_layer, layer_names
from cnnbench.runtime.errors import UserError

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)
ROWS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def modules_up_to(network: nn.Module, layer: str, image_size: int, in_channels: int) -> list[str]:
    """The paths of the modules that have run when the value at `layer`, a name of layer_names.py, is there, those
    inside them included. An auxiliary head is none of them: it does not run in inference mode.

    Raises UserError for a layer that is not there, or behind which nothing is left to train.
    """
    try:
        calls = forward_pass(network, image_size, in_channels)
        point = find_layer(layer_names(network, image_size, in_channels), layer)
    except ValueError as error:
        raise UserError(str(error)) from error
    done = {path for path, call in calls.items() if call.after.order <= point.order}
    if (classifier_of(network) or "") in done or "" in done:
        raise UserError(
            f"freeze={layer} fixes the classifier too, and nothing would be left to train: freeze=pre_logits fixes all "
            "before it"
        )
    return [path for path, _ in network.named_modules() if path and _nearest(path, calls) in done]


def depths(network: nn.Module, image_size: int, in_channels: int) -> dict[str, int]:
    """How many blocks lie between each module with weights and the logits, by its path: 0 for the classifier, 1 for
    the block before it. A block is what stands in the network or in an nn.Sequential of it: a convolution, a linear
    layer, a residual block, an Inception module; a normalisation belongs to the block before it. Auxiliary
    heads have 0.

    Raises UserError for images that the network cannot take.
    """
    try:
        calls = forward_pass(network, image_size, in_channels)
    except ValueError as error:
        raise UserError(str(error)) from error
    blocks = [path for path in _blocks(network) if path in calls]
    blocks.sort(key=lambda path: calls[path].after.order)
    number, numbers = -1, {}
    for path in blocks:
        number += not isinstance(calls[path].module, NORMS) or number < 0
        numbers[path] = number
    own = [path for path, module in network.named_modules() if next(module.parameters(recurse=False), None) is not None]
    return {path: number - next((n for block, n in numbers.items() if _inside(path, block)), number) for path in own}


def classifiers(network: nn.Module) -> set[str]:
    """The paths of the layers that give logits: the classifier's and those of auxiliary heads."""
    return {path for path in (classifier_of(network), *auxiliary_of(network).values()) if path}


def _blocks(module: nn.Module, path: str = "") -> Iterator[str]:
    """The paths of modules with weights, each alone in the network or in a row of ROWS."""
    for name, child in module.named_children():
        where = f"{path}.{name}" if path else name
        if next(child.parameters(), None) is None:
            continue
        if type(child) in ROWS and len([*child.children()]) > 1:
            yield from _blocks(child, where)
        else:
            yield where


def _nearest(path: str, calls: dict[str, Call]) -> str:
    """The path of the module that runs, of that at `path` and those that it stands in."""
    while path and path not in calls:
        path = path.rpartition(".")[0]
    return path


def _inside(path: str, block: str) -> bool:
    return path == block or path.startswith(f"{block}.")
