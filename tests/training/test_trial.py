"""Trials: runs that stop early or see few images are the beginning of the whole run, and say what they are."""

from __future__ import annotations

import json

import pytest
import torch

from cnnbench.analysis.report.results import results_of
from cnnbench.analysis.report.run import read_folder
from cnnbench.config.train import TrainConfig
from cnnbench.runs import checkpoint

WORDS = ("arch=lenet", "recipe=quick", "device=cpu", "data.workers=0", "logger=[]", "batch=20")


def weights(folder, name: str = "last") -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / f"checkpoints/{name}.pt")["model"]


def result(folder) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_the_steps_before_max_steps_are_those_of_the_whole_run(tmp_path, command, small_data):
    data = (f"data={small_data}", "epochs=3")
    whole = command("train", *WORDS, *data, "run=whole", "keep_every=1")
    assert whole.returncode == 0, whole.stderr
    for steps, epochs in ((6, 2), (4, 2)):
        done = command("train", *WORDS, *data, f"run=trial{steps}", f"max_steps={steps}")
        assert done.returncode == 0, done.stderr
        found = result(tmp_path / f"runs/trial{steps}")
        assert (found["epoch"], found["n"]) == (epochs, 23)
        assert found["trial"] == f"{steps} of 9 steps (max_steps)"
        assert f"trial       {steps} of 9 steps (max_steps)" in done.stdout
        assert f"A TRIAL, no run of its recipe: {steps} of 9 steps (max_steps)" in done.stdout
    lines = [
        [json.loads(line) for line in (tmp_path / f"runs/{run}/metrics.jsonl").read_text().splitlines()]
        for run in ("whole", "trial6", "trial4")
    ]
    assert [line["step"] for line in lines[2]] == [3, 4]
    assert [line["train_loss"] for line in lines[0][:2]] == [line["train_loss"] for line in lines[1]]
    assert lines[0][0]["train_loss"] == lines[2][0]["train_loss"]
    for name, value in weights(tmp_path / "runs/whole", "epoch-0002").items():
        assert torch.equal(value, weights(tmp_path / "runs/trial6")[name])
    assert "trial" not in result(tmp_path / "runs/whole")
    verified = command("verify", "run=trial4")
    assert (verified.returncode, "is a trial (4 of 9 steps (max_steps))" in verified.stderr) == (2, True)
    again = command("train", *WORDS, *data, "run=trial4", "max_steps=4")
    assert "already complete" in again.stdout
    assert "A TRIAL" in again.stdout


def test_a_trial_does_not_become_the_whole_run_nor_the_other_way_round(tmp_path, command, small_data):
    data = (f"data={small_data}", "epochs=2")
    words = ("train", *WORDS, *data)
    assert command(*words, "run=trial", "max_steps=4").returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "runs/trial").rglob("*") if path.is_file()}
    for changed, said in (
        ((), "is a trial (max_steps=4), with an end that the whole run does not have: give another run=NAME for that"),
        (("max_steps=5",), "or max_steps=4 again"),
        (("max_steps=4", "one_batch=true"), "is a run without one_batch: leave one_batch=true out to continue it"),
    ):
        done = command(*words, "run=trial", *changed)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert said in done.stderr
    assert before == {path: path.read_bytes() for path in (tmp_path / "runs/trial").rglob("*") if path.is_file()}


def test_a_limit_beyond_the_end_makes_no_trial(tmp_path, command, small_data):
    done = command("train", *WORDS, f"data={small_data}", "epochs=1", "max_steps=3", "run=r")
    assert done.returncode == 0, done.stderr
    assert "trial" not in result(tmp_path / "runs/r")


def test_debug_fast(tmp_path, command, small_data):
    done = command("train", *WORDS, f"data={small_data}", "debug=fast", "max_eval_images=5", "run=r")
    assert done.returncode == 0, done.stderr
    (shown,) = results_of(read_folder(tmp_path / "runs/r"))
    assert (shown.published, shown.remark[:42]) == (None, "not comparable: a trial, debug=fast: 10 of")
    found = result(tmp_path / "runs/r")
    assert found["trial"] == "debug=fast: 10 of 24 steps (max_steps), tested on at most 5 images (max_eval_images)"
    assert found["n"] == 5


def test_debug_overfit_learns_one_batch_by_heart(tmp_path, command, small_data):
    words = ("debug=overfit", "epochs=60", "evaluate_every=60", "run=r", "optimizer.lr=0.2")
    done = command("train", *WORDS, f"data={small_data}", *words)
    assert done.returncode == 0, done.stderr
    found = result(tmp_path / "runs/r")
    assert (found["n"], found["wrong_top1"], found["training_images"]) == (20, 0, 20)
    assert found["trial"] == "debug=overfit: one batch of 20 images, for training and for testing (one_batch)"
    assert "learned by heart: 0 of 20 images are wrong" in done.stdout
    assert "NOT learned" not in done.stdout
    assert "augment     crop(center)\n" in done.stdout
    assert "weight decay 0\n" in done.stdout
    not_yet = command("train", *WORDS, f"data={small_data}", "debug=overfit", "epochs=1", "optimizer.lr=1e-6", "run=n")
    assert "NOT learned by heart: " in not_yet.stdout


def test_debug_profile_writes_a_trace_of_the_loop(tmp_path, command, small_data):
    words = [word for word in WORDS if word != "logger=[]"]
    done = command("train", *words, f"data={small_data}", "debug=profile", "max_eval_images=5", "run=r")
    assert done.returncode == 0, done.stderr
    events = json.loads((tmp_path / "runs/r/trace.json").read_text())["traceEvents"]
    names = [event.get("name", "") for event in events]
    assert sum(name.startswith("ProfilerStep#") for name in names) >= 5
    assert {"aten::convolution_backward", "Optimizer.step#SGD.step"} <= set(names)
    assert "the costliest operators by their own time" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("debug=fats",), "debug has no option 'fats', did you mean fast?"),
        (("max_steps=0",), "max_steps=0 is out of range: it must be at least 1"),
        (("max_eval_images=0",), "max_eval_images=0 is out of range"),
        (("one_batch=maybe",), "one_batch"),
    ],
)
def test_bad_input_is_one_sentence(command, words, said):
    done = command("train", *WORDS, *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr


def test_nothing_is_a_trial_by_default():
    config = TrainConfig
    assert (config.debug, config.max_steps, config.max_eval_images, config.one_batch) == (None, None, None, False)
