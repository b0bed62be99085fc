"""A value at the edge of its range: which edges belong to it is what the sentence says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from cnnbench.config.fields import Range, check_fields, key
from cnnbench.runtime.errors import UserError


def with_range(value: object, allowed: Range) -> object:
    @dataclass(frozen=True)
    class Config:
        x: float | None = key("a number", None, range=allowed)

    return Config(value)


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "said"),
    [
        (Range(at_least=1), (1, 2), (0, -1), "at least 1"),
        (Range(above=0), (1e-9, 7), (0, -1), "above 0"),
        (Range(at_least=0, at_most=1), (0, 0.5, 1), (-1e-9, 1.0001), "at least 0 and at most 1"),
        (Range(at_least=0, below=1), (0, 0.999), (1, 1.5, -0.1), "at least 0 and below 1"),
        (Range(above=0, at_most=1), (0.001, 1), (0, 1.1), "above 0 and at most 1"),
    ],
)
def test_edges(allowed, inside, outside, said):
    for value in (*inside, None):
        check_fields(with_range(value, allowed))
    for value in outside:
        with pytest.raises(UserError, match=rf"^x={value} is out of range: it must be {said}$"):
            check_fields(with_range(value, allowed))


def test_no_number_is_in_no_range():
    for allowed in (Range(at_least=0), Range(at_least=0, at_most=1), Range(at_least=0, below=1)):
        with pytest.raises(UserError, match="out of range"):
            check_fields(with_range(float("nan"), allowed))


def test_items_of_a_list_are_named_and_groups_are_looked_into():
    @dataclass(frozen=True)
    class Group:
        names: list[str] = key("choices", ["a"], choices=("a", "b"))
        shares: list[float] = key("numbers", [0.5], range=Range(at_least=0, below=1))

    @dataclass(frozen=True)
    class Config:
        group: Group = dataclasses.field(default_factory=Group)

    check_fields(Config())
    with pytest.raises(UserError, match=r"^group\.names=c is unknown; choose one of a, b$"):
        check_fields(Config(Group(names=["a", "c"])))
    with pytest.raises(UserError, match=r"^group.shares\[1\]=1 is out of range: it must be at least 0 and below 1$"):
        check_fields(Config(Group(shares=[0, 1])))
