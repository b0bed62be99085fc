"""Images held out of training: they choose, so that the validation images choose nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnbench.config.data import TrainingDataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.data.layouts.subset import hold_out
from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError

WORDS = ("train", "arch=lenet", "recipe=quick", "device=cpu", "data.workers=0", "logger=[]", "batch=20", "epochs=4")


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_share_of_each_class_is_taken_out_and_the_rest_is_whole(small_data):
    split = read_split(TrainingDataConfig(path=str(small_data)), "train")
    rest, held = hold_out(split, 0.2)
    assert np.bincount(held.labels).tolist() == [4, 4, 4]
    assert sorted([*rest.numbers, *held.numbers]) == sorted(split.numbers)
    assert not {*rest.numbers} & {*held.numbers}
    for part in (rest, held):
        assert {part.name(i): part.labels[i] for i in range(len(part))}.items() <= {
            split.name(i): split.labels[i] for i in range(len(split))
        }.items()
    assert np.bincount(hold_out(split, 0.99)[0].labels).tolist() == [1, 1, 1]  # a class keeps one
    with pytest.raises(UserError, match="rounds to none of any class"):
        hold_out(split, 0.02)


def test_held_out_images_choose_and_validation_images_do_not(command, small_data, tmp_path):
    done = command(*WORDS, f"data={small_data}", "data.holdout=0.2", "run=held", "keep_every=1")
    assert done.returncode == 0, done.stderr
    assert "49 training, 12 held-out (they choose) and 23 validation images" in done.stdout
    assert "held out of train: 12 images" in done.stdout
    found, result = lines(tmp_path / "runs/held"), json.loads((tmp_path / "runs/held/result.json").read_text())
    assert {line["holdout_n"] for line in found} == {12}
    assert {line["n"] for line in found} == {23}
    errors = [line["holdout_top1_error"] for line in found]
    assert result["best_top1_error"] == min(errors)
    assert result["best_epoch"] == 1 + errors.index(min(errors))
    assert 100 * result["holdout_wrong_top1"] / 12 == errors[-1]
    assert result["top1_error"] == found[-1]["top1_error"]
    assert "of the 12 images held out, which chose it" in done.stdout
    kept = checkpoint.load(tmp_path / "runs/held/checkpoints/best.pt")
    assert kept["state"]["epoch"] == result["best_epoch"]
    assert kept["state"]["errors"] == errors[: result["best_epoch"]]  # what plateau goes by


def test_held_out_images_are_not_trained_on(command, small_data, tmp_path):
    """The same weights as where the images held out are not there at all."""
    split = read_split(TrainingDataConfig(path=str(small_data)), "train")
    _, held = hold_out(split, 0.2)
    import shutil

    shutil.copytree(small_data, tmp_path / "rest")
    for number in range(len(held)):
        (tmp_path / "rest" / held.path(number)).unlink()
    for run, words in {"held": (f"data={small_data}", "data.holdout=0.2"), "rest": ("data=rest",)}.items():
        assert command(*WORDS, *words, f"run={run}", "augment.flip.p=0").returncode == 0
    held_out, without = (lines(tmp_path / f"runs/{run}") for run in ("held", "rest"))
    assert [line["train_loss"] for line in held_out] == [line["train_loss"] for line in without]
    assert [line["top1_error"] for line in held_out] == [line["top1_error"] for line in without]


def test_a_sweep_is_told_the_error_of_the_images_held_out(command, small_data, tmp_path):
    from cnnbench.training.result import choosing_error

    assert choosing_error({"holdout_wrong_top1": 3, "holdout_n": 12, "top1_error": 1.0}) == 25.0
    assert choosing_error({"top1_error": 1.0}) == 1.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data.holdout=1",), "it must be at least 0 and below 1"),
        (("data.holdout=0.2", "one_batch=true"), "of which data.holdout takes nothing"),
        (("data.holdout=0.001",), "give a larger share"),
        (("data.holdout=0.8", "batch=20"), "batch=20 is more than the 12 training images"),
    ],
)
def test_what_cannot_be_held_out_is_refused(words, said, command, small_data):
    done = command(*WORDS, f"data={small_data}", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
