"""What processes say to each other, without a group: the others' part is played here."""

from __future__ import annotations

import pytest
import torch.distributed as dist
from torch import nn

from cnnbench.runtime import distributed
from cnnbench.runtime.distributed import Process


def test_buffers_become_the_mean_over_the_processes(monkeypatch):
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda tensor: tensor.add_(4.0 + 9.0))  # of two others
    model = nn.BatchNorm1d(2)
    model.running_mean.fill_(2.0)
    model.num_batches_tracked.fill_(7)
    distributed.average_buffers(model.buffers(), Process(0, 3))
    assert model.running_mean.tolist() == [5.0, 5.0]
    assert model.num_batches_tracked == 7, "a count is the same on every process"
    distributed.average_buffers(model.buffers(), Process())
    assert model.running_mean.tolist() == [5.0, 5.0], "alone there is nothing to average"


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
