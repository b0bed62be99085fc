"""channels_last=auto: tried once, remembered, and kept by the run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from composing import composed

from cnnbench.config.batch import with_batch_of
from cnnbench.runs.config import load_config
from cnnbench.runtime.errors import UserError
from cnnbench.training import layout
from cnnbench.training.layout import FIRST, LAST, layout_times, with_layout

WORDS = ("arch=lenet", "recipe=quick", "device=cpu", "data.workers=0", "logger=[]", "batch=20", "epochs=1")


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNBENCH_CACHE", str(tmp_path / "cache"))
    return composed(*WORDS, "channels_last=auto")


@pytest.mark.parametrize(("times", "last"), [({LAST: 1.0, FIRST: 1.2}, True), ({LAST: 1.2, FIRST: 1.0}, False)])
def test_the_faster_layout_is_chosen_on_a_cpu(config, monkeypatch, capsys, times, last):
    monkeypatch.setattr(layout, "layout_times", lambda config, world: times)
    assert with_layout(config, 1, "cpu").channels_last is last
    assert "1.20 times as fast" in capsys.readouterr().out
    assert with_layout(config, 1, "cuda").channels_last is True
    given = replace(config, channels_last=not last)
    assert with_layout(given, 1, "cpu") is given
    monkeypatch.setattr(layout, "layout_times", lambda config, world: {})
    assert with_layout(config, 1, "cpu").channels_last is True, "it could not be tried"


def test_it_is_tried_once_for_a_network_and_a_size(config, monkeypatch):
    monkeypatch.setattr(layout, "SECONDS", 0.01)
    times = layout_times(config, 1)
    assert set(times) == {LAST, FIRST}
    assert 0 < min(times.values()) < float("inf")
    monkeypatch.setattr(layout, "ProcessPoolExecutor", None)  # it is not tried again
    assert layout_times(config, 1) == times
    with pytest.raises(TypeError):
        layout_times(replace(config, image_size=64), 1)


def test_a_run_that_has_begun_keeps_its_layout(config):
    before = replace(config, channels_last=False, batch=20)
    assert with_batch_of(before, config).channels_last is False
    assert with_batch_of(before, replace(config, channels_last=True)).channels_last is True


def test_what_was_found_is_in_the_runs_config(config, command, sample, monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "layout_times", lambda config, world: {LAST: 2.0, FIRST: 1.0})
    words = ("train", f"data={sample}", *WORDS, "data.train_fraction=0.1", "run=r", "channels_last=auto")
    done = command(*words, "max_steps=1")
    assert done.returncode == 0, done.stderr
    assert "channels_last=auto: channels first, 2.00 times as fast" in done.stdout
    assert load_config(tmp_path / "runs/r").channels_last is False
    monkeypatch.setattr(layout, "layout_times", None)
    begun = replace(config, run="r")
    assert with_layout(begun, 1, "cpu") is begun, "it is not tried again: the bits of a run are those of one layout"


@pytest.mark.parametrize("value", ["last", "2"])
def test_other_words_are_refused(config, value):
    with pytest.raises(UserError, match="channels_last"):
        composed(*WORDS, f"channels_last={value}")
