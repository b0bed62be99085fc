"""What of its machine a process uses: its device, and its share of the cores."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import torch

from cnnbench.runtime.backends import BACKENDS, CPU, accelerator, backend_of, module_of
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import place_in_group
from cnnbench.runtime.machine import processor, usable_cores
from cnnbench.runtime.slurm import cores_of_task

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # by which cuBLAS sums in one order, whatever runs beside it


def choose_device(name: str) -> str:
    """A key of BACKENDS for a configured device: "auto" is the accelerator that torch finds, else the CPU. UserError
    where it is missing."""
    found = accelerator()
    if name == "auto":
        return CPU if found is None or found not in BACKENDS else found
    if name not in (CPU, found):
        here = f"cpu or device={found}" if found in BACKENDS else "cpu"
        raise UserError(
            f"device={name}, but torch sees no GPU of that kind here: use device={here}, or a torch built for it"
        )
    return name


def choose_processes(configured: int | None, device: str) -> int:
    """How many processes to start on this machine: as configured, else one per GPU, or one on a CPU. UserError for
    several where the devices cannot speak to each other."""
    if backend_of(device).collectives is None:
        if configured not in (None, 1):
            raise UserError(f"processes={configured}, but torch trains in one process on device={device}: leave it out")
        return 1
    if configured is not None:
        return configured
    return module_of(device).device_count() if device != CPU else 1


def only_deterministic(wanted: bool) -> None:
    """Have torch take kernels alone that give the same bits again, or any; before a GPU first multiplies matrices."""
    if wanted:
        os.environ.setdefault(CUBLAS, ":4096:8")  # else torch refuses each product on a GPU of NVIDIA's
    if wanted != torch.are_deterministic_algorithms_enabled():  # a call of which imports the compiler
        torch.use_deterministic_algorithms(wanted)


def share_cores(world: int, device: str) -> None:
    """Give each of several processes on CPUs its share of this machine's cores; alone, torch's own choice stands."""
    if device == CPU and world > 1:
        torch.set_num_threads(_share_of_cores(world))


def choose_workers(configured: int | str | None, world: int) -> int:
    """Loader processes for each process: as many as configured, else this machine's usable cores shared out, at least
    one."""
    return configured if isinstance(configured, int) else _share_of_cores(world)


def _share_of_cores(world: int) -> int:
    """This machine's usable cores for each of the group's processes on it; of a task of Slurm its own."""
    place = place_in_group(os.environ)
    if own := cores_of_task(os.environ):
        return max(1, min(own, usable_cores()))
    return max(1, usable_cores() // (world if place is None else place.local_world))


def device_of(local_rank: int, device: str) -> torch.device:
    """The torch device on which the process `local_rank` of its machine computes."""
    return torch.device(CPU) if device == CPU else torch.device(device, _gpu(local_rank, device))


def _gpu(local_rank: int, device: str) -> int:
    """Number of its GPU. Where the launcher shows each process only its own, it is the first."""
    visible = module_of(device).device_count()
    if visible == 1:
        return 0
    if local_rank >= visible:
        raise UserError(
            f"process {local_rank} of this machine has no GPU: the machine has {visible}, so start at most "
            f"{visible} processes on it"
        )
    return local_rank


def on_cpu(device: torch.device) -> bool:
    return device.type == CPU


def device_name(device: torch.device) -> str:
    """The device's name as its maker gave it, or the processor's, of which an integrated GPU is a part."""
    if on_cpu(device):
        return processor()
    name = getattr(module_of(device), "get_device_name", None)
    return str(name(device)) if name is not None else f"{processor()} ({device.type})"


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked for."""
    if on_cpu(device):
        return
    module = module_of(device)
    module.synchronize(device) if backend_of(device).streams else module.synchronize()


def profiler_activities(device: torch.device | str) -> list[torch.profiler.ProfilerActivity]:
    """What torch.profiler is to record of work on `device`: the host's part, and the device's where it can."""
    activity, name = torch.profiler.ProfilerActivity, backend_of(device).profiled
    return [activity.CPU] if name is None else [activity.CPU, getattr(activity, name)]


def seed_device(device: torch.device, seed: int) -> None:
    """Seed the generator of the host and that of `device`, whose random numbers follow."""
    # torch.manual_seed asks for every kind of device; for each that was never used it formats a stack trace.
    torch.default_generator.manual_seed(seed)
    if not on_cpu(device):
        module_of(device).manual_seed(seed)


def pins(device: torch.device | str) -> bool:
    """Whether the slots of a loader are to be pinned for copies to `device`."""
    return backend_of(device).lock is not None


def pinned(memory: torch.Tensor) -> Callable[[], object] | None:
    """Pin `memory` of the host for copies to this machine's accelerator that run beside the computation; what ends
    that, or None where it could not be done."""
    lock, address = backend_of(choose_device("auto")).lock, memory.data_ptr()
    if lock is None or not lock.lock(address, memory.numel() * memory.itemsize):
        return None
    return lambda: lock.unlock(address)


def shares_memory(device: torch.device) -> bool:
    """Whether processes on devices of this kind talk by way of the machine's shared memory: NCCL's do."""
    return backend_of(device).collectives == "nccl"


def to_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A small tensor of the CPU on `device`, without waiting for what runs there where that can be had (hence by way of
    pinned memory)."""
    return values.pin_memory().to(device, non_blocking=True) if backend_of(device).streams else values.to(device)


def exact(values: torch.Tensor) -> torch.Tensor:
    """`values` in float64: where they are, or on the CPU if their device has no such numbers."""
    return values.double() if backend_of(values.device).float64 else values.cpu().double()


def exact_place(device: torch.device) -> torch.device:
    """Where `exact` puts what is on `device`."""
    return device if backend_of(device).float64 else torch.device(CPU)


def memory_format(channels_last: bool | str, device: torch.device | str) -> torch.memory_format:
    """The layout of images and weights: channels last where it is wanted, or not chosen yet, and the device has it."""
    wanted = channels_last and backend_of(device).channels_last
    return torch.channels_last if wanted else torch.contiguous_format


def without_deterministic_kernel(error: BaseException) -> str | None:
    """The operation that, as `error` says, has no deterministic kernel on its device; None if it says no such thing."""
    found = re.match(r"(\w+) does not have a deterministic implementation", str(error))
    return None if found is None else found[1]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that a device's memory ran out; mps and the CPU have no class of their own for it."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("backend out of memory", "DefaultCPUAllocator: can't allocate memory"))
    )
