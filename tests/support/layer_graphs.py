"""Networks as graphs of layers, read from a network by torch.fx or from a table of originals, and compared as such.

A table (tests/archs/originals/*.tsv) has a section for each network. After its line `[key options]` each line is a
chain of layers, and in its second column the lines whose output it takes: none is the line before, 0 the image. So that
the order in which parallel branches are computed does not matter, a layer is known by what it is and by what comes
before it, up to the image; the order of what is concatenated counts, that of a sum does not.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import fx, nn
from torch.nn import functional

from cnnbench.archs.alexnet import _SplitNorm
from cnnbench.archs.conventions import SameConv2d, SameMaxPool2d, same_padding
from cnnbench.archs.layers import LocalResponseNorm, StochasticDepth
from cnnbench.archs.resnet import PaddedIdentity

LEAVES = (LocalResponseNorm, StochasticDepth, PaddedIdentity, SameConv2d, SameMaxPool2d, _SplitNorm)
STARTS = "NUT"  # first letters of how the weights start: normal, uniform, truncated normal; a number follows
Key = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layer:
    """`text`: as in the tables, without how its numbers start. `starts`: words of that. `inputs`: numbers of layers,
    from 1 on. `module`: of a network, where the layer is one."""

    text: str
    starts: tuple[str, ...]
    inputs: tuple[int, ...]
    module: nn.Module | None = None


def originals(file: Path, said: tuple[tuple[str, str], ...] = ()) -> dict[str, list[Layer]]:
    """The sections of a table by their first lines, without brackets; with the second of each pair of `said` in place
    of the first, which has to be there once."""
    content = file.read_text()
    for old, new in said:
        assert content.count(old) == 1, f"{old!r} is not once in {file.name}"
        content = content.replace(old, new)
    found: dict[str, list[Layer]] = {}
    for line in content.splitlines():
        if line.startswith("["):
            layers = found[line.strip("[]")] = []
            ends = [0]
        elif line and not line.startswith("#"):
            chain, _, taken = line.partition("\t")
            inputs = tuple(ends[int(i)] for i in taken.split()) or (ends[-1],)
            for words in chain.split("; "):
                layers.append(_stated(words.split(), inputs))
                inputs = (len(layers),)
            ends.append(len(layers))
    return found


def named(section: str) -> tuple[str, dict[str, Any]]:
    """The key and the options of a section's first line, as `vgg16 {column: C}`."""
    key, _, options = section.partition(" ")
    return key, yaml.safe_load(options) or {} if options else {}


def _stated(words: list[str], inputs: tuple[int, ...]) -> Layer:
    starts = [word for word in words[1:] if word[0] in STARTS or word == "uniform"]
    if "bias" in words and words[-1] != "bias" and words[words.index("bias") + 1] not in starts:
        starts.append(f"bias={words.pop(words.index('bias') + 1)}")
    return Layer(" ".join(word for word in words if word not in starts), tuple(starts), inputs)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, LEAVES) or super().is_leaf_module(module, name)


def layers_of(network: nn.Module, size: int, channels: int = 3) -> list[Layer]:
    """The layers of `network`, on the meta device and in training mode, as it computes images of side `size`."""
    graph = _Tracer().trace(network)
    modules, shapes = dict(network.named_modules()), _Shapes(network, graph).of(size, channels)
    layers: list[Layer] = []
    numbers: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op in ("placeholder", "output"):
            numbers[node] = 0
            continue
        module = modules[node.target] if node.op == "call_module" else None
        inputs = tuple(numbers[each] for each in node.all_input_nodes)
        side = shapes[node.all_input_nodes[0]][-1]
        text = _text(node, module, side)
        if text is None or (text == "cat" and len(inputs) == 1):
            numbers[node] = inputs[0]
        else:
            if node.target is operator.add and len(inputs) == 1:
                inputs = inputs * 2  # x + x
            layers.append(Layer(text, (), inputs, module))
            numbers[node] = len(layers)
    return layers


class _Shapes(fx.Interpreter):
    """Batch normalisation hands on its map: its shapes take most of the time on the meta device."""

    def __init__(self, network: nn.Module, graph: fx.Graph) -> None:
        super().__init__(network, graph=graph)
        self.found: dict[fx.Node, Any] = {}

    def of(self, size: int, channels: int) -> dict[fx.Node, Any]:
        with torch.no_grad():
            self.run(torch.empty(2, channels, size, size, device="meta"))
        return self.found

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "call_module" and isinstance(self.fetch_attr(str(n.target)), nn.BatchNorm2d):
            value = self.fetch_args_kwargs_from_env(n)[0][0]
        else:
            value = super().run_node(n)
        self.found[n] = getattr(value, "shape", None)
        return value


