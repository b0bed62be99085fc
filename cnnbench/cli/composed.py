"""Commands that compose configs of other commands."""

from __future__ import annotations

from cnnbench.analysis.describe.recipe import show_recipe
from cnnbench.analysis.papers.verify import verify
from cnnbench.analysis.papers.verify_weights import verify_weights
from cnnbench.analysis.recipe_table import recipe_table
from cnnbench.analysis.tables import render
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import composing, defaults, own_recipes
from cnnbench.cli.help import groups
from cnnbench.cli.ledger import ledger
from cnnbench.config.analyse import DescribeRecipeConfig, RecipesConfig, VerifyConfig


def show_recipes(settings: RecipesConfig) -> None:
    """Print every recipe in a line."""
    names, describe = groups(COMMANDS["train"])["recipe"], COMMANDS["describe recipe"]
    table = recipe_table(names, own_recipes(), lambda name: defaults(describe, [f"recipe={name}"]))
    print(render(table, settings.format))


def show_recipe_with_sources(settings: DescribeRecipeConfig) -> None:
    """Print a recipe's values, each with its source, and its course."""
    with composing(COMMANDS["describe recipe"]):
        show_recipe(settings, ledger)


def verify_run(settings: VerifyConfig) -> None:
    """Judge a run, and say in which keys it is not its recipe; or published weights."""
    if settings.weights is not None:
        verify_weights(settings)
    else:
        verify(settings, lambda overrides: defaults(COMMANDS["train"], overrides))
