"""Every file in conf/ composes, and says of its network what is true."""

from __future__ import annotations

import json
from pathlib import Path

import golden_tables
import pytest
import torch
from meta import on_meta
from torch import nn

from cnnbench.archs.registry import build, names, options_of
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import defaults
from cnnbench.config.arch import ArchConfig
from cnnbench.config.fields import from_dict
from cnnbench.config.train import TrainConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
GOLDEN = json.loads((ROOT / "tests/golden/networks.json").read_text(encoding="utf-8"))

PARTS = ("arch", "preprocessing")  # networks, which have tests of their own, and what they build on
FILES = sorted(f"{file.parent.name}={file.stem}" for file in CONF.glob("*/*.yaml") if file.parent.name not in PARTS)


@pytest.mark.parametrize("override", FILES)
def test_every_option_composes(override):
    values = defaults(COMMANDS["train"], [override])
    missing = [name for name, value in values.items() if value == "???"]
    assert not missing


def test_every_network_has_a_config_and_every_config_a_network():
    assert sorted(file.stem for file in (CONF / "arch").glob("*.yaml")) == sorted(names())


@pytest.mark.parametrize("name", names())
def test_every_network_has_a_config_that_agrees_with_it(name):
    values = defaults(COMMANDS["train"], [f"arch={name}"])
    assert "???" not in values.values()
    assert values["arch.name"] == name
    assert golden_tables.network(name, values) == GOLDEN[name]
    options = dict(values["arch.options"])
    assert set(options) <= set(options_of(name))
    sized = "image_size" in options_of(name)
    assert values["arch.one_size"] == sized
    smallest = values["arch.smallest_image"]
    assert smallest <= values["arch.sample_image_size"] <= values["arch.image_size"]
    bare = {**options, "aux_heads": False} if "aux_heads" in options else options
    with torch.device("meta"):
        model = build(name, 7, **bare, **({"image_size": smallest} if sized else {})).eval()
        assert logits(model, smallest).shape == (1, 7)
        assert sized or logits(model, smallest - 1) is None
        chosen = model if not sized and bare == options else build(name, 7, **options)
        default = build(name, 7) if options else chosen
    assert [p.shape for p in default.parameters()] == [p.shape for p in chosen.parameters()]
    if sized:
        with pytest.raises(ValueError, match="too small"):
            build(name, 7, image_size=smallest - 1)


def logits(model: nn.Module, side: int) -> torch.Tensor | None:
    """What comes out for an image of this side; None if a layer does not work on it, or shrinks a map of one pixel."""
    met: list[int] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: met.append(inputs[0].shape[-1]))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and layer.stride not in (1, (1, 1))
    ]
    try:
        found = on_meta(model, side)
    except RuntimeError:
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return found if min(met) > 1 else None


@pytest.mark.parametrize(("name", "smallest"), [("inception_v2", 107), ("inception_v3", 107), ("googlenet", 79)])
def test_auxiliary_heads_need_a_larger_image_and_say_so(name, smallest):
    with torch.device("meta"):
        build(name, 7, image_size=smallest)
        with pytest.raises(ValueError, match=f"aux_heads=False leaves .* out.* at least {smallest}"):
            build(name, 7, image_size=smallest - 1)


def test_configs_survive_a_round_trip_through_plain_values():
    import dataclasses

    whole = TrainConfig(recipe="x", arch=ArchConfig(name="lenet"), epochs=3, batch=2)
    assert from_dict(TrainConfig, dataclasses.asdict(whole)) == whole
