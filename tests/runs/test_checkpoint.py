"""Checkpoints are whole or not there; a pickle that is more than tensors is refused; saving does not wait."""

from __future__ import annotations

import os
import pickle
import resource
import threading
from pathlib import Path

import pytest
import torch

from cnnbench.runs import checkpoint
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.sealed import FORMAT
from cnnbench.training.async_checkpointer import AsyncCheckpointer, host_copy


def content(step: int, size: int = 3) -> dict:
    return {"model": {"weight": torch.full((size,), float(step))}, "state": {"step": step}}


def step_of(path: Path | None) -> int | None:
    return None if path is None else checkpoint.load(path)["state"]["step"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_last_keeps_its_predecessor_and_a_damaged_one_is_put_aside(tmp_path, capsys):
    assert checkpoint.find_last(tmp_path) is None
    for step in (1, 2):
        checkpoint.save(tmp_path, content(step))
    assert names(tmp_path) == ["last.pt", "previous.pt"]
    assert step_of(checkpoint.find_last(tmp_path)) == 2
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:-100])
    assert step_of(checkpoint.find_last(tmp_path)) == 1
    assert "last.pt is damaged" in capsys.readouterr().out
    assert names(tmp_path) == ["damaged.pt", "previous.pt"]
    checkpoint.save(tmp_path, content(3))
    assert step_of(tmp_path / "previous.pt") == 1, "the next save must not put the damaged one in its place"
    for name in ("last.pt", "previous.pt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        checkpoint.find_last(tmp_path)


@pytest.mark.parametrize(("format", "by"), [(FORMAT + 1, "cnnbench 9.9"), (None, "an earlier version")])
def test_a_checkpoint_of_another_format_is_refused_and_left_where_it_is(tmp_path, monkeypatch, format, by):
    checkpoint.save(tmp_path, content(1))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", format)
        patch.setattr(checkpoint, "__version__", "9.9")
        if format is None:
            patch.setattr(torch, "save", lambda what, file, save=torch.save: save(content(2), file))
        checkpoint.save(tmp_path, content(2))
    with pytest.raises(UserError, match=f"last.pt was written by {by}.* continue the run with the version that wrote"):
        checkpoint.find_last(tmp_path)
    assert names(tmp_path) == ["last.pt", "previous.pt"]


def test_every_changed_byte_is_noticed(tmp_path):
    checkpoint.save(tmp_path, content(1))
    path = tmp_path / "last.pt"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UserError, match="damaged"):
            checkpoint.load(path)
    path.write_bytes(whole)
    assert torch.equal(torch.load(path, weights_only=True)["model"]["weight"], torch.ones(3)), "torch reads it as it is"


def test_kept_names_are_the_same_checkpoint(tmp_path):
    checkpoint.save(tmp_path, content(1), (checkpoint.BEST, checkpoint.of_epoch(5)))
    checkpoint.save(tmp_path, content(2))
    assert names(tmp_path) == ["best.pt", "epoch-0005.pt", "last.pt", "previous.pt"]
    assert [step_of(tmp_path / name) for name in names(tmp_path)] == [1, 1, 2, 1]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_save_has_ended(
    tmp_path, disk_calls
):
    """After a power cut `last` is a whole checkpoint or the one before, and a save that has returned is there."""
    folder, scratch = tmp_path.name, f".last.pt.{os.getpid()}"
    checkpoint.save(tmp_path, content(1))
    assert disk_calls == [("sync", scratch), ("name", "last.pt"), ("sync", folder)]
    disk_calls.clear()
    checkpoint.save(tmp_path, content(2), (checkpoint.BEST,))
    named = [("name", name) for name in ("best.pt", "previous.pt", "last.pt")]
    assert disk_calls == [("sync", scratch), *named, ("sync", folder)]


def test_a_failed_save_leaves_the_one_before(tmp_path):
    checkpoint.save(tmp_path, content(1))
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save(tmp_path, {"model": lambda: None})
    with pytest.raises(UserError, match=r"cannot write .*No such file or directory"):
        checkpoint.save(tmp_path / "nowhere", content(2))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # a disk that is full after 100 kB
    try:
        with pytest.raises(UserError, match=r"cannot write .*last.pt: File too large; the checkpoint before it is"):
            checkpoint.save(tmp_path, content(2, size=1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == ["last.pt"]
    assert step_of(checkpoint.find_last(tmp_path)) == 1


def test_what_a_killed_save_left_is_removed(tmp_path):
    checkpoint.save(tmp_path, content(1))
    (tmp_path / ".last.pt.4711").write_bytes(b"half")
    os.rename(tmp_path / "last.pt", tmp_path / "previous.pt")  # killed between the two renames
    assert step_of(checkpoint.find_last(tmp_path)) == 1
    assert names(tmp_path) == ["previous.pt"]


def test_a_pickle_cannot_run_code(tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "last.pt").write_bytes(pickle.dumps({"model": Evil()}))
    checkpoint.save(tmp_path, {"model": Evil()})  # with a right checksum
    (tmp_path / "previous.pt").unlink()
    with pytest.raises(UserError, match="damaged"):
        checkpoint.find_last(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_saving_copies_returns_and_reports_later(tmp_path, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    real = checkpoint.save

    def slow(*arguments):
        begun.set()
        assert go.wait(20)
        real(*arguments)

    monkeypatch.setattr(checkpoint, "save", slow)
    saver, state = AsyncCheckpointer(tmp_path), content(1)
    saver.save(state, (0, 1))
    assert begun.wait(20)
    state["model"]["weight"] += 1  # training goes on
    saver.check()
    assert names(tmp_path) == []
    assert saver.saved == (0, 0)
    go.set()
    saver.finish()
    assert saver.saved == (0, 1)
    assert torch.equal(checkpoint.load(tmp_path / "last.pt")["model"]["weight"], torch.ones(3))

    saver = AsyncCheckpointer(tmp_path / "nowhere")
    saver.save(content(2), (0, 2))
    saver.pool.shutdown()
    with pytest.raises(UserError, match="cannot write"):
        saver.check()
    saver.check()


@pytest.mark.parametrize(("network", "name"), [("model", "weight"), ("model", "running_var"), ("averaged", "weight")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(tmp_path, network, name, value):
    """Nor are they averaged ones, or statistics of batch normalisation."""
    saver = AsyncCheckpointer(tmp_path)
    good = {"weight": torch.ones(3), "running_var": torch.ones(2), "batches": torch.tensor(7)}
    saver.save({"model": good, "averaged": good}, (0, 5))
    saver.finish()
    before = (tmp_path / "last.pt").read_bytes()
    bad = {**good, name: torch.tensor([1.0, value])}
    saver.save({"model": good, "averaged": good, network: bad}, (1, 9))
    whose = "averaged weights" if network == "averaged" else "weights"
    with pytest.raises(UserError, match=rf"the {whose} after step 9 \(1 epoch done\) are not finite, {name} for one"):
        saver.finish()
    assert names(tmp_path) == ["last.pt"]
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_host_copy_keeps_strides_and_shares_nothing():
    weight = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    state = {"a": [weight, 3], "b": (None, {"c": torch.tensor(True)})}
    copy = host_copy(state)
    assert copy["a"][0].stride() == weight.stride()
    assert not copy["a"][0].requires_grad
    assert copy["a"][0].data_ptr() != weight.data_ptr()
    assert torch.equal(copy["a"][0], weight)
    assert copy["b"] == (None, {"c": torch.tensor(True)})
