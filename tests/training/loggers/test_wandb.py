"""The record on Weights & Biases, by a package that notes what it is told."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cnnbench.config import loggers
from cnnbench.training.loggers.tags import EPOCH_TAGS

WORDS = ("train", "arch=lenet", "recipe=quick", "data.workers=0", "logger=[wandb]", "batch=20", "run=tracked")


class CommError(Exception):
    pass


class Record:
    def __init__(self, **about: Any) -> None:
        self.about, self.logged, self.summary, self.axes = about, [], {}, []
        self.dir, self.settings, self.finished = f"{about['dir']}/wandb/x/files", SimpleNamespace(**about), False

    def define_metric(self, name: str, step_metric: str) -> None:
        self.axes.append((name, step_metric))

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished = True


class Package(ModuleType):
    """`answers`: whether its server does."""

    def __init__(self, answers: bool = True) -> None:
        super().__init__("wandb")
        self.records: list[Record] = []
        self.errors, self.answers = SimpleNamespace(CommError=CommError), answers
        self.Settings, self.Image = lambda **_: None, lambda picture: ("image", picture.shape)

    def init(self, **about: Any) -> Record:
        if about["mode"] == "online" and not self.answers:
            raise CommError("no route to host")
        self.records.append(Record(**about))
        return self.records[-1]


@pytest.fixture
def package(monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr(loggers, "find_spec", lambda name: object())

    def of(answers: bool = True) -> Package:
        made = Package(answers)
        monkeypatch.setitem(sys.modules, "wandb", made)
        return made

    return of


def test_curves_pictures_config_and_errors_are_told(command, small_data, tmp_path, package):
    wandb = package()
    done = command(*WORDS, f"data={small_data}", "epochs=2")
    assert done.returncode == 0, done.stderr
    (record,) = wandb.records
    lines = [json.loads(line) for line in (tmp_path / "runs/tracked/metrics.jsonl").read_text().splitlines()]
    epochs = [values for values in record.logged if "val/top1_error" in values]
    told = [
        {tag: line[name] for name, tag in EPOCH_TAGS.items() if name in line} | {"step": line["step"]} for line in lines
    ]
    assert epochs == told
    assert record.axes == [("*", "step")]
    assert any(value[0] == "image" for values in record.logged for value in values.values() if isinstance(value, tuple))
    assert record.about["config"]["optimizer"]["lr"] > 0
    assert (record.about["mode"], record.about["project"], record.about["name"]) == ("offline", "cnnbench", "tracked")
    assert record.summary
    assert record.finished
    assert "wandb sync runs/tracked/wandb/x" in done.stdout


def test_a_run_that_is_continued_continues_its_record(command, small_data, package, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    wandb = package()
    words = (*WORDS, f"data={small_data}", "epochs=2", "save_every=1")
    assert command(*words, "max_hours=1e-9").returncode == 75
    assert command(*words).returncode == 0
    first, second = wandb.records
    assert first.about["id"] == second.about["id"]
    assert {record.about["resume"] for record in wandb.records} == {"allow"}
    assert {record.about["mode"] for record in wandb.records} == {"online"}


def test_a_server_that_does_not_answer_costs_a_line(command, small_data, package, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    wandb = package(answers=False)
    done = command(*WORDS, f"data={small_data}", "epochs=1")
    assert done.returncode == 0, done.stderr
    assert "wandb's server does not answer (no route to host): the record is kept in files" in done.stdout
    assert [record.about["mode"] for record in wandb.records] == ["offline"]


def test_a_package_that_is_not_there_is_said_before_anything_is_made(command, small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    done = command(*WORDS, f"data={small_data}", "epochs=1")
    assert (done.returncode, "pip install 'cnnbench[wandb]'" in done.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
