"""What the loop costs besides the work of a bare one."""

from __future__ import annotations

import time

import pytest

from cnnbench.analysis.bench.own_cost import SharedWork


def _busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
def test_only_what_is_not_shared_is_the_loops_own(own: float) -> None:
    shared, shares = SharedWork(), []
    work = shared.timed(_busy)
    _busy(0.01)  # before the turn
    with shared.turn(shares):
        for _ in range(4):
            work(0.01)
            _busy(own * 0.01)
    work(0.01)
    assert shares == [pytest.approx(own, abs=0.1)]
