"""A status tells the truth also where nobody could write the last one."""

from __future__ import annotations

import json
import os
import time

import pytest

from cnnbench.runs import lock
from cnnbench.runs.status import STATUS, current_status, load_status, write_status


def test_a_run_that_says_it_is_running_is_killed_once_its_process_is_gone(tmp_path):
    assert current_status(tmp_path) is None
    write_status(tmp_path, "running", None, 3, 42)
    with lock.held(tmp_path):
        assert current_status(tmp_path)["state"] == "running"
    killed = current_status(tmp_path)
    assert (killed["state"], killed["epoch"], killed["step"]) == ("killed", 3, 42)
    assert "the same command continues the run" in killed["why"]
    other = lock.identity({}) | {"machine": "elsewhere"}
    (tmp_path / lock.FILE).write_text(json.dumps(other))
    assert current_status(tmp_path)["state"] == "running", "it runs on another machine"
    os.utime(tmp_path / lock.FILE, (time.time() - 181, time.time() - 181))
    assert current_status(tmp_path)["state"] == "killed"
    write_status(tmp_path, "complete", None, 9, 99)
    assert current_status(tmp_path)["state"] == "complete"
    assert load_status(tmp_path)["step"] == 99


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"state": 1, "why": null, "epoch": 1, "step": 2}', "\x00"]
)
def test_a_status_that_is_cut_or_something_else_is_none(tmp_path, content):
    (tmp_path / STATUS).write_text(content)
    assert load_status(tmp_path) is None
    assert current_status(tmp_path) is None
