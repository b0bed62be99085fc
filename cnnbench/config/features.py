"""`cnnbench features`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnbench.config.checks.evaluate import check_trained
from cnnbench.config.data import MISSING
from cnnbench.config.evaluate import TrainedConfig, weights_of
from cnnbench.config.fields import Range, check_fields, key, require
from cnnbench.config.written import PNG, Written

ALL = "all"  # layer=all: every layer that people have a name for
NO_NETWORK = "no network is given: give run=NAME, or arch=NETWORK weights=FILE"
NO_LAYER = "no layer is given: give layer=NAME, as in layer=fc7; `cnnbench describe` shows the names"


@dataclass(frozen=True)
class FeaturesConfig(TrainedConfig):
    files: list[str] = key(
        "pictures, and folders of pictures, in place of data=; `features A B` is short for `files=[A,B]`", []
    )
    layer: Any = key(
        "the layer, by a name of `cnnbench describe` or a module's path; several: layer=[fc7,pool5]; all: those that "
        "people have a name for",
        None,
    )
    split: str = key("which images of the data set", "val", choices=("val", "train"))
    pool: str = key(
        "of maps; keep: as they are, average: the mean over all places, one number for each channel",
        "keep",
        choices=("keep", "average"),
    )
    output: str | None = key(
        "file for the features, *.npy of one layer, *.safetensors of any; null: none",
        None,
        written=Written((".npy", ".safetensors")),
    )
    query: list[str] = key("pictures whose nearest neighbours among the images are shown, as in query=[cat.jpg]", [])
    neighbours: int = key("of each query", 8, range=Range(at_least=1, at_most=100))
    distance: str = key(
        "between features; euclidean, as Krizhevsky et al. 2012 (Figure 4), or cosine: 1 less the cosine of the angle",
        "euclidean",
        choices=("euclidean", "cosine"),
    )
    sheet: str | None = key(
        "PNG file for a contact sheet of the queries and their neighbours; null: none", None, written=PNG
    )


def layers_of(config: FeaturesConfig) -> list[str]:
    """The key `layer` as a list."""
    layer = config.layer
    return [] if layer is None else [str(name) for name in (layer if isinstance(layer, list) else [layer])]


def check_features(config: FeaturesConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    layers = layers_of(config)
    require(layers, NO_LAYER)
    for layer in layers:
        require(layers.count(layer) == 1, f"layer= names {layer} twice")
    check_trained(config, NO_NETWORK)
    require(len(weights_of(config)) <= 1, "features are of one network, and weights= names several: give one file")
    given = config.run is not None or config.data.path is not None or bool(config.files)
    require(given, f"{MISSING}; or name pictures")
    require(
        not config.files or config.data.path is None,
        f"data={config.data.path} and pictures by name exclude each other: give one of them",
    )
    require(
        config.output is not None or bool(config.query),
        "nothing to do with the features: give output=FILE.npy, or query=[PICTURE] for its nearest neighbours",
    )
    _check_files(config, layers)


def _check_files(config: FeaturesConfig, layers: list[str]) -> None:
    several = "all" if ALL in layers else len(layers) if len(layers) > 1 else None
    require(
        not several or config.output is None or Path(config.output).suffix != ".npy",
        f"output={config.output} holds one layer, and layer= names {several}: use the ending .safetensors",
    )
    require(
        not config.query or not several,
        f"query= measures distances in one layer, and layer= names {several}: give one",
    )
    require(config.sheet is None or bool(config.query), f"sheet={config.sheet} shows neighbours: give query=[PICTURE]")
