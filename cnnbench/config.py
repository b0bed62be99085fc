"""The schema of every key, with its unit. Values live in conf/, checks across keys in checks.py.

Everything below the command line gets these plain frozen dataclasses; omegaconf is used only here and in compose.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

MAY_CHANGE = "*"  # keys that may change when a run is continued; the help text explains the mark
SUFFIXES = {"safetensors": ".safetensors", "onnx": ".onnx", "torch_export": ".pt2"}  # of the forms of export


def key(help: str, default: Any = "???", *, choices: tuple[str, ...] = (), note: str = "") -> Any:
    """A field of the schema. `help` names the unit; "???" means that the YAML files give the value."""
    metadata = {"help": help, "choices": choices, "note": note}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def group(cls: type, help: str) -> Any:
    """A field that holds a whole group of keys."""
    return field(default_factory=cls, metadata={"help": help, "choices": (), "note": ""})


@dataclass(frozen=True)
class ArchConfig:
    name: str = key("key of the network")
    image_size: int = key("native side of the input, pixels")
    smallest_image: int = key("smallest side of the input that the network can take, pixels")
    sample_image_size: int = key("side used by default on the bundled sample (28x28 images), pixels")
    crop_ratio: float = key("evaluation: image_size / short side after resizing")
    interpolation: str = key("resampling of images", choices=("bilinear", "bicubic"))
    mean: list[float] = key("subtracted from each channel (R, G, B), in [0, 1]", [])
    std: list[float] = key("divides each channel (R, G, B), in [0, 1]", [])
    learning_rate: float = key("rate per 256 images at which plain SGD trains the network")
    in_channels: int = key("input channels: 3, or 1 for grey-scale", 3)
    dropout: float | None = key("dropout probability in [0, 1); null: the paper's", None)
    options: dict[str, Any] = key("the network's own switches", {})


@dataclass(frozen=True)
class OptimizerConfig:
    kind: str = key("update rule", choices=("sgd",))
    lr: float = key("learning rate at `base_batch`; used: lr x batch / base_batch")
    base_batch: int = key("global batch at which `lr` is stated, images", 256)
    momentum: float = key("momentum in [0, 1)", 0.0)
    dampening: float = key("dampening of momentum in [0, 1]", 0.0)
    nesterov: bool = key("Nesterov momentum", False)
    weight_decay: float = key("L2 penalty factor", 0.0)
    decay_norms: bool = key("decay scales and shifts of normalisation layers too", True)
    decay_biases: bool = key("decay biases too", True)


@dataclass(frozen=True)
class ScheduleConfig:
    kind: str = key("form of the learning rate", choices=("constant", "step", "multi_step", "linear", "cosine"))
    warmup_epochs: float = key("linear warm-up, epochs", 0.0)
    warmup_start: float = key("factor on the rate at the first step of warm-up", 0.0)
    step_epochs: float = key("step: epochs between two divisions", 30.0)
    milestones: list[float] = key("multi_step: epochs at which the rate is multiplied by gamma", [])
    gamma: float = key("step, multi_step: factor on the rate", 0.1)
    final: float = key("linear, cosine: factor on the rate at the end", 0.0)


@dataclass(frozen=True)
class CropConfig:
    kind: str = key(
        "random_resized: random area and aspect; random: short side to image_size / crop_ratio, then a random square; "
        "center: as in evaluation",
        "random_resized",
        choices=("random_resized", "random", "center"),
    )
    scale: list[float] = key("random_resized: share of the image's area, from and to", [0.08, 1.0])
    ratio: list[float] = key("random_resized: width / height, from and to", [3 / 4, 4 / 3])


@dataclass(frozen=True)
class FlipConfig:
    p: float = key("probability of mirroring left to right", 0.0)


@dataclass(frozen=True)
class RotateConfig:
    p: float = key("probability", 0.0)
    degrees: float = key("largest angle to either side, degrees", 15.0)


@dataclass(frozen=True)
class ShiftConfig:
    p: float = key("probability", 0.0)
    fraction: float = key("largest shift along each axis, as a share of the side", 0.1)


@dataclass(frozen=True)
class ContrastConfig:
    p: float = key("probability of contrast stretching, each channel on its own", 0.0)
    cutoff: float = key("percent of the darkest and of the lightest pixels that saturate, in [0, 50)", 2.0)


@dataclass(frozen=True)
class EqualizeConfig:
    p: float = key("probability of histogram equalisation, each channel on its own", 0.0)


@dataclass(frozen=True)
class AugmentConfig:
    order: list[str] = key("the operations in their order", ["crop", "flip", "rotate", "shift", "contrast", "equalize"])
    crop: CropConfig = group(CropConfig, "the training crop")
    flip: FlipConfig = group(FlipConfig, "mirroring")
    rotate: RotateConfig = group(RotateConfig, "rotation about the centre")
    shift: ShiftConfig = group(ShiftConfig, "translation by whole pixels")
    contrast: ContrastConfig = group(ContrastConfig, "contrast stretching")
    equalize: EqualizeConfig = group(EqualizeConfig, "histogram equalisation")


@dataclass(frozen=True)
class DataConfig:
    path: str | None = key(
        "folder with train/ and val/, each with a folder per class; or `sample`, the bundled images", note=MAY_CHANGE
    )
    workers: int | None = key("loader processes per training process; null: one per core", None, note=MAY_CHANGE)
    prefetch: int = key("batches that each worker prepares ahead", 4, note=MAY_CHANGE)


@dataclass(frozen=True)
class TrainConfig:
    run: str | None = key(
        "folder of the run; a bare name means runs/NAME; null: a new readable name", None, note=MAY_CHANGE
    )
    recipe: str = key("name of the recipe")
    arch: ArchConfig = group(ArchConfig, "the network")
    data: DataConfig = group(DataConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    augment: AugmentConfig = group(AugmentConfig, "augmentation of training images")
    optimizer: OptimizerConfig = group(OptimizerConfig, "the optimiser")
    schedule: ScheduleConfig = group(ScheduleConfig, "the learning rate over time")
    epochs: int = key("passes over the training images")
    batch: int = key("GLOBAL batch of one optimiser step, images: over all processes and accumulated parts")
    accumulate: int = key("parts into which each process cuts its share of the batch, to save memory", 1)
    image_size: int | None = key("side of training and evaluation images, pixels; null: the network's", None)
    label_smoothing: float = key("share of the target spread over all classes, in [0, 1)", 0.0)
    clip_norm: float | None = key("largest norm of the gradient; null: no clipping", None)
    weights: str | None = key(
        "file whose weights the run starts from, with a new classifier if its classes are others in number; or "
        "torchvision, or torchvision:IMAGENET1K_V2; null: fresh",
        None,
    )
    seed: int = key("of initial weights, sample order, augmentation and dropout", 0)
    device: str = key("where to train", "auto", choices=("auto", "cpu", "cuda"), note=MAY_CHANGE)
    processes: int | None = key("training processes; null: one per GPU, one on a CPU", None, note=MAY_CHANGE)
    precision: str = key(
        "arithmetic of the forward and backward pass; auto: bf16 on a GPU that has it, else float32",
        "auto",
        choices=("auto", "float32", "bf16", "fp16"),
    )
    channels_last: bool = key("memory format N, H, W, C for images and weights", True, note=MAY_CHANGE)
    compile: bool = key("compile the network with torch.compile", False, note=MAY_CHANGE)
    deterministic: bool = key("only deterministic kernels (slower on a GPU)", False, note=MAY_CHANGE)
    eval_batch: int = key("images per process and step in evaluation", 256, note=MAY_CHANGE)
    evaluate_every: int = key("epochs between two evaluations (the last epoch always)", 1)
    save_every: int = key("optimiser steps between two saves within an epoch", 1000, note=MAY_CHANGE)
    keep_every: int | None = key(
        "epochs between two checkpoints that are kept beside last and best; null: none", None, note=MAY_CHANGE
    )
    max_hours: float | None = key(
        "stop, saved, this many hours after the start; the same command continues; null: no limit",
        None,
        note=MAY_CHANGE,
    )
    on_nonfinite: str = key(
        "a loss or gradient that is not finite: stop the run, or skip that step (asks the device at every step)",
        "stop",
        choices=("stop", "skip"),
        note=MAY_CHANGE,
    )
    sync_batchnorm: bool = key("batch normalisation over the images of all processes (GPUs only)", False)
    start_timeout: float = key(
        "how long processes wait for each other up to the first step, minutes", 30.0, note=MAY_CHANGE
    )
    timeout: float = key("how long processes wait for each other after it, minutes", 5.0, note=MAY_CHANGE)
    log_every: int = key("seconds between two lines of progress where there is no terminal", 10, note=MAY_CHANGE)


@dataclass(frozen=True)
class EvalConfig:
    run: str | None = key("run to evaluate: folder, or name in runs/", None)
    checkpoint: str = key("which weights of the run", "last", choices=("last", "best"))
    arch: ArchConfig | None = group(ArchConfig, "the network, where no run is given")
    weights: str | None = key("file of weights, or torchvision, where no run is given", None)
    data: DataConfig = group(DataConfig, "the images (the val split); null path: the run's")
    image_size: int | None = key("side of the crop, pixels; null: the run's, or the network's", None)
    protocol: str = key("how a network is tested", "center", choices=("center",))
    batch: int = key("images per process and step", 256)
    device: str = key("where to evaluate", "auto", choices=("auto", "cpu", "cuda"))
    processes: int | None = key("processes; null: one per GPU, one on a CPU", None)
    precision: str = key(
        "arithmetic; auto: the run's, or as in training", "auto", choices=("auto", "float32", "bf16", "fp16")
    )
    channels_last: bool = key("memory format N, H, W, C for images and weights", True)
    output: str | None = key("file for the result as JSON; null: eval-PROTOCOL.json in the run's folder", None)


FORMATS = ("table", "markdown", "csv", "json")


@dataclass(frozen=True)
class ZooConfig:
    family: str | None = key("only networks of this family", None)
    name: str | None = key("only keys that contain this, or match it as a pattern (*, ?, [])", None)
    sort: str | None = key("column to sort by, ascending", None)
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class DescribeConfig:
    arch: ArchConfig | None = group(ArchConfig, "the network")
    image_size: int | None = key("side of the input, pixels; null: the network's own", None)
    num_classes: int | None = key("classes; null: those of the paper", None)
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class LectureConfig:
    name: str | None = key("the claim to show; `lecture NAME` is short for `lecture name=NAME`; null: list them", None)
    format: str = key("form of the output", "table", choices=FORMATS)
    image_size: int | None = key("wide_resnet: side of the images that are timed, pixels", None)
    batch: int | None = key("wide_resnet: images in a timed batch", None)
    repeats: int | None = key("wide_resnet: timed batches, of which the median counts", None)
    device: str | None = key("wide_resnet: where to time", None, choices=("cpu", "cuda"))
    channels: int | None = key("small_filters: channels in and out", None)
    map_side: int | None = key("reduction: side of the feature map, pixels", None)
    plot: str | None = key("densenet_resnet: PNG file to write (needs matplotlib)", None)


@dataclass(frozen=True)
class ExportConfig:
    run: str | None = key("run to export: folder, or name in runs/", None)
    checkpoint: str = key("which weights of the run", "last", choices=("last", "best"))
    arch: ArchConfig | None = group(ArchConfig, "the network, where no run is given")
    weights: str | None = key("file of weights, or torchvision, where no run is given", None)
    num_classes: int | None = key("classes of the weights, where no run is given; null: 1000", None)
    image_size: int | None = key("side of the images, pixels; null: the run's, or the network's", None)
    form: str = key(
        "safetensors: weights; onnx: weights and graph (needs the packages of cnnbench[export]); torch_export: weights "
        "and graph, for torch.export.load",
        "safetensors",
        choices=tuple(SUFFIXES),
    )
    output: str | None = key("file to write; null: named after the network, in the run's folder or this one", None)


def entries(schema: type, prefix: str = "") -> dict[str, dataclasses.Field]:
    """Every key below `schema` by its full dotted name, groups included."""
    found: dict[str, dataclasses.Field] = {}
    for item in dataclasses.fields(schema):
        found[prefix + item.name] = item
        if nested := _dataclass_of(item):
            found |= entries(nested, f"{prefix}{item.name}.")
    return found


def _dataclass_of(item: dataclasses.Field) -> type | None:
    """The dataclass that a field holds, also behind `| None`, or None for a plain value."""
    named = globals().get(str(item.type).removesuffix(" | None"))
    return named if dataclasses.is_dataclass(named) else None


def from_dict(schema: type, values: dict[str, Any]) -> Any:
    """The dataclass `schema` from the nested dict that dataclasses.asdict made of it; TypeError for other keys."""
    settings = {}
    for name, value in values.items():
        item = schema.__dataclass_fields__.get(name)
        nested = _dataclass_of(item) if item else None
        settings[name] = from_dict(nested, value) if nested and value is not None else value
    return schema(**settings)


def side(config: TrainConfig | EvalConfig) -> int:
    """Side of the images in pixels: image_size, or the network's own for this data."""
    arch = config.arch
    native = arch.sample_image_size if config.data.path == "sample" else arch.image_size
    return config.image_size if config.image_size is not None else native


def from_torchvision(weights: str) -> bool:
    """Whether `weights` means what torchvision publishes, not a file: torchvision, or torchvision:NAME."""
    return weights.partition(":")[0] == "torchvision"
