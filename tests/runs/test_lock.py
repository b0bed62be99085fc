"""One training per run folder, and an owner that is gone is recognised."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from cnnbench.runs import lock
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import read_json


def other(**changes: object) -> dict:
    """An owner on another machine."""
    return lock.identity({}) | {"machine": "elsewhere", "host": "far"} | changes


def test_a_held_folder_is_refused_and_given_back(tmp_path):
    with lock.held(tmp_path):
        with pytest.raises(UserError, match=f"trained by process {os.getpid()} on"):
            lock.refuse_if_held(tmp_path)
        with pytest.raises(UserError, match="another run=NAME"), lock.held(tmp_path):
            pass
        assert (tmp_path / lock.FILE).exists()
    assert not list(tmp_path.iterdir())


def test_a_dead_process_of_this_machine_does_not_hold(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    owner = lock.identity({}) | {"pid": child.pid, "started": 1}
    time.sleep(0.3)  # it has ended, and this process has not asked: a zombie
    for _ in range(2):
        (tmp_path / lock.FILE).write_text(json.dumps(owner))
        lock.refuse_if_held(tmp_path)
        with lock.held(tmp_path):
            assert json.loads((tmp_path / lock.FILE).read_text())["pid"] == os.getpid()
        child.wait()
    reused = lock.identity({}) | {"started": 1}  # this very process number, of an earlier process
    assert lock.is_gone(reused, lock.identity({}), 0)


def test_elsewhere_the_heartbeat_counts(tmp_path):
    path = tmp_path / lock.FILE
    path.write_text(json.dumps(other()))
    with pytest.raises(UserError, match="on far"):
        lock.refuse_if_held(tmp_path)
    os.utime(path, (time.time() - 1000, time.time() - 1000))
    with lock.held(tmp_path):
        assert json.loads(path.read_text())["host"] != "far"


def test_an_owner_elsewhere_has_three_minutes_to_say_that_it_lives(tmp_path):
    """Five heartbeats may go missing, as on a file server that is slow for a moment; the message names the time."""
    now = lock.identity({})
    assert [lock.is_gone(other(), now, age) for age in (0, 5 * 30, 180, 180.5)] == [False, False, False, True]
    assert lock.GONE_AFTER >= 5 * lock.HEARTBEAT
    (tmp_path / lock.FILE).write_text(json.dumps(other()))
    with pytest.raises(UserError, match="its lock is ignored 3 minutes after its end"):
        lock.refuse_if_held(tmp_path)


def test_a_later_attempt_of_the_same_job_takes_over():
    before = other(job="slurm 7", attempt=[0, 2])
    for environment, gone in [
        ({"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}, True),
        ({"SLURM_JOB_ID": "7", "TORCHELASTIC_RESTART_COUNT": "3"}, True),
        ({"SLURM_JOB_ID": "7"}, False),
        ({"SLURM_JOB_ID": "7", "TORCHELASTIC_RESTART_COUNT": "2"}, False),  # the same attempt: a twin, both alive
        ({"SLURM_JOB_ID": "8", "SLURM_RESTART_COUNT": "1"}, False),
        ({}, False),
    ]:
        assert lock.is_gone(before, lock.identity(environment), 0) is gone


def test_an_owner_that_was_wrongly_taken_for_gone_leaves(tmp_path, monkeypatch, capfd):
    left = threading.Event()

    def leave(status: int) -> None:
        assert status == lock.TAKEN_OVER
        left.set()

    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    monkeypatch.setattr(lock.os, "_exit", leave)
    path = tmp_path / lock.FILE
    with lock.held(tmp_path):
        assert not left.wait(0.1)
        path.write_text("")  # as the next owner begins to write
        assert not left.wait(0.1)
        path.write_text(json.dumps(other(pid=17)))
        assert left.wait(30)
    assert "has been taken over by process 17 on far" in capfd.readouterr().err
    assert json.loads(path.read_text())["pid"] == 17, "it is the other's lock"


def test_a_lock_that_is_being_written_holds(tmp_path):
    (tmp_path / lock.FILE).write_text("")
    with pytest.raises(UserError, match="another process"):
        lock.refuse_if_held(tmp_path)


SHAPES = [
    *(b"", b"{", b"null", b"[]", b"17", b'"x"', b"\x00\xff", b"[" * 20000, b'{"pid": 1}', b"1" * 5000),
    *(json.dumps(lock.identity({}) | wrong).encode() for wrong in ({"pid": 0}, {"pid": -1}, {"pid": 1 << 70})),
    *(json.dumps(lock.identity({}) | wrong).encode() for wrong in ({"attempt": "x"}, {"host": None}, {"started": "x"})),
]


@pytest.mark.parametrize("content", SHAPES, ids=range(len(SHAPES)))
def test_a_damaged_lock_holds_as_long_as_one_of_elsewhere_and_is_then_taken(tmp_path, content):
    path = tmp_path / lock.FILE
    path.write_bytes(content)
    with pytest.raises(UserError, match="trained by another process"), lock.held(tmp_path):
        pass
    assert lock.is_held(tmp_path)
    assert path.read_bytes() == content
    os.utime(path, (time.time() - 181, time.time() - 181))
    assert not lock.is_held(tmp_path)
    with lock.held(tmp_path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / lock.FILE).mkdir()
    with pytest.raises(UserError, match=r"cannot read .*lock.json: Is a directory"), lock.held(tmp_path):
        pass


def test_a_training_process_takes_the_lock_over_from_its_parent_and_gives_it_back(tmp_path):
    path = tmp_path / lock.FILE
    with lock.held(tmp_path):
        own = read_json(path)
        with lock.held(tmp_path, heir=True):
            assert read_json(path) == own
        child = os.fork()
        if child == 0:
            status = 1
            with lock.held(tmp_path, heir=True):
                status = int(json.loads(path.read_text())["pid"] != os.getpid())
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert read_json(path) == own
        child = os.fork()
        if child == 0:
            with lock.held(tmp_path, heir=True):
                os._exit(0)  # killed: it does not give it back
        os.waitpid(child, 0)
        assert json.loads(path.read_text())["pid"] == child
    assert not list(tmp_path.iterdir())


def test_a_count_of_restarts_that_is_no_number_is_one_sentence():
    with pytest.raises(UserError, match="SLURM_RESTART_COUNT=x is not a whole number"):
        lock.identity({"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "x"})


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with lock.held(tmp_path):
        assert json.loads((tmp_path / lock.FILE).read_text())["pid"] == os.getpid()
        with pytest.raises(UserError, match="another run=NAME"), lock.held(tmp_path):
            pass
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_lock(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(UserError, match=r"cannot write .*lock.json: No space"), lock.held(tmp_path):
            pass
    assert not list(tmp_path.iterdir())
    with lock.held(tmp_path):
        pass


def test_a_pipe_in_the_place_of_the_lock_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / lock.FILE)
    with pytest.raises(UserError, match=r"cannot read .*lock\.json: it is not a plain file"), lock.held(tmp_path):
        pass


def test_a_link_to_nowhere_in_the_place_of_the_lock_is_one_sentence(tmp_path):
    """It cannot be made, since there is one, and cannot be read, since there is none: a start went round for ever."""
    (tmp_path / lock.FILE).symlink_to(tmp_path / "nowhere")
    with (
        pytest.raises(UserError, match=r"cannot read .*lock\.json: it is a link to what is not there"),
        lock.held(tmp_path),
    ):
        pass
    assert lock.is_held(tmp_path)
