"""The limit of open files is looked at, and raised, before a loader runs into it."""

from __future__ import annotations

import resource

import pytest

from cnnbench.runtime.errors import UserError
from cnnbench.runtime.limits import check_open_files


@pytest.fixture
def limit(monkeypatch):
    """Set the limits of this process, in play: gives the function that sets them, and what they are by now."""
    now = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: now.__setitem__(slice(None), values))

    def play(soft: int, hard: int) -> list[int]:
        now[:] = soft, hard
        return now

    return play


def test_the_limit_is_raised_to_what_the_workers_need(limit):
    now = limit(300, 4096)
    check_open_files(workers=16)
    assert now == [256 + 4 * 16, 4096]


def test_a_limit_that_is_enough_stays(limit):
    now = limit(1024, 4096)
    check_open_files(workers=16)
    assert now == [1024, 4096]


def test_a_system_that_does_not_let_is_named(limit):
    limit(256, 300)
    with pytest.raises(UserError, match="300 open files, and 16 loader workers need 320"):
        check_open_files(workers=16)


def test_each_other_process_of_a_group_has_two_connections(limit):
    now = limit(1024, 4096)
    check_open_files(workers=0, world=1000)
    assert now == [256 + 2 * 999, 4096]
    limit(1024, 2000)
    with pytest.raises(
        UserError, match=r"2000 open files, and a group of 1000 processes need 2254: .* use fewer processes"
    ):
        check_open_files(workers=0, world=1000)
    with pytest.raises(
        UserError, match=r"and 16 loader workers and a group of 1000 processes need 2318: .* data.workers"
    ):
        check_open_files(workers=16, world=1000)
