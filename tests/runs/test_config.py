"""config.yaml: paths mean the same files from any folder, and what was typed stands beside."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
import yaml

from cnnbench.config.data import DataConfig
from cnnbench.config.evaluate import EvalConfig
from cnnbench.evaluation.command import evaluate_command
from cnnbench.runs.absolute import PATHS, absolute, with_absolute_paths
from cnnbench.runs.config import check_same, load_config, save_config
from cnnbench.runtime.errors import UserError
from tests.support.composing import composed


@pytest.mark.parametrize(
    "word",
    [
        *("sample", "synthetic", "synthetic:3x4", "torchvision", "torchvision:IMAGENET1K_V2"),
        *("s3://bucket/train-{000..009}.tar", "https://host/x", "/already/absolute"),
    ],
)
def test_words_and_urls_stay_as_they_are(word):
    assert absolute(word) == word


def test_what_is_saved_is_absolute_and_what_was_typed_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = composed("arch=lenet", "recipe=quick")
    data = replace(config.data, path="../d{0..3}.tar", classes="~/classes")
    config = replace(config, data=data, weights="w.pt")
    save_config(tmp_path, config)
    found = load_config(tmp_path)
    assert (found.data.path, found.data.classes, found.weights) == (
        str(tmp_path.parent / "d{0..3}.tar"),
        os.path.expanduser("~/classes"),
        str(tmp_path / "w.pt"),
    )
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written["typed"] == {"data.path": "../d{0..3}.tar", "data.classes": "~/classes", "weights": "w.pt"}
    assert [*written["typed"]] == [*PATHS]
    save_config(tmp_path, with_absolute_paths(config))
    assert "typed" not in yaml.safe_load((tmp_path / "config.yaml").read_text())


def test_a_run_of_relative_paths_is_continued_by_its_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = replace(composed("arch=lenet", "recipe=quick"), weights="w.pt")
    check_same(tmp_path, config, with_absolute_paths(config))
    check_same(tmp_path, with_absolute_paths(config), config)
    monkeypatch.chdir("/")
    with pytest.raises(UserError, match="is a run with weights="):
        check_same(tmp_path, replace(config, weights=str(tmp_path / "w.pt")), config)


def test_a_run_is_evaluated_from_another_folder(command, small_data, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(small_data)
    (tmp_path / "classes").write_text("bag\ntrouser\n")
    words = ("epochs=1", "batch=20", "device=cpu", "data.workers=0", "data=data", "data.classes=classes", "logger=[]")
    done = command("train", "arch=lenet", "recipe=quick", "run=r", *words)
    assert done.returncode == 0, done.stderr
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = tmp_path / "runs/r"
    evaluate_command(EvalConfig(run=str(run), device="cpu", data=DataConfig(workers=0), batch=16))
    result = json.loads((run / "eval-center.json").read_text())
    assert (result["n"], result["data"], result["typed"]) == (15, str(tmp_path / "data"), {})
    assert result["weights"] == str(run / "checkpoints/last.pt")
    monkeypatch.chdir(tmp_path)
    evaluate_command(EvalConfig(run="r", device="cpu", data=DataConfig(path="data", workers=0), output="out.json"))
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["data"], result["typed"]["data"]) == (str(tmp_path / "data"), "data")
    assert result["typed"]["weights"] == "runs/r/checkpoints/last.pt"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("epochs", "x"), ("epochs", True), ("epochs", 1.5), ("optimizer.lr", "x"), ("optimizer.lr", [1]), ("run", 3)),
        *(
            ("arch", 5),
            ("arch.mean", "x"),
            ("channels_last", 1),
            ("batch", "x"),
            ("augment.flip", None),
            ("optimizer", []),
        ),
    ],
)
def test_a_value_of_another_type_is_one_sentence(tmp_path, name, value):
    save_config(tmp_path, composed("arch=lenet", "recipe=quick"))
    settings = holder = yaml.safe_load((tmp_path / "config.yaml").read_text())
    *groups, last = name.split(".")
    for group in groups:
        holder = holder[group]
    assert last in holder
    holder[last] = value
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(UserError, match=r"config.yaml is (not a config of cnnbench|damaged)"):
        load_config(tmp_path)
