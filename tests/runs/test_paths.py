"""Where a run lies."""

from __future__ import annotations

from cnnbench.runs.paths import RUNS, new_run_folder


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [new_run_folder("lenet") for _ in range(3)]
    assert len({*folders}) == 3
    for folder in folders:
        assert folder.parent == RUNS
        assert folder.is_dir()
        assert not list(folder.iterdir())
