"""Files of values that can be chosen: in conf/, and beside the networks that other packages add. Imports no Hydra."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cnnbench.archs.registry import conf_of, others

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

OWN = "cnnbench.conf"


def conf_packages() -> list[str]:
    """Every package with files of values, ours first."""
    return [OWN, *map(conf_of, others())]


def conf_folders() -> list[Traversable]:
    """The folders of `conf_packages`; one that is not there is left out."""
    found = []
    for package in conf_packages():
        try:
            found.append(files(package))
        except ModuleNotFoundError:  # networks whose files are elsewhere on Hydra's search path
            continue
    return found


@cache
def options_of_group(group: str) -> list[str]:
    """The files of values, or folders of them, that can be chosen for `group`; [] where there is no such group."""
    folders = [conf.joinpath(group) for conf in conf_folders()]
    found = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    chosen = [each.name for each in found if each.name.endswith(".yaml") or (each.is_dir() and each.name[0] != "_")]
    return sorted({name.removesuffix(".yaml") for name in chosen})
