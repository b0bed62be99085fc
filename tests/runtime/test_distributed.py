"""What processes say to each other, without a group: the others' part is played here."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
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


@pytest.mark.parametrize("error", [dist.DistNetworkError("refused."), ValueError("bad"), OSError("no route")])
def test_a_group_that_cannot_be_joined_is_one_sentence_of_any_process(error, monkeypatch, capsys):
    def rendezvous(*_: object, **__: object):
        raise error

    monkeypatch.setattr(distributed.dist, "rendezvous", rendezvous)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "node1", "MASTER_PORT": "7"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left, distributed.joined("cpu"):
        pass
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.startswith("cnnbench: process 1 of 2 cannot join its group at node1:7 (")
    assert said.endswith("); if it is to run alone, unset RANK and WORLD_SIZE\n")


def test_cores_are_shared_with_processes_on_this_machine(monkeypatch):
    monkeypatch.setattr(distributed, "usable_cores", lambda: 16)
    group = {"RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "7", "LOCAL_WORLD_SIZE": "4"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    assert distributed.choose_workers(None, Process(1, 8)) == 4
    assert distributed.choose_workers(3, Process(1, 8)) == 3
    monkeypatch.delenv("RANK")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert distributed.choose_workers(None, Process()) == 16, "what is left over of a group does not count"
