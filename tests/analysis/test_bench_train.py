"""`cnnbench bench what=train`: both loops and the whole on a small network, and the arithmetic of their comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnbench import compose
from cnnbench.analysis import bench_train
from cnnbench.analysis.bench_train import BARE, LOADER, NETWORK, OURS, WHOLE, Measured, Spent
from cnnbench.commands import COMMANDS
from cnnbench.config_bench import BenchConfig


def test_the_loops_and_the_whole_are_measured(monkeypatch, tmp_path: Path, capsys, cache: Path):
    monkeypatch.setattr(bench_train, "LEAST", 0)
    monkeypatch.chdir(tmp_path)
    words = ["what=train", "arch=lenet", "data=sample", "device=cpu", "rounds=1", "batch=4", "loader_images=9"]
    compose.run(COMMANDS["bench"], [*words, "data.workers=0", "format=json", "output=b.json"])
    assert [len(table["rows"]) for table in json.loads(capsys.readouterr().out)] == [2, 3]
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [row["pass"] for row in rows] == [BARE, OURS, LOADER, NETWORK, WHOLE]
    assert [row["images"] for row in rows] == [20, 20, 8, 8, 8]  # at least 5 steps; whole batches
    assert all(row["images_per_second"] > 0 for row in rows)
    assert [len(row["seconds"]["waited"]) for row in rows] == [0, 1, 0, 1, 1]
    assert rows[-1]["seconds"]["waited"][0] < rows[-1]["seconds"]["wall"][0]


def test_comparisons_are_made_within_a_round():
    config = BenchConfig()
    loops = {BARE: Spent([1.0, 2.0, 4.0], [1.0, 1.0, 1.0]), OURS: Spent([1.01, 2.0, 4.4], [1.5, 1.5, 1.5])}
    row = bench_train._loop_row(Measured(config, 8, loops), OURS)
    assert row[4:] == (pytest.approx(1.0), "+0.00 .. +10.00", pytest.approx(50.0), "+50.00 .. +50.00")
    parts = {LOADER: Spent([1.0, 1.0]), NETWORK: Spent([3.0, 3.0]), WHOLE: Spent([4.0, 4.0], [], [1.0, 1.0])}
    assert bench_train._part_row(Measured(config, 8, parts), WHOLE)[4:] == (75.0, 100.0, 25.0)
