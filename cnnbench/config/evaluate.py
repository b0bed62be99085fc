"""Which trained network sees which images: the keys that commands about one share, and those of `cnnbench eval`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnbench.config.arch import CROP_RATIO, INTERPOLATIONS, ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.config.devices import COMPILE_MODES, DEVICES, PRECISIONS
from cnnbench.config.fields import Range, group, key
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.weights import checkpoint_key, from_key, match_key, set_key
from cnnbench.config.written import FILE, FOLDER


@dataclass(frozen=True)
class TrainedConfig:
    """A trained network, by its run or its weights, and how its images are made."""

    run: str | None = key("the run: folder, or name in runs/", None)
    checkpoint: str = checkpoint_key()
    weights_kind: str = key("of the run: its weights, or their average", "raw", choices=("raw", "averaged"))
    arch: ArchConfig | None = group(ArchConfig, "the network, where no run is given")
    weights: Any = key("file of weights, or torchvision, where no run is given", None)
    weights_set: str | None = set_key()
    weights_from: str | None = from_key()
    weights_match: str = match_key()
    data: DataConfig = group(DataConfig, "the images; null path: the run's")
    image_size: int | None = key(
        "side of the crop, pixels; null: the run's, or the network's",
        None,
        range=Range(at_least=1),
    )
    crop_ratio: float | None = key(
        "image_size / short side after resizing; null: the run's, or the network's",
        None,
        range=CROP_RATIO,
    )
    interpolation: str | None = key(
        "resampling of images, antialiased; null: the run's, or the network's", None, choices=INTERPOLATIONS
    )
    batch: int = key("views per process and step", 256, range=Range(at_least=1))
    device: str = key("where to compute", "auto", choices=DEVICES)
    precision: str = key("arithmetic; auto: the run's, or as in training", "auto", choices=PRECISIONS)
    channels_last: bool = key("memory format N, H, W, C for images and weights", True)


def runs_key() -> Any:
    return key("several runs, whose probabilities are averaged (an ensemble), as in runs=[a,b,c]", [])


def several_weights_key() -> Any:
    return key(
        "file of weights, or torchvision, where no run is given; several, [a.pt,b.pt], are averaged as `runs` are", None
    )


def protocol_key() -> Any:
    return key("which views of an image are averaged (docs/evaluation.md)", "center", choices=PROTOCOLS)


def competing_key() -> Any:
    return key(
        "classes whose logits compete; auto: as a named test set's protocol says (docs/test-sets.md), else all; "
        "present: those that the images have",
        "auto",
        choices=("auto", "all", "present"),
    )


def scales_key() -> Any:
    return key("short sides of the protocol's images, pixels; []: its own", [], range=Range(at_least=1))


@dataclass(frozen=True)
class EvalConfig(TrainedConfig):
    runs: list[str] = runs_key()
    weights: Any = several_weights_key()
    data: DataConfig = group(DataConfig, "the images (the val split); null path: the run's")
    protocol: str = protocol_key()
    scales: list[int] = scales_key()
    compile: bool = key("compile the network with torch.compile, for protocols of crops", False)
    compile_mode: str = key(
        "compile: torch's mode; reduce-overhead: kernels are launched as CUDA graphs", "default", choices=COMPILE_MODES
    )
    exclude: str | None = key("file with images to leave out, one per line: names, or ILSVRC validation numbers", None)
    labels: str | None = key("file with other labels: ImageNet-ReaL's JSON, or a line `image class` for each", None)
    competing: str = competing_key()
    boxes: str | None = key(
        "file with the boxes of the objects, Kaggle's LOC_val_solution.csv: the localisation errors too, by class "
        "activation maps (docs/evaluation.md); null: none",
        None,
    )
    processes: int | None = key("processes; null: one per GPU, one on a CPU", None, range=Range(at_least=1))
    output: str | None = key(
        "file for the result as JSON; null: eval-PROTOCOL.json in the run's folder", None, written=FILE
    )
    details: str | None = key(
        "folder for errors per class, the confusion matrix, the most confident mistakes and all predictions",
        None,
        written=FOLDER,
    )


def weights_of(config: TrainedConfig) -> list[str]:
    """The key `weights` as a list: of none, one or several."""
    weights = config.weights
    return [] if weights is None else [str(name) for name in (weights if isinstance(weights, list) else [weights])]
