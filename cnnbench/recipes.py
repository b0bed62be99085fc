"""Which recipe is whose: the paper's recipe of each network, and the networks that a recipe is for."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cnnbench.config import TrainConfig
from cnnbench.errors import UserError, nearest

PAPER = "paper"  # recipe=paper, the default, is the network's own

# Recipe -> the networks of its paper, by pattern; the first that fits a network is its own.
PAPERS = {
    "lenet": ("lenet",),
    "alexnet": ("alexnet", "alexnet_tv"),
    "zfnet": ("zfnet",),
    "vgg": ("vgg*",),
    "googlenet": ("googlenet", "googlenet_tv"),
    "bn_inception": ("bn_inception",),
    "inception_v2": ("inception_v2",),
    "inception_v3": ("inception_v3",),
    "inception_v4": ("inception_v4", "inception_resnet_*"),
    "xception": ("xception",),
    "cifar_resnet": (*(f"resnet{n}" for n in (20, 32, 44, 56)), *(f"plain{n}" for n in (20, 32, 44, 56))),
    "cifar_resnet110": ("resnet110",),
    "cifar_wrn": ("wrn*",),
    "cifar_resnext": ("resnext29_*",),
    "cifar_densenet": ("densenet_bc*",),
    "resnet": ("resnet*", "plain*"),
    "resnext": ("resnext*",),
    "fb_resnet": ("wide_resnet*", "densenet*", "preact_resnet*"),
}

# The network that stands for a paper's recipe where none is named.
FIRST = {
    **{recipe: recipe for recipe, patterns in PAPERS.items() if recipe in patterns},
    "vgg": "vgg16",
    "cifar_resnet": "resnet20",
    "cifar_resnet110": "resnet110",
    "cifar_wrn": "wrn28_10",
    "cifar_resnext": "resnext29_8x64d",
    "cifar_densenet": "densenet_bc100_12",
    "resnet": "resnet50",
    "resnext": "resnext50_32x4d",
    "fb_resnet": "densenet121",
}


def paper_recipe(arch: str) -> str:
    """The recipe of the paper of the network `arch`; UserError for a network without one."""
    for recipe, patterns in PAPERS.items():
        if fits(arch, patterns):
            return recipe
    raise UserError(f"arch={arch} has no paper's recipe{nearest(arch, PAPERS)}: give recipe=NAME")


def first_network(recipe: str) -> str:
    """A network of the recipe's paper; for a recipe of no paper ResNet-50."""
    return FIRST.get(recipe, "resnet50")


def check_recipe(config: TrainConfig) -> None:
    """Raise UserError if the recipe is for other networks."""
    arch, patterns = config.arch.name, config.recipe_for
    if patterns and not fits(arch, patterns):
        own = f"leave recipe= out for its own ({paper_recipe(arch)})"
        ladder = f"leave recipe= and arch= out, which ladder={(config.ladder or '').partition('/')[0]} sets"
        fix = ladder if config.ladder else own
        raise UserError(
            f"recipe={config.recipe} is for {', '.join(patterns)}, not {arch}: {fix}, or insist with "
            f"recipe_for=[{arch}]"
        )


def fits(arch: str, patterns: tuple[str, ...] | list[str]) -> bool:
    """Whether one of `patterns` is the name of the network `arch`, or matches it."""
    return any(fnmatchcase(arch, pattern) for pattern in patterns)
