"""`cnnbench train like=RUN`: the run again, but for what is named beside it."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.like import repeated, words_of
from tests.support.composing import composed

TRAIN = COMMANDS["train"]


@pytest.mark.parametrize(
    "words",
    [
        "arch=lenet recipe=quick seed=3 epochs=2",
        "arch=alexnet recipe=alexnet arch.options.lrn=none arch.dropout=0.2 freeze=features.8 image_size=224",
        "arch=resnet50 recipe=a2 augment.order=[crop,flip] logger=[] compile=true",
        "arch=googlenet optimizer=lamb schedule=cosine average=ema max_hours=2.5",
        "ladder=inception_v3/label_smoothing data.holdout=0.1 bce_threshold=null",
    ],
)
def test_the_words_of_a_run_make_the_same_run(words):
    import shlex

    config = composed(*shlex.split(words))
    assert composed(*words_of(TRAIN, config)) == config


def test_other_words_come_last_and_in_place_of_the_run_s(command, small_data, tmp_path):
    words = ("arch=lenet", "recipe=quick", f"data={small_data}", "data.workers=0", "logger=[]", "batch=20", "epochs=1")
    assert command("train", *words, "run=first", "seed=5").returncode == 0
    done = command("train", "like=first", "seed=6", "run=second")
    assert done.returncode == 0, done.stderr
    assert "like        first: arch=lenet recipe=quick" in done.stderr
    printed = command("train", "like=first", "seed=6", "run=second", "--cfg", "job")
    assert yaml.safe_load(printed.stdout)["seed"] == 6
    first, second = (yaml.safe_load((tmp_path / f"runs/{run}/config.yaml").read_text()) for run in ("first", "second"))
    assert (first.pop("seed"), second.pop("seed")) == (5, 6)
    first.pop("run"), second.pop("run")
    assert first == second


def test_what_cannot_be_repeated_is_said(command):
    nobody = command("train", "like=nobody")
    assert (nobody.returncode, "there is no run in runs/nobody" in nobody.stderr) == (2, True)
    twice = command("train", "like=a", "like=b")
    assert (twice.returncode, "like=a and like=b exclude each other" in twice.stderr) == (2, True)
    other = command("eval", "like=a")
    assert (other.returncode, "like" in other.stderr) == (2, True)


def test_words_without_like_are_left_as_they_are():
    words = ["arch=lenet", "seed=1"]
    assert repeated(TRAIN, words) is words
    assert dataclasses.is_dataclass(TRAIN.schema)
