"""status.json tells how a run ended, and how far its last checkpoint is."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace

import pytest

from cnnbench.runtime.distributed import Process
from cnnbench.runtime.errors import Stopped, UserError
from cnnbench.runtime.files import write_json
from cnnbench.training.async_checkpointer import AsyncCheckpointer
from cnnbench.training.status import Status


@pytest.fixture
def told(tmp_path):
    """What status.json says: its state, the epochs done and the steps saved."""

    def read() -> tuple[str, int, int]:
        said = json.loads((tmp_path / "status.json").read_text())
        return said["state"], said["epoch"], said["step"]

    return read


def test_a_run_is_running_and_then_complete(tmp_path, told):
    with Status(tmp_path, Process()) as status:
        assert told() == ("running", 0, 0)
        context = SimpleNamespace(checkpointer=AsyncCheckpointer(tmp_path))
        context.checkpointer.saved = 2, 30
        status.continues(context)
        assert told() == ("running", 2, 30), "where the run continues, not where this start began"
        context.checkpointer.saved = 3, 42
    assert told() == ("complete", 3, 42)


def test_a_run_that_ends_before_its_first_checkpoint_has_nothing_saved(tmp_path, told, capsys):
    status = Status(tmp_path, Process())
    status.context = SimpleNamespace(checkpointer=AsyncCheckpointer(tmp_path))
    with pytest.raises(Stopped), status:
        raise Stopped("stopped by SIGTERM", 75)
    assert told() == ("preempted", 0, 0)
    assert "stopped by SIGTERM, saved after step 0 (epoch 0 done)" in capsys.readouterr().out


def test_a_full_disk_is_one_sentence_and_a_failed_run(tmp_path, told):
    with pytest.raises(UserError, match="No space left on device"), Status(tmp_path, Process()):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert told() == ("failed", 0, 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{run}/tensorboard/x", "cannot write to {run}: Input/output error; the last checkpoint is untouched"),
        ("/data/1.jpg", "cannot read or write /data/1.jpg: Input/output error; the last checkpoint is untouched"),
    ],
)
def test_a_folder_is_not_blamed_for_another_disk(tmp_path, name, said):
    with pytest.raises(UserError) as failure, Status(tmp_path, Process()):
        raise OSError(errno.EIO, "Input/output error", name.format(run=tmp_path))
    assert str(failure.value) == said.format(run=tmp_path)


def test_what_is_in_the_way_in_a_runs_folder_is_one_sentence(tmp_path):
    (tmp_path / "result.json").mkdir()
    with (
        pytest.raises(UserError, match=r"^cannot write to .*/result\.json: Is a directory"),
        Status(tmp_path, Process()),
    ):
        write_json(tmp_path / "result.json", {})
    with pytest.raises(FileNotFoundError), Status(tmp_path, Process()):  # elsewhere it may be our mistake
        write_json(tmp_path.parent / "nowhere" / "x.json", {})


def test_a_run_whose_folder_has_gone_is_one_sentence(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()

    def write_after_a_rename() -> None:
        folder.rename(tmp_path / "another")
        write_json(folder / "metrics.jsonl", {})

    said = f"^{folder} is no longer there: it was removed or renamed while it was being trained$"
    with pytest.raises(UserError, match=said), Status(folder, Process()):
        write_after_a_rename()


def test_only_the_leader_writes(tmp_path):
    with Status(tmp_path, Process(1, 2, 1)):
        pass
    assert not list(tmp_path.iterdir())
