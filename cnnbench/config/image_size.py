"""The side of images that a config asks for, and of training images epoch by epoch."""

from __future__ import annotations

from typing import Any

from cnnbench.config.arch import ArchConfig
from cnnbench.config.fields import require
from cnnbench.config.resolution import training_image_size
from cnnbench.config.train import TrainConfig


def input_size(config: Any) -> int:
    """Side of the images of a config with `arch`, `data` and `image_size`, pixels: image_size, or the network's own for
    this data."""
    arch = config.arch
    native = arch.sample_image_size if config.data.path == "sample" else arch.image_size
    return config.image_size if config.image_size is not None else native


def takes_one_size(arch: ArchConfig) -> bool:
    """Whether the network takes images of the side that it is built for only."""
    return arch.one_size and arch.options.get("aux_heads", True)


def keeps_to_one_size(config: TrainConfig) -> bool:
    """Whether the network trains at the side of evaluation though its recipe's sides may be others."""
    return config.resolution.where_possible and takes_one_size(config.arch)


def training_image_sizes(config: TrainConfig) -> list[int]:
    """The side of training images in every epoch, pixels."""
    if keeps_to_one_size(config):
        return [input_size(config)] * config.epochs
    return [training_image_size(config.resolution, input_size(config), epoch) for epoch in range(config.epochs)]


def check_image_sizes(config: TrainConfig) -> None:
    """Raise UserError if the network takes one side only, and would be trained at others."""
    arch, size, others = config.arch, input_size(config), set(training_image_sizes(config)) - {input_size(config)}
    heads = ", or leave out its auxiliary heads: arch.options.aux_heads=false" * ("aux_heads" in arch.options)
    require(
        not others or not takes_one_size(arch),
        f"{arch.name} has a fully connected layer as wide as its map, so it cannot train at "
        f"{', '.join(map(str, sorted(others)))} and be tested at {size}: add resolution=full{heads}",
    )
