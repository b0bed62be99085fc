"""`cnnbench runs`, and the checkpoints that a command can be asked for."""

from __future__ import annotations

import csv
import io
import json

import pytest

from cnnbench.runs.checkpoint import in_full

WORDS = ("train", "arch=lenet", "recipe=quick", "data.workers=0", "logger=[]", "batch=20", "epochs=4")


@pytest.fixture
def two_runs(command, small_data, tmp_path):
    assert command(*WORDS, f"data={small_data}", "run=whole", "keep_every=2").returncode == 0
    assert command(*WORDS, f"data={small_data}", "run=other", "seed=1").returncode == 0
    return tmp_path / "runs"


def test_each_run_has_its_row(command, two_runs):
    lines = (two_runs / "other/metrics.jsonl").read_text().splitlines()
    (two_runs / "other/metrics.jsonl").write_text("\n".join(lines[:1]) + "\n")  # as if it were in its second epoch
    status = json.loads((two_runs / "other/status.json").read_text())
    (two_runs / "other/status.json").write_text(json.dumps(status | {"state": "preempted", "epoch": 1}))
    line = json.loads(lines[0]) | {"elapsed_seconds": 1200.0}
    (two_runs / "other/metrics.jsonl").write_text(json.dumps(line) + "\n")
    done = command("runs", "format=csv")
    assert done.returncode == 0, done.stderr
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert {*rows} == {"whole", "other"}
    assert (rows["whole"]["state"], rows["whole"]["epoch"], rows["whole"]["time left"]) == ("complete", "4/4", "")
    assert (rows["other"]["state"], rows["other"]["epoch"], rows["other"]["time left"]) == (
        "preempted",
        "1/4",
        "60 min",
    )
    assert float(rows["other"]["top-1 error (%)"]) == pytest.approx(line["top1_error"])
    errors = [json.loads(each)["top1_error"] for each in (two_runs / "whole/metrics.jsonl").read_text().splitlines()]
    assert float(rows["whole"]["lowest (%)"]) == pytest.approx(min(errors))
    assert "whole" not in command("runs", "other").stdout
    wrong = command("runs", "wole")
    assert (wrong.returncode, "did you mean whole" in wrong.stderr) == (2, True)


def test_without_runs_it_says_how_to_make_one(command):
    done = command("runs")
    assert (done.returncode, "there is no run in runs: `cnnbench train` makes runs" in done.stderr) == (2, True)


def test_a_checkpoint_that_was_kept_can_be_tested(command, two_runs):
    done = command("eval", "whole", "checkpoint=2", "data.workers=0")
    assert done.returncode == 0, done.stderr
    assert "lenet after epoch 2 of runs/whole" in done.stdout
    found = json.loads((two_runs / "whole/eval-center-epoch-0002.json").read_text())
    line = json.loads((two_runs / "whole/metrics.jsonl").read_text().splitlines()[1])
    assert (found["checkpoint"], found["top1_error"]) == ("epoch-0002", line["top1_error"])
    missing = command("eval", "whole", "checkpoint=3")
    assert missing.returncode == 2
    assert "runs/whole has no checkpoint=3; it has best, epoch-0002, epoch-0004, last" in missing.stderr


def test_names_of_checkpoints():
    assert [in_full(name) for name in ("60", "epoch-60", "epoch-0060", "last", "best")] == [
        "epoch-0060",
        "epoch-0060",
        "epoch-0060",
        "last",
        "best",
    ]
