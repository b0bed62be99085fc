"""Compiled networks: one graph for all batches of an evaluation."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import nn

from cnnbench.archs.compiled import WholeBatches, compiled
from tests.support.compiling import counted_graphs


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_smaller_batch_is_filled_up_and_gives_what_it_gives_alone(layout: torch.memory_format) -> None:
    seen: list[torch.Tensor] = []
    network = _network()
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    images = torch.randn(7, 3, 6, 6).contiguous(memory_format=layout)
    whole = WholeBatches(network)
    found = torch.cat([whole(part) for part in images.split(3)])
    assert {(part.shape, part.stride()) for part in seen} == {(seen[0].shape, seen[0].stride())}
    torch.testing.assert_close(found, network(images))


def test_the_result_is_not_the_networks_own_memory() -> None:
    """A CUDA graph writes its next result there."""
    own = torch.zeros(2, 3)
    found = WholeBatches(mock.Mock(spec=nn.Module, return_value=own))(torch.zeros(2, 3, 6, 6))
    own.fill_(1)
    assert found.sum() == 0


def test_one_graph_serves_all_batches_of_an_evaluation() -> None:
    with counted_graphs() as shapes, torch.inference_mode():
        whole = WholeBatches(compiled(_network()))
        for _ in range(2):
            for part in torch.randn(7, 3, 6, 6).split(3):
                whole(part)
        assert len(shapes) == 1
        whole.network(torch.randn(1, 3, 6, 6))
        assert len(shapes) == 2, "else it would not have been counted"
