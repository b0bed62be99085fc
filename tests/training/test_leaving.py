"""A run that is asked to stop while a part of it is stopped, or that loses one, saves what it has and leaves."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from sockets import family

from cnnbench.runs import checkpoint
from cnnbench.runs.status import write_status
from cnnbench.runtime.errors import Lost, Stopped
from cnnbench.training import command as training_command
from cnnbench.training import watch
from cnnbench.training.status import after_loss

pytestmark = pytest.mark.slow

WORDS = ("train", "arch=resnet20", "recipe=quick", "batch=12", "epochs=4", "save_every=2", "log_every=0")
WORDS += ("data.workers=1", "data.prefetch=1", "logger=[]")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(watch, "LOOK", 0.1)


def disturb(run: Path, act: str, processes: int, rank: int) -> threading.Thread:
    """Once `run` has saved, stop or kill a loader process of its process `rank`; if it was stopped, ask to stop."""

    before = family(os.getpid())

    def disturbing() -> None:
        while not (run / "checkpoints/last.pt").exists():
            time.sleep(0.002)
        ranks = [os.getpid()] if processes == 1 else [pid for pid in children(os.getpid()) if pid not in before]
        worker = next(pid for pid in children(ranks[rank]) if pid not in before)  # of the training images
        os.kill(worker, {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}[act])
        if act == "stop":
            time.sleep(1)  # until the batches that are made are used up
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=disturbing, daemon=True)
    thread.start()
    return thread


def children(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return sorted(found)


@pytest.mark.parametrize(("act", "processes", "rank"), [("stop", 2, 1), ("kill", 1, 0)])
def test_a_worker_that_is_stopped_or_killed_costs_no_step(
    act, processes, rank, command, tmp_path, small_data, impatient
):
    words = (*WORDS, f"data={small_data}", f"processes={processes}")
    run = tmp_path / "runs/cut"
    before = set(family(os.getpid()))
    thread = disturb(run, act, processes, rank)
    done = command(*words, "run=cut")
    thread.join()
    assert done.returncode == 75, done.stderr
    said = json.loads((run / "status.json").read_text())
    assert said["state"] == "preempted"
    why = "stopped by SIGTERM while waiting for loader process 0 of 1 (at images"
    killed = "loader process 0 of 1 was ended by SIGKILL (out of memory?)"
    assert said["why"].startswith(why if act == "stop" else killed)
    assert said["lost"] == (None if act == "stop" else said["step"])
    assert not set(family(os.getpid())) - before, "a process is left"
    assert command(*words, "run=cut").returncode == 0
    assert command(*words, "run=whole").returncode == 0
    models = [torch.load(tmp_path / f"runs/{run}/checkpoints/last.pt")["model"] for run in ("cut", "whole")]
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[1])


def test_a_loss_is_continued_once_at_each_step(tmp_path):
    loss = Lost("process 1 of 2 was ended by SIGKILL (out of memory?)")
    first = after_loss(tmp_path, loss, 7)
    assert (str(first), first.status, first.lost) == (str(loss), 75, 7)
    write_status(tmp_path, "preempted", "", 0, 7, first.lost)
    again = after_loss(tmp_path, loss, 7)
    assert (again.status, again.lost) == (1, 7)
    assert str(again).endswith("the second time at step 7: give it more memory, or fewer data.workers")
    assert after_loss(tmp_path, loss, 8).status == 75, "there was progress"


def test_a_leader_that_is_killed_each_time_is_started_again_as_long_as_there_are_steps(tmp_path, monkeypatch):
    """It cannot say how far it came: the front process reads it from the last save."""

    def launch(*_: object) -> float:
        raise Lost("process 0 of 2 was ended by SIGKILL (out of memory?)")

    monkeypatch.setattr(training_command, "launch", launch)
    (tmp_path / "checkpoints").mkdir()
    for epochs, step, expected in ((1, 2, 75), (2, 0, 75), (2, 0, 1)):
        state = {"epoch": epochs, "step": step, "metrics": [{"epoch": epochs, "step": 5 * epochs}]}
        checkpoint.save(tmp_path / "checkpoints", {"model": {}, "state": state})
        with pytest.raises(Stopped) as stopped:
            training_command._launch(2, tmp_path, "cpu", 1.0)
        assert stopped.value.status == expected
        said = json.loads((tmp_path / "status.json").read_text())
        assert (said["epoch"], said["step"], said["lost"]) == (epochs, 5 * epochs + step, 5 * epochs + step)


def test_a_run_that_waits_in_vain_is_torn_away_and_then_leaves(impatient, monkeypatch):
    monkeypatch.setattr(watch, "PATIENCE", 2)
    calls, left = [], threading.Event()

    def leave(number: int, waits: str) -> None:
        calls.append((number, waits))
        left.set()

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    watching = watch.Watch((signal.SIGUSR1,), float("inf"), calls.append, leave)
    try:
        time.sleep(0.5)
        assert not calls, "nobody has asked"
        signal.raise_signal(signal.SIGUSR1)
        assert left.wait(5)
    finally:
        watching.close()
        signal.signal(signal.SIGUSR1, before)
    assert calls[:2] == [signal.SIGUSR1] * 2
    assert calls[-1] == (signal.SIGUSR1, "it waits in the start of Python and cannot be saved")


def test_a_save_has_its_time_and_work_is_no_waiting(impatient, monkeypatch):
    monkeypatch.setattr(watch, "PATIENCE", 2)
    monkeypatch.setattr(watch, "SAVE", 0.3)
    calls: list = []
    watching = watch.Watch((), time.monotonic(), calls.append, lambda *what: calls.append(what))
    try:
        busy_until = time.process_time() + 0.6
        while time.process_time() < busy_until:
            pass
        assert not calls
        watching.saves()
        time.sleep(0.6)
    finally:
        watching.close()
    assert calls[0] == (watch.TIME_IS_UP, "its save has not come to an end in 0.3 seconds")


def test_the_watch_ends_while_a_forked_process_holds_its_descriptors():
    """As one that decodes images, which stays until the end: such a run waited for it in vain."""
    watching = watch.Watch((), float("inf"), print, print)
    if not (child := os.fork()):
        time.sleep(3)
        os._exit(0)
    began = time.monotonic()
    watching.close()
    assert time.monotonic() - began < 2
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
