"""Checkpoints are whole or not there, and a pickle that is more than tensors is refused."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

from cnnbench.errors import UserError
from cnnbench.training import checkpoint


def content(step: int) -> dict:
    return {"model": {"weight": torch.full((3,), float(step))}, "position": {"step": step}}


def test_last_keeps_its_predecessor_and_a_damaged_one_is_passed_over(tmp_path, capsys):
    assert checkpoint.load_last(tmp_path) is None
    for step in (1, 2):
        checkpoint.save(tmp_path, checkpoint.LAST, content(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]
    assert checkpoint.load_last(tmp_path)["position"]["step"] == 2
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:-100])
    assert checkpoint.load_last(tmp_path)["position"]["step"] == 1
    assert "damaged" in capsys.readouterr().out
    (tmp_path / "previous.pt").write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load_last(tmp_path)


def test_a_failed_save_leaves_the_one_before(tmp_path):
    checkpoint.save(tmp_path, checkpoint.LAST, content(1))
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save(tmp_path, checkpoint.LAST, {"model": lambda: None})
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    assert checkpoint.load_last(tmp_path)["position"]["step"] == 1
    with pytest.raises(UserError, match="cannot write"):
        checkpoint.save(tmp_path / "nowhere", checkpoint.LAST, content(2))


def test_a_pickle_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "last.pt").write_bytes(pickle.dumps({"model": Evil()}))
    torch.save({"model": Evil()}, tmp_path / "previous.pt")
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load_last(tmp_path)
    assert not (tmp_path / "ran").exists()