def _text(node: fx.Node, module: nn.Module | None, side: int) -> str | None:
    """A layer as in the tables; None for what changes no number. `side`: of the map that it sees."""
    if isinstance(module, nn.Conv2d):
        return _conv(module, side)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        kind = "maxpool" if isinstance(module, nn.MaxPool2d) else "avgpool"
        if isinstance(module, SameMaxPool2d):
            return " ".join(["maxpool 3x3/2", *_same(side, 3, 2)])
        counted = getattr(module, "count_include_pad", True)
        return _pool(kind, (module.kernel_size, module.stride, module.padding), module.ceil_mode, counted, side)
    if node.target in (functional.avg_pool2d, functional.max_pool2d):
        given = dict(zip(("input", "kernel_size", "stride", "padding"), node.args, strict=False)) | node.kwargs
        numbers = (given["kernel_size"], given["stride"], given.get("padding", 0))
        kind = "avgpool" if node.target is functional.avg_pool2d else "maxpool"
        return _pool(kind, numbers, given.get("ceil_mode", False), given.get("count_include_pad", True), side)
    if isinstance(module, nn.Linear):
        return f"linear {module.out_features}" + " bias" * (module.bias is not None)
    if isinstance(module, LocalResponseNorm | _SplitNorm):
        norm = module.norm if isinstance(module, _SplitNorm) else module
        return f"lrn {norm.size} {norm.alpha / norm.size:.4g} {norm.beta:g} {norm.k:g}"
    if isinstance(module, nn.Dropout | StochasticDepth):
        return f"dropout {module.p:g}" if module.p else None
    if isinstance(module, PaddedIdentity):
        return f"widen /{module.stride}"
    if module is not None:
        return {"Identity": None, "ReLU": "relu", "BatchNorm2d": "bn"}[type(module).__name__]
    if node.target is operator.mul:
        return f"times {next(each for each in node.args if isinstance(each, float)):g}"
    name = node.target if isinstance(node.target, str) else node.target.__name__
    if name == "mean" and side == 1:
        return None
    return {"flatten": None, "cat": "cat", "add": "add", "mean": "mean", "relu": "relu"}[name]


def _conv(conv: nn.Conv2d, side: int) -> str:
    words = [f"conv {conv.out_channels} {'x'.join(map(str, conv.kernel_size))}"]
    words[0] += "" if conv.stride == (1, 1) else f"/{conv.stride[0]}"
    same = isinstance(conv, SameConv2d)
    words += _same(side, conv.kernel_size[0], conv.stride[0]) if same else _around(conv.padding)
    words += [f"g{conv.groups}"] * (conv.groups > 1) + ["bias"] * (conv.bias is not None)
    return " ".join(words)


def _same(side: int, kernel: int, stride: int) -> list[str]:
    before, after = same_padding(side, kernel, stride)
    return ["same"] if before != after else _around(before)


def _around(padding: Any) -> list[str]:
    height, width = padding if isinstance(padding, tuple) else (padding, padding)
    if (height, width) == (0, 0):
        return []
    return [f"p{height}" if height == width else f"p{height},{width}"]


def _pool(kind: str, numbers: tuple[Any, Any, Any], ceil: bool, counted: bool, side: int) -> str:
    kernel, stride, padding = numbers
    words = [f"{kind} {kernel}x{kernel}" + f"/{stride}" * (stride != 1), *_around(padding)]
    words += ["ceil"] * (ceil and (side + 2 * padding - kernel) % stride != 0)
    words += ["uncounted"] * (kind == "avgpool" and padding > 0 and not counted)
    return " ".join(words)


def keys(layers: list[Layer], known: dict[Key, int]) -> list[int]:
    """A number for each layer: that of all layers, of whatever list, that are the same and come after the same."""
    found, parts = [0], [(0,)]
    for layer in layers:
        inputs = tuple(part for i in layer.inputs for part in (parts[i] if layer.text == "cat" else (found[i],)))
        key = (layer.text, tuple(sorted(inputs)) if layer.text == "add" else inputs)
        found.append(known.setdefault(key, len(known) + 1))
        parts.append(inputs if layer.text == "cat" else (found[-1],))
    return found[1:]


def difference(ours: list[Layer], theirs: list[Layer]) -> str | None:
    """Where two networks differ first, in a sentence; None where they are the same. A concatenation may be made in
    steps, or twice: what follows it tells it."""
    known: dict[Key, int] = {}
    left, right = keys(ours, known), keys(theirs, known)
    counts = [_counted(ours, left), _counted(theirs, right)]
    if counts[0] == counts[1]:
        return None
    more = [counts[0] - counts[1], counts[1] - counts[0]]
    found = [_first(*each) for each in ((ours, left, more[0]), (theirs, right, more[1]))]
    return f"ours has {found[0]}, the original {found[1]}"


def _counted(layers: list[Layer], numbers: list[int]) -> Counter[int]:
    return Counter(number for layer, number in zip(layers, numbers, strict=True) if layer.text != "cat")


def _first(layers: list[Layer], numbers: list[int], more: Counter[int]) -> str:
    at = next((i for i, number in enumerate(numbers) if more[number]), None)
    return "nothing more" if at is None else f"{layers[at].text} as layer {at + 1}"
