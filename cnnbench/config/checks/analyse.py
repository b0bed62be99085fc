"""Tables, reports and files about networks."""

from __future__ import annotations

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
from cnnbench.config.checks.common import (
    check_alone,
    check_loading,
    check_weights,
    check_weights_kind,
)
from cnnbench.config.checks.train import check_train
from cnnbench.config.data import MISSING, check_file
from cnnbench.config.fields import check_fields, given, require
from cnnbench.config.runs import check_runs
from cnnbench.config.written import FOLDER, check_written

NOTHING_TO_CONVERT = "nothing to convert: give a file, as in `cnnbench convert FILE output=FILE.safetensors`"
NOTHING_TO_EXPORT = "nothing to export: give run=NAME, or arch=NETWORK weights=FILE"


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


def check_verify(config: VerifyConfig) -> None:
    """Raise UserError for a key that is missing or out of range."""
    check_fields(config)
    check_runs(config)
    require(config.run is not None or bool(config.weights), "nothing to verify: give run=NAME, or weights=FILE")
    check_alone(config, "arch", "weights")
    if config.weights is not None:
        arch = given(config.arch, "weights= needs arch=NETWORK")
        check_arch(arch)
        require(config.data.path is not None, MISSING)
        check_weights(config.weights)
        check_loading(config)


def check_report(config: ReportConfig) -> None:
    """Raise UserError for a file that is missing, or one where a folder is to be."""
    check_fields(config)
    check_runs(config)
    check_file("bench", config.bench)
    output = Path(config.output).expanduser()
    require(not (output / "config.yaml").exists(), f"output={config.output} is a run: give another output=FOLDER")


def check_export(config: ExportConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_runs(config)
    if config.run is None:
        arch, weights = given(config.arch, NOTHING_TO_EXPORT), given(config.weights, NOTHING_TO_EXPORT)
    check_alone(config, "arch", "weights", "num_classes")
    check_weights_kind(config)
    if config.run is None:
        check_arch(arch)
        check_weights(weights)
        check_size(arch, config.image_size if config.image_size is not None else arch.image_size)
    if config.output is not None:
        suffix = SUFFIXES[config.form]
        require(Path(config.output).suffix == suffix, f"output={config.output} needs the ending {suffix} of this form")


def check_convert(config: ConvertConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    weights = given(config.weights, NOTHING_TO_CONVERT)
    output = given(config.output, "no file to write to: give output=FILE.safetensors")
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
    check_weights(weights)


def check_lecture(config: LectureConfig) -> None:
    """Raise UserError for a key outside its choices or range, or a folder that cannot be written."""
    check_fields(config)
    if config.all:
        check_written("output", config.output, FOLDER)


def check_keys(config: ZooConfig | RecipesConfig) -> None:
    """Raise UserError for a key outside its choices or range."""
    check_fields(config)
