"""What macOS and Windows lack is not asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnbench.config.arch import ArchConfig
from cnnbench.data.loading.loader import ImageMaker, Loader
from cnnbench.data.loading.transform import EvaluationTransform
from cnnbench.runtime import system
from cnnbench.runtime.errors import UserError
from tests.support import other_systems

SHORT = "recipe=quick epochs=1 batch=20 max_steps=2"


@pytest.mark.slow
def test_train_and_evaluate_where_windows_lacks_what_linux_has(small_data: Path, cache: Path, tmp_path: Path) -> None:
    """Every module is imported without signals, fcntl, fork and the like, and threads load the images."""
    data = f"data={small_data}"
    words = f"train {SHORT} {data} run=here then eval run=here {data} data.workers=2"
    command = [sys.executable, other_systems.__file__, "windows", *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "threads per training process" in done.stdout
    assert "warning" not in done.stdout
    assert done.stdout.count(", one centre crop") == 2


def test_what_is_hidden_is_there_on_linux() -> None:
    """Else the test above would hide nothing."""
    for names in (each["os"] for each in other_systems.LACKING.values()):
        assert [name for name in names.split() if not hasattr(os, name)] == []


def test_a_file_without_pread_is_read_at_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with open(tmp_path / "file", "rb") as file:
        assert system.read_at(file.fileno(), 3, 4) == b"456"
        monkeypatch.delattr(os, "pread")
        assert system.read_at(file.fileno(), 3, 4) == b"456"
        assert system.read_at(file.fileno(), 3, 0) == b"012"


def test_a_process_is_not_asked_for_where_the_question_would_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.process_exists(os.getpid()) is True
    assert system.process_exists(1 << 30) is False
    monkeypatch.setattr(system, "IS_WINDOWS", True)
    monkeypatch.setattr(os, "kill", pytest.fail)
    assert system.process_exists(os.getpid()) is None


def test_forked_workers_are_refused_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    images = ImageMaker(None, EvaluationTransform(ArchConfig(name="tiny"), 8), 3, "auto")
    assert Loader(images, [], 2).kind == "thread"
    with pytest.raises(UserError, match="worker_kind=process needs workers that are forked"):
        Loader(images, [], 2, "process")
