"""The schema of every key, with its unit. Values live in conf/, checks across keys in checks.py.

Everything below the command line gets these plain frozen dataclasses; omegaconf is used only here and in compose.py.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from dataclasses import dataclass
from typing import Any

from cnnbench.config.augment import AugmentConfig
from cnnbench.config.fields import MAY_CHANGE, group, key
from cnnbench.config.loggers import LOGGERS
from cnnbench.config.resolution import ResolutionConfig

SUFFIXES = {"safetensors": ".safetensors", "onnx": ".onnx", "torch_export": ".pt2"}  # of the forms of export

# The keys of evaluation.protocols.PROTOCOLS.
PROTOCOLS = ("center", "flip", "ten_crop", "crops144", "dense", "multiscale_dense", "multiscale_dense_resnet")

SYNTHETIC = re.compile(r"synthetic(:(?P<classes>[1-9]\d*)x(?P<images>[1-9]\d*))?")  # data without files


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
    recipe: str | None = key("its paper's recipe, which recipe=paper means; null: none", None, note=MAY_CHANGE)
    in_channels: int = key("input channels: 3, or 1 for grey-scale", 3)
    dropout: float | None = key("dropout probability in [0, 1); null: the paper's", None)
    stochastic_depth: float | None = key(
        "residual networks: probability in [0, 1) of leaving out the last block in training, falling linearly towards "
        "the input; null: none",
        None,
    )
    options: dict[str, Any] = key("the network's own switches", {})


@dataclass(frozen=True)
class OptimizerConfig:
    kind: str = key(
        "update rule; alexnet_sgd has the rate inside the velocity, tensorflow_rmsprop is the Inception papers'",
        choices=("sgd", "alexnet_sgd", "rmsprop", "tensorflow_rmsprop", "adam", "adamw", "lars", "lamb"),
    )
    lr: float = key("learning rate at `base_batch`")
    base_batch: int = key("global batch at which `lr` is stated, images", 256)
    scaling: str = key(
        "how the rate follows the batch: lr x batch / base_batch, lr x the root of that, or lr as it is",
        "linear",
        choices=("linear", "sqrt", "none"),
    )
    momentum: float = key("sgd, alexnet_sgd, both rmsprop, lars: momentum in [0, 1)", 0.0)
    dampening: float = key("sgd: dampening of momentum in [0, 1]", 0.0)
    nesterov: bool = key("sgd: Nesterov momentum", False)
    alpha: float = key("both rmsprop: share of the mean square that stays at each step, in [0, 1)", 0.99)
    betas: list[float] = key("adam, adamw, lamb: shares of the two means that stay, each in [0, 1)", [0.9, 0.999])
    eps: float = key("both rmsprop, adam, adamw, lamb: added to the divisor (tensorflow_rmsprop: below the root)", 1e-8)
    trust_coefficient: float = key("lars: length of a step, as a share of the length of the weights", 0.001)
    weight_decay: float = key(
        "L2 penalty factor; adamw, lamb: share of the weights, times the rate, taken off at each step", 0.0
    )
    decay_norms: bool = key("decay scales and shifts of normalisation layers too (lars, lamb: and adapt them)", True)
    decay_biases: bool = key("decay biases too (lars, lamb: and adapt them)", True)
    fused: bool = key("sgd, adam, adamw: update all weights in one kernel", False)


@dataclass(frozen=True)
class ScheduleConfig:
    kind: str = key(
        "form of the learning rate over time",
        choices=(
            *("constant", "step", "multi_step", "exponential", "linear", "polynomial", "cosine", "one_cycle"),
            "plateau",
        ),
    )
    warmup: str = key(
        "linear: the factor on the rate rises from `warmup_start` to 1; constant: it stays at `warmup_start`",
        "linear",
        choices=("linear", "constant"),
    )
    warmup_epochs: float = key("warm-up in front, epochs", 0.0)
    warmup_start: float = key("factor on the rate at the first step of warm-up", 0.0)
    step_epochs: float = key("step, exponential: epochs in which the rate is multiplied by gamma once", 30.0)
    milestones: list[float] = key("multi_step: epochs at which the rate is multiplied by gamma", [])
    gamma: float = key("step, multi_step, exponential, plateau: factor on the rate", 0.1)
    power: float = key("polynomial: exponent; 1 is a straight line", 2.0)
    start: float = key("one_cycle: factor on the rate at the start", 0.04)
    peak: float = key("one_cycle: share of the time, in (0, 1), after which the rate is full", 0.3)
    final: float = key("linear, polynomial, cosine, one_cycle: factor on the rate at the end", 0.0)
    patience: int = key("plateau: evaluations in a row without a better top-1 error before the rate is multiplied", 5)
    threshold: float = key("plateau: percentage points that make an error better", 0.0)
    most: int | None = key("plateau: largest number of times that the rate is multiplied; null: no limit", None)


@dataclass(frozen=True)
class AverageConfig:
    kind: str = key(
        "average of the weights over the steps, evaluated beside the weights themselves: ema decays exponentially, "
        "polyak gives all steps the same weight",
        "none",
        choices=("none", "ema", "polyak"),
    )
    decay: float = key("ema: share of the average that stays at each update, in [0, 1)", 0.9999)
    warmup: bool = key("ema: shorter memory at the start: decay at most (1 + n) / (10 + n) after n updates", True)
    start_epoch: float = key("epoch from which on weights are averaged", 0.0)
    every: int = key("optimiser steps between two updates", 1)


@dataclass(frozen=True)
class SourceConfig:
    path: str | None = key(
        "the data set: a folder, its layout recognised by a look at it; or tar shards by URL, or by names with braces; "
        "or `sample`, the bundled images; or `synthetic`, noise without files (`synthetic:CLASSESxIMAGES`)",
        None,
        note=MAY_CHANGE,
    )
    classes: str | None = key("file with the class names (WordNet ids) to use, one per line; null: all", None)
    train_fraction: float = key("share of each class's training images that is used, in (0, 1]", 1.0)


@dataclass(frozen=True)
class DataConfig(SourceConfig):
    engine: str = key(
        "decoder of JPEG files; auto: the fastest that is installed (all give the same pixels)",
        "auto",
        choices=("auto", "nvimgcodec", "simplejpeg", "pillow"),
        note=MAY_CHANGE,
    )
    pixels: str = key(
        "exact: antialiased, as the field's reference evaluations; loose: faster, not antialiased",
        "exact",
        choices=("exact", "loose"),
    )
    workers: int | None = key(
        "loader workers per training process; 0: none beside it; null: one per core", None, note=MAY_CHANGE
    )
    worker_kind: str = key(
        "what a worker is; auto: a process on Linux, else a thread",
        "auto",
        choices=("auto", "process", "thread"),
        note=MAY_CHANGE,
    )
    prefetch: int = key("batches that are prepared ahead", 4, note=MAY_CHANGE)
    max_bad: int = key(
        "broken training images that each process tolerates, each replaced by the next whole one; evaluation counts "
        "broken images as wrong",
        10,
        note=MAY_CHANGE,
    )


@dataclass(frozen=True)
class TrainConfig:
    run: str | None = key(
        "folder of the run; a bare name means runs/NAME; null: a new readable name", None, note=MAY_CHANGE
    )
    recipe: str = key("name of the recipe; recipe=paper, the default, is the network's own")
    recipe_source: str = key("where the recipe is from", "", note=MAY_CHANGE)
    recipe_for: list[str] = key(
        "networks that the recipe is for, by name or pattern (*, ?, []), the one shown for it in front; []: all",
        [],
        note=MAY_CHANGE,
    )
    protocol: str = key(
        "by which the recipe's paper tested: the end of the run names the command (training itself evaluates by one "
        "centre crop)",
        "center",
        choices=PROTOCOLS,
        note=MAY_CHANGE,
    )
    ladder: str | None = key(
        "a row of a table that adds one change to another: `ladder=NAME step=ROW`; null: none", None
    )
    arch: ArchConfig = group(ArchConfig, "the network")
    data: DataConfig = group(DataConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    augment: AugmentConfig = group(AugmentConfig, "augmentation of training images")
    optimizer: OptimizerConfig = group(OptimizerConfig, "the optimiser")
    schedule: ScheduleConfig = group(ScheduleConfig, "the learning rate over time")
    average: AverageConfig = group(AverageConfig, "averaged weights")
    epochs: int = key("passes over the training images")
    batch: int | None = key(
        "GLOBAL batch of one optimiser step, images: over all processes and accumulated parts; null: the recipe's, or "
        "the nearest to it that splits evenly over them",
        None,
    )
    recipe_batch: int | None = key("the recipe's global batch, for where `batch` is null", None, note=MAY_CHANGE)
    accumulate: int = key("parts into which each process cuts its share of the batch, to save memory", 1)
    image_size: int | None = key("side of training and evaluation images, pixels; null: the network's", None)
    resolution: ResolutionConfig = group(ResolutionConfig, "training at other sides than image_size")
    loss: str = key(
        "training loss; bce: binary cross-entropy of each class, mean over images and classes",
        "cross_entropy",
        choices=("cross_entropy", "bce"),
    )
    label_smoothing: float = key("share of the target spread over all classes, in [0, 1)", 0.0)
    bce_threshold: float | None = key(
        "bce: a class with more than this share of the target, mixed and smoothed, in [0, 1), counts in full; "
        "null: each by its share",
        None,
    )
    filter_radius: float | None = key(
        "largest root mean square of a convolution's filter, restored after each step (ZFNet: 0.1); null: any", None
    )
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
    memory: str = key(
        "save: activations within blocks are computed again in the backward pass instead of kept; the same gradients "
        "from about a third more arithmetic",
        "keep",
        choices=("keep", "save"),
        note=MAY_CHANGE,
    )
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
    logger: list[str] = key(
        "where figures go beside the terminal and metrics.jsonl, as in logger=[tensorboard]; []: nowhere",
        ["tensorboard"],
        choices=tuple(LOGGERS),
        note=MAY_CHANGE,
    )


@dataclass(frozen=True)
class EvalConfig:
    run: str | None = key("run to evaluate: folder, or name in runs/", None)
    runs: list[str] = key("several runs, whose probabilities are averaged (an ensemble), as in runs=[a,b,c]", [])
    checkpoint: str = key("which weights of the run", "last", choices=("last", "best"))
    weights_kind: str = key("of the run: its weights, or their average", "raw", choices=("raw", "averaged"))
    arch: ArchConfig | None = group(ArchConfig, "the network, where no run is given")
    weights: Any = key(
        "file of weights, or torchvision, where no run is given; several, [a.pt,b.pt], are averaged as `runs` are", None
    )
    data: DataConfig = group(DataConfig, "the images (the val split); null path: the run's")
    image_size: int | None = key("side of the crop, pixels; null: the run's, or the network's", None)
    crop_ratio: float | None = key(
        "image_size / short side after resizing, in (0, 1]; null: the run's, or the network's", None
    )
    interpolation: str | None = key(
        "resampling of images, antialiased; null: the run's, or the network's", None, choices=("bilinear", "bicubic")
    )
    protocol: str = key("which views of an image are averaged (docs/evaluation.md)", "center", choices=PROTOCOLS)
    scales: list[int] = key("short sides of the protocol's images, pixels; []: its own", [])
    exclude: str | None = key("file with images to leave out, one per line: names, or ILSVRC validation numbers", None)
    labels: str | None = key("file with other labels: ImageNet-ReaL's JSON, or a line `image class` for each", None)
    batch: int = key("views per process and step", 256)
    device: str = key("where to evaluate", "auto", choices=("auto", "cpu", "cuda"))
    processes: int | None = key("processes; null: one per GPU, one on a CPU", None)
    precision: str = key(
        "arithmetic; auto: the run's, or as in training", "auto", choices=("auto", "float32", "bf16", "fp16")
    )
    channels_last: bool = key("memory format N, H, W, C for images and weights", True)
    output: str | None = key("file for the result as JSON; null: eval-PROTOCOL.json in the run's folder", None)
    details: str | None = key(
        "folder for errors per class, the confusion matrix, the most confident mistakes and all predictions", None
    )


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
class DescribeRecipeConfig(TrainConfig):
    format: str = key("form of the output", "table", choices=FORMATS)
    plot: str | None = key("PNG file to write: rate and side over the epochs", None)


@dataclass(frozen=True)
class RecipesConfig:
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class VerifyConfig:
    run: str | None = key("finished run to judge: folder, or name in runs/", None)
    sigmas: float = key("half width of the band, in standard errors of the difference", 2.0)
    tolerance: float = key("percentage points added to the band on both sides, for what other seeds would differ", 0.0)
    format: str = key("form of the output", "table", choices=FORMATS)
    output: str | None = key("file for the verdict as JSON; null: verify.json in the run's folder", None)


@dataclass(frozen=True)
class ReportConfig:
    runs: list[str] = key(
        "runs to report on: folders, or names in runs/; `report A B` is short for `runs=[A,B]`; []: all in runs/",
        [],
    )
    output: str = key("folder for report.html, report.md, results.csv and plots/", "report")
    bench: str | None = key("file that `cnnbench bench output=FILE` wrote, for measured speed; null: none", None)
    title: str | None = key("heading of the report; null: the names of the runs", None)


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
    plot: str | None = key("densenet_resnet: PNG file to write", None)


@dataclass(frozen=True)
class ExportConfig:
    run: str | None = key("run to export: folder, or name in runs/", None)
    checkpoint: str = key("which weights of the run", "last", choices=("last", "best"))
    weights_kind: str = key("of the run: its weights, or their average", "raw", choices=("raw", "averaged"))
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
        if nested := _dataclass_of(schema, item):
            found |= entries(nested, f"{prefix}{item.name}.")
    return found


def value_of(config: Any, name: str) -> Any:
    """The value of the key with the full dotted name `name`."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def _dataclass_of(schema: type, item: dataclasses.Field) -> type | None:
    """The dataclass that a field of `schema` holds, also behind `| None`, or None for a plain value."""
    named = vars(sys.modules[schema.__module__]).get(str(item.type).removesuffix(" | None"))
    return named if dataclasses.is_dataclass(named) else None


def from_dict(schema: type, values: dict[str, Any]) -> Any:
    """The dataclass `schema` from the nested dict that dataclasses.asdict made of it; TypeError for other keys."""
    settings = {}
    for name, value in values.items():
        item = schema.__dataclass_fields__.get(name)
        nested = _dataclass_of(schema, item) if item else None
        settings[name] = from_dict(nested, value) if nested and value is not None else value
    return schema(**settings)


def side(config: Any) -> int:
    """Side of the images in pixels: image_size, or the network's own for this data."""
    arch = config.arch
    native = arch.sample_image_size if config.data.path == "sample" else arch.image_size
    return config.image_size if config.image_size is not None else native


def weights_of(config: EvalConfig) -> list[str]:
    """The key `weights` as a list: of none, one or several."""
    weights = config.weights
    return [] if weights is None else [str(name) for name in (weights if isinstance(weights, list) else [weights])]


def is_synthetic(path: str) -> bool:
    """Whether `path` means noise without files, not a folder."""
    return path.partition(":")[0] == "synthetic"


def from_torchvision(weights: str) -> bool:
    """Whether `weights` means what torchvision publishes, not a file: torchvision, or torchvision:NAME."""
    return weights.partition(":")[0] == "torchvision"
