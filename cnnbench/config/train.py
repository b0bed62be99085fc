"""`cnnbench train`: its keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.average import AverageConfig
from cnnbench.config.data import TrainingDataConfig
from cnnbench.config.devices import COMPILE_MODES, DEVICES, MEMORY, PRECISIONS
from cnnbench.config.fields import MAY_CHANGE, SEED, Kind, Range, given, group, key
from cnnbench.config.loggers import LOGGERS
from cnnbench.config.optimizer import OptimizerConfig
from cnnbench.config.protocols import PROTOCOLS
from cnnbench.config.resolution import ResolutionConfig
from cnnbench.config.schedule import ScheduleConfig
from cnnbench.config.weights import classifier_key, from_key, match_key, set_key

LOSSES = {
    "cross_entropy": Kind("of the softmax over classes"),
    "bce": Kind("binary cross-entropy of each class, mean over images and classes", ("bce_threshold",)),
}


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
    debug: str | None = key("a trial: debug=fast, overfit or profile; null: none", None, note=MAY_CHANGE)
    arch: ArchConfig = group(ArchConfig, "the network")
    data: TrainingDataConfig = group(TrainingDataConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    augment: AugmentConfig = group(AugmentConfig, "augmentation of training images")
    optimizer: OptimizerConfig = group(OptimizerConfig, "the optimiser")
    schedule: ScheduleConfig = group(ScheduleConfig, "the learning rate over time")
    average: AverageConfig = group(AverageConfig, "averaged weights")
    epochs: int = key("passes over the training images", range=Range(at_least=1))
    batch: int | None = key(
        "GLOBAL batch of one optimiser step, images: over all processes and accumulated parts; null: the recipe's, or "
        "the nearest to it that splits evenly over them",
        None,
        range=Range(at_least=1),
    )
    recipe_batch: int | None = key(
        "the recipe's global batch, for where `batch` is null",
        None,
        note=MAY_CHANGE,
        range=Range(at_least=1),
    )
    accumulate: Any = key(
        "parts into which each process cuts its share of the batch, to save memory; auto: the fewest that fit into the "
        "GPU's memory, found by trial as the run begins",
        1,
    )
    image_size: int | None = key(
        "side of training and evaluation images, pixels; null: the network's",
        None,
        range=Range(at_least=1),
    )
    resolution: ResolutionConfig = group(ResolutionConfig, "training at other sides than image_size")
    loss: str = key(
        "training loss", "cross_entropy", kinds=LOSSES, source="softmax regression, as where no other is named"
    )
    label_smoothing: float = key(
        "share of the target spread over all classes, in [0, 1)",
        0.0,
        range=Range(at_least=0, below=1),
        source="none is named",
    )
    bce_threshold: float | None = key(
        "bce: a class with more than this share of the target, mixed and smoothed, in [0, 1), counts in full; "
        "null: each by its share",
        None,
        range=Range(at_least=0, below=1),
    )
    filter_radius: float | None = key(
        "largest root mean square of a convolution's filter, restored after each step (ZFNet: 0.1); null: any",
        None,
        range=Range(above=0),
        source="none is named: ZFNet's alone",
    )
    clip_norm: float | None = key(
        "largest norm of the gradient; null: no clipping", None, range=Range(above=0), source="none is named"
    )
    weights: str | None = key(
        "file whose weights the run starts from, with a new classifier if its classes are others "
        "(weights_classifier); or torchvision, or torchvision:IMAGENET1K_V2; null: fresh",
        None,
    )
    freeze: str | None = key(
        "the layer up to which all weights stay as they begin, by a name of `cnnbench describe`; that part runs as "
        "in evaluation, with batch normalisation's statistics kept; null: all are trained",
        None,
        source="none is named: all is trained",
    )
    weights_set: str | None = set_key()
    weights_from: str | None = from_key()
    weights_match: str = match_key()
    weights_classifier: str = classifier_key()
    seed: int = key("of initial weights, sample order, augmentation and dropout", 0, range=SEED)
    device: str = key("where to train", "auto", choices=DEVICES, note=MAY_CHANGE)
    processes: int | None = key(
        "training processes; null: one per GPU, one on a CPU",
        None,
        note=MAY_CHANGE,
        range=Range(at_least=1),
    )
    precision: str = key(
        "arithmetic of the forward and backward pass; auto: bf16 on a GPU that has it, else float32",
        "auto",
        choices=PRECISIONS,
    )
    channels_last: bool | str = key(
        "memory format N, H, W, C for images and weights; auto: on a CPU the faster one, tried as the run begins",
        True,
        note=MAY_CHANGE,
    )
    memory: str = key(
        "save: activations within blocks are computed again in the backward pass instead of kept; the same gradients "
        "from about a third more arithmetic",
        "keep",
        choices=MEMORY,
        note=MAY_CHANGE,
    )
    compile: bool = key("compile the network with torch.compile, for training and validation", False, note=MAY_CHANGE)
    compile_mode: str = key(
        "compile: torch's mode; reduce-overhead: kernels are launched as CUDA graphs",
        "default",
        choices=COMPILE_MODES,
        note=MAY_CHANGE,
    )
    deterministic: bool = key("only deterministic kernels (slower on a GPU)", False, note=MAY_CHANGE)
    eval_batch: int = key("images per process and step in evaluation", 256, note=MAY_CHANGE, range=Range(at_least=1))
    max_steps: int | None = key(
        "stop after so many optimiser steps, as a trial: rate and averages are those of the whole run; null: no limit",
        None,
        range=Range(at_least=1),
    )
    max_eval_images: int | None = key(
        "validation images that are counted, evenly over them, as a trial; null: all", None, range=Range(at_least=1)
    )
    one_batch: bool = key(
        "train and test on the images of the first batch alone, as a trial: can they be learned by heart?",
        False,
    )
    evaluate_every: int = key("epochs between two evaluations (the last epoch always)", 1, range=Range(at_least=1))
    save_every: int = key(
        "optimiser steps between two saves within an epoch",
        1000,
        note=MAY_CHANGE,
        range=Range(at_least=1),
    )
    keep_every: int | None = key(
        "epochs between two checkpoints that are kept beside last and best; null: none",
        None,
        note=MAY_CHANGE,
        range=Range(at_least=1),
    )
    max_hours: float | None = key(
        "stop, saved, this many hours after the start; the same command continues; null: no limit",
        None,
        note=MAY_CHANGE,
        range=Range(above=0),
    )
    on_nonfinite: str = key(
        "a loss or gradient that is not finite: stop the run, or skip that step (asks the device at every step)",
        "stop",
        choices=("stop", "skip"),
        note=MAY_CHANGE,
    )
    sync_batchnorm: bool = key("batch normalisation over the images of all processes (GPUs only)", False)
    bn_group: int | None = key(
        "most images over which batch normalisation takes one mean and variance in training, as if each group had a "
        "device of its own; null: all that a process computes at once",
        None,
        range=Range(at_least=1),
        source="our choice: all images of a device, as many as it takes; bn_group=32 is 32 images per GPU on any",
    )
    precise_bn: int | None = key(
        "training images over which the statistics of batch normalisation are computed anew for the last evaluation; "
        "null: the running ones are taken",
        None,
        range=Range(at_least=1),
        source="the running ones: none is named",
    )
    start_timeout: float = key(
        "how long processes wait for each other up to the first step, minutes",
        30.0,
        note=MAY_CHANGE,
        range=Range(above=0),
    )
    timeout: float = key(
        "how long processes wait for each other after it, minutes",
        5.0,
        note=MAY_CHANGE,
        range=Range(above=0),
    )
    log_every: int = key(
        "seconds between two lines of progress where there is no terminal",
        10,
        note=MAY_CHANGE,
        range=Range(at_least=0),
    )
    logger: list[str] = key(
        "where figures go beside the terminal and metrics.jsonl, as in logger=[tensorboard]; []: nowhere",
        ["tensorboard"],
        choices=tuple(LOGGERS),
        note=MAY_CHANGE,
    )

    @property
    def chosen_batch(self) -> int:
        """`batch` of a run, which config/batch.py chose as it began; UserError where it is null."""
        return given(self.batch, "batch=null, where the run's own is needed: give batch=N")

    def images_at_once(self, world: int) -> int:
        """Images of the batch that each of `world` processes computes at a time, a part of its share."""
        return self.chosen_batch // world // int(self.accumulate)
