"""What NVIDIA's driver tells of a GPU while it works: energy and utilisation, by its own library (NVML). Written from
the library's documentation, and run on no GPU yet."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Any

import torch

from cnnbench.runtime.backends import module_of

LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
LOOK = 5.0  # seconds between two looks at the utilisation


class Utilisation(ctypes.Structure):
    """nvmlUtilization_t: percent of the last sample period in which a kernel ran, and in which memory was used."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Gpu:
    """One GPU as the library `nvml` knows it by its `uuid`. OSError where it does not."""

    def __init__(self, nvml: Any, uuid: str) -> None:
        self.nvml, self.handle = nvml, ctypes.c_void_p()
        self._call("nvmlInit_v2")
        self._call("nvmlDeviceGetHandleByUUID", uuid.encode(), ctypes.byref(self.handle))

    def joules(self) -> float | None:
        """Energy since the driver was loaded; None where the GPU does not count it (before Volta)."""
        millijoules = ctypes.c_ulonglong()
        try:
            self._call("nvmlDeviceGetTotalEnergyConsumption", self.handle, ctypes.byref(millijoules))
        except OSError:
            return None
        return millijoules.value / 1000

    def utilisation(self) -> float | None:
        """Share of the last moment in which a kernel ran, 0 to 1."""
        found = Utilisation()
        try:
            self._call("nvmlDeviceGetUtilizationRates", self.handle, ctypes.byref(found))
        except OSError:
            return None
        return found.gpu / 100

    def _call(self, name: str, *given: Any) -> None:
        if status := getattr(self.nvml, name)(*given):
            raise OSError(f"{name}: status {status}")


class Meter:
    """Energy and mean utilisation of `gpu` from now until `read`; nothing without one."""

    def __init__(self, gpu: Gpu | None) -> None:
        self.gpu, self.done = gpu, threading.Event()
        self.seen: list[float] = []
        self.joules = None if gpu is None else gpu.joules()
        if gpu is not None:
            threading.Thread(target=self._look, args=(gpu,), daemon=True, name="meter").start()

    def _look(self, gpu: Gpu) -> None:
        while not self.done.wait(LOOK):
            if (share := gpu.utilisation()) is not None:
                self.seen.append(share)

    def read(self) -> dict[str, float]:
        """`device_joules` and `device_utilisation` (0 to 1), as far as the device tells; ends the looks."""
        self.done.set()
        told: dict[str, float] = {}
        joules = None if self.gpu is None else self.gpu.joules()
        if joules is not None and self.joules is not None:
            told["device_joules"] = round(joules - self.joules, 1)
        if self.seen:
            told["device_utilisation"] = round(sum(self.seen) / len(self.seen), 4)
        return told


def meter_of(device: torch.device) -> Meter:
    """What measures `device`, an NVIDIA GPU with its driver; of others it tells nothing."""
    if device.type != "cuda" or torch.version.cuda is None:
        return Meter(None)
    try:
        uuid = f"GPU-{module_of(device).get_device_properties(device).uuid}"
        return Meter(Gpu(ctypes.CDLL(LIBRARY), uuid))
    except (OSError, AttributeError):
        return Meter(None)
