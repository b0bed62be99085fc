"""What has to hold between the keys of a whole config, before anything is started: each check raises UserError for the
first thing wrong. Imports no torch, so that a mistake is answered at once.
"""

from __future__ import annotations

import os
from pathlib import Path

from cnnbench.config.analyse import (
    SUFFIXES,
    ConvertConfig,
    DescribeConfig,
    DescribeRecipeConfig,
    ExportConfig,
    LectureConfig,
    RecipesConfig,
    ReportConfig,
    VerifyConfig,
    ZooConfig,
)
from cnnbench.config.arch import check_arch, check_size, from_torchvision
from cnnbench.config.augment import check_augment
from cnnbench.config.average import check_average
from cnnbench.config.batch import check_accumulate, recipe_batch_of
from cnnbench.config.bench import BenchConfig, bench_size, one_for_each_network
from cnnbench.config.data import MISSING, check_file, check_source, is_synthetic, without_secrets
from cnnbench.config.evaluate import EvalConfig, TrainedConfig, weights_of
from cnnbench.config.fields import check_fields, given, plain, require
from cnnbench.config.image_size import check_image_sizes, input_size, training_image_sizes
from cnnbench.config.loggers import check_loggers
from cnnbench.config.optimizer import check_optimizer
from cnnbench.config.protocols import CENTER, PROTOCOLS
from cnnbench.config.recipes import check_recipe
from cnnbench.config.resolution import check_resolution
from cnnbench.config.runs import check_runs
from cnnbench.config.schedule import check_schedule
from cnnbench.config.train import AUTO, TrainConfig
from cnnbench.runtime.errors import UserError
from cnnbench.runtime.group import place_in_group

NOTHING_TO_EVALUATE = "nothing to evaluate: give run=NAME, or arch=NETWORK weights=FILE data=PATH"
NOTHING_TO_CONVERT = "nothing to convert: give a file, as in `cnnbench convert FILE output=FILE.safetensors`"
NOTHING_TO_EXPORT = "nothing to export: give run=NAME, or arch=NETWORK weights=FILE"


