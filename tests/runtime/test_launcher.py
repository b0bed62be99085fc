"""How the processes of a group are started, how they meet, and what becomes of them when one ends otherwise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
import torch.distributed as dist
from sockets import family, listening

from cnnbench.runtime import distributed, launcher
from cnnbench.runtime.errors import Lost, UserError

pytestmark = pytest.mark.slow

LOOPBACK = {"127.0.0.1"}


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Processes that need not import torch again."""
    monkeypatch.setattr(launcher, "METHOD", "fork")


def addresses(_: object) -> list[str]:
    """Where this process of a group listens while it is in it."""
    with distributed.joined("cpu") as process:
        distributed.Agreement(process)
        return distributed.gather_to_leader(listening(os.getpid()), process)


def test_nothing_listens_beyond_the_loopback():
    with socket.create_server(("", 0)):  # what the test looks for, it finds
        assert "0.0.0.0" in chain.from_iterable(listening(os.getpid()).values())
    found = [set(chain.from_iterable(each.values())) for each in launcher.launch(addresses, 2, None)]
    assert found == [LOOPBACK, LOOPBACK], "gloo's own"


def test_what_rank_0_returns_comes_back_however_long_it_is():
    assert launcher.launch(in_group, 2, "x" * 1_000_000) == "x" * 1_000_000


def in_group(value: object) -> object:
    with distributed.joined("cpu") as process:
        assert distributed.from_leader(lambda: value, process) == value
        return value


def ends(how: str) -> None:
    if how == "before it meets" and os.environ["RANK"] == "1":
        os._exit(5)
    with distributed.joined("cpu") as process:
        if process.rank == 1:
            if how == "in a sentence":
                raise UserError("it is wrong")
            os.kill(os.getpid(), {"killed": signal.SIGKILL, "by a limit": signal.SIGXCPU}[how])
        distributed.wait_for_all(process)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("before it meets", 5, ""),
        ("in a sentence", 2, "cnnbench: it is wrong\n"),
        ("by a limit", 1, "cnnbench: process 1 of 2 was ended by SIGXCPU\n"),
    ],
)
def test_one_that_ends_has_the_others_leave_soon_and_is_named_once(how, status, said, monkeypatch, capfd):
    monkeypatch.setattr(distributed, "GRACE", 0.3)
    begun = time.monotonic()
    with pytest.raises(SystemExit) as left:
        launcher.launch(ends, 2, how)
    assert (left.value.code, capfd.readouterr().err) == (status, said)
    assert time.monotonic() - begun < 10


def test_one_that_is_killed_from_outside_is_told_apart(monkeypatch, capfd):
    monkeypatch.setattr(distributed, "GRACE", 0.3)
    with pytest.raises(Lost, match=r"^process 1 of 2 was ended by SIGKILL \(out of memory\?\)$"):
        launcher.launch(ends, 2, "killed")
    assert capfd.readouterr().err == "", "who catches it says it"


def stops(_: object) -> None:
    with distributed.joined("cpu") as process:
        distributed.wait_for_all(process)
        if process.rank == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        sys.exit(75)


def test_one_that_is_stopped_is_ended_when_another_has_left(capfd):
    with pytest.raises(SystemExit) as left:
        launcher.launch(stops, 2, None)
    assert left.value.code == 75
    assert capfd.readouterr().err == "cnnbench: process 1 of 2 did not answer, and was ended\n"


def test_one_that_cannot_be_ended_is_left(monkeypatch, capfd):
    from multiprocessing.process import BaseProcess, active_children

    killed = []
    monkeypatch.setattr(BaseProcess, "kill", lambda member: killed.append(member.pid))
    monkeypatch.setattr(launcher, "DEATH", 0.2)
    with pytest.raises(SystemExit):
        launcher.launch(stops, 2, None)
    try:
        assert capfd.readouterr().err == f"cnnbench: process 1 of 2 (process {killed[0]}) cannot be ended: it is left\n"
        assert killed[0] not in [child.pid for child in active_children()], "or Python waits for it at its end"
    finally:
        os.kill(killed[0], signal.SIGKILL)
        os.waitpid(killed[0], 0)


ALONE = r"""
import os, time
from cnnbench.runtime import distributed, launcher

def waits(_):
    with distributed.joined("cpu") as process:
        os.write(1, b"met\n")
        distributed.wait_for_all(process)
        time.sleep(600)

if __name__ == "__main__":
    launcher.METHOD = "fork"
    launcher.launch(waits, 2, None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_stays_when_the_front_process_ends(number, tmp_path):
    (tmp_path / "alone.py").write_text(ALONE)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    front = subprocess.Popen([sys.executable, "alone.py"], cwd=tmp_path, stdout=subprocess.PIPE, env=environment)
    for _ in range(2):
        assert front.stdout.readline() == b"met\n"
    processes = family(front.pid)
    assert len(processes) >= 3
    front.send_signal(number)
    assert front.wait() != 0
    end = time.monotonic() + 10
    while alive := [pid for pid in processes if Path(f"/proc/{pid}/cwd").exists()]:
        assert time.monotonic() < end, f"{alive} outlived the front process"
        time.sleep(0.05)
    assert {path.name for path in tmp_path.iterdir()} == {"alone.py"}, "a temporary file is left"


def test_the_file_where_a_group_meets_is_nobody_elses_and_has_no_name(monkeypatch):
    from cnnbench.runtime import meeting

    with meeting.meeting_file() as path:
        meeting.group_store(path).set("key", "value")
        assert meeting.group_store(path).get("key") == b"value"
        assert "(deleted)" in os.readlink(path)
    assert not os.path.exists(path)
    monkeypatch.setattr(meeting.sys, "platform", "darwin")
    with meeting.meeting_file() as path:
        folder = Path(path).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        meeting.group_store(path).set("key", "value")
    assert not folder.exists()
    monkeypatch.setattr(meeting.tempfile, "tempdir", "/nowhere")
    with pytest.raises(UserError, match=r"no temporary folder can be made .*: set TMPDIR"), meeting.meeting_file():
        pass


def test_a_store_that_another_job_keeps_is_not_taken_for_ones_own(monkeypatch):
    from cnnbench.runtime import meeting

    monkeypatch.setattr(meeting, "ANSWER", 0.2)
    with meeting.meeting_file() as path, pytest.raises(meeting.NoAnswer):
        meeting._wait_for_leader(dist.PrefixStore("other job", meeting.group_store(path)))
