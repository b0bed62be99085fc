"""What processes say to each other, without a group: the others' part is played here."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.runtime import distributed
from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import UserError


def test_buffers_become_the_mean_over_the_processes(monkeypatch):
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda tensor: tensor.add_(4.0 + 9.0))  # of two others
    model = nn.BatchNorm1d(2)
    model.running_mean.fill_(2.0)
    model.num_batches_tracked.fill_(7)
    distributed.average_buffers(model, Process(0, 3))
    assert model.running_mean.tolist() == [5.0, 5.0]
    assert model.num_batches_tracked == 7, "a count is the same on every process"
    distributed.average_buffers(model, Process())
    assert model.running_mean.tolist() == [5.0, 5.0], "alone there is nothing to average"


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    devices = [distributed.device_of(Process(rank, 3, rank), "cuda") for rank in (0, 1)]
    assert devices == [torch.device("cuda", 0), torch.device("cuda", 1)]
    with pytest.raises(UserError, match="process 2 of this machine has no GPU: the machine has 2, so start at most 2 "):
        distributed.device_of(Process(2, 3, 2), "cuda")


def test_a_launcher_may_show_each_process_its_own_gpu_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert distributed.device_of(Process(5, 8, 5), "cuda") == torch.device("cuda", 0)
