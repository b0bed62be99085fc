"""`cnnbench look`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnbench.config.checks.evaluate import check_trained
from cnnbench.config.data import DataConfig, check_file
from cnnbench.config.evaluate import TrainedConfig, weights_of
from cnnbench.config.fields import LAST_SEED, Kind, Range, check_fields, given, group, key, require
from cnnbench.config.written import FOLDER

PICTURES = {
    "filters": Kind("the weights of a convolution as images"),
    "activations": Kind("the maps that a layer gives for the image"),
    "receptive_field": Kind("what a unit can see of the image, and what acts on it (Luo et al. 2016)"),
    "occlusion": Kind("what is lost where the image is covered (Zeiler and Fergus 2014, Figure 6)"),
    "deconvolution": Kind("what units answer to, with the nine images they answer to most (the same, Figure 2)"),
    "class_activation": Kind("the places that speak for a class (Zhou et al. 2016)"),
    "grad_cam": Kind("the same by gradients, for any layer with maps (Selvaraju et al. 2017)"),
    "units": Kind("dead units and sparsity of each layer over images of the split"),
    "gradients": Kind("norm of the loss's gradient in each layer"),
    "landscape": Kind("the loss along two random filter-normalised directions (Li et al. 2018)"),
}
NOTHING_TO_LOOK_AT = "nothing to look at: give run=NAME, or arch=NETWORK weights=FILE, and image=FILE"


@dataclass(frozen=True)
class LookConfig(TrainedConfig):
    image: str | None = key("the picture: a file", None)
    pictures: list[str] = key("what is drawn; []: all", [], kinds=PICTURES)
    layer: str | None = key(
        "layer that is looked at, by a name that `cnnbench describe` prints; null: the last with maps, and for the "
        "filters the first convolution",
        None,
    )
    unit: int | None = key(
        "channel of the layer, from 0 on; null: the one that answers most to the image", None, range=Range(at_least=0)
    )
    target: str | None = key("class that is asked for, by name or number; null: the network's answer", None)
    patch: int | None = key(
        "occlusion: side of the square that covers, pixels; null: a seventh of the image's",
        None,
        range=Range(at_least=1),
    )
    stride: int | None = key(
        "occlusion: pixels from one place to the next; null: a sixteenth of the image's side",
        None,
        range=Range(at_least=1),
    )
    data: DataConfig = group(DataConfig, "images of the split that are looked through; null path: the run's")
    split: str = key("the split they are of", "val", choices=("train", "val"))
    images: int = key("how many of them, evenly over the split", 128, range=Range(at_least=2))
    points: int | None = key(
        "landscape: places along each direction; null: 21, or 9 for large networks", None, range=Range(at_least=3)
    )
    reach: float = key(
        "landscape: how far it reaches on both sides, in lengths of the weights", 1.0, range=Range(above=0)
    )
    landscape_images: int | None = key(
        "landscape: images whose loss is taken; null: 128, and fewer for large networks, by their multiply-adds",
        None,
        range=Range(at_least=1),
    )
    batch: int = key("images that are computed together", 32, range=Range(at_least=1))
    seed: int = key(
        "landscape: of the first direction; the second has the next", 0, range=Range(at_least=0, at_most=LAST_SEED - 1)
    )
    output: str = key("folder for look.html and the pictures, as PNG and SVG", "look", written=FOLDER)


def check_look(config: LookConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_trained(config, NOTHING_TO_LOOK_AT)
    require(len(weights_of(config)) <= 1, "look takes one network, and weights= names several: give one file")
    require(
        config.precision in ("auto", "float32"),
        f"precision={config.precision} is not what look computes in: leave it out, for float32",
    )
    given(config.image, "image is missing: give image=FILE, the picture to look at")
    check_file("image", config.image)
    output = Path(config.output).expanduser()
    require(not (output / "config.yaml").exists(), f"output={config.output} is a run: give another output=FOLDER")


def check_patch(config: LookConfig, side: int) -> None:
    """Raise UserError if the square that covers is larger than the image, of `side` pixels."""
    require(
        config.patch is None or config.patch <= side,
        f"patch={config.patch} is out of range: it must be at most {side}, the side of the image",
    )
