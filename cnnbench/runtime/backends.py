"""What torch can do on each kind of device: one table. The rest of the package asks it, and names no device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

CPU = "cpu"
NO_VALUES = "meta"  # tensors of it have shapes alone, as what --dry-run is about


@dataclass(frozen=True)
class HostLock:
    """How host memory that is there already is pinned, for copies that run beside the computation, and how that ends:
    `lock` (address, bytes) -> whether it could be done; `unlock` (address)."""

    lock: Callable[[int, int], bool]
    unlock: Callable[[int], object]


@dataclass(frozen=True)
class Backend:
    """What a kind of device has. What one lacks is done the slower way, or refused in one sentence."""

    collectives: str | None  # of torch.distributed, between such devices; None: one process trains there
    streams: bool  # copies run beside the computation, and can be waited for
    lock: HostLock | None  # for memory that several processes share
    float64: bool  # else what needs it is computed on the CPU
    fp16: bool  # with loss scaling
    bf16: Callable[[], bool]  # in hardware
    half_by_itself: bool  # precision=auto takes bf16 where there is any
    channels_last: bool  # else images and weights stay contiguous
    counts_memory: bool  # torch tells the peak
    fused: bool  # bench's plain SGD is one kernel
    profiled: str | None  # the name of its part of torch.profiler


def _cuda_lock(address: int, size: int) -> bool:
    return torch.cuda.cudart().cudaHostRegister(address, size, 0) == 0


# cuda is ROCm too. No line for mps and xpu has been run on one: docs/devices.md.
BACKENDS = {
    CPU: Backend(
        collectives="gloo",
        streams=False,
        lock=None,
        float64=True,
        fp16=False,
        bf16=lambda: True,
        half_by_itself=False,
        channels_last=True,
        counts_memory=False,
        fused=False,
        profiled=None,
    ),
    "cuda": Backend(
        collectives="nccl",
        streams=True,
        lock=HostLock(_cuda_lock, lambda address: torch.cuda.cudart().cudaHostUnregister(address)),
        float64=True,
        fp16=True,
        bf16=lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        half_by_itself=True,
        channels_last=True,
        counts_memory=True,
        fused=True,
        profiled="CUDA",
    ),
    "mps": Backend(
        collectives=None,
        streams=False,  # torch.mps has one, and a copy that does not block may read memory that was freed
        lock=None,
        float64=False,
        fp16=True,
        bf16=lambda: torch.backends.mps.is_macos_or_newer(14, 0),
        half_by_itself=False,
        channels_last=False,
        counts_memory=False,
        fused=False,
        profiled=None,
    ),
    "xpu": Backend(
        collectives="xccl",
        streams=True,
        lock=None,  # torch registers no memory that is there already: slots are copied while the host waits
        float64=True,
        fp16=True,
        bf16=lambda: torch.xpu.is_bf16_supported(),
        half_by_itself=True,
        channels_last=True,
        counts_memory=True,
        fused=False,
        profiled="XPU",
    ),
}


def backend_of(device: torch.device | str) -> Backend:
    """What the kind of `device` has."""
    kind = device if isinstance(device, str) else device.type
    return BACKENDS[CPU if kind == NO_VALUES else kind]


def module_of(device: torch.device | str) -> ModuleType | Any:
    """torch's module for the kind of `device`, an accelerator: streams, events, memory, seeds."""
    return torch.get_device_module(device)


def accelerator() -> str | None:
    """The kind of accelerator that torch finds on this machine; None without one."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return None if found is None else found.type
