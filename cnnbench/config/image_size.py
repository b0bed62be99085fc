"""The sides of a run's images, and whether its network takes them. Does not import torch."""

from __future__ import annotations

from cnnbench.archs.heads import has_one_side
from cnnbench.config.resolution import training_side
from cnnbench.config.schema import ArchConfig, TrainConfig, side
from cnnbench.config.values import require


def takes_one_side(arch: ArchConfig) -> bool:
    """Whether the network takes images of the side that it is built for only."""
    return has_one_side(arch.name) and arch.options.get("aux_heads", True)


def keeps_to_one_side(config: TrainConfig) -> bool:
    """Whether the network trains at the side of evaluation though its recipe's sides may be others."""
    return config.resolution.where_possible and takes_one_side(config.arch)


def training_image_sizes(config: TrainConfig) -> list[int]:
    """The side of training images in every epoch, pixels."""
    if keeps_to_one_side(config):
        return [side(config)] * config.epochs
    return [training_side(config.resolution, side(config), epoch) for epoch in range(config.epochs)]


def check_sides(config: TrainConfig) -> None:
    """Raise UserError if the network takes one side only, and would be trained at others."""
    arch, size, others = config.arch, side(config), set(training_image_sizes(config)) - {side(config)}
    heads = ", or leave out its auxiliary heads: arch.options.aux_heads=false" * ("aux_heads" in arch.options)
    require(
        not others or not takes_one_side(arch),
        f"{arch.name} has a fully connected layer as wide as its map, so it cannot train at "
        f"{', '.join(map(str, sorted(others)))} and be tested at {size}: add resolution=full{heads}",
    )
