"""Energy and utilisation by a library that answers as NVML does."""

from __future__ import annotations

import ctypes
import time
from types import SimpleNamespace

import pytest
import torch

from cnnbench.runtime import nvml
from cnnbench.runtime.nvml import Gpu, Meter, Utilisation, meter_of


class Library:
    """NVML of one GPU, which spends 100 J between two questions and is busy for 80 % of the time."""

    def __init__(self, knows_energy: bool = True) -> None:
        self.asked, self.energy, self.knows_energy = [], 5_000_000, knows_energy

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: object) -> int:
        self.asked.append(uuid)
        return 0 if uuid == b"GPU-1" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, _: object, found: object) -> int:
        self.energy += 100_000
        ctypes.cast(found, ctypes.POINTER(ctypes.c_ulonglong))[0] = self.energy
        return 0 if self.knows_energy else 3

    def nvmlDeviceGetUtilizationRates(self, _: object, found: object) -> int:
        ctypes.cast(found, ctypes.POINTER(Utilisation))[0].gpu = 80
        return 0


def test_energy_and_utilisation_between_two_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LOOK", 0.001)
    meter = Meter(Gpu(Library(), "GPU-1"))
    while not meter.seen:
        time.sleep(0.001)
    assert meter.read() == {"device_joules": 100.0, "device_utilisation": 0.8}


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    assert Meter(Gpu(Library(knows_energy=False), "GPU-1")).read() == {}
    assert Meter(None).read() == {}


def test_a_gpu_is_asked_for_by_its_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place in the list differs where some are hidden."""
    library, device = Library(), torch.device("cuda", 0)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="1"))
    meter = meter_of(device)
    assert library.asked == [b"GPU-1"]
    assert meter.read()["device_joules"] == 100
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="2"))
    assert meter_of(device).gpu is None
    assert meter_of(torch.device("cpu")).gpu is None
