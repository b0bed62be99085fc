"""Checks of values and across keys, before anything is started: each raises UserError for the first thing wrong.

Nothing here imports torch, so that a mistake is answered at once.
"""

from __future__ import annotations

import os
from pathlib import Path

from cnnbench.archs.heads import FIXED
from cnnbench.archs.weights.keymaps import TORCHVISION
from cnnbench.config.batch import expected_batch, stated_batch
from cnnbench.config.bench import BenchConfig, bench_side, one_for_each_network
from cnnbench.config.checks_augment import check_augment
from cnnbench.config.checks_source import check_file, check_source
from cnnbench.config.image_size import check_sides, training_image_sizes
from cnnbench.config.protocols import CENTER, PROTOCOLS
from cnnbench.config.recipes import check_recipe
from cnnbench.config.resolution import check_resolution
from cnnbench.config.schema import (
    SUFFIXES,
    ArchConfig,
    AverageConfig,
    DescribeConfig,
    DescribeRecipeConfig,
    EvalConfig,
    ExportConfig,
    LectureConfig,
    OptimizerConfig,
    RecipesConfig,
    ReportConfig,
    ScheduleConfig,
    TrainConfig,
    VerifyConfig,
    ZooConfig,
    from_torchvision,
    is_synthetic,
    side,
    weights_of,
)
from cnnbench.config.values import check_acting, check_choices, check_range, plain, require
from cnnbench.runs.paths import has_begun

# Kind -> the keys of its group that act with it, beside those that act with every kind.
OPTIMIZER_KEYS = {
    "sgd": ("momentum", "dampening", "nesterov", "fused"),
    "alexnet_sgd": ("momentum",),
    "rmsprop": ("alpha", "eps", "momentum"),
    "tensorflow_rmsprop": ("alpha", "eps", "momentum"),
    "adam": ("betas", "eps", "fused"),
    "adamw": ("betas", "eps", "fused"),
    "lars": ("momentum", "trust_coefficient"),
    "lamb": ("betas", "eps"),
}
SCHEDULE_KEYS = {
    "constant": (),
    "step": ("step_epochs", "gamma"),
    "multi_step": ("milestones", "gamma"),
    "exponential": ("step_epochs", "gamma"),
    "linear": ("final",),
    "polynomial": ("power", "final"),
    "cosine": ("final",),
    "one_cycle": ("start", "peak", "final"),
    "plateau": ("gamma", "patience", "threshold", "most"),
}
AVERAGE_KEYS = {
    "none": (),
    "ema": ("decay", "warmup", "start_epoch", "every"),
    "polyak": ("start_epoch", "every"),
}


