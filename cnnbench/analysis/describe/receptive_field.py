"""Receptive fields and multiply-adds, followed from tensor to tensor while a network runs.

`Tracer` watches every torch operation. Each map carries a `Field`; a convolution or a pooling widens it, a join
(addition, concatenation) takes the smallest interval that holds the fields of its inputs, everything else hands it on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


@dataclass(frozen=True)
class AxisField:
    """Along one axis: unit i of a map sees the input pixels start + i * jump ... start + i * jump + size - 1.

    `start` is negative where padding is seen. A map that has been averaged or flattened has jump 0: one unit that sees
    all. Theoretical values: `size` may exceed the image.
    """

    size: int = 1
    jump: float = 1  # whole, save after adaptive pooling by a fraction
    start: float = 0

    def window(self, kernel: int, stride: float = 1, padding: int = 0, dilation: int = 1) -> AxisField:
        """After a window slides over the map: size + (k - 1) jump, and jump times stride.

        `stride`: whole, save of adaptive pooling by a fraction.
        """
        size = self.size + math.ceil((kernel - 1) * dilation * self.jump)
        return AxisField(size, self.jump * stride, self.start - padding * self.jump)

    def whole(self, units: int) -> AxisField:
        """After all `units` of the axis are brought together."""
        return AxisField(self.size + math.ceil((units - 1) * self.jump), 0, self.start)

    def join(self, other: AxisField) -> AxisField:
        """The smallest interval that holds both."""
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return AxisField(math.ceil(end - start), max(self.jump, other.jump), start)


@dataclass(frozen=True)
class Field:
    """The receptive field of a map, by axis."""

    height: AxisField = AxisField()
    width: AxisField = AxisField()

    def join(self, other: Field) -> Field:
        """The smallest field that holds both."""
        return Field(self.height.join(other.height), self.width.join(other.width))


class Tracer(TorchDispatchMode):
    """While active, gives every tensor computed from `image` its field and counts multiply-adds.

    `macs`: multiply-adds of convolutions and matrix products so far. `used`: ids of all tensors that operations read.
    """

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.macs = 0
        self.used: set[int] = set()
        _mark(image, Field())

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = _shapes_of_norm(args[0]) if _is_norm_on_meta(operation, args) else operation(*args, **(kwargs or {}))
        inputs = [x for arg in args for x in (arg if isinstance(arg, list | tuple) else [arg])]
        inputs = [x for x in inputs if isinstance(x, torch.Tensor)]
        self.used.update(map(id, inputs))
        fields = [field for field in map(field_of, inputs) if field is not None]
        if fields:
            for output in result if isinstance(result, list | tuple) else [result]:
                if isinstance(output, torch.Tensor):
                    _mark(output, _after(operation, args, output, fields))
        self.macs += _macs(operation, args, result)
        return result


def _is_norm_on_meta(operation, args) -> bool:
    """Whether `operation` is batch normalisation in inference mode without data: torch is slow to find its shapes."""
    return operation is aten.native_batch_norm.default and args[0].is_meta and not args[5]


def _shapes_of_norm(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What batch normalisation gives in inference mode: its map, and no statistics."""
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _mark(tensor: torch.Tensor, field: Field) -> None:
    """Give `tensor` its field, as an attribute, which goes with it."""
    vars(tensor)["receptive_field"] = field


def field_of(tensor: torch.Tensor) -> Field | None:
    """The field that a Tracer gave to `tensor`; None for a weight."""
    return getattr(tensor, "receptive_field", None)


def _after(operation, args, output: torch.Tensor, fields: list[Field]) -> Field:
    """The field after `operation`, which read maps with `fields`."""
    field = fields[0]
    for other in fields[1:]:
        field = field.join(other)
    if operation in _WINDOWS:
        return _slide(field, *_WINDOWS[operation](*args))
    source = args[0]
    if operation is aten._adaptive_avg_pool2d.default:
        axes = zip((field.height, field.width), source.shape[-2:], output.shape[-2:], strict=True)
        return Field(*(_adapt(axis, n, m) for axis, n, m in axes))
    if operation is aten.constant_pad_nd.default:
        left, _, top = [*args[1], 0, 0][:3]
        return Field(field.height.window(1, padding=top), field.width.window(1, padding=left))
    if operation is aten.slice.Tensor and source.dim() == 4:
        return _subsample(field, source.dim(), *args[1:])
    is_map = isinstance(source, torch.Tensor) and source.dim() >= 4
    averaged = is_map and output.shape[-2:] == (1, 1) != source.shape[-2:]
    if is_map and (averaged or output.dim() <= 2):  # two or fewer: averaged or flattened, the units of a map meet
        return Field(field.height.whole(source.shape[-2]), field.width.whole(source.shape[-1]))
    return field


def _slide(field: Field, kernel, stride, padding, dilation) -> Field:
    rows, columns = zip(*(_pair(x) for x in (kernel, stride, padding, dilation)), strict=True)
    return Field(field.height.window(*rows), field.width.window(*columns))


def _adapt(axis: AxisField, n: int, m: int) -> AxisField:
    """Adaptive pooling of n units to m: unit i averages floor(i n / m) ... ceil((i + 1) n / m) - 1."""
    if m == 1:
        return axis.whole(n)
    kernel = max(-(-(i + 1) * n // m) - i * n // m for i in range(m))
    return axis.window(kernel, n // m if n % m == 0 else n / m)


def _subsample(field: Field, dims: int, dim: int = 0, start: int | None = 0, end=None, step: int = 1) -> Field:
    """x[..., start:end:step] along one axis of a map."""
    axes = [field.height, field.width]
    i = dim % dims - (dims - 2)
    if i >= 0:
        axes[i] = axes[i].window(1, step, -(start or 0))
    return Field(*axes)


def _pair(value) -> tuple[int, int]:
    return tuple(value) * 2 if len(value) == 1 else tuple(value)


# Arguments of an operation -> (kernel, stride, padding, dilation).
def _convolution(x, weight, bias, stride, padding, dilation, *_):
    return weight.shape[2:], stride, padding, dilation


def _max_pool(x, kernel, stride=(), padding=(0,), dilation=(1,), *_):
    return kernel, stride or kernel, padding, dilation


def _average_pool(x, kernel, stride=(), padding=(0,), *_):
    return kernel, stride or kernel, padding, (1,)


_WINDOWS: dict[Any, Callable[..., tuple[Any, Any, Any, Any]]] = {
    aten.convolution.default: _convolution,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten.avg_pool2d.default: _average_pool,
}


def _macs(operation, args, result) -> int:
    if operation is aten.convolution.default:
        return result.numel() * args[1][0].numel()
    if operation is aten.addmm.default:  # bias, input, weight
        return result.numel() * args[1].shape[1]
    if operation is aten.mm.default:
        return result.numel() * args[0].shape[1]
    return 0
