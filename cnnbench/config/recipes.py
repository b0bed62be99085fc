"""Which networks a recipe is for. A network's own recipe is the key `recipe` of its file in conf/arch/."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError

PAPER = "paper"  # recipe=paper, the default, is the network's own


def check_recipe(config: TrainConfig) -> None:
    """Raise UserError if the recipe is for other networks."""
    arch, patterns = config.arch.name, config.recipe_for
    if patterns and not fits(arch, patterns):
        own = f"leave recipe= out for its own ({config.arch.recipe})" if config.arch.recipe else "give another"
        ladder = f"leave recipe= and arch= out, which ladder={(config.ladder or '').partition('/')[0]} sets"
        fix = ladder if config.ladder else own
        raise UserError(
            f"recipe={config.recipe} is for {', '.join(patterns)}, not {arch}: {fix}, or insist with "
            f"recipe_for=[{arch}]"
        )


def fits(arch: str, patterns: tuple[str, ...] | list[str]) -> bool:
    """Whether one of `patterns` is the name of the network `arch`, or matches it."""
    return any(fnmatchcase(arch, pattern) for pattern in patterns)
