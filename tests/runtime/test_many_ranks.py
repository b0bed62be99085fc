"""tools/many_ranks.py: what its tables say of costs that must not grow with the number of processes."""

from __future__ import annotations

import many_ranks
import pytest


def test_requests_at_the_store_grow_with_the_processes_and_not_with_their_square() -> None:
    assert many_ranks.requests(1) == (0, 0)
    (few, all_of_few), (many, all_of_many) = many_ranks.requests(8), many_ranks.requests(800)
    assert few == many
    assert all_of_many / all_of_few < 1.1 * 800 / 8


@pytest.mark.slow
def test_a_share_of_a_step_costs_the_same_in_any_world() -> None:
    one, many = many_ranks.share_of_a_step(8), many_ranks.share_of_a_step(1000)
    assert many < 5 * one, "the whole batch is 125 times as large"


@pytest.mark.slow
def test_a_real_group(capfd: pytest.CaptureFixture) -> None:
    costs = many_ranks.met_costs(4)
    assert int(costs["connections"]) >= 2 * 3
    assert float(costs["seconds"]) < 60
    assert many_ranks.table("processes", [4], [costs]).count("\n") == 3
