"""The ledger: every key that decides what a recipe computes has a source."""

import pytest
from composing import composed
from goldens import first_network

from cnnbench.archs.registry import names
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import composing, own_recipes
from cnnbench.cli.help import groups
from cnnbench.cli.ledger import CHANGED, ledger, stated
from cnnbench.config.fields import entries
from cnnbench.config.recipe_keys import NETWORK
from cnnbench.config.train import TrainConfig

TRAIN = COMMANDS["train"]
LADDERS = [name.split("/") for name in groups(TRAIN)["ladder"]]


def of(*overrides: str) -> dict[str, str]:
    config = composed(*overrides)
    with composing(TRAIN):
        return ledger(config)


@pytest.mark.parametrize("recipe", groups(TRAIN)["recipe"])
def test_every_key_of_a_recipe_has_a_source(recipe):
    missing = [name for name, source in of(f"recipe={recipe}", f"arch={first_network(recipe)}").items() if not source]
    assert not missing, "write the source behind the value, or the value with its source"


@pytest.mark.parametrize(("ladder", "row"), LADDERS)
def test_every_key_of_a_ladders_row_has_a_source(ladder, row):
    assert all(of(f"ladder={ladder}", f"step={row}").values())


def test_every_key_of_a_network_has_a_source():
    own, fields = own_recipes(), entries(TrainConfig)
    defaults = {f"arch.{key}" for key in NETWORK if fields[f"arch.{key}"].metadata["source"]}
    missing = []
    with composing(TRAIN):
        for name in names():
            known = stated(name, own[name] or "simple90", None)
            keys = {f"arch.{key}" for key in NETWORK} | {key for key in known if key.startswith("arch.options.")}
            missing += [f"{name}: {key}" for key in keys - defaults if key not in known or not known[key].source]
    assert not missing


def test_a_source_is_that_of_the_file_that_states_the_value_last():
    found = of("arch=resnet50", "recipe=a3")
    assert found["label_smoothing"] != of("arch=resnet50", "recipe=a1")["label_smoothing"]
    assert found["arch.mean"] == of("arch=resnet18", "recipe=resnet")["arch.mean"]


def test_what_is_given_besides_is_not_the_recipes():
    found = of("arch=resnet50", "recipe=resnet", "epochs=3", "optimizer.lr=0.2", "arch.options.shortcut=A")
    assert {found[name] for name in ("epochs", "optimizer.lr", "arch.options.shortcut")} == {CHANGED}
    assert CHANGED not in (found["recipe_batch"], found["optimizer.momentum"])


def test_a_recipe_of_ones_own_is_shown_without_sources(tmp_path, command):
    (tmp_path / "recipe").mkdir()
    own = "# @package _global_\nepochs: 3 # ours\nrecipe_batch: 64\n"
    own += "optimizer: {kind: sgd, lr: 0.1}\nschedule: {kind: constant}\n"
    (tmp_path / "recipe/own.yaml").write_text(own)
    shown = command("describe", "recipe=own", "arch=resnet18", "--config-dir", tmp_path, "format=csv").stdout
    assert "epochs,3,\n" in shown
    assert CHANGED not in shown
