"""Commands that compose configs of other commands."""

from __future__ import annotations

from cnnbench.analysis.describe.recipe import show_recipe, values_table
from cnnbench.analysis.papers.verify import verify
from cnnbench.analysis.papers.verify_weights import verify_weights
from cnnbench.analysis.recipe_table import papers_first, recipe_table
from cnnbench.analysis.tables import render
from cnnbench.cli.commands import COMMANDS
from cnnbench.cli.compose import compose, composing, defaults, own_recipes, typed_config
from cnnbench.cli.help import groups
from cnnbench.cli.ledger import ledger
from cnnbench.config.analyse import DescribeRecipeConfig, RecipesConfig, VerifyConfig


def show_recipes(settings: RecipesConfig) -> None:
    """Print every recipe in a line, and with `sources` every value of each with its source."""
    own, describe = own_recipes(), COMMANDS["describe recipe"]
    names = papers_first(groups(COMMANDS["train"])["recipe"], own)
    with composing(describe):
        recipes = [typed_config(describe, compose(describe, [f"recipe={name}"])) for name in names]
        tables = [recipe_table(recipes, own)]
        if settings.sources:
            tables += [values_table(recipe, ledger(recipe)) for recipe in recipes]
    print(render(tables, settings.format))


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
