"""The global batch: kept or refused where it is given, brought to the hardware where it is the recipe's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from composing import composed

from cnnbench.config import batch
from cnnbench.config.train import TrainConfig
from cnnbench.runs.start import started
from cnnbench.runtime.errors import UserError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("given", "processes", "accumulate", "near"), [(100, 3, 1, 99), (10, 4, 2, 8), (1, 2, 1, 2), (13, 2, 2, 12)]
)
def test_a_batch_that_is_given_is_kept_or_refused_with_the_nearest_that_splits(given, processes, accumulate, near):
    words = [f"accumulate={accumulate}"]
    with pytest.raises(UserError, match=f"batch={given} does not split evenly .* use batch={near}$"):
        batch.choose_batch(replace(composed(f"batch={accumulate}", *words), batch=given), processes)
    assert batch.choose_batch(composed(f"batch={near}", *words), processes) == near
    with pytest.raises(UserError, match=f"use batch={near}$"):  # without a process, where the command says how many
        composed(f"batch={given}", *words, f"processes={processes}")
    with pytest.raises(UserError, match="over 1 process x accumulate 2: use batch=14"):  # whatever it is run on
        composed("batch=13", "accumulate=2")


def start(config: TrainConfig, processes: int) -> None:
    with started(config, processes):
        pass


@pytest.mark.parametrize(
    ("processes", "accumulate", "chosen"),
    [(1, 1, 256), (8, 1, 256), (6, 1, 258), (7, 1, 259), (2, 3, 258), (24, 1, 264), (96, 1, 288), (512, 1, 512)],
)
def test_a_recipes_batch_becomes_the_nearest_that_splits(processes, accumulate, chosen):
    config = composed("arch=resnet18", f"accumulate={accumulate}", f"processes={processes}")
    assert batch.stated_batch(config) == 256
    assert batch.choose_batch(config, processes) == chosen
    multiples = range(processes * accumulate, 1024, processes * accumulate)
    assert abs(chosen - 256) == min(abs(multiple - 256) for multiple in multiples)


def test_a_recipe_without_a_batch_needs_one():
    with pytest.raises(UserError, match=r"recipe=resnet has no recipe_batch: give batch=N$"):
        composed("arch=resnet18", "recipe_batch=null")
    assert composed("arch=resnet18", "recipe_batch=null", "batch=4").batch == 4


def test_a_run_keeps_the_batch_that_it_began_with(tmp_path):
    """The same command continues it on other hardware; a command with another batch is of another run."""

    def prepared(*words: str, processes: int) -> tuple[int, int | None]:
        start(composed("arch=resnet18", f"run={tmp_path / 'run'}", *words), processes)
        kept = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
        return kept["batch"], kept["recipe_batch"]

    assert prepared(processes=6) == (258, 256)
    assert prepared(processes=43) == (258, 256)
    assert prepared("batch=258", "processes=3", processes=3) == (258, 256)
    with pytest.raises(UserError, match=f"^{tmp_path}/run began with a batch of 258, .* continue it on 3 processes$"):
        prepared("processes=4", processes=4)
    assert (
        yaml.safe_load((tmp_path / "run/config.yaml").read_text())["processes"] == 3
    )  # what is refused leaves no trace
    (tmp_path / "run/result.json").write_text('{"wrong_top1": 3, "wrong_top5": 1, "n": 9, "protocol": "center"}')
    assert prepared(processes=4) == (258, 256)  # it has ended, and its result is shown
    for words, other in ((["batch=256"], 256), (["recipe_batch=128"], 128)):
        with pytest.raises(UserError, match=f"is a run with batch=258, not {other}"):
            prepared(*words, processes=2)


def test_a_run_with_a_batch_of_its_own_is_not_continued_without_it(tmp_path):
    words = ("arch=resnet18", f"run={tmp_path / 'run'}")
    start(composed(*words, "batch=128"), 2)
    with pytest.raises(UserError, match="is a run with batch=128, not 256"):
        start(composed(*words), 2)
    start(composed(*words, "batch=128"), 1)


def test_a_batch_that_is_refused_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="use batch=255"):
        start(composed("arch=resnet18", "batch=256"), 3)
    assert not list(tmp_path.iterdir())


def test_processes_that_cannot_share_a_begun_batch_are_told_how_many_can():
    begun = batch.with_batch(composed("arch=resnet18", "accumulate=2"), 3)
    assert begun.batch == 258
    for processes, near in ((2, 1), (5, 3), (64, 43), (44, 43)):
        with pytest.raises(UserError, match=f"^demo began with a batch of 258, .* continue it on {near} process"):
            batch.check_continued(begun, processes, "demo")
        batch.check_continued(begun, near, "demo")
