"""What is known of this machine's accelerators: names, memory, driver, clocks; asked without taking memory."""

from __future__ import annotations

import subprocess
from typing import Any

import torch

from cnnbench.runtime.backends import accelerator, module_of

SECONDS = 10.0  # in which the driver's tool has answered
# Our names -> those of `nvidia-smi --query-gpu`; all but the first two are numbers.
NVIDIA = {
    "name": "name",
    "driver": "driver_version",
    "memory_mib": "memory.total",
    "sm_mhz": "clocks.sm",
    "most_sm_mhz": "clocks.max.sm",
    "memory_mhz": "clocks.mem",
    "power_limit_w": "power.limit",
}


def accelerator_facts() -> dict[str, Any] | None:
    """Kind, number and toolkit of the accelerators that torch finds, and of each what its driver says, where it says
    so; None without one."""
    kind = accelerator()
    if kind is None:
        return None
    return {
        "kind": kind,
        "count": module_of(kind).device_count(),
        "toolkit": toolkit(),
        "devices": nvidia_devices() if torch.version.cuda is not None and kind == "cuda" else [],
    }


def toolkit() -> str | None:
    """What torch was built with for the accelerator here, in words."""
    versions = {"CUDA": torch.version.cuda, "ROCm": torch.version.hip, "SYCL": getattr(torch.version, "xpu", None)}
    kind = accelerator()
    names = {"cuda": ("CUDA", "ROCm"), "xpu": ("SYCL",)}.get(kind or "", ())
    return next((f"{name} {versions[name]}" for name in names if versions[name]), None)


def nvidia_devices() -> list[dict[str, Any]]:
    """What nvidia-smi says of each GPU; [] where it is not there or does not answer."""
    command = ["nvidia-smi", f"--query-gpu={','.join(NVIDIA.values())}", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [parsed(line) for line in text.splitlines() if line.count(",") == len(NVIDIA) - 1]


def parsed(line: str) -> dict[str, Any]:
    """A line of nvidia-smi's table; what it does not know ("[N/A]") is None."""
    fields = dict(zip(NVIDIA, (field.strip() for field in line.split(",")), strict=True))
    return {name: text if name in ("name", "driver") else _number(text) for name, text in fields.items()}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
