"""What processes say to each other, without a group: the others' part is played here."""

from __future__ import annotations

from torch import nn

from cnnbench.runtime import distributed
from cnnbench.runtime.distributed import Process


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
