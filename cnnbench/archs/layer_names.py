"""The layers of a network by the names that people use: fc7, pool5, conv4_3, layer3.5, mixed_6e.

They follow from the network's structure, as one forward pass in inference mode shows it:

| network                            | names                                                                         |
|------------------------------------|-------------------------------------------------------------------------------|
| any                                | the path of every module that runs: what it returns, from its last call where |
|                                    | it runs more than once; also without a leading `features.`, and in lower case |
| in a row: LeNet, AlexNet, ZFNet    | Caffe's: conv1, norm1, pool1, ...; linear layers count on: fc6, fc7, fc8      |
| in a row, more than 5 convolutions | by stage: conv4_3, pool5, fc6, fc7, fc8 (VGG)                                 |
| in a row without linear layers     | conv1, cccp1, cccp2, pool1, ... (NIN; cccp is a 1x1 convolution)              |
| `layer1`, `layer2`, ... of blocks  | conv2_x, conv3_x, ..., as the papers' tables say (residual networks)          |
| `maxpool1`, ...                    | pool1, ... too (GoogLeNet)                                                    |
| Inception-v4, by its LAYER_NAMES   | mixed_5b ... mixed_7d, as TensorFlow's slim has it                            |
| any                                | feature_map, the last map; pre_logits, what the classifier reads; logits;     |
|                                    | avgpool for pre_logits where that is the global average of feature_map        |
| any, where it has none of its own  | what other collections say: ELSEWHERE                                         |

A name of Caffe's is the value AFTER the layer's batch normalisation and activation, as in Caffe, which overwrites: fc7
is after its ReLU (and before its dropout); the last layer has none. A path is what that module itself returns: of
AlexNet `features.0` is before the ReLU, `conv1` after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, takewhile

from torch import nn

from cnnbench.archs.classifiers import classifier_of
from cnnbench.archs.forward_pass import Call, Point, forward_pass
from cnnbench.runtime.errors import UserError, nearest

NUMBERED = 5  # so many convolutions are counted through, more by stage: either way the first linear layer is fc6
CONV, LINEAR, POOL, NORM, DROPOUT, OTHER = "conv", "fc", "pool", "norm", "drop", "other"
KINDS: tuple[tuple[str, tuple[type[nn.Module], ...]], ...] = (
    (CONV, (nn.Conv2d,)),
    (LINEAR, (nn.Linear,)),
    (POOL, (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)),
    (NORM, (nn.LocalResponseNorm,)),
    (DROPOUT, (nn.Dropout, nn.Dropout2d)),
)

# A name in another collection -> what it may be here.
ELSEWHERE = (
    (r"relu(\d+(?:_\d+)?)", r"conv\1"),  # Caffe: relu5_3
    (r"relu([67])", r"fc\1"),
    (r"pool5", "avgpool"),  # ResNet, GoogLeNet and DenseNet
    (r"(inception_\d[a-e])/output", r"\1"),
    (r"block(\d)_conv(\d)", r"conv\1_\2"),  # Keras: VGG
    (r"block(\d)_pool", r"pool\1"),
    (r"avg_pool|global_pool", "avgpool"),  # and timm
    (r"forward_features", "feature_map"),
    (r"head", "logits"),
    (r"penultimate|embeddings?", "pre_logits"),
)

Names = dict[str, Point]


def layer_names(network: nn.Module, image_size: int, in_channels: int | None = None) -> Names:
    """Every name of a layer of `network`, in the order of the forward pass; of one point, people's names come first.

    `image_size`: side of its images, in pixels; `in_channels`: theirs, by default what its first convolution reads.
    Raises ValueError for images that it cannot take.
    """
    calls = forward_pass(network, image_size, _channels(network) if in_channels is None else in_channels)
    found: Names = {}
    for names in (_in_a_row(calls), _published(network, calls), _of_modules(calls), _ends(network, calls)):
        for name, point in names:
            found.setdefault(name, point)
    paths = {path: call.after for path, call in calls.items() if path}
    found = {name: point for name, point in found.items() if name not in paths} | paths
    for name, point in list(found.items()):
        found.setdefault(name.lower(), point)
    return dict(sorted(found.items(), key=lambda item: item[1].order))


def find_layer(names: Names, name: str) -> Point:
    """The point that `name` means, of `layer_names`; capitals and the separators . _ - / are not told apart where that
    leaves one, and a name of ELSEWHERE is taken where the network has none like it.

    Raises UserError, with the nearest names, for a layer that is not there.
    """
    for candidate in chain([name], _here(name)):
        if point := _alike(names, candidate):
            return point
    near = nearest(name, names) or f"; it has {_some(names)}, and the path of any module:"
    raise UserError(f"the network has no layer '{name}'{near} `cnnbench describe` shows them")


def _here(name: str) -> Iterator[str]:
    """What a name of another collection may be called here."""
    for pattern, known in ELSEWHERE:
        if match := re.fullmatch(pattern, name.lower()):
            yield match.expand(known)


def _alike(names: Names, name: str) -> Point | None:
    if name in names:
        return names[name]
    alike = {point for known, point in names.items() if _bare(known) == _bare(name)}
    return alike.pop() if len(alike) == 1 else None


def peoples_names(names: Names) -> dict[Point, list[str]]:
    """The names of each point that are not the path of its module, in the order of the forward pass."""
    points: dict[Point, list[str]] = {}
    for name, point in names.items():
        points.setdefault(point, [])
        if name.lower() != point.path.lower() and _bare(name) != _bare(point.path):
            points[point].append(name)
    return points


def _some(names: Iterable[str], most: int = 12) -> str:
    short = [name for name in names if "." not in name]
    return ", ".join(short[:most]) + (", ..." if len(short) > most else "")


def _bare(name: str) -> str:
    return re.sub(r"[._\-/]", "", name.lower())


def _channels(network: nn.Module) -> int:
    first = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d)), None)
    return 3 if first is None else first.in_channels


def _published(network: nn.Module, calls: dict[str, Call]) -> Iterator[tuple[str, Point]]:
    """What the class itself says, path -> name, where the path is a number: `LAYER_NAMES`."""
    for path, name in getattr(network, "LAYER_NAMES", {}).items():
        if path in calls:
            yield name, calls[path].after


def _of_modules(calls: dict[str, Call]) -> Iterator[tuple[str, Point]]:
    """Names that are the path in another form."""
    for path, call in calls.items():
        stage = re.fullmatch(r"layer(\d)", path)
        if stage:
            yield f"conv{int(stage[1]) + 1}_x", call.after
        short = path.removeprefix("features.")
        for name in (short, re.sub(r"^maxpool(\d)$", r"pool\1", short)):
            if name[:1].isalpha():
                yield name, call.after


def _ends(network: nn.Module, calls: dict[str, Call]) -> Iterator[tuple[str, Point]]:
    """The points at the end that every network has."""
    yield "logits", calls[""].after
    classifier = calls.get(classifier_of(network) or "")
    if classifier is None or classifier.before is None or classifier.before.path == "":
        return
    yield "pre_logits", classifier.before
    maps = [c.after for c in calls.values() if c.after.order < classifier.before.order and len(c.after.shape) == 3]
    if maps:
        yield "feature_map", maps[-1]
        if maps[-1].shape[:1] == classifier.before.shape and maps[-1].shape[1] > 1:
            yield "avgpool", classifier.before


def _in_a_row(calls: dict[str, Call]) -> Iterator[tuple[str, Point]]:
    """Caffe's names, of a network whose layers stand one after another in it or in an nn.Sequential of it."""
    parts = _parts(calls)
    if parts is None:
        return
    kinds = [kind for kind, _ in parts]
    by_stage = LINEAR in kinds and kinds.count(CONV) > NUMBERED
    layer, within, crossed = 0, 0, 0  # number of the layer or stage, of the convolution in it, of the 1x1 of NIN
    seen: set[str] = set()
    for i, (kind, call) in enumerate(parts):
        if kind == CONV and LINEAR not in kinds and getattr(call.module, "kernel_size", None) == (1, 1):
            crossed += 1
            name = f"cccp{crossed}"
        elif kind == CONV:
            new = not by_stage or within == 0
            layer, within = layer + new, within + 1
            name = f"conv{layer}_{within}" if by_stage else f"conv{layer}"
        elif kind == LINEAR:
            layer += 1
            name = f"fc{layer}"
        else:
            within = 0 if kind == POOL else within
            name = f"{kind}{layer}"
        if kind in (CONV, LINEAR, POOL, NORM) and name not in seen:
            seen.add(name)
            yield name, _activated(parts, i) if kind in (CONV, LINEAR) else call.after


