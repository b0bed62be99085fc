"""Keys of the commands that describe, compare and export: what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.arch import ArchConfig
from cnnbench.config.data import DataConfig
from cnnbench.config.devices import DEVICES
from cnnbench.config.fields import Range, group, key
from cnnbench.config.train import TrainConfig
from cnnbench.config.weights import checkpoint_key, from_key, match_key, set_key
from cnnbench.config.written import FILE, FOLDER, PNG, Written

FORMATS = ("table", "markdown", "csv", "json")  # of printed tables
SUFFIXES = {"safetensors": ".safetensors", "onnx": ".onnx", "torch_export": ".pt2"}  # of the forms of export


@dataclass(frozen=True)
class ZooConfig:
    family: str | None = key("only networks of this family", None)
    name: str | None = key("only keys that contain this, or match it as a pattern (*, ?, [])", None)
    sort: str | None = key("column to sort by, ascending", None)
    weights: bool = key("list the published weights that are known, by the names that weights_from= takes", False)
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class DescribeConfig:
    arch: ArchConfig | None = group(ArchConfig, "the network")
    image_size: int | None = key("side of the input, pixels; null: the network's own", None)
    num_classes: int | None = key("classes; null: those of the paper", None, range=Range(at_least=1))
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class DescribeRecipeConfig(TrainConfig):
    format: str = key("form of the output", "table", choices=FORMATS)
    plot: str | None = key("PNG file to write: rate and side over the epochs", None, written=PNG)


@dataclass(frozen=True)
class RecipesConfig:
    sources: bool = key("after the list, every value of every recipe with its source", False)
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class VerifyConfig:
    run: str | None = key("finished run to judge: folder, or name in runs/", None)
    arch: ArchConfig | None = group(ArchConfig, "the network of the weights, where no run is given")
    weights: str | None = key("published weights to judge, a file or torchvision, where no run is given", None)
    weights_set: str | None = set_key()
    weights_from: str | None = from_key()
    weights_match: str = match_key()
    data: DataConfig = group(DataConfig, "the images on which the weights are counted (the val split)")
    batch: int = key("of weights: images per process and step", 256, range=Range(at_least=1))
    device: str = key("of weights: where to evaluate", "auto", choices=DEVICES)
    processes: int | None = key("of weights: processes; null: one per GPU", None, range=Range(at_least=1))
    sigmas: float = key(
        "half width of the band, in standard errors of the difference: by the images, or by three or more own seeds",
        2.0,
        range=Range(above=0),
    )
    tolerance: float = key(
        "percentage points added to the band on both sides, for what other seeds would differ where they are not known",
        0.0,
        range=Range(at_least=0),
    )
    format: str = key("form of the output", "table", choices=FORMATS)
    output: str | None = key("file for the verdict as JSON; null: verify.json in the run's folder", None, written=FILE)


@dataclass(frozen=True)
class ReportConfig:
    runs: list[str] = key(
        "runs to report on: folders, or names in runs/; `report A B` is short for `runs=[A,B]`; []: all in runs/",
        [],
    )
    output: str = key("folder for report.html, report.md, results.csv, tables.tex and plots/", "report", written=FOLDER)
    bench: str | None = key("file that `cnnbench bench output=FILE` wrote, for measured speed; null: none", None)
    title: str | None = key("heading of the report; null: the names of the runs", None)


@dataclass(frozen=True)
class RunsConfig:
    runs: list[str] = key(
        "runs, or folders of runs; `runs A B` is short for `runs=[A,B]`; []: all in runs/",
        [],
    )
    format: str = key("form of the output", "table", choices=FORMATS)


@dataclass(frozen=True)
class LectureConfig:
    name: str | None = key("the claim to show; `lecture NAME` is short for `lecture name=NAME`; null: list them", None)
    format: str = key("form of the output", "table", choices=FORMATS)
    image_size: int | None = key(
        "wide_resnet: side of the images that are timed, pixels", None, range=Range(at_least=17)
    )
    batch: int | None = key("wide_resnet: images in a timed batch", None, range=Range(at_least=1))
    repeats: int | None = key("wide_resnet: timed batches, of which the median counts", None, range=Range(at_least=1))
    device: str | None = key("wide_resnet: where to time", None, choices=DEVICES[1:])
    channels: int | None = key(
        "small_filters, xception: channels in and out", None, range=Range(at_least=1, at_most=2048)
    )
    map_side: int | None = key(
        "reduction, inception_branches, xception: side of the feature map, pixels",
        None,
        range=Range(at_least=1, at_most=256),
    )
    units: int | None = key("dropout_networks: inputs, all masks of which are enumerated", None)
    network: str | None = key("batch_norm: the network whose batch normalisation is folded", None)
    run: str | None = key("feature_reuse: a run of a DenseNet, folder or name in runs/", None)
    plot: str | None = key("PNG file to write: the claim's picture, where it has one", None, written=PNG)
    all: bool = key("all claims as one page, in the order of the slides", False)
    output: str = key("all=true: folder for lecture.html, lecture.md and plots/", "lecture")


@dataclass(frozen=True)
class ExportConfig:
    run: str | None = key("run to export: folder, or name in runs/", None)
    checkpoint: str = checkpoint_key()
    weights_kind: str = key("of the run: its weights, or their average", "raw", choices=("raw", "averaged"))
    arch: ArchConfig | None = group(ArchConfig, "the network, where no run is given")
    weights: str | None = key("file of weights, or torchvision, where no run is given", None)
    weights_set: str | None = set_key()
    weights_from: str | None = from_key()
    weights_match: str = match_key()
    num_classes: int | None = key(
        "classes of the weights, where no run is given; null: 1000",
        None,
        range=Range(at_least=1),
    )
    image_size: int | None = key(
        "side of the images, pixels; null: the run's, or the network's",
        None,
        range=Range(at_least=1),
    )
    form: str = key(
        "safetensors: weights; onnx: weights and graph (needs the packages of cnnbench[export]); torch_export: weights "
        "and graph, for torch.export.load",
        "safetensors",
        choices=SUFFIXES,
    )
    output: str | None = key(
        "file to write; null: named after the network, in the run's folder or this one", None, written=FILE
    )


@dataclass(frozen=True)
class ConvertConfig:
    weights: str | None = key("file to read; `convert FILE` is short for `convert weights=FILE`", None)
    output: str | None = key("file to write, *.safetensors", None, written=Written((".safetensors",)))
    arch: ArchConfig | None = group(
        ArchConfig, "network whose names are taken and whose images are kept in the file; none: the names of the file"
    )
    weights_set: str | None = set_key()
    weights_from: str | None = from_key()
    weights_match: str = match_key()
    num_classes: int | None = key("with arch=: classes; null: those of the file", None, range=Range(at_least=1))
