"""A run that is asked to stop saves and says how to continue; one whose numbers are bad stops and names the step."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from forking import CNNBENCH
from sockets import listening as sockets

from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import Stopped
from cnnbench.training import preemption as module
from cnnbench.training import train_step
from cnnbench.training.preemption import SIGNALS, listening

SMALL = ("recipe=quick", "batch=12", "data.workers=1", "log_every=0")


def status(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


def test_signals_and_time_stop_and_handlers_are_given_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    for number, expected in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
        with listening(Process(), None) as stopping:
            stopping.check()
            signal.raise_signal(number)
            with pytest.raises(Stopped, match=signal.Signals(number).name) as stopped:
                stopping.check()
        assert stopped.value.status == expected
    with listening(Process(), 1e-9) as stopping, pytest.raises(Stopped, match="max_hours"):
        stopping.check()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_process_of_a_group_is_not_ended_on_its_way_out(monkeypatch):
    """srun and torchrun send SIGTERM to the others when the first has left, whose exit status is to be 75 as well."""
    monkeypatch.setattr(module, "Agreement", lambda _: SimpleNamespace(largest=lambda wish: wish))
    own = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with listening(Process(1, 2), None):
        pass
    assert {number: signal.getsignal(number) for number in SIGNALS} == before, "it was not stopped"
    try:
        with pytest.raises(Stopped), listening(Process(1, 2), 1e-9) as stopping:
            stopping.check()
        ignored = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
        assert ignored == [signal.SIGTERM, signal.SIGUSR1], "not Ctrl-C"
    finally:
        for number, handler in {**before, signal.SIGINT: own}.items():
            signal.signal(number, handler)


def test_max_hours_are_hours_and_stop_at_their_end(monkeypatch):
    now = [500.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    stopping = module.Preemption(Process(), 2.0)
    for now[0] in (500.0, 500.0 + 2 * 3600 - 1):
        stopping.check()
    now[0] = 500.0 + 2 * 3600
    with pytest.raises(Stopped, match="max_hours is over"):
        stopping.check()


def test_torchrun_does_not_restart_what_was_to_stop(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    with listening(Process(), 1e-9) as stopping, pytest.raises(Stopped) as stopped:
        stopping.check()
    assert stopped.value.status == 0


def test_two_processes_stop_together_and_continue_to_the_same_bits(command, tmp_path, small_data):
    """With batch normalisation, whose statistics differ between processes in the middle of an epoch."""
    words = [
        "train", "arch=resnet20", f"data={small_data}", *SMALL, "epochs=3", "save_every=1", "processes=2",
        "keep_every=2",
    ]  # fmt: skip
    whole = command(*words, "run=whole")
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        [*CNNBENCH, *words, "run=cut"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (tmp_path / "runs/cut/checkpoints/last.pt").exists():
        time.sleep(0.002)
    open_to = {address for addresses in sockets(process.pid).values() for address in addresses}
    process.send_signal(signal.SIGTERM)
    told, errors = process.communicate()
    assert open_to == {"127.0.0.1"}, "gloo's; and nothing that another machine could reach"
    assert process.returncode == 75, errors
    assert "stopped by SIGTERM, saved after step" in told
    assert errors == ""
    cut = tmp_path / "runs/cut"
    assert status(cut)["state"] == "preempted"
    rest = command(*words, "run=cut", "save_every=3")
    assert rest.returncode == 0, rest.stderr
    assert (status(cut)["state"], status(cut)["step"]) == ("complete", 15)
    assert sorted(path.name for path in (cut / "checkpoints").iterdir()) == [
        "best.pt", "epoch-0002.pt", "last.pt", "previous.pt",
    ]  # fmt: skip
    models = [torch.load(tmp_path / f"runs/{run}/checkpoints/last.pt")["model"] for run in ("cut", "whole")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[1])


def test_a_step_that_is_not_finite_stops_the_run_or_is_skipped(command, tmp_path, small_data):
    words = ("train", f"data={small_data}", *SMALL, "epochs=1", "optimizer.lr=1e30", "schedule.warmup_epochs=0")
    done = command(*words, "run=bad")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "was not finite: loss" in done.stderr
    bad = tmp_path / "runs/bad"
    record = json.loads((bad / "nonfinite.jsonl").read_text())
    assert record["step"] in range(1, 5)
    assert len(record["images"]) == 12
    assert status(bad)["state"] == "failed"
    assert status(bad)["why"] in done.stderr
    assert list((bad / "checkpoints").iterdir()) == []
    lost = command(*words, "run=bad", "on_nonfinite=skip")
    assert "it was skipped" in lost.stdout
    assert (lost.returncode, status(bad)["state"]) == (2, "failed"), "a network that is lost is not a result"
    assert "the validation loss after epoch 1 is nan" in lost.stderr


def test_a_single_step_that_is_not_finite_is_skipped(command, tmp_path, small_data, monkeypatch):
    real = train_step._loss

    def bad_once(*arguments):
        loss, mistaken = real(*arguments)
        return loss * (math.nan if arguments[-1] == 2 else 1), mistaken

    monkeypatch.setattr(train_step, "_loss", bad_once)
    done = command("train", f"data={small_data}", *SMALL, "epochs=1", "run=one", "on_nonfinite=skip")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("it was skipped") == 1
    assert json.loads((tmp_path / "runs/one/nonfinite.jsonl").read_text())["step"] == 2