def check_train(config: TrainConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    check_arch(config.arch)
    require(config.data.path is not None, "data is missing: give data=PATH, or data=sample for the bundled images")
    for name in ("epochs", "batch", "recipe_batch", "accumulate", "eval_batch"):
        check_range(name, getattr(config, name), 1)
    for name in ("evaluate_every", "save_every", "keep_every"):
        check_range(name, getattr(config, name), 1)
    for name in ("max_hours", "start_timeout", "timeout"):
        check_range(name, getattr(config, name), 0, open_low=True)
    require(
        not config.sync_batchnorm or config.device != "cpu",
        "sync_batchnorm=true needs GPUs: leave it out with device=cpu",
    )
    check_range("log_every", config.log_every, 0)
    check_range("seed", config.seed, 0)
    check_range("label_smoothing", config.label_smoothing, 0, below=1)
    check_range("clip_norm", config.clip_norm, 0, open_low=True)
    check_range("filter_radius", config.filter_radius, 0, open_low=True)
    check_range("bce_threshold", config.bce_threshold, 0, below=1)
    require(
        config.bce_threshold is None or config.loss == "bce", "bce_threshold acts with loss=bce only: set it to null"
    )
    _check_optimizer(config.optimizer)
    _check_schedule(config.schedule, config.epochs)
    _check_average(config.average, config.epochs)
    check_augment(config.augment, side(config))
    _check_loading(config)
    if config.weights is not None:
        _check_weights(config.weights, config.arch)
    check_size(config.arch, side(config))
    check_resolution(config.resolution)
    for size in sorted(set(training_image_sizes(config))):
        check_size(config.arch, size)
    check_recipe(config)
    check_sides(config)
    _check_whole(config)
    require(stated_batch(config) is not None, f"recipe={config.recipe} has no recipe_batch: give batch=N")
    if not has_begun(config) and "RANK" not in os.environ:
        expected_batch(config)  # the run asks again with as many processes as there are


def _check_optimizer(optimizer: OptimizerConfig) -> None:
    check_range("optimizer.lr", optimizer.lr, 0)
    check_range("optimizer.base_batch", optimizer.base_batch, 1)
    check_range("optimizer.momentum", optimizer.momentum, 0, below=1)
    check_range("optimizer.dampening", optimizer.dampening, 0, 1)
    check_range("optimizer.alpha", optimizer.alpha, 0, below=1)
    check_range("optimizer.eps", optimizer.eps, 0)
    check_range("optimizer.trust_coefficient", optimizer.trust_coefficient, 0, open_low=True)
    require(len(optimizer.betas) == 2, f"optimizer.betas={optimizer.betas} needs two values, as in [0.9,0.999]")
    for i, beta in enumerate(optimizer.betas):
        check_range(f"optimizer.betas[{i}]", beta, 0, below=1)
    check_range("optimizer.weight_decay", optimizer.weight_decay, 0)
    require(
        not optimizer.nesterov or (optimizer.momentum > 0 and optimizer.dampening == 0),
        "optimizer.nesterov=true needs optimizer.momentum above 0 and optimizer.dampening=0",
    )
    check_acting("optimizer", optimizer, OPTIMIZER_KEYS)


def _check_schedule(schedule: ScheduleConfig, epochs: int) -> None:
    check_range("schedule.warmup_epochs", schedule.warmup_epochs, 0)
    require(
        schedule.warmup_epochs <= epochs,
        f"schedule.warmup_epochs={schedule.warmup_epochs:g} is more than epochs={epochs}: give at most "
        f"schedule.warmup_epochs={epochs}, or more epochs",
    )
    check_range("schedule.warmup_start", schedule.warmup_start, 0, 1)
    check_range("schedule.step_epochs", schedule.step_epochs, 0, open_low=True)
    check_range("schedule.gamma", schedule.gamma, 0)
    check_range("schedule.power", schedule.power, 0, open_low=True)
    check_range("schedule.start", schedule.start, 0, 1)
    check_range("schedule.peak", schedule.peak, 0, below=1, open_low=True)
    check_range("schedule.final", schedule.final, 0, 1)
    check_range("schedule.patience", schedule.patience, 1)
    check_range("schedule.threshold", schedule.threshold, 0)
    check_range("schedule.most", schedule.most, 0)
    milestones = schedule.milestones
    require(
        schedule.kind != "multi_step" or (milestones and milestones == sorted(milestones) and milestones[0] > 0),
        f"schedule.milestones={milestones} is not possible: give epochs above 0, ascending, as in [30,60]",
    )
    check_acting("schedule", schedule, SCHEDULE_KEYS)


def _check_average(average: AverageConfig, epochs: int) -> None:
    check_range("average.decay", average.decay, 0, below=1)
    check_range("average.every", average.every, 1)
    check_range("average.start_epoch", average.start_epoch, 0)
    require(
        average.start_epoch < epochs,
        f"average.start_epoch={average.start_epoch:g} is past the end of epochs={epochs}: give less, as in "
        "average.start_epoch=0, or more epochs",
    )
    check_acting("average", average, AVERAGE_KEYS)


def check_eval(config: EvalConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    require(
        config.run is not None or bool(config.runs) or (config.arch is not None and bool(config.weights)),
        "nothing to evaluate: give run=NAME, or arch=NETWORK weights=FILE data=PATH",
    )
    require(config.run is None or not config.runs, "run= and runs= exclude each other: name all runs in runs=[a,b]")
    _check_alone(config, "arch", "weights")
    _check_weights_kind(config)
    check_range("crop_ratio", config.crop_ratio, 0, 1, open_low=True)
    for name in ("exclude", "labels"):
        check_file(name, getattr(config, name))
    for run in config.runs:
        require(config.runs.count(run) == 1, f"runs names {run} twice")
    if config.run is None and not config.runs:
        check_arch(config.arch)
        require(config.data.path is not None, "data is missing: give data=PATH, or data=sample for the bundled images")
        check_size(config.arch, side(config))
        check_protocol(config)
    check_range("batch", config.batch, 1)
    _check_loading(config)
    for weights in weights_of(config):
        _check_weights(weights, config.arch)


def check_protocol(config: EvalConfig) -> None:
    """Raise UserError if the network of `config` cannot be tested by its protocol at these sizes."""
    _check_whole(config)
    require(
        not config.scales or PROTOCOLS[config.protocol].crops != CENTER,
        f"scales={plain(config.scales)} does nothing with protocol={config.protocol}: set crop_ratio",
    )
    for scale in config.scales:
        check_range("scales", scale, side(config))


def _check_whole(config: TrainConfig | EvalConfig) -> None:
    name = config.arch.name
    require(
        not PROTOCOLS[config.protocol].whole or name not in FIXED,
        f"protocol={config.protocol} cannot be done with {name}: {FIXED.get(name)}; use protocol=ten_crop",
    )


def check_bench(config: BenchConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    for one in one_for_each_network(config):
        check_arch(one.arch)
        check_range("image_size", one.image_size, 1)
        check_size(one.arch, bench_side(one))
        check_augment(one.augment, bench_side(one))
    for name in ("images", "loader_images", "rounds"):
        check_range(name, getattr(config, name), 1)
    _check_bench_batch(config)
    _check_precision(config)
    _check_data(config)
    if config.what != "model":
        require(config.data.path is not None, "data is missing: give data=PATH, or data=sample for the bundled images")
        require(
            config.what == "train" or not is_synthetic(config.data.path),
            f"what={config.what} measures how images are read, and data={config.data.path} has no files: give "
            "data=PATH, or data=sample for the bundled images",
        )
    require(
        not config.profile or config.what in ("model", "all"),
        f"profile=true traces a step of the network alone: use what=model, not what={config.what}",
    )
    suffix = "" if config.output is None else Path(config.output).suffix
    require(suffix in ("", ".json"), f"output={config.output} needs the ending .json, or none for a folder")


def _check_bench_batch(config: BenchConfig) -> None:
    batch = config.batch
    if batch == "max":
        require(config.what == "model", f"batch=max is for what=model, not what={config.what}: give a number")
    elif batch is not None:
        whole = isinstance(batch, int) and not isinstance(batch, bool)
        require(
            whole and batch >= 1, f"batch={plain(batch)} is not possible: give a number of images from 1 on, or max"
        )


def check_describe(config: DescribeConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    require(config.arch is not None, "nothing to describe: give arch=NETWORK; `cnnbench zoo` lists them")
    check_arch(config.arch)
    check_range("image_size", config.image_size, config.arch.smallest_image)
    check_range("num_classes", config.num_classes, 1)


def check_describe_recipe(config: DescribeRecipeConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_train(config)
    require(config.plot is None or Path(config.plot).suffix == ".png", f"plot={config.plot} needs the ending .png")


def check_verify(config: VerifyConfig) -> None:
    """Raise UserError for a key that is missing or out of range."""
    check_choices(config)
    require(config.run is not None, "nothing to verify: give run=NAME")
    check_range("sigmas", config.sigmas, 0, open_low=True)
    check_range("tolerance", config.tolerance, 0)


def check_report(config: ReportConfig) -> None:
    """Raise UserError for a file that is missing, or one where a folder is to be."""
    check_choices(config)
    check_file("bench", config.bench)
    output = Path(config.output).expanduser()
    require(not output.exists() or output.is_dir(), f"output={config.output} is a file: give output=FOLDER")
    require(not (output / "config.yaml").exists(), f"output={config.output} is a run: give another output=FOLDER")


def check_zoo(config: ZooConfig | LectureConfig | RecipesConfig) -> None:
    """Raise UserError for a key outside its choices or range."""
    check_choices(config)
    for name in ("image_size", "batch", "repeats", "channels", "map_side"):
        check_range(name, getattr(config, name, None), 1)


def check_export(config: ExportConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_choices(config)
    require(
        config.run is not None or (config.arch is not None and config.weights is not None),
        "nothing to export: give run=NAME, or arch=NETWORK weights=FILE",
    )
    _check_alone(config, "arch", "weights", "num_classes")
    _check_weights_kind(config)
    if config.run is None:
        check_arch(config.arch)
        _check_weights(config.weights, config.arch)
        check_size(config.arch, config.image_size if config.image_size is not None else config.arch.image_size)
    check_range("num_classes", config.num_classes, 1)
    if config.output is not None:
        suffix = SUFFIXES[config.form]
        require(Path(config.output).suffix == suffix, f"output={config.output} needs the ending {suffix} of this form")


def check_size(arch: ArchConfig, size: int) -> None:
    """Raise UserError if images of side `size` are too small for the network."""
    require(
        size >= arch.smallest_image,
        f"image_size={size} is too small for {arch.name}: it needs at least {arch.smallest_image} pixels",
    )


def check_arch(arch: ArchConfig) -> None:
    """Raise UserError for a network's key that cannot work."""
    require(arch.in_channels in (1, 3), f"arch.in_channels={arch.in_channels} is not possible: use 1 (grey) or 3")
    check_range("arch.dropout", arch.dropout, 0, below=1)
    check_range("arch.stochastic_depth", arch.stochastic_depth, 0, below=1)
    check_range("arch.crop_ratio", arch.crop_ratio, 0, 1, open_low=True)
    for name in ("mean", "std"):
        require(len(getattr(arch, name)) == 3, f"arch.{name} needs three values (R, G, B)")
    require(all(value > 0 for value in arch.std), "arch.std needs values above 0")


def _check_data(config: TrainConfig | EvalConfig | BenchConfig) -> None:
    check_range("image_size", config.image_size, 1)
    check_range("data.workers", config.data.workers, 0)
    check_range("data.prefetch", config.data.prefetch, 1)
    check_range("data.max_bad", config.data.max_bad, 0)
    if config.data.path is not None:
        check_source(config.data)


def _check_loading(config: TrainConfig | EvalConfig) -> None:
    check_range("processes", config.processes, 1)
    group = os.environ.get("WORLD_SIZE", "") if "RANK" in os.environ else ""
    require(
        config.processes is None or group in ("", str(config.processes)),
        f"processes={config.processes}, but the launcher has started {group}: leave processes= out",
    )
    _check_data(config)
    _check_precision(config)


def _check_precision(config: TrainConfig | EvalConfig | BenchConfig) -> None:
    require(
        config.device != "cpu" or config.precision != "fp16",
        "precision=fp16 needs a GPU: use precision=bf16 or precision=float32 with device=cpu",
    )


def _check_weights(weights: str, arch: ArchConfig) -> None:
    if from_torchvision(weights):
        require(
            arch.name in TORCHVISION,
            f"weights={weights}: torchvision has no weights of {arch.name}; it has those of {', '.join(TORCHVISION)}",
        )
    else:
        check_file("weights", weights)


def _check_alone(config: EvalConfig | ExportConfig, *names: str) -> None:
    """A run says what the keys `names` say otherwise."""
    key = "run" if config.run is not None else "runs" if getattr(config, "runs", []) else None
    for name in names if key else ():
        require(getattr(config, name) is None, f"{key}= and {name}= exclude each other: the run has its own {name}")


def _check_weights_kind(config: EvalConfig | ExportConfig) -> None:
    require(
        config.run is not None or bool(getattr(config, "runs", [])) or config.weights_kind == "raw",
        f"weights_kind={config.weights_kind} needs a run: give run=NAME",
    )
