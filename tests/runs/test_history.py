"""The epochs of a run are known as long as its metrics or one of its checkpoints is whole."""

from __future__ import annotations

import json

from cnnbench.runs.history import epochs_of
from cnnbench.runs.results import load_metrics


def test_metrics_that_are_damaged_are_read_from_the_checkpoint(command, small_data, tmp_path):
    words = ("arch=lenet", "recipe=quick", "data.workers=0", "logger=[]", "batch=20", "epochs=3", "run=one")
    assert command("train", *words, f"data={small_data}").returncode == 0
    folder = tmp_path / "runs/one"
    file, whole = folder / "metrics.jsonl", load_metrics(folder)
    text = file.read_text()
    for damaged in (text[: len(text) // 2], "\0" * len(text)):
        file.write_text(damaged)
        assert len(load_metrics(folder)) < 3
        assert epochs_of(folder) == whole
        assert "3/3" in command("runs").stdout
    file.unlink()
    (folder / "status.json").unlink()
    assert epochs_of(folder) == whole
    assert "3/3" in command("runs").stdout
    done = command("report", "one", "output=page")
    assert done.returncode == 0, done.stderr


def test_a_run_in_its_first_epoch_has_none(tmp_path):
    assert epochs_of(tmp_path) == []


def test_a_line_more_than_was_saved_counts(tmp_path):
    (tmp_path / "status.json").write_text(json.dumps({"state": "running", "epoch": 1}))
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    assert [line["epoch"] for line in epochs_of(tmp_path)] == [1, 2]
