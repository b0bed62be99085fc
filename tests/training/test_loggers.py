"""What loggers have on the disk after kills: every epoch once, nothing of what comes again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnnbench.runs.results import METRICS, load_metrics, metrics_text
from cnnbench.training.loggers.json_lines import JsonLines
from cnnbench.training.loggers.logger import LoggedRun
from cnnbench.training.loggers.tensorboard import TensorBoard

STEPS, EPOCHS = 100, 3


def epoch(number: int) -> dict:
    return {"epoch": number, "step": STEPS * number, "train_loss": 1 / number, "data_wait": 0.0, "top1_error": 9.0}


def run_of(folder: Path, epochs: int, step: int | None = None) -> LoggedRun:
    """A run whose last save was after `epochs`, or in the next, at `step` of the whole run."""
    saved = STEPS * epochs if step is None else step
    return LoggedRun(folder, EPOCHS, STEPS, epochs, saved, history=[epoch(number + 1) for number in range(epochs)])


def log(logger: TensorBoard | JsonLines, first: int, last: int) -> None:
    """What is logged of the steps `first` to `last`, counted from 1 over the whole run, pictures at both ends."""
    picture = np.zeros((2, 2), np.uint8)
    if first == 1:
        logger.images(0, "filters", picture)
    for step in range(first, last + 1):
        logger.scalars("step", step, {"loss": step / 7, "rate": 0.1})
        if step % STEPS == 0:
            logger.scalars("epoch", step, epoch(step // STEPS))
    if last == EPOCHS * STEPS:
        logger.images(last, "filters", picture)
        logger.hparams({"lr": 0.1}, {"final/top1_error": 9.0})
        logger.scalars("final", last, {"final/top1_error": 9.0})


def seen(folder: Path) -> dict[str, list]:
    """Steps of the points, and their values, as TensorBoard reads them."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    points = {tag: [(point.step, point.value) for point in events.Scalars(tag)] for tag in tags["scalars"]}
    return points | {tag: [point.step for point in events.Images(tag)] for tag in tags["images"]}


@pytest.fixture
def whole(tmp_path) -> dict[str, list]:
    logger = TensorBoard(run_of(tmp_path / "whole", 0, 0))
    log(logger, 1, EPOCHS * STEPS)
    logger.close()
    return seen(tmp_path / "whole")


def test_tensorboard_of_a_run_that_was_killed_is_that_of_one_that_was_not(tmp_path, whole):
    """Killed before its first save, in mid-epoch, behind an epoch and before its result, each time with points that
    were logged after the save: also if it dies as its files are brought into one."""
    assert [step for step, _ in whole["train/loss"]] == [100, 200, 300]
    assert [step for step, _ in whole["train/step_loss"]] == [50, 100, 150, 200, 250, 300]
    assert whole["filters"] == [0, 300]
    folder, files = tmp_path / "run", tmp_path / "run/tensorboard"
    starts = [(0, 0, 260), (0, 0, 199), (1, 150, 210), (2, 200, 270), (2, 250, 300), (3, 300, 300)]
    for number, (epochs, step, until) in enumerate(starts):
        if files.exists():
            (files / ".events.out.tfevents.0000000000.17.history").write_bytes(b"half")
            shutil.copytree(files, tmp_path / str(number))
            TensorBoard(run_of(folder, epochs, step)).close()
            shutil.copytree(tmp_path / str(number), files, dirs_exist_ok=True)  # killed before it has removed them
        logger = TensorBoard(run_of(folder, epochs, step))
        log(logger, step + 1, until)
        logger.close()
    logger = TensorBoard(run_of(folder, 3))
    log(logger, 301, 300)
    logger.close()
    assert seen(folder) == whole
    assert len(list(files.iterdir())) == 2


@pytest.mark.parametrize("cut", [0, 1, 11, 30, 200, "all", "torn"])
def test_an_epoch_that_was_saved_is_shown_whatever_became_of_the_event_files(tmp_path, cut):
    logger = TensorBoard(run_of(tmp_path, 0, 0))
    log(logger, 1, 2 * STEPS)
    logger.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    content = file.read_bytes()
    if cut == "all":
        shutil.rmtree(tmp_path / "tensorboard")
    else:
        file.write_bytes(content[:40] + b"\xff" * 40 + content[80:] if cut == "torn" else content[:cut])
    logger = TensorBoard(run_of(tmp_path, 2))
    log(logger, 2 * STEPS + 1, 3 * STEPS)
    logger.close()
    assert seen(tmp_path)["train/loss"] == [(100, 1.0), (200, 0.5), (300, pytest.approx(1 / 3))]


@pytest.mark.parametrize("left", [None, "", '{"epoch": 1', '{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n', "\x00\n[]\n"])
def test_metrics_are_what_was_saved_whatever_became_of_the_file(tmp_path, left, disk_calls):
    file = tmp_path / METRICS
    if left is not None:
        file.write_text(left)
    logger = JsonLines(run_of(tmp_path, 2))
    assert load_metrics(tmp_path) == [epoch(1), epoch(2)]
    disk_calls.clear()
    JsonLines(run_of(tmp_path, 2))
    assert disk_calls == [], "what is right is not written again"
    log(logger, 201, 300)
    assert file.read_text() == metrics_text([epoch(1), epoch(2), epoch(3)])
    assert [name for call, name in disk_calls if call == "name"] == [METRICS]
