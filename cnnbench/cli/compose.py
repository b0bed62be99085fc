"""From overrides to a checked, plain config: Hydra composes, and the schema gives types."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import hydra
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from cnnbench.cli import resolvers, search_path
from cnnbench.cli.command import Command
from cnnbench.cli.hints import explain, unknown_key
from cnnbench.cli.words import in_full
from cnnbench.config.arch import ArchConfig
from cnnbench.config.fields import entries, value_of
from cnnbench.config.train import TrainConfig
from cnnbench.runtime.errors import UserError

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
OTHER_ERRORS = (ValueError, TypeError, AttributeError, AssertionError, KeyError, OSError)  # that Hydra lets through


def defaults(command: Command, overrides: list[str]) -> dict[str, Any]:
    """The composed value of every key by its full dotted name, for the help text."""
    with composing(command):
        try:
            composed = compose(command, in_full(overrides))
            return {name: OmegaConf.select(composed, name) for name in entries(command.schema)}
        except COMPOSITION_ERRORS as error:
            raise UserError(explain(error, command.schema)) from error


@contextmanager
def composing(command: Command) -> Iterator[None]:
    """A block in which `compose` can be called for `command`, also within a job of a sweep, where Hydra is at work."""
    store_schema(command)
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with hydra.initialize_config_module("cnnbench.conf", version_base="1.3"):
        yield


def compose(command: Command, overrides: list[str]) -> DictConfig:
    """The config of `command`. What it asks of Hydra as ${hydra:...} is answered until the next one is composed."""
    composed = hydra.compose(command.config_name, overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    return composed


def own_recipes() -> dict[str, str | None]:
    """Each network with its paper's recipe, as their files say."""
    search_path.register()
    with hydra.initialize_config_module("cnnbench.conf", version_base="1.3"):
        return resolvers.recipes_of_networks()


@functools.cache
def store_schema(command: Command) -> None:
    """Make the schema of `command` known to Hydra; once, since it takes a fifth of the time of a composition."""
    resolvers.register()
    search_path.register()
    store = functools.partial(ConfigStore.instance().store, group="schema", provider="cnnbench")
    store(name=command.config_name, group="command", node=_node(command.schema), package="_global_")
    store(name=resolvers.AS_IT_IS, node={})
    for name, item in entries(TrainConfig).items():
        if "." not in name and dataclasses.is_dataclass(item.default_factory):
            store(name=name, node=_node(item.default_factory))
    if not files("cnnbench.conf").joinpath(f"{command.config_name}.yaml").is_file():
        ConfigStore.instance().store(name=command.config_name, node=_values(command))


def _values(command: Command) -> dict[str, Any]:
    """What stands for the file in conf/ of a command that has none: another command's, or a list of defaults alone."""
    if command.values_of is None:
        return {"defaults": _defaults_list(command)}
    values = yaml.safe_load(files("cnnbench.conf").joinpath(f"{command.values_of}.yaml").read_text())
    theirs, own = f"command/{command.values_of}", f"command/{command.config_name}"
    return values | {"defaults": [own if each == theirs else each for each in values["defaults"]]}


def _defaults_list(command: Command) -> list[Any]:
    """What the file in conf/ of a command that has values says first; the others need no file."""
    network = [{"arch": None}] if "arch" in entries(command.schema) else []
    return [f"command/{command.config_name}", "quiet", *network, {"override hydra/job_logging": "none"}]


def _node(schema: type) -> DictConfig:
    node = OmegaConf.structured(schema)
    _thaw(node)
    return node


def _thaw(node: DictConfig) -> None:
    """Let values be merged into nodes of frozen dataclasses, which OmegaConf marks as read-only."""
    OmegaConf.set_readonly(node, None)
    for name in node:
        if isinstance(child := node._get_node(name), DictConfig) and not child._is_none():
            _thaw(child)


def typed_config(command: Command, composed: DictConfig, job_folder: str | None = None) -> Any:
    """The frozen dataclass of a composed config; a run without a name lies in `job_folder`, if there is one."""
    known = entries(command.schema)
    for name in _names(composed):
        if name not in known and not name.startswith(("arch.options.", "archs.")):
            raise UserError(unknown_key(name, command.schema))
    arch = composed.get("arch")
    if arch is not None and OmegaConf.is_missing(arch, "name"):  # a command that can do without a network
        composed.arch = None
    config: Any = OmegaConf.to_object(composed)  # of the type command.schema
    _check_groups(config, known)
    if getattr(config, "archs", None):
        config = dataclasses.replace(config, archs={name: _arch(name, node) for name, node in composed.archs.items()})
    return dataclasses.replace(config, run=job_folder) if command.makes_run and config.run is None else config


def _check_groups(config: Any, known: dict[str, dataclasses.Field]) -> None:
    """Raise UserError where a group of keys holds something else: OmegaConf takes references as they come."""
    for name, item in known.items():
        parent, _, last = name.rpartition(".")
        holder = value_of(config, parent) if parent else config
        if dataclasses.is_dataclass(item.default_factory) and holder is not None:
            value = getattr(holder, last)
            if value is not None and not isinstance(value, item.default_factory):
                first = dataclasses.fields(item.default_factory)[0].name
                raise UserError(f"{name}={value} is not possible: it is a group of keys, such as {name}.{first}")


def _arch(name: str, node: Any) -> ArchConfig:
    """One of several networks, checked as the group arch is."""
    if not isinstance(node, DictConfig):
        raise UserError(f"archs.{name}={node} is not possible: name the networks in a list, as in archs=[{name}]")
    arch = OmegaConf.to_object(OmegaConf.merge(_node(ArchConfig), node, {"name": name}))
    assert isinstance(arch, ArchConfig)  # what _node was made from
    return arch


def _names(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """The full dotted names of all keys in `node`."""
    for key in node:
        name = prefix + str(key)
        yield name
        if isinstance(child := node._get_node(key), DictConfig) and not child._is_none():
            yield from _names(child, f"{name}.")
