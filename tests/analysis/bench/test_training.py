"""`cnnbench bench what=train`: both loops and the whole on a small network, and the arithmetic of their comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from composing import composed

from cnnbench.analysis.bench import training as bench_train
from cnnbench.analysis.bench.training import BARE, LOADER, NETWORK, OURS, WHOLE, LoopMeasurement, Spent
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.run import run
from cnnbench.config.bench import BenchConfig
from cnnbench.training import train_step

pytestmark = pytest.mark.slow


def test_the_loops_and_the_whole_are_measured(monkeypatch, tmp_path: Path, capsys, cache: Path):
    monkeypatch.setattr(bench_train, "ROUND_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    words = ["what=train", "arch=lenet", "data=sample", "device=cpu", "rounds=1", "batch=4", "loader_images=9"]
    run(COMMANDS["bench"], [*words, "data.workers=0", "format=json", "output=b.json"])
    assert [len(table["rows"]) for table in json.loads(capsys.readouterr().out)] == [2, 3]
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [row["pass"] for row in rows] == [BARE, OURS, LOADER, NETWORK, WHOLE]
    assert [row["images"] for row in rows] == [40, 40, 8, 8, 8]  # ten turns of a step; whole batches
    assert all(row["images_per_second"] > 0 for row in rows)
    assert [len(row["seconds"]["waited"]) for row in rows] == [0, 0, 0, 1, 1]
    assert rows[-1]["seconds"]["waited"][0] < rows[-1]["seconds"]["wall"][0]


def test_the_loops_take_turns_and_leave_no_gradients_to_each_other(monkeypatch, cache: Path):
    monkeypatch.setattr(bench_train, "ROUND_SECONDS", 0)
    events, left = [], []

    def bare(network, normalise, batch, steps):
        events.append(f"bare {steps}")
        bench_loop(network, normalise, batch, steps)
        left.extend(parameter.grad for parameter in network.model.parameters())

    def loss(*words):
        events.append("ours")
        left.extend(parameter.grad for parameter in words[0].model.parameters())
        return loop_loss(*words)

    bench_loop, loop_loss = bench_train.bare_loop, train_step._loss
    monkeypatch.setattr(bench_train, "bare_loop", bare)
    monkeypatch.setattr(train_step, "_loss", loss)
    config = BenchConfig(arch=composed("arch=lenet").arch, device="cpu", batch=2, rounds=2)
    measured = bench_train.measure_loops(config)
    assert events == ["bare 2", "bare 2", *["ours", "bare 1"] * 10 * 3]  # warm-up; a round that does not count, and two
    assert not any(gradient is not None for gradient in left)
    assert [len(spent.wall) for spent in measured.spent.values()] == [2, 2]


def test_comparisons_are_made_within_a_round():
    config = BenchConfig()
    loops = {
        BARE: Spent([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], own=[0.01, 0.02]),
        OURS: Spent([1.01, 2.0, 4.4], [1.5, 1.5, 1.5], own=[0.03, 0.03]),
    }
    row = bench_train._loop_row(LoopMeasurement(config, 8, loops), OURS)
    assert row[4:8] == (pytest.approx(1.0), "+0.00 .. +10.00", pytest.approx(50.0), "+50.00 .. +50.00")
    assert row[8:] == (pytest.approx(1.5), "+1.00 .. +2.00")
    parts = {LOADER: Spent([1.0, 1.0]), NETWORK: Spent([3.0, 3.0]), WHOLE: Spent([4.0, 4.0], [], [1.0, 1.0])}
    assert bench_train._part_row(LoopMeasurement(config, 8, parts), WHOLE)[4:] == (75.0, 100.0, 25.0)
    parts[WHOLE] = Spent([5.0, 5.0], [], [1.0, 1.0])
    assert bench_train._part_row(LoopMeasurement(config, 8, parts), WHOLE)[4:] == (60.0, 80.0, 20.0)
