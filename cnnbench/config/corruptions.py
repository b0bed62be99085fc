"""`cnnbench corruptions`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnbench.config.analyse import FORMATS
from cnnbench.config.checks.evaluate import check_trained
from cnnbench.config.data import MISSING
from cnnbench.config.evaluate import TrainedConfig, weights_of
from cnnbench.config.fields import SEED, Range, check_fields, key, require
from cnnbench.config.written import FILE

FROST = "frost"  # which needs pictures of it
CORRUPTIONS = (  # in the order of the paper's table; implemented in data/corrupt/corruptions.py
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", FROST, "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
SEVERITIES = (1, 2, 3, 4, 5)
NO_NETWORK = "nothing to test: give run=NAME, or arch=NETWORK weights=FILE data=PATH"


@dataclass(frozen=True)
class CorruptionsConfig(TrainedConfig):
    corruptions: list[str] = key(
        "which of the 15; []: all, frost where its pictures are given", [], choices=CORRUPTIONS
    )
    severities: list[int] = key("which of the five; []: all", [], range=Range(1, 5))
    frost: str | None = key(
        "folder with frost1.png to frost3.png, frost4.jpg, frost5.jpg of ImageNet-C's authors", None
    )
    images: int | None = key("images, evenly spread over the val split; null: all", None, range=Range(at_least=1))
    seed: int = key("of what is drawn for each image", 0, range=SEED)
    format: str = key("form of the output", "table", choices=FORMATS)
    output: str | None = key("file for all counts as JSON; null: none", None, written=FILE)


def check_corruptions(config: CorruptionsConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_trained(config, NO_NETWORK)
    require(len(weights_of(config)) <= 1, "corruptions are of one network, and weights= names several: give one file")
    require(config.run is not None or config.data.path is not None, MISSING)
    for name, values in (("corruptions", config.corruptions), ("severities", config.severities)):
        require(len(set(values)) == len(values), f"{name}= names one twice")
    require(
        FROST not in config.corruptions or config.frost is not None,
        "frost needs pictures of it: give frost=FOLDER with those of github.com/hendrycks/robustness, in "
        "ImageNet-C/imagenet_c/imagenet_c/frost",
    )
    require(config.frost is None or Path(config.frost).expanduser().is_dir(), f"frost={config.frost} is not a folder")


def chosen_corruptions(config: CorruptionsConfig) -> list[str]:
    """The names of the corruptions, in the order of the table."""
    every = [name for name in CORRUPTIONS if name != FROST or config.frost is not None]
    return [name for name in CORRUPTIONS if name in config.corruptions] or every
