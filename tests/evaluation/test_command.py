"""`cnnbench eval`: how many processes it starts, and what it takes for a name."""

from __future__ import annotations

import csv
import os
import shutil

import pytest
import torch

from cnnbench.archs.registry import build
from cnnbench.config.evaluate import EvalConfig
from cnnbench.evaluation import command
from cnnbench.runtime.distributed import Process


@pytest.mark.parametrize(("processes", "started"), [(1, []), (2, [2]), (3, [3])])
def test_as_many_processes_as_are_chosen_and_none_more_for_one(processes, started, monkeypatch):
    launched, alone = [], []
    monkeypatch.setattr(command, "ensemble_members", lambda config: [])
    monkeypatch.setattr(command, "choose_processes", lambda *_: processes)
    monkeypatch.setattr(command, "launch", lambda function, count, *_: launched.append(count))
    monkeypatch.setattr(command, "_evaluate", lambda config, process, *_: alone.append(process))
    command.evaluate_command(EvalConfig(device="cpu"))
    assert launched == started
    assert alone == ([Process()] if processes == 1 else [])


def test_a_run_whose_config_names_no_data_is_one_sentence(command, small_data, tmp_path):
    words = ("arch=lenet", "recipe=quick", "epochs=1", "batch=4", "data.workers=0", "logger=[]", "device=cpu")
    assert command("train", *words, f"data={small_data}", "run=one").returncode == 0
    config = tmp_path / "runs/one/config.yaml"
    config.write_text(config.read_text().replace(f"path: {small_data}", "path: null"))
    done = command("eval", "run=one", "device=cpu", "data.workers=0")
    assert done.stderr == "cnnbench: data is missing: give data=PATH, or data=sample for the bundled images\n"
    assert command("eval", "run=one", f"data={small_data}", "device=cpu", "data.workers=0").returncode == 0


def test_every_name_that_a_file_may_have_is_in_the_predictions(command, small_data, tmp_path):
    names = (b"caf\xe9.png", b"a,b.png", b"a\nb.png", b'"a".png', b" a .png", "\u0061\u0301.png".encode())
    photo = next((small_data / "val/bag").iterdir())
    (tmp_path / "data/val/bag").mkdir(parents=True)
    for name in names:
        shutil.copy(photo, os.fsencode(tmp_path / "data/val/bag") + b"/" + name)
    (tmp_path / "classes").write_text("bag\n")
    torch.save(build("lenet", 1).state_dict(), tmp_path / "w.pt")
    words = ("weights=w.pt", "data=data", "data.classes=classes", "device=cpu", "data.workers=0", "details=details")
    done = command("eval", "arch=lenet", *words)
    assert done.returncode == 0, done.stderr
    assert "files       val: 6 images used, nothing left out" in done.stdout
    text = (tmp_path / "details/predictions.csv").read_text(encoding="utf-8", errors="surrogateescape")
    rows = list(csv.reader(text.splitlines(keepends=True)))
    shown = {b"caf\xe9.png": "caf\u00e9.png".encode(), b"a\nb.png": b"a\\nb.png"}  # never raw, and known again below
    assert {os.fsencode(row[0]) for row in rows[1:]} == {b"bag/" + shown.get(name, name) for name in names}
    exclude = command("eval", "arch=lenet", *words, "exclude=details/predictions.csv")
    assert "exclude=details/predictions.csv leaves no image of 6" in exclude.stderr, "the file is a list of its images"
