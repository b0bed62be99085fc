"""The simulated device's line in the table of what torch can do on each kind of device."""

from __future__ import annotations

import torch

from cnnbench.runtime.backends import Backend, HostLock
from tests.simulated.device import SimulatedDevice


def backend_row(device: SimulatedDevice) -> Backend:
    """All that a GPU has but collectives; float64 and bf16 where they are not forbidden."""
    return Backend(
        collectives=None,
        streams=True,
        lock=HostLock(device.lock, device.unlock),
        float64=torch.float64 not in device.forbidden,
        fp16=True,
        bf16=lambda: torch.bfloat16 not in device.forbidden,
        half_by_itself=True,
        channels_last=True,
        counts_memory=True,
        fused=True,
        profiled=None,
    )
