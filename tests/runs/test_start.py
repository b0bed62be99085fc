"""The start of a run: what it makes, what it leaves alone, and how it makes anew what is damaged."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
import torch
import yaml
from composing import composed

from cnnbench.config.train import TrainConfig
from cnnbench.runs import checkpoint, lock, start
from cnnbench.runs.config import load_config
from cnnbench.runs.environment import load_starts
from cnnbench.runs.results import load_metrics
from cnnbench.runs.start import started
from cnnbench.runs.status import write_status
from cnnbench.runtime import files
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow
FRESH = ["checkpoints", "config.yaml", "environment.json"]


@pytest.fixture
def run(tmp_path) -> Path:
    return tmp_path / "run"


def config_of(run: Path, *words: str) -> TrainConfig:
    return composed("arch=lenet", "recipe=quick", f"run={run}", *words)


def begin(run: Path, *words: str) -> None:
    with started(config_of(run, *words), 1):
        assert (run / lock.FILE).exists()


def fail(run: Path, *words: str, state: str | None = None) -> str:
    """Begin, and fail as a data set that is missing does, with a status or without; why it is refused before that, if
    it is."""

    def begin_and_fail() -> None:
        with started(config_of(run, *words), 1):
            if state is not None:
                write_status(run, state, "no such data", 0, 0)
            raise UserError("no such data")

    with pytest.raises(UserError) as refusal:
        begin_and_fail()
    return str(refusal.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save(run: Path, config_text: str | None = None) -> None:
    """A checkpoint of the run, as training writes it."""
    texts = {"config_text": (run / "config.yaml").read_text() if config_text is None else config_text}
    model = {
        "model": {"weight": torch.zeros(1)},
        "starts": load_starts(run),
        "state": {"metrics": load_metrics(run)},
        **texts,
    }
    checkpoint.save(run / "checkpoints", model)


def stat_of(run: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.iterdir() if path.is_file()}


def test_a_new_run_has_its_config_and_a_failed_one_leaves_nothing(run):
    begin(run)
    assert names(run) == FRESH
    other = run.with_name("other")
    assert fail(other) == "no such data"
    assert not other.exists()


def test_a_failing_start_removes_nothing_that_it_did_not_make(run, tmp_path):
    run.mkdir()
    fail(run)
    assert names(run) == []
    link = tmp_path / "link"
    link.symlink_to(run)
    fail(link)
    assert link.is_symlink()
    assert names(run) == []
    begin(run)
    fail(run)
    assert names(run) == FRESH, "the config is of an earlier start"
    fail(run, state="failed")
    assert names(run) == [*FRESH, "status.json"], "how it ended"
    for name in ("config.yaml", "status.json"):
        (run / name).unlink()
    fail(run)
    assert names(run) == ["checkpoints", "environment.json"]
    (run / "mine.txt").write_text("mine")
    fail(run)
    assert "mine.txt" in names(run)


def test_a_disk_that_does_not_answer_does_not_hold_up_the_end(run, monkeypatch, capsys):
    begin(run)
    back = threading.Event()
    monkeypatch.setattr(files, "ANSWER", 0.05)
    monkeypatch.setattr(start, "load_status", lambda _: back.wait(10) and None)
    with pytest.raises(SystemExit), started(config_of(run), 1):
        raise SystemExit(75)
    assert capsys.readouterr().err == f"cnnbench: the disk of {run} does not answer: how the run ended is not written\n"
    back.set()


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(run):
    run.mkdir()
    for name in ("config.yaml", "notes.txt"):
        (run / name).write_text("mine")
        assert "is not empty and not a run" in fail(run)
        assert [*stat_of(run)] == [name]
        (run / name).unlink()
    run.rmdir()
    run.write_text("mine")
    assert "is a file, or a link to nothing: give another run=NAME" in fail(run)
    run.unlink()
    run.symlink_to("nowhere")
    assert "is a file, or a link to nothing" in fail(run)
    assert run.is_symlink()


def test_what_a_start_leaves_that_was_killed_before_its_config_is_a_new_run(run):
    run.mkdir()
    for name in (lock.FILE, ".lock.4711.json", ".config.4711.yaml"):
        (run / name).write_text("")
    os.utime(run / lock.FILE, (0, 0))
    begin(run)
    assert names(run) == FRESH


def test_a_start_that_loses_the_race_changes_nothing(run, monkeypatch):
    begin(run)
    write_status(run, "running", None, 0, 0)
    other = lock.identity({}) | {"machine": "elsewhere", "host": "far"}
    (run / lock.FILE).write_text(json.dumps(other))
    before = stat_of(run)
    assert "is being trained by process" in fail(run, "device=cpu")
    assert stat_of(run) == before


def test_a_run_that_has_ended_is_not_touched(run):
    begin(run)
    (run / "result.json").write_text('{"wrong_top1": 1, "wrong_top5": 0, "n": 2, "protocol": "center", "epoch": 2}')
    (run / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2, "step": 9}\n')
    write_status(run, "complete", None, 2, 9)
    before = stat_of(run)
    with started(config_of(run, "device=cpu"), 1):
        pass
    assert stat_of(run) == before
    assert "is a run with epochs=" in fail(run, "epochs=77")


def test_what_is_damaged_of_a_run_that_has_ended_is_made_anew(run):
    """It was killed before its status said so, or lost files afterwards."""
    test_a_run_that_has_ended_is_not_touched(run)
    whole = {name: (run / name).read_text() for name in ("config.yaml", "metrics.jsonl")}
    save(run)
    for name in (*whole, "status.json"):
        (run / name).write_text('{"state": "running", "why": null, "epoch": 1, "step": 5}')
        with started(config_of(run), 1):
            pass
        assert {name: (run / name).read_text() for name in whole} == whole
        status = json.loads((run / "status.json").read_text())
        assert (status["state"], status["epoch"], status["step"]) == ("complete", 2, 9)
    assert not (run / lock.FILE).exists()


def test_a_config_that_is_right_is_not_written_again(run):
    begin(run)
    inode = stat_of(run)["config.yaml"]
    begin(run)
    assert stat_of(run)["config.yaml"] == inode
    begin(run, "log_every=7")
    assert stat_of(run)["config.yaml"] != inode
    assert len(load_starts(run)) == 3


@pytest.mark.parametrize("share", [0, 0.5, 0.999, "binary", "deep", "other"])
def test_a_damaged_config_is_made_anew(run, share, capsys):
    """From the checkpoint once there is one: whatever the command says then, it is the run's own."""
    begin(run)
    text = (run / "config.yaml").read_text()
    damaged = {"binary": "\x00\udcff", "deep": "[" * 5000, "other": "- 1\n"}
    cut = damaged[share] if isinstance(share, str) else text[: int(len(text) * share)]

    def damage() -> None:
        (run / "config.yaml").write_text(cut, errors="surrogateescape")
        (run / "environment.json").write_text(cut[:7], errors="surrogateescape")

    damage()
    begin(run)
    assert "is damaged, and nothing was saved yet: the run begins anew" in capsys.readouterr().out
    assert (run / "config.yaml").read_text() == text
    save(run)
    whole = load_config(run)
    damage()
    assert load_config(run) == whole, "who only reads takes the checkpoint's"
    assert fail(run, "epochs=77").startswith(f"{run} is a run with epochs=8, not 77")
    assert (run / "config.yaml").read_text() == text
    damage()
    begin(run)
    assert "is made anew from" in capsys.readouterr().out
    assert (run / "config.yaml").read_text() == text
    assert len(load_starts(run)) == 2


def test_a_config_without_a_key_is_that_of_another_version_only_if_the_checkpoint_lacks_it_too(run):
    begin(run)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    del settings["augment"]["crop"]["border"]
    older = yaml.safe_dump(settings)
    save(run)
    (run / "config.yaml").write_text(older)
    begin(run)
    save(run, older)
    (run / "config.yaml").write_text(older)
    assert "was begun by a version of cnnbench without augment.crop.border" in fail(run)
