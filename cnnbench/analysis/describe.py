"""A network layer by layer: output size, receptive field, parameters, multiply-adds and activation memory.

The network runs once in inference mode on the meta device: shapes only, no data and no memory.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from cnnbench.analysis.receptive_field import Tracer, field_of
from cnnbench.analysis.tables import Table, render
from cnnbench.archs.facts import facts
from cnnbench.archs.registry import build

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """One call of one leaf module; a module that runs twice has two rows, its parameters in the first.

    Pairs are (height, width). None: the layer has no such thing. `output`: (C, H, W), or (C,) after flattening.
    `receptive_field`: input pixels that one unit can see, padding included; `jump`: pixels between the fields of
    neighbours, 0 once the whole map is one unit; `start`: the first pixel that unit 0 sees. `macs`: multiply-adds.
    `activations_bytes`: the output in float32, 0 where the layer hands on its input or overwrites it.
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
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    on_meta = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    dtype = next((tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()), torch.float32)
    image = torch.empty(1, in_channels, image_size, image_size, dtype=dtype, device="meta")
    training = {module: module.training for module in model.modules()}
    tracer = Tracer(image)
    recorder = _Recorder(tracer)
    hooks = [hook for name, module in model.named_modules() for hook in recorder.watch(name, module)]
    model.eval()
    try:
        with torch.no_grad(), tracer:
            functional_call(model, on_meta, (image,))
    except RuntimeError as error:
        raise ValueError(f"the network cannot take {in_channels} x {image_size} x {image_size}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
        for module, flag in training.items():
            module.training = flag
    params = {name: parameter.numel() for name, parameter in model.named_parameters()}
    used = sum(count for name, count in params.items() if id(on_meta[name]) in tracer.used)
    memory = sum(layer.activations_bytes for layer in recorder.layers)
    totals = Totals(used, sum(params.values()), tracer.macs, memory)
    return Description(image_size, in_channels, tuple(recorder.layers), totals)


@cache
def describe_named(name: str, **options: Any) -> Description:
    """Describe the network of that key at its published input size, built on the meta device.

    `options` are those of `cnnbench.archs.registry.build`, which also says what it raises.
    """
    known = facts(name)
    with torch.device("meta"):
        model = build(name, **{"num_classes": known["num_classes"], **options})
    return describe(model, known["input"]["size"], options.get("in_channels", 3))


def render_description(
    description: Description, form: str = "table", title: str = "", known: dict[str, Any] | None = None
) -> str:
    """`description` as one text in one of tables.FORMS; JSON holds `layers` and `totals`, with whole names.

    `known`: the facts of the network (archs.facts), whose totals are then set beside the counted ones.
    """
    if form == "json":
        contents = {"layers": [asdict(layer) for layer in description.layers], "totals": asdict(description.totals)}
        if known:
            contents["published"] = {
                "params": known["params"]["total"],
                "macs": known["macs"],
                "quoted": known["quoted"],
            }
        return json.dumps(contents, indent=2)
    table = as_table(description, title)
    return render(
        replace(table, notes=[*table.notes, *_published(description.totals, known)]) if known else table, form
    )


def _published(totals: Totals, known: dict[str, Any]) -> list[str]:
    """The totals of the published network with the deviation of the counted ones, and what its paper says of them."""
    size, classes = known["input"]["size"], known["num_classes"]
    if size is None:
        return ["nothing is published of this network here: there are no totals to compare with"]
    parts = [
        f"{published:,} {name} ({(counted - published) / published:+.2%})"
        for name, counted, published in (
            ("parameters", totals.params, known["params"]["total"]),
            ("multiply-adds", totals.macs, known["macs"]),
        )
        if published
    ]
    quoted = "; ".join(f"{quote['what']} {quote['value']}" for quote in known["quoted"])
    return [
        f"reference, for {size}x{size} and {classes} classes, and the deviation from it: {', '.join(parts)}",
        *([f"the paper or its release says: {quoted}"] if quoted else []),
    ]


def as_table(description: Description, title: str = "") -> Table:
    """The layers as rows, the totals as notes."""
    columns = {
        "layer": "",
        "type": "",
        "window": "",
        "output": "",
        "field": "",
        "jump": "",
        "params": "",
        "MACs (M)": ",.2f",
        "memory (KiB)": ",.1f",
    }
    totals = description.totals
    aux = totals.params_with_aux - totals.params
    notes = [
        f"{totals.params:,} parameters" + (f" ({totals.params_with_aux:,} with auxiliary heads)" if aux else ""),
        f"{totals.macs:,} multiply-adds (MACs) of convolutions and fully connected layers",
        f"{totals.activations_bytes / 2**20:,.1f} MiB of layer outputs, float32, one image; a layer that hands on or "
        "overwrites its input counts 0, sums and concatenations between layers are not counted",
        "window: kernel/stride, p padding, g groups. field: receptive field in input pixels, padding included, which "
        "may exceed the image. jump: pixels between the fields of neighbouring units",
    ]
    return Table(title, columns, [_row(layer) for layer in description.layers], notes)


def _row(layer: Layer) -> tuple:
    return (
        layer.name,
        layer.type,
        _window(layer),
        "x".join(map(str, layer.output)),
        _side(layer.receptive_field),
        _side(layer.jump) if any(layer.jump) else None,
        layer.params,
        layer.macs / 1e6,
        layer.activations_bytes / 2**10,
    )


def _window(layer: Layer) -> str | None:
    if layer.kernel is None:
        return None
    text = "x".join(map(str, layer.kernel)) + f"/{_side(layer.stride)}"
    text += f" p{_side(layer.padding)}" if any(layer.padding) else ""
    return text + (f" g{layer.groups}" if layer.groups not in (None, 1) else "")


def _side(pair: tuple[float, float]) -> str:
    """One number for both axes, or both numbers where they differ."""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"


class _Recorder:
    """Hooks that turn every call of a leaf module into a Layer."""

    def __init__(self, tracer: Tracer) -> None:
        self.layers: list[Layer] = []
        self._tracer = tracer
        self._macs_before = 0
        self._seen: set[nn.Module] = set()

    def watch(self, name: str, module: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        if next(module.children(), None) is not None:
            return []
        before = module.register_forward_pre_hook(lambda *_: self._enter())
        after = module.register_forward_hook(lambda module, inputs, output: self._leave(name, module, inputs, output))
        return [before, after]

    def _enter(self) -> None:
        self._macs_before = self._tracer.macs

    def _leave(self, name: str, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        field = field_of(output)
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
