"""A simulated accelerator: a device of its own in pure Python, on which the real commands run in the tests.

    def test_it(command, accelerator):            # the fixture of tests/conftest.py; device=auto finds the device
        assert command("train", "recipe=quick").returncode == 0
        accelerator.waits                          # how often the host has waited, by kind: {"value": 3, "event": 40}
        accelerator.where                          # and at which lines of cnnbench, of the kinds that read a value
        accelerator.memory.peak                    # bytes handed out at most; memory.allocated: now
        accelerator.memory.limit = 1 << 20         # more raises torch.OutOfMemoryError
        accelerator.forbidden = {torch.float64}    # a tensor of this type on the device raises TypeError, as on mps

What it has in common with a GPU:
- tensors of two devices never mix, but for single numbers of the host;
- nothing is computed when it is launched. A stream does its tasks in their order when somebody waits for it or for an
  event in it, and some of them at random moments before (the seed of `SimulatedDevice`). What one stream makes another
  one may only read once it waits for it: else an AssertionError;
- a copy from pinned memory with non_blocking reads that memory when it is done, not when it is launched; one to the
  host leaves garbage there until then. Other copies wait, and are counted ("value"), as is all that needs a value;
- memory is handed out at the launch, in multiples of 512 bytes, and given back with the last tensor that lies in it
  (a lack of it within a backward pass is raised just after it);
- memory that nobody has written to yet holds NaN;
- random numbers come from a generator of its own, in the order of the launches;
- torch's table of autocast for devices of this kind is in force, and dtypes can be forbidden.

What it cannot show: kernels and their numerics (the CPU's are used), speed, scratch memory within an operation,
memory that is taken again while another stream still reads it (record_stream does nothing), collectives, torch.compile.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils import backend_registration

import cnnbench
from tests.simulated.autocast import Table
from tests.simulated.memory import Memory
from tests.simulated.streams import Schedule, Stream
from tests.simulated.tensor import Kernels, active

NAME = "sim"
PLENTY = 1 << 40
PACKAGE = str(Path(cnnbench.__file__).parent)


class SimulatedDevice:
    """One device: its streams, memory, random numbers, and what was asked of it. Its methods below `Module` are those
    of torch.cuda, by the same names."""

    def __init__(self, seed: int = 0) -> None:
        self.name, self.torch_device = NAME, torch.device(NAME, 0)
        self.schedule, self.memory = Schedule(seed), Memory(PLENTY)
        self.waits: Counter[str] = self.schedule.waits
        self.where: Counter[str] = Counter()
        self.forbidden: set[torch.dtype] = set()
        self.known: dict[Any, Any] = {}  # what operations give, by the layouts of their arguments
        self._pinned: dict[int, tuple[int, Any]] = {}  # address of host memory -> its end, and what keeps it
        self.seed, self.drawn = 0, 0

    def wait_for_value(self, why: str) -> None:
        """The host needs a value: note it, and do all that was launched on the current stream."""
        self.waits["value"] += 1
        self.where[f"{why}: {_line()}"] += 1
        self.schedule.current.drain()

    def check_dtype(self, dtype: torch.dtype) -> None:
        if dtype in self.forbidden:
            raise TypeError(f"{dtype} on {NAME}: the device does not have this type ({_line()})")

    def next_seed(self) -> int:
        self.drawn += 1
        return hash((self.seed, self.drawn)) & (1 << 62) - 1

    def pinned(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor of the host lies in memory that was pinned."""
        address = tensor.data_ptr()
        return any(start <= address < end for start, (end, _) in self._pinned.items())

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of `tensor` in pinned memory."""
        return self.keep_pinned(tensor.clone())

    def keep_pinned(self, tensor: torch.Tensor) -> torch.Tensor:
        """`tensor`, which counts as pinned from now on."""
        self.lock(tensor.data_ptr(), tensor.numel() * tensor.itemsize, tensor)
        return tensor

    def lock(self, address: int, size: int, keep: Any = None) -> bool:
        """Pin host memory that is there already, as cudaHostRegister does."""
        self._pinned[address] = address + size, keep
        return True

    def unlock(self, address: int) -> None:
        del self._pinned[address]


class Module:
    """`torch.sim`, by the names of torch.cuda; what it says is of the device that is there now, if one is."""

    def __init__(self) -> None:
        self.device: SimulatedDevice | None = None
        self.registered: tuple[Table, Kernels] | None = None  # which end with these objects

    def _here(self) -> SimulatedDevice:
        assert self.device is not None, "the simulated device is used outside its fixture"
        return self.device

    def is_initialized(self) -> bool:
        return self.device is not None

    def is_available(self) -> bool:
        return self.device is not None

    def device_count(self) -> int:
        return int(self.device is not None)

    def current_device(self) -> int:
        return 0

    def set_device(self, _: Any) -> None:
        """There is one."""

    def get_device_name(self, _: Any = None) -> str:
        return "simulated accelerator"

    def _is_in_bad_fork(self) -> bool:
        return False

    def _lazy_init(self) -> None:
        """It is there."""

    def manual_seed(self, seed: int) -> None:
        if self.device is not None:
            self.device.seed, self.device.drawn = seed, 0

    manual_seed_all = manual_seed

    def get_rng_state(self, _: Any = None) -> torch.Tensor:
        return torch.tensor([self._here().seed, self._here().drawn])

    def set_rng_state(self, state: torch.Tensor, _: Any = None) -> None:
        self._here().seed, self._here().drawn = state.tolist()

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def is_bf16_supported(self, including_emulation: bool = True) -> bool:
        return torch.bfloat16 not in self._here().forbidden

    def Stream(self, *_: Any, **__: Any) -> Stream:
        return self._here().schedule.stream()

    def Event(self, *_: Any, **__: Any) -> Any:
        return self._here().schedule.event()

    def current_stream(self, _: Any = None) -> Stream:
        return self._here().schedule.current

    def stream(self, stream: Stream) -> Any:
        return self._here().schedule.using(stream)

    def synchronize(self, _: Any = None) -> None:
        self._here().waits["device"] += 1
        self._here().schedule.drain()

    def memory_allocated(self, _: Any = None) -> int:
        return self._here().memory.allocated

    def max_memory_allocated(self, _: Any = None) -> int:
        return self._here().memory.peak

    def reset_peak_memory_stats(self, _: Any = None) -> None:
        self._here().memory.peak = self._here().memory.allocated

    def mem_get_info(self, _: Any = None) -> tuple[int, int]:
        memory = self._here().memory
        return memory.limit - memory.allocated, memory.limit

    def empty_cache(self) -> None:
        """Nothing is kept that is not handed out."""


class _Hook(backend_registration._DummyPrivateUse1Hook):
    """What torch's C++ asks: there is such a device while a test has one."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def is_available(self) -> bool:
        return self.module.is_available()


def _registered() -> Module:
    """`torch.sim`, registered once for this process: torch has one place for a device of somebody else's."""
    if hasattr(torch, NAME):
        return getattr(torch, NAME)
    # The first backward pass starts a thread for each kind of device that there is, and no process may be forked to
    # compute gradients after that.
    torch.ones(1, requires_grad=True).sum().backward()
    module = Module()
    backend_registration._setup_privateuseone_for_python_backend(NAME, module, _Hook(module))
    module.registered = Table(NAME), Kernels(module._here)
    return module


def _line() -> str:
    """The innermost line of cnnbench that is being run."""
    for frame in reversed(traceback.extract_stack()):
        if frame.filename.startswith(PACKAGE):
            return f"{frame.filename[len(PACKAGE) + 1 :]}, line {frame.lineno} ({frame.name})"
    return "a test"


@contextmanager
def simulated_device(seed: int = 0) -> Iterator[SimulatedDevice]:
    """Within this block this machine has one accelerator, the simulated one, in this process and this thread."""
    module, device = _registered(), SimulatedDevice(seed)
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # else `.to` would change a tensor's type in place
    module.device = device
    try:
        with active(device):
            yield device
    finally:
        module.device = None
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
