"""What the files in conf/ ask for as ${name:}: resolvers, which see what Hydra has chosen so far.

The network's own recipe is a key of its file, and a recipe names its networks: both are read as Hydra finds the files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from cnnbench.config.arch import from_torchvision
from cnnbench.config.recipes import PAPER
from cnnbench.runtime.errors import UserError

OWN_RECIPE = "${paper_recipe:}"  # as a choice in a list of defaults
AS_IT_IS = "as_it_is"  # option of the group schema: nothing
ANY_NETWORK = "resnet50"  # stands for a recipe that is for all networks


def register() -> None:
    """Make the resolvers known to OmegaConf."""
    functions: dict[str, Callable[..., Any]] = {
        "paper_recipe": _own_recipe,
        "first_network": _first_network,
        "whole": _whole,
        "by_weights": _by_weights,
        "with_weights": _with_weights,
        "recipe_parts": _recipe_parts,
    }
    for name, function in functions.items():
        OmegaConf.register_new_resolver(name, function, replace=True)


def recipes_of_networks() -> dict[str, str | None]:
    """Each network with its paper's recipe; Hydra has to be initialised."""
    return {name: _stated(f"arch/{name}", "recipe") for name in repository().get_group_options("arch")}


def _own_recipe(_root_: DictConfig) -> str:
    """The recipe of the network that is chosen."""
    if "arch" not in _root_:
        raise UserError(f"recipe={PAPER} is the network's own: name the network too, as in arch=resnet50")
    name = _root_["arch"]
    if not repository().config_exists(f"arch/{name}"):  # in a folder that only hydra.searchpath= names
        raise UserError(
            f"cannot find the file of arch={name} to read its recipe: give recipe=NAME, or use --config-dir"
        )
    recipe = _stated(f"arch/{name}", "recipe")
    if recipe is None:
        raise UserError(f"arch={name} has no paper's recipe, the key recipe of its file: give recipe=NAME")
    return recipe


def _first_network(_root_: DictConfig) -> str:
    """The first network that the chosen recipe is for."""
    first = (_stated(f"recipe/{_root_['recipe']}", "recipe_for") or [ANY_NETWORK])[0]
    return next((name for name in repository().get_group_options("arch") if fnmatchcase(name, first)), first)


def _whole(group: str, _root_: DictConfig) -> str:
    """The option of the group schema that comes before the one chosen of `group`: it sets every key back."""
    return AS_IT_IS if _root_.get(group) is None else group


def _by_weights(weights: Any, theirs: list[float], own: list[float]) -> list[float]:
    """`theirs` if `weights`, the key, names torchvision's, else `own`."""
    named = weights if OmegaConf.is_list(weights) else [weights]
    return theirs if any(from_torchvision(str(each)) for each in named) else own


def _with_weights(weights: Any, theirs: Any, own: Any) -> Any:
    """`theirs` if `weights`, the key, names any, else `own`."""
    return own if weights is None else theirs


def _recipe_parts(parts: int, _root_: DictConfig) -> int:
    """Into how many parts each process cuts its share of the recipe's batch; 1 of a batch that is given."""
    return parts if _root_.get("batch") is None else 1


def repository() -> IConfigRepository:
    """Where Hydra finds files: in conf/, in the user's own folder and in other packages on its search path."""
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)  # the only kind that Hydra has
    return loader.repository


def _stated(path: str, key: str) -> Any:
    """The value of `key` in the file `path`, or in one that it builds on; None where none states it."""
    file = repository().load_config(path)
    if file is None or key in file.config:
        return None if file is None else file.config[key]
    for below in reversed(file.defaults_list or []):
        below.update_parent(posixpath.dirname(path), "")
        known = None if below.is_self() or below.get_name() is None else _stated(below.get_config_path(), key)
        if known is not None:
            return known
    return None
