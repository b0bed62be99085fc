"""What of its machine a process uses."""

from __future__ import annotations

import pytest
import torch

from cnnbench.runtime import devices
from cnnbench.runtime.devices import choose_workers, device_of
from cnnbench.runtime.errors import UserError


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = [device_of(rank, "cuda") for rank in (0, 1)]
    assert chosen == [torch.device("cuda", 0), torch.device("cuda", 1)]
    with pytest.raises(UserError, match="process 2 of this machine has no GPU: the machine has 2, so start at most 2 "):
        device_of(2, "cuda")


def test_a_launcher_may_show_each_process_its_own_gpu_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of(5, "cuda") == torch.device("cuda", 0)


def test_cores_are_shared_with_processes_on_this_machine(monkeypatch):
    monkeypatch.setattr(devices, "usable_cores", lambda: 16)
    group = {"RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "7", "LOCAL_WORLD_SIZE": "4"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    assert choose_workers(None, 8) == 4
    assert choose_workers(3, 8) == 3
    monkeypatch.delenv("RANK")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert choose_workers(None, 1) == 16, "what is left over of a group does not count"
