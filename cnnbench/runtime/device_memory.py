"""Memory of an accelerator, as torch's allocator counts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnnbench.runtime.backends import backend_of, module_of
from cnnbench.runtime.devices import on_cpu, synchronize


@dataclass(frozen=True)
class PeakMemory:
    """The most bytes that the allocator of `device` has handed out at a time since this was made."""

    device: torch.device

    def __post_init__(self) -> None:
        if self.counted:
            module_of(self.device).reset_peak_memory_stats(self.device)

    @property
    def counted(self) -> bool:
        return backend_of(self.device).counts_memory

    def read(self) -> int | None:
        """That number; None where torch does not count."""
        return int(module_of(self.device).max_memory_allocated(self.device)) if self.counted else None


def peak_of(step: Callable[[], object], device: torch.device) -> int | None:
    """Bytes that `step` had allocated at most, above what was there before it; None where torch does not count."""
    synchronize(device)
    peak = PeakMemory(device)
    before = int(module_of(device).memory_allocated(device)) if peak.counted else 0
    step()
    synchronize(device)
    most = peak.read()
    return None if most is None else most - before


def drop_cache(device: torch.device) -> None:
    """Have the allocator of an accelerator give back what it keeps for later; that of a CPU keeps nothing."""
    if not on_cpu(device):
        module_of(device).empty_cache()


def total_memory(device: torch.device) -> int | None:
    """Bytes that an accelerator has; None where torch does not tell."""
    ask = getattr(module_of(device), "mem_get_info", None)
    return None if ask is None else int(ask(device)[1])
