"""The real command trains: it learns, it continues where it was killed, and several processes agree with one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from forking import CNNBENCH

from cnnbench.evaluation import evaluate
from cnnbench.runs import checkpoint
from cnnbench.runs.results import CLOCK
from cnnbench.runtime import distributed
from cnnbench.runtime.errors import UserError
from cnnbench.training import loop

SMALL = ("recipe=quick", "batch=12", "data.workers=1", "log_every=0")


def metrics(run: Path) -> list[dict]:
    """The lines of metrics.jsonl, without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.pt", weights_only=True)["model"]


def averaged(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.pt", weights_only=True)["averaged"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_lenet_learns_the_sample(cnnbench, command, tmp_path):
    words = ("train", "arch=lenet", "recipe=quick", "data.train_fraction=0.2", "run=demo")
    done = cnnbench(*words, "epochs=3")
    assert done.returncode == 0, done.stderr
    assert "curves      tensorboard --logdir runs/demo\n" in done.stdout
    run = tmp_path / "runs/demo"
    losses = [line["train_loss"] for line in metrics(run)]
    assert losses[0] > losses[1] > losses[2]
    wrong = [line["train_top1_error"] for line in metrics(run)]
    assert 60 > wrong[0] > wrong[1] > wrong[2] > 5
    assert {line["train_n"] for line in metrics(run)} == {31 * 64}, "whole batches of 2,000 images"
    result = json.loads((run / "result.json").read_text())
    assert result["top1_error"] < 30
    assert result["top5_error"] < 3
    assert result["top1_error"] == 100 * result["wrong_top1"] / 2000
    assert (result["n"], result["epoch"], result["params"], result["protocol"]) == (2000, 3, 62006, "center")
    for text in ("62,006 parameters", "bundled sample", "0.025 = 0.1 x 64/256", "global 64 = 1 process x 64", "top-5"):
        assert text in done.stdout
    assert {path.name for path in run.iterdir()} >= {"config.yaml", "environment.json", "tensorboard", "checkpoints"}
    start = json.loads((run / "environment.json").read_text())[0]
    assert start["versions"]["torch"] == torch.__version__.split("+")[0]
    assert yaml.safe_load((run / "config.yaml").read_text())["epochs"] == 3

    again = command(*words, "epochs=3")
    assert "already complete" in again.stdout
    other = command(*words, "epochs=4")
    assert other.returncode == 2
    assert "epochs=3, not 4" in other.stderr

    for words in (["processes=1", "batch=77"], ["processes=3", "batch=1000"]):
        evaluated = command("eval", "run=demo", "output=counts.json", "data.workers=1", *words)
        assert evaluated.returncode == 0, evaluated.stderr
        counts = json.loads((tmp_path / "counts.json").read_text())
        assert {key: counts[key] for key in ("wrong_top1", "wrong_top5", "n")} == {
            key: result[key] for key in ("wrong_top1", "wrong_top5", "n")
        }

    file = command("eval", "arch=lenet", "data=sample", f"weights={run}/checkpoints/best.pt")
    assert f"{result['wrong_top1']}/2,000" in file.stdout or result["best_epoch"] != 3


def test_a_killed_run_ends_as_if_it_had_not_been_killed(command, tmp_path, small_data):
    """Two processes, killed in mid-epoch, and continued with another number of workers: the same bits.

    test_resume.py does it with one process and the loop itself, tools/kill_matrix.py with a hundred moments.
    """
    words = [
        "train", f"data={small_data}", *SMALL, "epochs=7", "save_every=2", "processes=2",
        "augment=lecture", "arch.dropout=0.3", "label_smoothing=0.1", "clip_norm=1", "accumulate=2",
        "schedule=plateau", "schedule.patience=2", "average=ema",
    ]  # fmt: skip
    whole = command(*words, "run=whole")
    assert whole.returncode == 0, whole.stderr
    started = subprocess.Popen(
        [*CNNBENCH, *words, "run=killed"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    file = tmp_path / "runs/killed/metrics.jsonl"
    while started.poll() is None and (not file.exists() or len(file.read_text().splitlines()) < 2):
        time.sleep(0.002)
    os.killpg(started.pid, signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    rest = command(*words, "run=killed", "data.workers=2")
    assert rest.returncode == 0, rest.stderr
    assert "continues after epoch" in rest.stdout
    assert same(weights(tmp_path / "runs/killed"), weights(tmp_path / "runs/whole"))
    assert same(averaged(tmp_path / "runs/killed"), averaged(tmp_path / "runs/whole"))
    assert metrics(tmp_path / "runs/killed") == metrics(tmp_path / "runs/whole")


@pytest.mark.parametrize(
    ("word", "said"), [("arch=resnet20", "arch.name=resnet20.* has lenet"), ("optimizer=adamw", "kind=adamw.* has sgd")]
)
def test_a_checkpoint_of_another_run_is_not_continued(command, tmp_path, small_data, word, said):
    words = ("arch=lenet", f"data={small_data}", *SMALL, "epochs=1")
    assert command("train", *words, "run=own").returncode == 0
    assert command("train", *words, word, "run=other").returncode == 0
    (tmp_path / "runs/own/result.json").unlink()
    (tmp_path / "runs/other/checkpoints/last.pt").rename(tmp_path / "runs/own/checkpoints/last.pt")
    done = command("train", *words, "run=own")
    assert done.returncode == 2
    assert re.search(f"last.pt is of a run with .*{said}.*: put its own checkpoint back", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_run_does_not_continue_on_other_data(command, tmp_path, small_data):
    import shutil

    data = shutil.copytree(small_data, tmp_path / "data")
    words = ("train", f"data={data}", *SMALL, "run=moved")
    done = command(*words, "epochs=1")
    assert done.returncode == 0, done.stderr
    (tmp_path / "runs/moved/result.json").unlink()
    next((data / "train/bag").iterdir()).unlink()
    again = command(*words, "epochs=1")
    assert again.returncode == 2
    assert "61 images of 3 classes, and the data now has 60" in again.stderr


def test_processes_and_accumulation_do_not_change_the_run(command, tmp_path, small_data):
    """LeNet has no batch statistics: the same global batches give the same losses, but for rounding."""
    expected = None
    for name, words in {"one": [], "three": ["processes=3", "accumulate=2"]}.items():
        done = command("train", f"data={small_data}", *SMALL, "epochs=3", f"run={name}", *words)
        assert done.returncode == 0, done.stderr
        losses = [line["train_loss"] for line in metrics(tmp_path / "runs" / name)]
        counts = [(line["train_top1_error"], line["train_n"]) for line in metrics(tmp_path / "runs" / name)]
        expected = expected or (losses, counts)
        assert losses == pytest.approx(expected[0], rel=1e-5)
        assert counts == expected[1]


def test_batch_statistics_of_all_processes_end_in_the_checkpoint(command, tmp_path, small_data):
    words = ("arch=resnet18", "image_size=32", f"data={small_data}", *SMALL, "epochs=1", "processes=2", "average=ema")
    done = command("train", *words, "arch.stochastic_depth=0.1", "run=bn")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "runs/bn/result.json").read_text())
    alone = command("eval", "run=bn", "processes=1")
    assert f"{result['wrong_top1']}/23" in alone.stdout
    alone = command("eval", "run=bn", "processes=1", "weights_kind=averaged")
    assert "averaged weights" in alone.stdout
    assert f"{result['averaged_wrong_top1']}/23" in alone.stdout


def test_a_group_of_processes_says_once_what_is_wrong(command, tmp_path, small_data):
    import shutil

    shutil.copytree(small_data, tmp_path / "data")
    broken = sorted((tmp_path / "data/train/bag").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:300])
    done = command("train", f"data={tmp_path / 'data'}", *SMALL, "processes=3", "epochs=1", "data.max_bad=0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(broken) in done.stderr


def test_torchrun_joins_and_does_not_change_the_run(command, tmp_path, small_data):
    launched = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "cnnbench",
        "train", f"data={small_data}", *SMALL, "epochs=2",
    ]  # fmt: skip
    done = subprocess.run(launched, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cnnbench 0.") == 1, "one process speaks"
    assert "2 processes x 6" in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    alone = command("train", f"data={small_data}", *SMALL, "epochs=2", "run=alone")
    assert alone.returncode == 0, alone.stderr
    expected = [line["train_loss"] for line in metrics(tmp_path / "runs/alone")]
    assert [line["train_loss"] for line in metrics(run)] == pytest.approx(expected, rel=1e-5)


def test_bf16_compile_and_channels_first_run(command, tmp_path, small_data, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else it starts processes that import torch too
    words = ("train", f"data={small_data}", *SMALL, "epochs=1", "precision=bf16", "channels_last=false")
    done = command(*words, "compile=true", "run=x")
    assert done.returncode == 0, done.stderr
    assert not any("_orig_mod" in name or "module." in name for name in weights(tmp_path / "runs/x"))


def test_a_run_that_lacks_a_key_which_must_not_change_is_not_continued(command, tmp_path, small_data):
    """A run of an older version: with today's default it would go on as another."""
    words = ("train", f"data={small_data}", *SMALL, "epochs=2", "run=old")
    assert command(*words, "max_hours=1e-9").returncode == 75
    file = tmp_path / "runs/old/config.yaml"
    settings = yaml.safe_load(file.read_text())
    del settings["augment"]["crop"]["border"], settings["recipe_for"]
    older = yaml.safe_dump(settings)
    file.write_text(older)
    checkpoints = tmp_path / "runs/old/checkpoints"
    checkpoint.save(checkpoints, {**checkpoint.load(checkpoints / "last.pt"), "config_text": older})
    done = command(*words)
    assert done.returncode == 2
    assert "was begun by a version of cnnbench without augment.crop.border" in done.stderr


def test_smoothing_that_reaches_the_threshold_is_refused(command, tmp_path, small_data):
    words = ("train", f"data={small_data}", *SMALL, "loss=bce", "bce_threshold=0.05", "label_smoothing=0.3", "run=a")
    done = command(*words)
    assert (done.returncode, list(tmp_path.glob("runs/*"))) == (2, [])
    assert "bce_threshold=0.05 is below the 0.1 that label_smoothing=0.3 gives each of 3 classes" in done.stderr


def test_a_run_whose_network_is_lost_has_failed(command, tmp_path, small_data):
    """With a rate beyond all bounds: whichever finds it first, the step, the evaluation or the save."""
    words = ("train", f"data={small_data}", *SMALL, "epochs=2", "run=lost", "optimizer.lr=1e38", "schedule=constant")
    done = command(*words, "optimizer.weight_decay=0")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "not finite" in done.stderr or "the validation loss" in done.stderr
    run = tmp_path / "runs/lost"
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert not (run / "result.json").exists()
    metrics = run / "metrics.jsonl"
    assert not metrics.exists() or not {"NaN", "Infinity", "null"} & {*re.findall(r"\w+", metrics.read_text())}


def test_a_sweep_gives_each_job_its_folder(command, tmp_path, small_data):
    done = command("train", "-m", f"data={small_data}", *SMALL, "epochs=1", "seed=0,1", "run=sweep")
    assert done.returncode == 0, done.stderr
    results = [json.loads((tmp_path / f"runs/sweep/{job}/result.json").read_text()) for job in (0, 1)]
    assert [result["seed"] for result in results] == [0, 1]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["sweep"]
    assert "2 points" in done.stdout, "it ends with a table of its points"
    assert "cnnbench eval run=runs/sweep/1\n" in done.stdout
    assert "Sweep sweep" in (tmp_path / "runs/sweep/report/report.html").read_text()


def test_plug_in_launchers_and_sweepers_are_found(cnnbench, tmp_path, small_data, monkeypatch):
    """A launcher of the user's own, found as Hydra's plug-ins are, runs the jobs."""
    plugin = tmp_path / "plugins/hydra_plugins/loud/__init__.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from hydra._internal.core_plugins.basic_launcher import BasicLauncher\n"
        "from hydra.core.config_store import ConfigStore\n"
        "class LoudLauncher(BasicLauncher):\n"
        "    def launch(self, job_overrides, initial_job_idx):\n"
        "        print('LOUD', len(job_overrides))\n"
        "        results = super().launch(job_overrides, initial_job_idx)\n"
        "        print('RETURNED', [result.return_value for result in results])\n"
        "        return results\n"
        "@dataclass\n"
        "class Config:\n"
        "    _target_: str = 'hydra_plugins.loud.LoudLauncher'\n"
        "ConfigStore.instance().store(group='hydra/launcher', name='loud', node=Config)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))
    done = cnnbench("train", "-m", "hydra/launcher=loud", f"data={small_data}", *SMALL, "epochs=1", "seed=0,1")
    assert "LOUD 2" in done.stdout, done.stderr
    errors = [
        json.loads(path.read_text())["top1_error"] for path in sorted((tmp_path / "runs").glob("*/*/result.json"))
    ]
    assert f"RETURNED {errors}" in done.stdout


@pytest.mark.parametrize("processes", [1, 2])
def test_threads_that_the_system_denies_are_one_sentence(command, tmp_path, monkeypatch, processes):
    def denied(*words):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(loop, "train_step", denied)
    done = command("train", "arch=lenet", *SMALL, f"processes={processes}", "run=denied")
    said = "this process may start no further thread or process (can't start new thread): raise the limits (ulimit -u"
    assert done.returncode == 2
    assert done.stderr.count(f"cnnbench: {said}") == 1
    assert "Traceback" not in done.stderr
    status = json.loads((tmp_path / "runs/denied/status.json").read_text())
    assert status["state"] == "failed"
    assert status["why"].startswith(said)


def test_what_keeps_a_group_from_meeting_is_said_once(command, monkeypatch):
    def refused(*numbers):
        raise UserError("this system allows 20 open files")

    monkeypatch.setattr(distributed, "check_open_files", refused)
    done = command("train", "arch=lenet", *SMALL, "processes=2", "run=refused")
    assert done.returncode == 2
    assert done.stderr.count("cnnbench: this system allows 20 open files") == 1


def test_too_little_memory_is_answered_by_what_to_set(command, tmp_path, monkeypatch):
    def too_large(*words):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(loop, "train_step", too_large)
    done = command("train", "arch=lenet", *SMALL, "run=large")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("cnnbench: ")
    assert "Traceback" not in done.stderr
    said = "12 images at a time do not fit into memory: set accumulate=2 (the same batch and rate, 6 images"
    assert said in done.stderr
    assert "or memory=save" in done.stderr
    done = command("train", "arch=lenet", *SMALL, "accumulate=12", "memory=save", "run=small")
    assert "1 images at a time do not fit into memory: use more processes or a smaller" in done.stderr
    monkeypatch.undo()
    monkeypatch.setattr(evaluate, "DevicePrefetcher", too_large)
    done = command("train", "arch=lenet", *SMALL, "data.train_fraction=0.01", "epochs=1", "run=evaluated")
    assert "256 images at a time do not fit into memory in evaluation: set eval_batch=128" in done.stderr
