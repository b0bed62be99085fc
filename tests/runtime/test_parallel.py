"""How far a long command is: without a terminal a line every ten seconds."""

from __future__ import annotations

from types import SimpleNamespace

from cnnbench.runtime import parallel


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
