"""`cnnbench probe`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cnnbench.config.arch import from_torchvision
from cnnbench.config.checks.evaluate import check_trained
from cnnbench.config.data import DataConfig
from cnnbench.config.evaluate import TrainedConfig, weights_of
from cnnbench.config.fields import SEED, Range, check_fields, group, key, require
from cnnbench.config.written import JSON, Written

PIXELS = "pixels"  # the images themselves, as the network takes them
NO_NETWORK = "no network is given: give run=NAME, or arch=NETWORK weights=FILE"
NO_DATA = "no data set is given: give data=PATH with training and validation images, or data=sample"
NO_LAYER = "no layer is given: give layer=NAME, as in layer=fc7, or layer=all; `cnnbench describe` shows the names"


@dataclass(frozen=True)
class ProbeConfig(TrainedConfig):
    runs: list[str] = key(
        "several runs, each read alone, as in runs=[a,b,c]; those that differ in their seed alone make one mean", []
    )
    archs: dict[str, Any] = key(
        "several networks instead of arch, as in archs=[resnet20,resnet56], each with its file of weights", {}
    )
    weights: Any = key(
        "file of weights, or torchvision, where no run is given; with archs one for each, [a.pt,b.pt], or torchvision",
        None,
    )
    data: DataConfig = group(DataConfig, "the images, train and val; null path: the run's")
    layer: Any = key(
        "the layer, by a name of `cnnbench describe` or a module's path; several: layer=[pool5,fc7]; all: those that "
        "people have a name for; pixels: the images themselves, for comparison",
        None,
    )
    most_values: int = key(
        "of one image in a map: it is averaged over the cells of the finest square grid that leaves no more",
        4096,
        range=Range(at_least=1),
    )
    held_out: float = key(
        "share of each class's training images by which the penalty is chosen", 0.2, range=Range(above=0, below=1)
    )
    penalties: list[float] = key(
        "L2 penalty factors that are tried, on the mean cross-entropy of standardised features",
        [1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5],
        range=Range(at_least=0),
    )
    iterations: int = key("most iterations of L-BFGS for one penalty", 300, range=Range(at_least=1))
    seed: int = key("of the choice of the held-out images", 0, range=SEED)
    output: str | None = key("JSON file for the table; null: none", None, written=JSON)
    curve: str | None = key(
        "PNG or SVG file for the error by layer; null: none", None, written=Written((".png", ".svg"))
    )


def probed_layers(config: ProbeConfig) -> list[str]:
    """The key `layer` as a list."""
    layer = config.layer
    return [] if layer is None else [str(name) for name in (layer if isinstance(layer, list) else [layer])]


def one_for_each_network(config: ProbeConfig) -> list[ProbeConfig]:
    """One config for each network that is read, by its `run`, or by its `arch` and `weights`. Raises UserError where
    these exclude each other, or archs and weights are not as many."""
    files, archs = weights_of(config), list(config.archs.values())
    given = [name for name in ("run", "runs", "archs") if getattr(config, name)]
    require(len(given) <= 1, f"{'= and '.join(given)}= exclude each other: give one of them")
    if config.runs:
        for run in config.runs:
            require(config.runs.count(run) == 1, f"runs= names {run} twice")
        return [replace(config, run=run, runs=[]) for run in config.runs]
    if not archs:
        require(len(files) <= 1, "weights= names several files: name their networks, in the same order, in archs=")
        return [replace(config, weights=files[0] if files else None)]
    files = files * len(archs) if len(files) == 1 and from_torchvision(files[0]) else files
    require(
        len(files) == len(archs),
        f"archs= names {len(archs)} networks, and weights= {len(files)} files: give one file for each, in that order",
    )
    pairs = zip(archs, files, strict=True)
    return [replace(config, archs={}, arch=arch, weights=file) for arch, file in pairs]


def check_probe(config: ProbeConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    layers = probed_layers(config)
    require(layers, NO_LAYER)
    for layer in layers:
        require(layers.count(layer) == 1, f"layer= names {layer} twice")
    require(config.penalties, "penalties=[] leaves nothing to try: give at least one, as in penalties=[0.001]")
    for one in one_for_each_network(config):
        check_trained(one, NO_NETWORK)
        require(one.run is not None or config.data.path is not None, NO_DATA)