def check_train(config: TrainConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_runs(config)
    check_arch(config.arch)
    require(config.data.path is not None, MISSING)
    require(
        not config.sync_batchnorm or config.device != "cpu",
        "sync_batchnorm=true needs GPUs: leave it out with device=cpu",
    )
    require(
        config.bn_group is None or not config.sync_batchnorm,
        "bn_group and sync_batchnorm=true exclude each other: groups of images, or all of them; leave one out",
    )
    require(
        config.bce_threshold is None or config.loss == "bce", "bce_threshold acts with loss=bce only: set it to null"
    )
    require(
        not config.one_batch or config.data.holdout == 0,
        "one_batch=true trains and tests on one batch, of which data.holdout takes nothing: leave one out",
    )
    check_accumulate(config)
    require(
        config.channels_last in (True, False, AUTO),
        f"channels_last={plain(config.channels_last)}: give true, false or auto",
    )
    check_loggers(config.logger)
    check_optimizer(config.optimizer)
    check_schedule(config.schedule, config.epochs)
    check_average(config.average, config.epochs)
    check_augment(config.augment, input_size(config))
    _check_loading(config)
    if config.weights is not None:
        _check_weights(config.weights)
    check_resolution(config.resolution)
    for size in sorted({input_size(config), *training_image_sizes(config)}):
        check_size(config.arch, size)
    check_recipe(config)
    check_image_sizes(config)
    _check_whole(config)
    if config.batch is None:
        recipe_batch_of(config)


def check_eval(config: EvalConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    for name in ("exclude", "labels"):
        check_file(name, getattr(config, name))
    check_trained(config, NOTHING_TO_EVALUATE)
    if config.run is None and not config.runs:
        require(config.data.path is not None, MISSING)
        check_protocol(config)
    check_boxes(config)


def check_boxes(config: EvalConfig) -> None:
    """Raise UserError if the boxes of class activation maps cannot be had as `config` asks."""
    if config.boxes is None:
        return
    check_file("boxes", config.boxes)
    require(len(config.runs) + len(weights_of(config)) <= 1, "boxes= is of one network: give run=NAME or one file")
    require(config.protocol == CENTER, f"boxes= needs protocol={CENTER}: maps are those of one view of an image")
    require(config.labels is None, "boxes= and labels= exclude each other: a box is of the class of its image")
    require(
        config.processes in (None, 1),
        f"boxes= is computed in one process, not {config.processes}: leave processes= out",
    )


def check_trained(config: TrainedConfig, nothing: str) -> None:
    """Raise UserError unless `config` names a trained network whose images it can take; with the sentence `nothing`
    where it names none."""
    check_runs(config)
    runs = getattr(config, "runs", [])
    alone = config.run is None and not runs
    require(not alone or (config.arch is not None and bool(config.weights)), nothing)
    require(config.run is None or not runs, "run= and runs= exclude each other: name all runs in runs=[a,b]")
    _check_alone(config, "arch", "weights")
    _check_weights_kind(config)
    for run in runs:
        require(runs.count(run) == 1, f"runs names {run} twice")
    if alone:
        arch = given(config.arch, nothing)
        check_arch(arch)
        check_size(arch, input_size(config))
    _check_loading(config)
    for weights in weights_of(config):
        _check_weights(weights)


def check_protocol(config: EvalConfig) -> None:
    """Raise UserError if the network of `config` cannot be tested by its protocol at these sizes."""
    _check_whole(config)
    protocol = PROTOCOLS[config.protocol]
    require(
        not config.scales or protocol.takes_scales,
        f"scales={plain(config.scales)} does nothing with protocol={config.protocol}: set crop_ratio",
    )
    require(
        config.interpolation is None or protocol.takes_interpolation,
        f"interpolation={config.interpolation} does nothing with protocol={config.protocol}, which is bilinear without "
        "antialiasing: leave it out, or use protocol=center",
    )
    for scale in config.scales:
        require(
            scale >= input_size(config),
            f"scales={scale} is out of range: it must be at least {input_size(config)}, the side of the crops",
        )


def check_bench(config: BenchConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    for one in one_for_each_network(config):
        check_arch(one.arch)
        check_size(one.arch, bench_size(one))
        check_augment(one.augment, bench_size(one))
    _check_bench_batch(config)
    _check_precision(config)
    if config.data.path is not None:
        check_source(config.data)
    if config.what != "model":
        path = config.data.given_path
        require(
            config.what == "train" or not is_synthetic(path),
            f"what={config.what} measures how images are read, and data={path} has no files: give "
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
    check_fields(config)
    arch = given(config.arch, "nothing to describe: give arch=NETWORK; `cnnbench zoo` lists them")
    check_arch(arch)
    if config.image_size is not None:
        check_size(arch, config.image_size)


def check_describe_recipe(config: DescribeRecipeConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_train(config)
    require(config.plot is None or Path(config.plot).suffix == ".png", f"plot={config.plot} needs the ending .png")


def check_verify(config: VerifyConfig) -> None:
    """Raise UserError for a key that is missing or out of range."""
    check_fields(config)
    check_runs(config)
    require(config.run is not None or bool(config.weights), "nothing to verify: give run=NAME, or weights=FILE")
    _check_alone(config, "arch", "weights")
    if config.weights is not None:
        arch = given(config.arch, "weights= needs arch=NETWORK")
        check_arch(arch)
        require(config.data.path is not None, MISSING)
        _check_weights(config.weights)
        _check_loading(config)


def check_report(config: ReportConfig) -> None:
    """Raise UserError for a file that is missing, or one where a folder is to be."""
    check_fields(config)
    check_runs(config)
    check_file("bench", config.bench)
    output = Path(config.output).expanduser()
    require(not output.exists() or output.is_dir(), f"output={config.output} is a file: give output=FOLDER")
    require(not (output / "config.yaml").exists(), f"output={config.output} is a run: give another output=FOLDER")


def check_export(config: ExportConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_runs(config)
    if config.run is None:
        arch, weights = given(config.arch, NOTHING_TO_EXPORT), given(config.weights, NOTHING_TO_EXPORT)
    _check_alone(config, "arch", "weights", "num_classes")
    _check_weights_kind(config)
    if config.run is None:
        check_arch(arch)
        _check_weights(weights)
        check_size(arch, config.image_size if config.image_size is not None else arch.image_size)
    if config.output is not None:
        suffix = SUFFIXES[config.form]
        require(Path(config.output).suffix == suffix, f"output={config.output} needs the ending {suffix} of this form")


def check_convert(config: ConvertConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    weights = given(config.weights, NOTHING_TO_CONVERT)
    output = given(config.output, "no file to write to: give output=FILE.safetensors")
    require(Path(output).suffix == ".safetensors", f"output={output} needs the ending .safetensors")
    require(Path(output).expanduser() != Path(weights).expanduser(), f"output={output} is the file to read")
    if config.arch is None:
        require(
            not from_torchvision(weights),
            f"weights={weights} needs a network: give arch=NAME",
        )
        for name, plain_value in (("weights_set", None), ("weights_from", None), ("weights_match", "names")):
            require(getattr(config, name) == plain_value, f"{name}= needs a network: give arch=NAME")
        require(config.num_classes is None, "num_classes= needs a network: give arch=NAME")
    else:
        check_arch(config.arch)
    _check_weights(weights)


def check_keys(config: ZooConfig | LectureConfig | RecipesConfig) -> None:
    """Raise UserError for a key outside its choices or range."""
    check_fields(config)


def _check_loading(config: TrainConfig | TrainedConfig | VerifyConfig) -> None:
    """Raise UserError for processes, data or arithmetic that are not there."""
    place = place_in_group(os.environ)
    started = None if place is None else place.world
    processes = getattr(config, "processes", None)
    require(
        started is None or processes in (None, started),
        f"processes={processes}, but the launcher has started {started}: leave processes= out",
    )
    if config.data.path is not None:
        check_source(config.data)
    if not isinstance(config, VerifyConfig):
        _check_precision(config)


def _check_precision(config: TrainConfig | TrainedConfig | BenchConfig) -> None:
    """Raise UserError for arithmetic that the device does not have."""
    require(
        config.device != "cpu" or config.precision != "fp16",
        "precision=fp16 needs a GPU: use precision=bf16 or precision=float32 with device=cpu",
    )


def _check_weights(weights: str) -> None:
    """Raise UserError for a file of weights that is not there."""
    require(
        "://" not in weights, f"weights={without_secrets(weights)} is an address: download the file first, and name it"
    )
    if not from_torchvision(weights):
        check_file("weights", weights)


def _check_whole(config: TrainConfig | EvalConfig) -> None:
    """Raise UserError if the protocol needs whole images, which the network cannot take."""
    arch = config.arch
    if arch is not None and arch.not_whole is not None and PROTOCOLS[config.protocol].whole:
        raise UserError(
            f"protocol={config.protocol} cannot be done with {arch.name}: {arch.not_whole}; use protocol=ten_crop"
        )


def _check_alone(config: TrainedConfig | ExportConfig | VerifyConfig, *names: str) -> None:
    """A run says what the keys `names` say otherwise."""
    key = "run" if config.run is not None else "runs" if getattr(config, "runs", []) else None
    for name in names if key else ():
        require(getattr(config, name) is None, f"{key}= and {name}= exclude each other: the run has its own {name}")


def _check_weights_kind(config: TrainedConfig | ExportConfig) -> None:
    """Raise UserError for averaged weights of no run."""
    require(
        config.run is not None or bool(getattr(config, "runs", [])) or config.weights_kind == "raw",
        f"weights_kind={config.weights_kind} needs a run: give run=NAME",
    )
