"""`cnnbench train --dry-run` through the real command."""

from __future__ import annotations

import json
import re

import pytest

from cnnbench.analysis.dry_run.estimates import CLOSE

SMALL = ("train", "--dry-run", "arch=lenet", "recipe=quick", "data.workers=0")


def rows(text: str) -> dict[str, str]:
    """The words in front of the lines, and what they say."""
    return {line.split()[0]: line[14:] for line in text.splitlines() if re.match(r"  \w", line)}


@pytest.fixture
def run_of_two_epochs(command, small_data):
    words = ("arch=lenet", "recipe=quick", f"data={small_data}", "batch=10", "epochs=2", "data.workers=0", "run=done")
    assert command("train", *words, "logger=[]").returncode == 0
    return words


def test_it_says_what_the_run_will_be_and_writes_nothing(command, small_data, tmp_path):
    done = command(*SMALL, f"data={small_data}", "batch=24", "world=2", "accumulate=3", "run=new", "keep_every=1")
    assert done.returncode == 0, done.stderr
    said = rows(done.stdout)
    assert said["run"] == "runs/new (new)"
    assert "61 training and 23 validation images" in said["data"]
    assert said["batch"] == "global 24 = 2 processes x 4 x accumulate 3"
    assert "of 4 images" in said["memory"]
    assert "epochs of 2 steps; the last 13 images" in said["recipe"]
    assert "checkpoints of" in said["disk"]
    assert "for keep_every=1" in said["disk"]
    assert said["time"].startswith("not told")
    assert "metrics.jsonl" in said["writes"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("world=7", "batch=20"), "batch=20 does not split evenly over 7 processes"),
        (("batch=100",), "batch=100 is more than the 61 training images"),
        (("run=file",), "is a file, or a link to nothing"),
        (("run=file/inner",), "is not a folder that this user may write to"),
        (("run=full",), "full is not empty and not a run"),
        (("bn_group=4",), "bn_group acts on batch normalisation, and lenet has none"),
        (("sync_batchnorm=true", "device=cuda"), "sync_batchnorm acts on batch normalisation, and lenet has none"),
        (("weights=nothing.pt",), "nothing.pt"),
        (("bench=nothing.json",), "bench=nothing.json cannot be read"),
        (("freeze=nolayer",), "nolayer"),
        (("arch=resnet18", "image_size=32", "world=20"), "one image at a time leaves one value"),
        (("optimizer.lr=-1",), "out of range"),
    ],
)
def test_what_the_start_would_refuse_is_refused(words, said, command, small_data, tmp_path):
    (tmp_path / "runs" / "full").mkdir(parents=True)
    (tmp_path / "runs" / "full" / "thesis.tex").write_text("x")
    (tmp_path / "runs" / "file").write_text("x")
    words = [word.replace("run=file", "run=runs/file") for word in words]
    done = command(*SMALL, f"data={small_data}", "batch=20", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_that_is_there_is_looked_at(command, run_of_two_epochs, tmp_path):
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    assert "complete" in rows(command("train", "--dry-run", *run_of_two_epochs).stdout)["run"]
    other = command("train", "--dry-run", *run_of_two_epochs, "seed=1")
    assert other.returncode == 2
    assert "is a run with seed=0, not 1" in other.stderr
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
    (tmp_path / "runs/done/result.json").unlink()
    assert (
        "there already; it would be continued after epoch 2"
        in rows(command("train", "--dry-run", *run_of_two_epochs).stdout)["run"]
    )
    uneven = command("train", "--dry-run", *run_of_two_epochs, "world=3")
    assert "continue it on 2 processes" in uneven.stderr


def test_a_checkpoint_is_as_large_as_it_says(command, run_of_two_epochs, tmp_path):
    said = rows(command("train", "--dry-run", *run_of_two_epochs).stdout)["disk"]
    number, unit = re.search(r"checkpoints of ([\d.]+) (kB|MB)", said).groups()
    told = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
    real = (tmp_path / "runs/done/checkpoints/last.pt").stat().st_size
    assert told == pytest.approx(real, rel=CLOSE + 0.05)  # a small network: names weigh more


def test_the_time_comes_from_a_measurement(command, small_data, tmp_path):
    line = {"arch": "lenet", "what": "train", "pass": "end to end", "image_size": 32, "images_per_second": 10.0}
    (tmp_path / "bench.json").write_text(json.dumps({"tables": [], "rows": [line]}))
    words = (*SMALL, f"data={small_data}", "batch=20", "epochs=4", "bench=bench.json")
    assert rows(command(*words).stdout)["time"].startswith("24 s for 12 steps: 10 images/s")
    assert rows(command(*words, "world=2").stdout)["time"].startswith("12 s for 12 steps")
    testing = {**line, "what": "eval", "images_per_second": 23.0}
    (tmp_path / "bench.json").write_text(json.dumps({"tables": [], "rows": [line, testing]}))
    assert rows(command(*words).stdout)["time"].startswith("28 s for 12 steps and their evaluations")
    (tmp_path / "bench.json").write_text(json.dumps({"tables": [], "rows": [{**line, "arch": "vgg16"}]}))
    assert rows(command(*words).stdout)["time"].startswith("not told: the file of bench= has no line of lenet")


def test_a_device_that_is_not_here_is_planned_for(command, small_data):
    said = rows(command(*SMALL, f"data={small_data}", "batch=20", "device=cuda", "world=2").stdout)["device"]
    assert said.startswith("cuda per process, bf16; there is none on this machine")
