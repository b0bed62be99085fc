"""A network layer by layer: output size, receptive field, parameters, multiply-adds and activation memory.

The network runs once in inference mode on the meta device: shapes only, no data and no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from cnnbench.analysis.describe.receptive_field import Tracer, field_of
from cnnbench.archs.facts import facts
from cnnbench.archs.forward_pass import on_meta, run_on_meta
from cnnbench.archs.registry import build

FLOAT32_BYTES = 4
DEFAULT_CLASSES = 1000


@dataclass(frozen=True)
class Layer:
    """One call of one leaf module; a module that runs twice has two rows, its parameters in the first.

    Pairs are (height, width). None: the layer has no such thing. `output`: (C, H, W), or (C,) after flattening.
    `receptive_field`: input pixels that one unit can see, padding included; `jump`: pixels between the fields of
    neighbours, 0 once the whole map is one unit; `start`: the first pixel that unit 0 sees. `macs`: multiply-adds.
    `activations_bytes`: the output in float32, 0 where the layer hands on its input or overwrites it.
    `names`: what people call the value behind this row, as analysis/describe/names.py adds them.
    """

    name: str
    type: str
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    padding: tuple[int, int] | None
    groups: int | None
    output: tuple[int, ...]
    receptive_field: tuple[int, int]
    jump: tuple[float, float]
    start: tuple[float, float]
    params: int
    macs: int
    activations_bytes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Totals:
    """Of the whole network, for one image.

    `params`: what inference uses; `params_with_aux` adds the auxiliary heads. `macs`: multiply-adds of convolutions and
    fully connected layers in inference. `activations_bytes`: sum over the layers; sums and concatenations between
    layers are not counted.
    """

    params: int
    params_with_aux: int
    macs: int
    activations_bytes: int


@dataclass(frozen=True)
class Description:
    """What `describe` found out."""

    image_size: int
    in_channels: int
    layers: tuple[Layer, ...]
    totals: Totals


def describe(model: nn.Module, image_size: int, in_channels: int = 3) -> Description:
    """Describe `model` on one image (1, in_channels, image_size, image_size); the model itself stays as it is.

    Auxiliary parameters are those that the forward pass in inference mode never reads. Raises ValueError if the size
    or the number of channels does not fit the network.
    """
    if image_size < 1 or in_channels < 1:
        raise ValueError(f"cannot describe {in_channels} channels of {image_size} pixels: both must be at least 1")
    tensors, image = on_meta(model, image_size, in_channels)
    tracer = Tracer(image)
    recorder = _Recorder(tracer)
    hooks = [hook for name, module in model.named_modules() for hook in recorder.watch(name, module)]
    with tracer:
        run_on_meta(model, tensors, image, hooks)
    params = {name: parameter.numel() for name, parameter in model.named_parameters()}
    used = sum(count for name, count in params.items() if id(tensors[name]) in tracer.used)
    memory = sum(layer.activations_bytes for layer in recorder.layers)
    totals = Totals(used, sum(params.values()), tracer.macs, memory)
    return Description(image_size, in_channels, tuple(recorder.layers), totals)


def published_classes(name: str) -> int:
    """The number of classes of the network's paper, or ILSVRC's where nothing is published of the network."""
    return facts(name)["num_classes"] or DEFAULT_CLASSES


@cache
def describe_named(name: str, **options: Any) -> Description:
    """Describe the network of that key at its published input size, built on the meta device.

    `options` are those of `cnnbench.archs.registry.build`, which also says what it raises. ValueError also where
    nothing is published of the network, so that its size is not known.
    """
    known = facts(name)
    if known["input"]["size"] is None:
        raise ValueError(f"the input size of {name} is not published: build the network and describe that")
    with torch.device("meta"):
        model = build(name, **{"num_classes": known["num_classes"], **options})
    return describe(model, known["input"]["size"], options.get("in_channels", 3))


class _Recorder:
    """Hooks that turn every call of a leaf module into a Layer."""

    def __init__(self, tracer: Tracer) -> None:
        self.layers: list[Layer] = []
        self._tracer = tracer
        self._macs_before = 0
        self._seen: set[nn.Module] = set()

    def watch(self, name: str, module: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        """The hooks on `module` if it is a leaf, else none."""
        if next(module.children(), None) is not None:
            return []
        before = module.register_forward_pre_hook(lambda *_: self._enter())
        after = module.register_forward_hook(lambda module, inputs, output: self._leave(name, module, inputs, output))
        return [before, after]

    def _enter(self) -> None:
        self._macs_before = self._tracer.macs

    def _leave(self, name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        field = field_of(output)
        assert field is not None  # every output comes from the image
        first_call = module not in self._seen
        self._seen.add(module)
        kept = {x.untyped_storage()._cdata for x in inputs}
        self.layers.append(
            Layer(
                name=name,
                type=type(module).__name__,
                kernel=_pair(module, "kernel_size"),
                stride=_pair(module, "stride"),
                padding=_pair(module, "padding"),
                groups=getattr(module, "groups", None),
                output=tuple(output.shape[1:]),
                receptive_field=(field.height.size, field.width.size),
                jump=(field.height.jump, field.width.jump),
                start=(field.height.start, field.width.start),
                params=sum(p.numel() for p in module.parameters()) if first_call else 0,
                macs=self._tracer.macs - self._macs_before,
                activations_bytes=0 if output.untyped_storage()._cdata in kept else FLOAT32_BYTES * output.numel(),
            )
        )


def _pair(module: nn.Module, name: str) -> tuple[int, int] | None:
    value = getattr(module, name, None)
    return value if value is None or isinstance(value, tuple) else (value, value)
