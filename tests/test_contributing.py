"""The nine diffs of CONTRIBUTING.md fit this tree and do what they say; a half of one is answered in a sentence."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DIFFS = re.findall(r"^### \d\. (.*?)\n.*?^```diff\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M)
Run = Callable[..., subprocess.CompletedProcess]
MLFLOW = """
import json, pathlib, types

def told(name):
    def note(*words, **named):
        with open("mlflow.jsonl", "a") as file:
            file.write(json.dumps([name, words, named], default=lambda value: value.shape) + "\\n")
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="record"))
    return note

for name in ("set_experiment", "start_run", "log_metrics", "log_image", "log_params", "end_run"):
    globals()[name] = told(name)
"""


def copied(folder: Path) -> Path:
    """A copy of the package in `folder`, with its conf/, and beside it an mlflow that notes what it is told."""
    for name in ("cnnbench", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "cnnbench/conf").symlink_to("../conf")
    (folder / "mlflow.py").write_text(MLFLOW)
    return folder


def apply(diff: str, folder: Path, *options: str) -> None:
    subprocess.run(["git", "apply", *options, "-"], input=diff, text=True, cwd=folder, check=True)


def runner(code: Path, cwd: Path) -> Run:
    environment = {**os.environ, "PYTHONPATH": str(code)}

    def run(*words: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "cnnbench", *map(str, words)]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)

    return run


def test_the_nine_changes_work(tmp_path, cache, small_data):
    code, here = copied(tmp_path / "code"), tmp_path / "here"
    here.mkdir()
    assert len(DIFFS) == 9
    for _, diff in DIFFS:
        apply(diff, code)
    run = runner(code, here)
    done = run(
        "train", "arch=all_cnn_c", "recipe=quick", "epochs=1", "batch=12", f"data={small_data}", "run=nine",
        "schedule.kind=inverse", "schedule.gamma=0.5", "schedule.final=0.0", "augment.invert.p=0.5", "logger=[mlflow]",
        "data.workers=0", "device=cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = here / "runs/nine"
    said = [json.loads(line) for line in (here / "mlflow.jsonl").read_text().splitlines()]
    assert said[:2] == [["set_experiment", ["cnnbench"], {}], ["start_run", [], {"run_id": None, "run_name": "nine"}]]
    assert said[-1] == ["end_run", [], {}]
    curves = {tag: named["step"] for name, words, named in said if name == "log_metrics" for tag in words[0]}
    assert curves["val/top1_error"] == json.loads((folder / "metrics.jsonl").read_text())["step"]
    assert (folder / "mlflow-id.txt").read_text() == "record\n"
    assert not (folder / "tensorboard").exists()
    assert len(json.loads((folder / "result.json").read_text())["top1_interval"]) == 2
    assert "saved_at" in torch.load(folder / "checkpoints/last.pt", weights_only=True)
    assert "four corner crops" in run("eval", "run=nine", "protocol=five_crop").stdout
    assert "platform" in run("machine").stdout
    for split in ("train", "val"):
        (here / "flat" / split).mkdir(parents=True)
        for number, file in enumerate(sorted((small_data / split).rglob("*.png"))):
            shutil.copy(file, here / "flat" / split / f"{file.parent.name}_{number}.png")
    assert "3 classes, 61 images" in run("data", "index", f"data={here / 'flat'}").stdout.replace(
        "own classes", "classes"
    )


HALVES = {  # which files of a change are forgotten, the words that then fail, and the sentence
    "A network": [
        ("cnnbench/*", "describe arch=all_cnn_c", "unknown network 'all_cnn_c'"),
        ("conf/*", "describe arch=all_cnn_c", "arch has no option 'all_cnn_c'"),
    ],
    "An augmentation": [
        (
            "cnnbench/data/*",
            "train augment.invert.p=1 recipe=quick",
            "'invert' is a choice of the schema without an implementation: add a line",
        ),
        ("cnnbench/config/*", "train augment.invert.p=1 recipe=quick", "unknown key 'augment.invert.p'"),
    ],
    "A schedule": [
        (
            "cnnbench/training/*",
            "describe recipe=quick schedule.kind=inverse schedule.final=0",
            "'inverse' is a choice of the schema without an implementation",
        ),
        ("cnnbench/config/*", "describe recipe=quick schedule.kind=inverse", "schedule.kind=inverse is unknown"),
    ],
    "A command": [
        (
            "cnnbench/analysis/*",
            "machine",
            "there is no cnnbench.analysis.machine, which cnnbench/cli/commands.py names",
        ),
        ("cnnbench/cli/*", "machine", "unknown command 'machine'"),
    ],
    "A logger": [
        (
            "cnnbench/training/*",
            "train recipe=quick logger=[mlflow]",
            "'mlflow' is a choice of the schema without an implementation",
        ),
        ("cnnbench/config/*", "train recipe=quick logger=[mlflow]", "logger=mlflow is unknown"),
    ],
}


@pytest.mark.parametrize("title", HALVES)
def test_a_change_that_is_half_done_is_one_sentence(title, tmp_path, cache):
    for number, (forgotten, words, sentence) in enumerate(HALVES[title]):
        code = copied(tmp_path / str(number))
        apply(dict(DIFFS)[title], code, f"--exclude={forgotten}")
        done = runner(code, tmp_path)(*words.split(), *(["data.train_fraction=0.02"] if "train " in words else []))
        assert (done.returncode, done.stderr.count("Traceback")) == (2, 0), done.stderr
        assert sentence in done.stderr
