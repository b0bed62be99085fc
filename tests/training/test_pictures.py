"""A run's event file, read back by TensorBoard itself."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from composing import composed
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from cnnbench.runs.start import started
from cnnbench.runtime.distributed import Process
from cnnbench.training import pictures
from cnnbench.training.loggers.tags import EPOCH_TAGS
from cnnbench.training.process import train_process

pytestmark = pytest.mark.slow

WORDS = ("arch=lenet", "recipe=quick", "epochs=2", "batch=12", "data.workers=0", "device=cpu", "average=ema")


@pytest.fixture
def trained(small_data, tmp_path, monkeypatch):
    """A function that trains a small run in this process, as the command would; its folder."""
    monkeypatch.setattr("cnnbench.training.process._set_up_torch", lambda *_: None)

    def train(*words: str) -> Path:
        config = composed(*WORDS, f"data={small_data}", f"run={tmp_path}/run", *words)
        with started(config, 1) as folder:
            train_process(folder, Process(), "cpu")
        return folder

    return train


def picture(events: EventAccumulator, tag: str, which: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(events.Images(tag)[which].encoded_image_string)))


def test_the_board_shows_what_metrics_and_result_hold(trained):
    folder = trained("augment.flip.p=0.5", "augment.device=gpu")
    events = EventAccumulator(str(folder / "tensorboard")).Reload()

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    of_holdout = {tag for tag in EPOCH_TAGS.values() if tag.startswith("holdout/")}
    assert not of_holdout & {*events.Tags()["scalars"]}  # nothing was held out
    for name, tag in EPOCH_TAGS.items():
        if tag in of_holdout:
            continue
        assert [event.value for event in events.Scalars(tag)] == pytest.approx([line[name] for line in lines]), tag
        assert [event.step for event in events.Scalars(tag)] == [5, 10]

    result = json.loads((folder / "result.json").read_text())
    for name in ("top1_error", "top5_error", "averaged_top1_error", "averaged_top5_error"):
        (event,) = events.Scalars(f"final/{name}")
        assert (event.step, event.value) == (10, pytest.approx(result[name]))

    content = events.PluginTagToContent("hparams")
    values = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG]).hparams
    assert values["arch.name"].string_value == "lenet"
    assert values["epochs"].number_value == 2
    assert values["augment.flip.p"].number_value == 0.5
    assert values["average.kind"].string_value == "ema"
    assert not {"run", "device", "clip_norm", "arch", "data.path"} & set(values)
    shown = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
    assert {metric.name.tag for metric in shown.metric_infos} == {
        f"final/{kind}{top}_error" for kind in ("", "averaged_") for top in ("top1", "top5")
    }

    assert picture(events, "augmented").std() > 20
    assert [event.step for event in events.Images("first_filters")] == [0, 10]
    weights = torch.load(folder / "checkpoints/last.pt", weights_only=True)["model"]
    first = next(value for value in weights.values() if value.dim() == 4)
    expected = pictures.filter_grid(first)
    assert np.abs(picture(events, "first_filters", 1) / 255 - expected).max() < 1 / 255
    assert not (picture(events, "first_filters", 0) == picture(events, "first_filters", 1)).all()


def test_what_cannot_be_drawn_is_said_once_and_the_run_goes_on(trained, monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise OSError("no pencil")

    monkeypatch.setattr(pictures, "draw_contact_sheet", broken)
    folder = trained("epochs=1")
    assert (folder / "result.json").exists()
    assert capsys.readouterr().out.count("warning: the log gets no augmented images: no pencil") == 1
