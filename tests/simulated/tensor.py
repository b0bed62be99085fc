"""Tensors of the simulated device, and what becomes of an operation on them: launched now, done later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from tests.simulated.memory import Buffer

if TYPE_CHECKING:
    from tests.simulated.device import SimulatedDevice

COPIES = ("aten::_to_copy", "aten::copy_")
# Operations that change a tensor's shape in place would leave the tensor that Python holds with its old one.
RESHAPING = ("aten::resize_", "aten::set_", "aten::t_", "aten::squeeze_", "aten::unsqueeze_", "aten::transpose_")
WAITING = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)  # the host has to know a value
EMPTY = ("aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty", "aten::new_empty_strided")
GARBAGE = 0x5A  # what lies in each byte of host memory that a copy has not reached yet


class Box:
    """The values of a tensor, on the CPU; None until the operation that makes them is done. Of a view `look` finds them
    in the tensor that it is a view of: a view is nothing that a stream does."""

    __slots__ = ("look", "real")

    def __init__(self) -> None:
        self.real: torch.Tensor | None = None
        self.look: Callable[[], torch.Tensor] | None = None


class SimTensor(torch.Tensor):
    """A tensor of the simulated device: shape and type are known, its values lie in `box`, some time."""

    box: Box
    buffer: Buffer

    __torch_function__ = torch._C._disabled_torch_function_impl  # else results would be made this class once more

    @staticmethod
    def make(device: SimulatedDevice, like: Layout, box: Box, buffer: Buffer) -> SimTensor:
        own = torch.Tensor._make_wrapper_subclass(
            SimTensor,
            like.shape,
            strides=like.stride,
            storage_offset=like.offset,
            dtype=like.dtype,
            device=device.torch_device,
        )
        own.box, own.buffer = box, buffer
        return own

    @classmethod
    def __torch_dispatch__(cls, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func}: a tensor of the simulated device is used where there is none (see device.py)")

    def __deepcopy__(self, memo: dict[int, Any]) -> SimTensor:
        """A tensor of its own; torch's way would copy the box as it is now."""
        if id(self) not in memo:
            own = self.detach().clone().requires_grad_(self.requires_grad)
            own._is_param = getattr(self, "_is_param", False)
            memo[id(self)] = own
        return memo[id(self)]

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self, **_: Any) -> str:
        return f"SimTensor({tuple(self.shape)}, {self.dtype})"


@dataclass(frozen=True)
class Layout:
    """What is known of a tensor before its values are."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @staticmethod
    def of(tensor: torch.Tensor) -> Layout:
        return Layout(tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype)

    def meta(self) -> torch.Tensor:
        """A tensor of this layout without values."""
        whole = sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True)) + 1 + self.offset
        memory = torch.empty(0 if 0 in self.shape else whole, dtype=self.dtype, device="meta")
        return memory.as_strided(self.shape, self.stride, self.offset if memory.numel() else 0)

    @property
    def bytes(self) -> int:
        whole = sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True)) + 1
        return 0 if 0 in self.shape else whole * self.dtype.itemsize


@dataclass(frozen=True)
class Output:
    """What an operation gives: one of its arguments itself (`same`), a view of one (`view_of`), or a new tensor."""

    layout: Layout
    same: int | None = None
    view_of: int | None = None


class Mode(TorchDispatchMode):
    """Within this mode operations on tensors of `device`, and those that make one, are launched there."""

    def __init__(self, device: SimulatedDevice) -> None:
        super().__init__()
        self.device = device
        self.made_of_others: dict[Any, bool] = {}

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func._schema.name
        if name in ("aten::is_pinned", "aten::_pin_memory") and not isinstance(args[0], SimTensor):
            return self.device.pinned(args[0]) if name == "aten::is_pinned" else self.device.pin(args[0])
        target = kwargs.get("device")
        there = target is not None and torch.device(target).type == self.device.name
        if not there and not any(isinstance(each, SimTensor) for each in pytree.arg_tree_leaves(*args, **kwargs)):
            return func(*args, **kwargs)
        if name == "aten::record_stream":
            return None
        self.device.memory.check()
        if func not in self.made_of_others:  # in inference mode torch leaves it to us to take them apart
            self.made_of_others[func] = torch._C._dispatch_has_kernel_for_dispatch_key(
                func.name(), "CompositeImplicitAutograd"
            )
        if self.made_of_others[func]:
            with self:
                return func.decompose(*args, **kwargs)
        if name in COPIES:
            return _copy(self.device, func, args, kwargs)
        if target is not None and not there:  # a tensor of the host that is like one here
            like = [Layout.of(each).meta() if isinstance(each, SimTensor) else each for each in args]
            return func(*like, **kwargs)
        return _operation(self.device, func, args, kwargs)


def _operation(device: SimulatedDevice, func: Any, args: Any, kwargs: Any) -> Any:
    """What `func` gives on the device."""
    name = func._schema.name
    if name in RESHAPING:
        raise NotImplementedError(f"{name} is not simulated: it would change a tensor's shape in place")
    kwargs = {key: value for key, value in kwargs.items() if key != "pin_memory"}
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    flat, form = pytree.tree_flatten((args, kwargs))
    flat = [_on_device(device, name, each) for each in flat]
    if any(tag in func.tags for tag in WAITING):
        device.wait_for_value(name)
        outputs = None
    else:
        outputs = _outputs(device, func, flat, form)
    if outputs is None:
        return _at_once(device, func, flat, form)
    return _launch(device, _seeded(device, func), flat, form, outputs)


def _on_device(device: SimulatedDevice, name: str, value: Any) -> Any:
    """An argument as the device takes it: numbers of the host as they are now, no tensor of the host."""
    if not isinstance(value, torch.Tensor) or isinstance(value, SimTensor):
        return value
    if value.dim() > 0:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {device.torch_device} and "
            f"{value.device}! ({name}, shape {tuple(value.shape)})"
        )
    return value.clone()


def _seeded(device: SimulatedDevice, func: Any) -> Callable[..., Any]:
    """`func`; its random numbers come from the device's own generator, as it is at the launch, and memory that it
    leaves without values holds garbage."""
    if func._schema.name in EMPTY:
        return lambda *args, **kwargs: _spoilt(func(*args, **kwargs))
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return func
    seed = device.next_seed()

    def draw(*args: Any, **kwargs: Any) -> Any:
        before = torch.default_generator.get_state()
        torch.default_generator.manual_seed(seed)
        try:
            return func(*args, **kwargs)
        finally:
            torch.default_generator.set_state(before)

    return draw


def _spoilt(memory: torch.Tensor) -> torch.Tensor:
    """Memory with what nobody has written there: NaN where there is one."""
    return memory.fill_(torch.nan if memory.is_floating_point() else GARBAGE)


def _outputs(device: SimulatedDevice, func: Any, flat: list[Any], form: Any) -> tuple[list[Any], Any] | None:
    """What `func` will give, by torch's own rules for tensors without values, and its tree; None without such rules."""
    key = (func, form, tuple(_key(each) for each in flat))
    if key not in device.known:
        metas = [Layout.of(each).meta() if isinstance(each, torch.Tensor) else _to_meta(each) for each in flat]
        args, kwargs = pytree.tree_unflatten(metas, form)
        try:
            given, tree = pytree.tree_flatten(func(*args, **kwargs))
        except NotImplementedError:
            device.known[key] = None
        else:
            device.known[key] = [_output(each, metas) for each in given], tree
    return device.known[key]


