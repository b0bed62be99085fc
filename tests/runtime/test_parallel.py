"""How far a long command is, and what becomes of its processes."""

from __future__ import annotations

import multiprocessing
import threading
from types import SimpleNamespace

import pytest

from cnnbench.runtime import parallel
from cnnbench.runtime.errors import UserError


def test_without_a_terminal_a_line_of_progress_every_ten_seconds(monkeypatch, capsys):
    now = [1000.0]  # as on a machine that has been up for a while
    monkeypatch.setattr(parallel, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with parallel.progress("reads", 100, "images") as advance:
        for _ in range(50):
            now[0] += 0.5
            advance()
    assert capsys.readouterr().err.splitlines() == [
        "reads: 20 of 100 images, 2/s, 40 s left",
        "reads: 40 of 100 images, 2/s, 30 s left",
    ]


def test_a_thread_that_cannot_be_started_is_one_sentence_and_leaves_no_process(monkeypatch):
    """They would wait for it, and the command for them."""

    def refused(thread):
        raise RuntimeError("can't start new thread")

    before = set(multiprocessing.active_children())
    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(UserError, match=r"no thread can be started.*workers=0"):
        list(parallel.map_images(int, range(40), 2, "test"))
    for process in set(multiprocessing.active_children()) - before:
        process.join(20)
        assert process.exitcode is not None


def test_an_error_of_the_function_is_raised_as_it_is():
    def fails(index):
        raise RuntimeError(f"image {index}")

    with pytest.raises(RuntimeError, match="image 0"):
        list(parallel.map_images(fails, range(40), 2, "test"))
