"""A run whose process ends at any call by which it changes a file, or to which the disk refuses that call, is continued
as if nothing had been. tools/fault_injection.py does so at each call: here at a few."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_injection import alone, config_of, continued
from faults import CUT, FULL_AT_BYTE, KILL, KILL_AT_BYTE, KILLED, Faults, run

from cnnbench.runs import checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, int]:
    return alone(tmp_path_factory.mktemp("whole") / "run")


def test_a_run_that_is_killed_again_and_again_ends_in_the_same(tmp_path, whole):
    """At calls spread over the run, more than its start makes: each start comes further than the one before."""
    folder, (expected, calls) = tmp_path / "run", whole
    for number, at in enumerate((5, calls // 4, calls // 3, calls // 2)):
        assert run(config_of(folder), Faults(folder, at, (CUT, KILL)[number % 2])).status == KILLED
    assert run(config_of(folder), Faults(folder, 20_000, KILL_AT_BYTE)).status in (0, -25)
    assert continued(folder, expected) == "the same"


def test_a_disk_that_refuses_is_one_sentence_and_leaves_what_was_saved(tmp_path, whole):
    folder, (expected, calls) = tmp_path / "run", whole
    for at, what in ((4, "ENOSPC"), (calls // 3, "EIO-"), (calls // 2, "ENOSPC-"), (30, "EROFS-"), (500, FULL_AT_BYTE)):
        saved = checkpoint.newest(folder / "checkpoints")
        ended = run(config_of(folder), Faults(folder, at, what))
        assert (ended.status, ended.said.count("\n")) == (2, 1), ended.said
        assert ended.said.startswith("cnnbench: cannot write ")
        assert saved is None or newest_step(folder) >= saved["state"]["epoch"]
    assert continued(folder, expected) == "the same"


def test_the_last_points_of_a_run_are_not_left_out_where_the_disk_refuses_them(tmp_path, whole):
    folder, (expected, calls) = tmp_path / "run", whole
    ended = run(config_of(folder), Faults(folder, calls - 15, "ENOSPC"))
    assert (ended.call, ended.status) == ("write tensorboard", 2)
    assert continued(folder, expected) == "the same"


def newest_step(folder: Path) -> int:
    content = checkpoint.newest(folder / "checkpoints")
    return -1 if content is None else content["state"]["epoch"]