def _to_meta(value: Any) -> Any:
    return torch.device("meta") if isinstance(value, torch.device) else value


def _key(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return Layout.of(value)
    return float if isinstance(value, float) else (type(value), value)  # shapes do not depend on the former


def _output(value: Any, arguments: list[Any]) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    for place, argument in enumerate(arguments):
        if argument is value:
            return Output(Layout.of(value), same=place)
    for place, argument in enumerate(arguments):
        if isinstance(argument, torch.Tensor) and argument.untyped_storage()._cdata == value.untyped_storage()._cdata:
            return Output(Layout.of(value), view_of=place)
    return Output(Layout.of(value))


def _launch(
    device: SimulatedDevice, func: Callable[..., Any], flat: list[Any], form: Any, outputs: tuple[list[Any], Any]
) -> Any:
    given = [_given(device, each, flat) for each in outputs[0]]
    boxes = [each.box if isinstance(each, SimTensor) else each for each in flat]
    targets = [
        (made.box, output.layout) if isinstance(output, Output) and output.same is None else None
        for made, output in zip(given, outputs[0], strict=True)
    ]
    if all(isinstance(each, Output) and each.view_of is not None for each in outputs[0]):
        for number, made in enumerate(given):
            made.box.look = partial(_view, func, boxes, form, number)
    else:
        device.schedule.current.launch(partial(_do, func, boxes, form, targets))
    return pytree.tree_unflatten(given, outputs[1])


def _given(device: SimulatedDevice, output: Any, flat: list[Any]) -> Any:
    if not isinstance(output, Output):
        return output
    if output.same is not None:
        return flat[output.same]
    device.check_dtype(output.layout.dtype)
    if output.view_of is None:
        return SimTensor.make(device, output.layout, Box(), device.memory.take(output.layout.bytes))
    base = flat[output.view_of]
    with torch.inference_mode(base.is_inference()):  # as the tensor is that it is a view of, so is it
        return SimTensor.make(device, output.layout, Box(), base.buffer)


def _do(func: Callable[..., Any], flat: list[Any], form: Any, targets: list[tuple[Box, Layout] | None]) -> None:
    """Compute, with the values that the arguments have now, and put what comes out into the boxes of `targets`."""
    args, kwargs = pytree.tree_unflatten([_real(each, func) for each in flat], form)
    for value, target in zip(pytree.tree_leaves(func(*args, **kwargs)), targets, strict=True):
        if target is not None:
            box, layout = target
            box.real = _laid_out(value, layout)


def _view(func: Callable[..., Any], flat: list[Any], form: Any, number: int) -> torch.Tensor:
    args, kwargs = pytree.tree_unflatten([_real(each) for each in flat], form)
    return pytree.tree_leaves(func(*args, **kwargs))[number]


def _real(value: Any, reader: object = "a copy") -> Any:
    if not isinstance(value, Box):
        return value
    if value.real is None and value.look is not None:
        value.real = value.look()
    if value.real is None:
        raise AssertionError(f"a stream has not waited for another one, which has not made yet what {reader} reads")
    return value.real


def _laid_out(value: torch.Tensor, layout: Layout) -> torch.Tensor:
    """`value` with the strides that were promised; an empty one where the CPU, which needs none, leaves it out."""
    if not value.numel():
        return value
    if value.shape != layout.shape or value.dtype != layout.dtype:
        raise AssertionError(f"{tuple(value.shape)} {value.dtype} came out where {layout} was promised")
    return value if value.stride() == layout.stride else value.new_empty_strided(*_form(layout)).copy_(value)


def _form(layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return layout.shape, layout.stride


def _at_once(device: SimulatedDevice, func: Any, flat: list[Any], form: Any) -> Any:
    """What `func` gives where its outputs' shapes are known by computing them alone."""
    device.schedule.current.drain()
    reals = [_real(each.box) if isinstance(each, SimTensor) else each for each in flat]
    args, kwargs = pytree.tree_unflatten(reals, form)
    given, tree = pytree.tree_flatten(_seeded(device, func)(*args, **kwargs))
    made = []
    for value in given:
        output = _output(value, reals)
        own = _given(device, output, flat)
        if isinstance(output, Output) and output.same is None:
            own.box.real = value
        made.append(own)
    return pytree.tree_unflatten(made, tree)


def _copy(device: SimulatedDevice, func: Any, args: Any, kwargs: Any) -> Any:
    """Copies to the device, from it, and on it. Those that do not block, of pinned memory, happen some time later."""
    into = args[0] if func._schema.name == "aten::copy_" else None
    source = args[0] if into is None else args[1]
    to_host = isinstance(source, SimTensor) and (
        not isinstance(into, SimTensor)
        if into is not None
        else kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cpu"
    )
    if to_host:
        return _copy_to_host(device, source, into, kwargs, blocking=not _non_blocking(args, kwargs))
    if isinstance(source, SimTensor):
        return _operation(device, func, args, {key: value for key, value in kwargs.items() if key != "non_blocking"})
    blocking = not _non_blocking(args, kwargs)
    seen = source if device.pinned(source) and not blocking else source.clone()
    made = _copy_to_device(device, func, seen, into, kwargs)
    if blocking:
        device.wait_for_value("copy to the device")
    return made


def _non_blocking(args: Any, kwargs: Any) -> bool:
    return bool(kwargs.get("non_blocking", len(args) > 2 and args[2]))


def _copy_to_device(device: SimulatedDevice, func: Any, source: torch.Tensor, into: Any, kwargs: Any) -> SimTensor:
    if into is not None:
        device.schedule.current.launch(partial(_put, into.box, source))
        return into
    kwargs = {key: value for key, value in kwargs.items() if key not in ("device", "non_blocking", "pin_memory")}
    like = func(Layout.of(source).meta(), **kwargs)
    layout = Layout.of(like)
    device.check_dtype(layout.dtype)
    made = SimTensor.make(device, layout, Box(), device.memory.take(layout.bytes))
    box = made.box

    def arrive() -> None:
        box.real = _laid_out(func(source, **kwargs), layout)

    device.schedule.current.launch(arrive)
    return made


def _copy_to_host(
    device: SimulatedDevice, source: SimTensor, into: torch.Tensor | None, kwargs: Any, blocking: bool
) -> torch.Tensor:
    if into is None:
        wanted = {key: kwargs[key] for key in ("dtype", "memory_format") if kwargs.get(key) is not None}
        into = torch.empty_like(Layout.of(source).meta(), device="cpu", **wanted)
        if into.numel():
            into.untyped_storage().fill_(GARBAGE)
        device.keep_pinned(into)
    arrive = partial(_put, into, source.box)
    if blocking or not device.pinned(into):
        device.wait_for_value("copy to the host")
        arrive()
    else:
        device.schedule.current.launch(arrive)
    return into


def _put(into: Box | torch.Tensor, source: Box | torch.Tensor) -> None:
    _real(into).copy_(_real(source))


class Kernels:
    """What torch.tensor(..., device="sim") calls, which goes by no mode; `device` tells which device there is."""

    def __init__(self, device: Callable[[], SimulatedDevice]) -> None:
        self.library = torch.library.Library("aten", "IMPL", "PrivateUse1")
        make, copy = torch.ops.aten.empty_strided.default, torch.ops.aten.copy_.default
        self.library.impl("empty_strided", lambda *args, **kwargs: _operation(device(), make, args, kwargs))
        self.library.impl("_copy_from", lambda source, into, block=False: _copy(device(), copy, (into, source), {}))


@contextmanager
def active(device: SimulatedDevice) -> Iterator[None]:
    """Within this block there is the device, and backward passes stay in the thread that the mode is in."""
    with torch.autograd.set_multithreading_enabled(False), Mode(device):
        yield
