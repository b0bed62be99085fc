"""Every network by its key: those of this package, and those that other packages add.

A family is one module of this package: the paper's table on top, one class below, and `NETWORKS`, which maps a key to
its class and the constructor arguments that make it that key. Another package adds such a module by the entry point
`cnnbench.networks`, and its conf/arch/KEY.yaml in the folder `conf` beside that module. Importing this file imports no
torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from cnnbench import archs
from cnnbench.runtime.errors import UserError, nearest, reason

if TYPE_CHECKING:
    from torch import nn

GROUP = "cnnbench.networks"  # of the entry points

Entry = tuple["type[nn.Module]", dict[str, Any]]  # a class, and the arguments that make it the network


def names() -> list[str]:
    """Every key that `build` takes, family by family. Imports torch."""
    return list(networks())


def build(name: str, num_classes: int = 1000, **options: Any) -> nn.Module:
    """Build the network `name` with its paper's initialisation, drawn from torch's global generator.

    `options` are keyword arguments of the family's class: `in_channels` (all), `dropout` (probability in [0, 1)),
    `image_size` (pixels; networks whose classifier is as wide as the last map) and the family's own switches.
    A module takes float (N, in_channels, H, W) and returns logits (N, num_classes); in training mode a network with
    auxiliary heads returns the tuple (logits, *auxiliary logits), to be weighted by its `aux_weights`.

    Raises ValueError, in one sentence, for an unknown name, an unknown option or an impossible value.
    """
    network, fixed = _network(name)
    known = options_of(name)
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"{name} has no option '{option}'{nearest(option, known)}; it takes: {', '.join(known)}")
        _check_kind(name, option, value, fixed.get(option, inspect.signature(network).parameters[option].default))
    return network(**{**fixed, "num_classes": num_classes, **options})


def options_of(name: str) -> list[str]:
    """The keyword arguments that `build` takes for the network `name`. Raises ValueError for an unknown name."""
    network, _ = _network(name)
    return list(inspect.signature(network).parameters)


def kind_of(name: str) -> str:
    """The name of the class of the network `name`. Raises ValueError for an unknown name."""
    return _network(name)[0].__name__


def _check_kind(name: str, option: str, value: object, default: object) -> None:
    """Raise ValueError for a word where `default` is true, false or a number, as Python would take any word for true,
    and for what is no list of numbers where it is one."""
    if isinstance(default, bool) and not isinstance(value, bool):
        raise ValueError(f"{name} has {option}={value}, which is neither true nor false")
    if isinstance(default, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"{name} has {option}={value}, which is not a number")
    if isinstance(default, tuple) and all(isinstance(each, int | float) for each in default):
        numbers = isinstance(value, Sequence) and all(isinstance(each, int | float) for each in value)
        if not numbers:
            raise ValueError(f"{name} has {option}={value}, which is not a list of numbers, as {list(default)} is")


@cache
def networks() -> dict[str, Entry]:
    """Key -> class and arguments. Raises UserError, in one sentence, for another package's that cannot be imported."""
    modules = sorted(module.name for module in iter_modules(archs.__path__, f"{archs.__name__}.") if not module.ispkg)
    found: dict[str, Entry] = {}
    for module in modules:
        found |= getattr(import_module(module), "NETWORKS", {})
    for point in others():
        for name, network in _networks_of(point).items():
            if name in found:
                raise UserError(f"{point.value}, an entry point of {GROUP}, has a network '{name}' too: rename it")
            found[name] = network
    return found


def others() -> list[EntryPoint]:
    """The modules of other packages that add networks, sorted by name; they are not imported."""
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


def conf_of(point: EntryPoint) -> str:
    """The package with the files of values of a module that adds networks: of `a.b.networks` it is `a.b.conf`."""
    return f"{point.module.rpartition('.')[0]}.conf"


def names_of_others() -> list[str]:
    """The networks of other packages by the files that they bring for them, sorted; imports none of their code."""
    found: set[str] = set()
    for point in others():
        try:
            folder = files(conf_of(point)).joinpath("arch")
            found |= {file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml")}
        except (ModuleNotFoundError, OSError):  # networks whose files are elsewhere on Hydra's search path
            continue
    return sorted(found)


def _networks_of(point: EntryPoint) -> dict[str, Entry]:
    try:
        return point.load().NETWORKS
    except Exception as error:  # whatever a foreign module does when it is imported
        raise UserError(
            f"the networks of {point.value}, an entry point of {GROUP}, cannot be imported ({reason(error)}): "
            "repair or uninstall that package"
        ) from error


def _network(name: str) -> Entry:
    if name not in networks():
        raise ValueError(f"unknown network '{name}'{nearest(name, names())}")
    return networks()[name]