def _parts(calls: dict[str, Call]) -> list[tuple[str, Call]] | None:
    """The layers of a network in a row, with their kinds, in order; None for any other network."""
    opened = {path for path, call in calls.items() if not path or isinstance(call.module, nn.Sequential)}
    opened = {path for path in opened if _above(path) <= opened}
    parts = {path: call for path, call in calls.items() if path not in opened and _above(path) <= opened}
    for call in parts.values():
        inside = [type(module) for module in call.module.modules() if module is not call.module]
        if call.after.calls > 1 or any(issubclass(kind, nn.Conv2d | nn.Linear) for kind in inside):
            return None
    return [(_kind(call.module), call) for call in parts.values()]


def _above(path: str) -> set[str]:
    """Every module that the one at `path` stands in; the network itself is ''."""
    parts = path.split(".") if path else []
    return {".".join(parts[:i]) for i in range(len(parts))}


def _kind(module: nn.Module) -> str:
    for kind, types in KINDS:
        if any(isinstance(part, types) for part in module.modules()):
            return kind
    weight = getattr(module, "weight", None)
    return CONV if weight is not None and weight.dim() > 2 else OTHER  # LeNet's sparse C3


def _activated(parts: list[tuple[str, Call]], i: int) -> Point:
    """The value of layer `i` after what follows it, up to the next layer, pooling, normalisation or dropout."""
    following = parts[i + 1 :]
    others = [call for _, call in takewhile(lambda part: part[0] == OTHER, following)]
    if others:
        return others[-1].after
    value = parts[i][1].after
    read = following[0][1].before if following else None  # an activation that is a function, as LeNet's
    return read if read is not None and read.shape == value.shape else value
