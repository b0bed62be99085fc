"""Monte-Carlo dropout: the mean over masks, the same for any batch, and near the mean over all masks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnbench.analysis.lecture.dropout import masks
from cnnbench.archs.registry import build
from cnnbench.evaluation.sampled_dropout import SampledDropout


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)).double()


def test_the_mean_over_many_masks_is_that_over_all():
    network, x = small(), torch.randn(5, 6, dtype=torch.float64)
    hidden = network[1](network[0](x))
    every = torch.stack([network[3](hidden * mask * 2).softmax(1) for mask in masks(6)])
    found = SampledDropout(network, 2000).eval()(x).exp()
    torch.testing.assert_close(found, every.mean(0), rtol=0, atol=4 * every.std(0).max().item() / 2000**0.5)
    assert (found - network[3](hidden).softmax(1)).abs().max() > 0.01, "not that of the network without dropout"


def test_neither_batch_nor_order_changes_a_result():
    form, x = SampledDropout(small(), 7).eval(), torch.randn(4, 6, dtype=torch.float64)
    torch.testing.assert_close(torch.cat([form(x[2:]), form(x[:2])]), form(x[[2, 3, 0, 1]]), rtol=0, atol=1e-15)


def test_masks_of_layers_and_draws_differ():
    form = SampledDropout(build("alexnet", 10, image_size=63).eval(), 2)
    first, second = form.layers
    x = torch.ones(1, 4096)
    assert not torch.equal(first(x), second(x))
    before = first(x)
    first.draw = 1
    assert not torch.equal(first(x), before)
    assert set(before.flatten().tolist()) == {0.0, 2.0}


def test_without_dropout_it_is_refused():
    with pytest.raises(ValueError, match="no dropout to draw"):
        SampledDropout(build("resnet20", 10), 3)


def test_the_protocol_of_a_run(command, small_data):
    words = ("train", f"data={small_data}", "recipe=quick", "epochs=1", "batch=12", "device=cpu", "data.workers=0")
    assert command(*words, "arch=lenet", "arch.dropout=0.5", "run=drops").returncode == 0
    counts = set()
    for batch in (3, 23):
        done = command("eval", "run=drops", "protocol=monte_carlo_dropout", f"batch={batch}", "processes=1")
        assert done.returncode == 0, done.stderr
        assert "under 50 masks of dropout, probabilities averaged" in done.stdout
        counts.add(next(line for line in done.stdout.splitlines() if "top-1" in line))
    assert len(counts) == 1
    assert command(*words, "arch=lenet", "run=none").returncode == 0
    done = command("eval", "run=none", "protocol=monte_carlo_dropout", "processes=1")
    assert done.returncode == 2
    assert "draws masks of dropout, and lenet has none: use center" in done.stderr
