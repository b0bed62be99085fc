"""data check, pack and stats go on without an image that ends a worker process, and name it; with workers=0, too."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from cnnbench.data.commands import encode, fenced, inspection
from cnnbench.data.commands import show as show_command
from cnnbench.data.commands import stats as stats_command

DEADLY = "train_00008.png"
HOW = {
    "a crash": (lambda *_: os.kill(os.getpid(), signal.SIGSEGV), r"ends the process that decodes it \(SIGSEGV\)"),
    "no end": (
        lambda *_: [None for _ in iter(int, 1)],
        r"takes more than data.max_seconds=0.1 of processor time",
    ),
}


@pytest.fixture(params=HOW)
def sentence(request, monkeypatch) -> str:
    """What is said of the images train_00008.png, which decoders do not survive."""
    end, words = HOW[request.param]
    monkeypatch.setattr(fenced, "MOST_SECONDS", 0.1)

    def deadly(function):
        return lambda content, name, *rest: (
            end() if name.endswith("train_00008.png") else function(content, name, *rest)
        )

    decode = inspection.inspect_file
    monkeypatch.setattr("cnnbench.data.commands.findings.inspect_file", deadly(decode))
    for module in (encode, stats_command, show_command):
        monkeypatch.setattr(module, "read_image", deadly(module.read_image))
    return rf"train_00008.png {words}"


@pytest.fixture
def names(small_data) -> list[Path]:
    return sorted((small_data / "train").rglob("train_00008.png"))


@pytest.mark.parametrize("workers", [0, 3])
def test_check_lists_it_and_looks_at_all_others(command, small_data, names, sentence, workers):
    done = command("data", "check", f"data={small_data}", f"workers={workers}", "splits=[train]")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"train: 61 images of {small_data}" in done.stdout
    assert f"  {len(names)} files that cannot be decoded" in done.stdout
    for name in names:
        assert str(name) in done.stdout
    for word in sentence.split(" ", 1)[1].replace("\\", "").split():
        assert word in done.stdout


def test_pack_leaves_it_out_where_that_is_asked_for(command, small_data, names, sentence):
    words = ["data", "pack", f"data={small_data}", "output=packed", "workers=2", "form=raw", "splits=[train]"]
    done = command(*words)
    assert done.returncode == 2
    assert f"{len(names)} broken images" in done.stderr
    done = command(*words, "skip_broken=true")
    assert done.returncode == 0, done.stderr
    assert f"left out {len(names)} broken images" in done.stdout


def test_stats_needs_every_image(command, small_data, sentence):
    done = command("data", "stats", f"data={small_data}", "workers=2")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "train_00008.png" in done.stderr


@pytest.mark.parametrize("draws", ["null", 2])
def test_show_has_an_empty_tile_in_its_place(command, small_data, sentence, draws):
    done = command("data", "show", f"data={small_data}", "count=30", f"draws={draws}", "side=16")
    assert done.returncode == 0, done.stderr
    assert "sheet.png: 61 images of 3 classes" in done.stdout
