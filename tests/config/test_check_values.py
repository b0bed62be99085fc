"""A value at the edge of its range: which edges belong to it is what the sentence says."""

from __future__ import annotations

import pytest

from cnnbench.config.values import check_range
from cnnbench.runtime.errors import UserError


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "said"),
    [
        (dict(low=1), (1, 2), (0, -1), "at least 1"),
        (dict(low=0, open_low=True), (1e-9, 7), (0, -1), "above 0"),
        (dict(low=0, high=1), (0, 0.5, 1), (-1e-9, 1.0001), "at least 0 and at most 1"),
        (dict(low=0, below=1), (0, 0.999), (1, 1.5, -0.1), "at least 0 and below 1"),
        (dict(low=0, high=1, open_low=True), (0.001, 1), (0, 1.1), "above 0 and at most 1"),
    ],
)
def test_edges(bounds, inside, outside, said):
    for value in (*inside, None):
        check_range("x", value, **bounds)
    for value in outside:
        with pytest.raises(UserError, match=rf"^x={value} is out of range: it must be {said}$"):
            check_range("x", value, **bounds)


def test_no_number_is_in_no_range():
    for bounds in (dict(low=0), dict(low=0, high=1), dict(low=0, below=1)):
        with pytest.raises(UserError, match="out of range"):
            check_range("x", float("nan"), **bounds)
