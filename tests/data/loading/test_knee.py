"""The fewest workers that supply the most: measured by halves, once, and remembered."""

from __future__ import annotations

import pytest

from cnnbench.config.arch import ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.layouts.read import read_split
from cnnbench.data.loading import knee
from cnnbench.data.loading.transform import EvaluationTransform
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.files import read_json, write_json

ARCH = ArchConfig(name="lenet", crop_ratio=1.0, interpolation="bilinear", mean=[0.5] * 3, std=[0.2] * 3)
TRANSFORM = EvaluationTransform(ARCH, 32)
DATA = DataConfig(path="sample", workers="auto", engine="pillow")


@pytest.fixture
def split(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path))
    return read_split(DataConfig(path=str(sample)), "train")


@pytest.mark.parametrize(
    ("supply", "asked", "chosen"),
    [
        ({16: 800.0, 8: 790.0, 4: 500.0}, [16, 8, 4], 8),
        ({16: 800.0, 8: 500.0}, [16, 8], 16),
        ({16: 800.0, 8: 900.0, 4: 880.0, 2: 400.0}, [16, 8, 4, 2], 4),
        ({16: 8.0, 8: 8.0, 4: 8.0, 2: 8.0, 1: 8.0}, [16, 8, 4, 2, 1], 1),
    ],
)
def test_numbers_are_halved_as_long_as_that_costs_nothing(split, monkeypatch, tmp_path, supply, asked, chosen):
    seen = []
    monkeypatch.setattr(knee, "choose_workers", lambda configured, world: 16)
    monkeypatch.setattr(knee, "rate", lambda split, transform, data, count: seen.append(count) or supply[count])
    for _ in range(2):  # the second time it is remembered
        assert knee.workers_for(split, TRANSFORM, DATA, 1) == chosen
    assert seen == asked
    assert knee.workers_for(split, EvaluationTransform(ARCH, 64), DATA, 1) == chosen
    assert seen == asked * 2, "at another size it may be another"
    kept = read_json(tmp_path / knee.FILE)
    write_json(tmp_path / knee.FILE, {name: {"x": None} for name in kept})
    assert knee.workers_for(split, TRANSFORM, DATA, 1) == chosen


def test_nothing_is_measured_where_there_is_no_choice(split, monkeypatch):
    monkeypatch.setattr(knee, "rate", None)
    monkeypatch.setattr(knee, "choose_workers", lambda configured, world: configured if configured != "auto" else 1)
    assert knee.workers_for(split, TRANSFORM, DATA, 1) == 1
    assert knee.workers_for(split, TRANSFORM, DataConfig(path="sample", workers=3), 1) == 3


def test_a_measurement_that_fails_is_none(split, monkeypatch, tmp_path):
    def fail(*_):
        raise UserError("broken images")

    monkeypatch.setattr(knee, "rate", fail)
    monkeypatch.setattr(knee, "choose_workers", lambda configured, world: 4)
    assert knee.workers_for(split, TRANSFORM, DATA, 1) == 4
    assert not (tmp_path / knee.FILE).exists()


@pytest.mark.parametrize("count", [0, 2])
def test_workers_are_timed_from_their_first_batch_on(split, monkeypatch, count):
    monkeypatch.setattr(knee, "SECONDS", 0.05)
    assert knee.rate(split, TRANSFORM, DATA, count) > 1


@pytest.mark.parametrize(("value", "why"), [("many", "or auto"), ("1.5", "or auto"), ("-1", "at least 0")])
def test_workers_are_a_number_or_auto(command, value, why):
    done = command("train", "data=sample", "arch=lenet", f"data.workers={value}", "run=x")
    assert done.returncode == 2
    assert f"data.workers={value}" in done.stderr
    assert why in done.stderr
