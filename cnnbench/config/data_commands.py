"""The `cnnbench data` commands: their keys, and what has to hold between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnbench.config.arch import INTERPOLATIONS, ArchConfig, check_arch
from cnnbench.config.augment import AugmentConfig, check_augment
from cnnbench.config.data import SourceConfig, check_data_path, check_source
from cnnbench.config.fields import SEED, Range, check_fields, given, group, key, require
from cnnbench.config.image_size import input_size
from cnnbench.config.written import FILE, FOLDER, PNG
from cnnbench.runtime.errors import nearest

SPLITS = ("train", "val")
PACKED_FORMS = ("jpeg", "raw", "original")
WORKERS = "worker processes; 0: none beside this one; null: one per core"
DECODERS = "worker processes, in which images are decoded: at least one, where they can be forked; null: one per core"


@dataclass(frozen=True)
class DataPathConfig:
    path: str | None = key("the data set, its layout recognised by a look at it", None)

    @property
    def given_path(self) -> str:
        """`path`; UserError where it is null."""
        return given(self.path, "data is missing: give data=PATH")


@dataclass(frozen=True)
class DataIndexConfig:
    data: DataPathConfig = group(DataPathConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    split: str | None = key("only this split; null: both", None, choices=("train", "val"))
    beside: bool = key("write the index beside the data, for all who use it, not into this user's cache folder", False)
    decoder: bool = key(
        "also look through the JPEG files once, for where decoding can begin in each: 2.6 kB an image, with which what "
        "lies above and beside a crop is never decoded",
        False,
    )
    workers: int | None = key(WORKERS, None, range=Range(at_least=0))


@dataclass(frozen=True)
class PackConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    output: str | None = key("folder for the packed files, SPLIT.cnnbench", None, written=FOLDER)
    splits: list[str] = key("the splits to pack", list(SPLITS))
    form: str = key(
        "jpeg: encoded anew, 4:2:0; raw: pixels, uint8; original: the files as they are", "jpeg", choices=PACKED_FORMS
    )
    short_side: int | None = key(
        "jpeg, raw: larger images are resized to this short side, pixels; null: 320 for jpeg, 256 for raw",
        None,
        range=Range(at_least=1),
    )
    quality: int = key("jpeg: quality, 1 to 100", 90, range=Range(at_least=1, at_most=100))
    interpolation: str | None = key(
        "jpeg, raw: resampling, antialiased; null: bicubic for jpeg, bilinear for raw",
        None,
        choices=INTERPOLATIONS,
    )
    shard_size: int | None = key("images per file (shard); null: one file per split", None, range=Range(at_least=1))
    skip_broken: bool = key("leave out images that cannot be decoded, instead of failing", False)
    workers: int | None = key(DECODERS, None, range=Range(at_least=0))


@dataclass(frozen=True)
class CheckConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    splits: list[str] = key("the splits to check", list(SPLITS))
    report: str | None = key("file for everything that was found, as JSON", None, written=FILE)
    workers: int | None = key(DECODERS, None, range=Range(at_least=0))


@dataclass(frozen=True)
class StatsConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    split: str = key("the split", "train", choices=SPLITS)
    area: str = key(
        "center: the centre crop of evaluation, each image with the same weight; whole: whole images, each pixel with "
        "the same weight",
        "center",
        choices=("center", "whole"),
    )
    image_size: int = key("center: side of the crop, pixels", 224, range=Range(at_least=1))
    crop_ratio: float = key(
        "center: image_size / short side after resizing, in (0, 1]",
        0.875,
        range=Range(above=0, at_most=1),
    )
    interpolation: str = key("center: resampling, antialiased", "bilinear", choices=INTERPOLATIONS)
    workers: int | None = key(DECODERS, None, range=Range(at_least=0))


@dataclass(frozen=True)
class ShowConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    arch: ArchConfig = group(ArchConfig, "draws: the network, for its image size, crop ratio and resampling")
    augment: AugmentConfig = group(AugmentConfig, "draws: augmentation of training images")
    draws: int | None = key(
        "show each image, one a row, before and after this many draws; null: images alone",
        None,
        range=Range(at_least=1),
    )
    image_size: int | None = key(
        "draws: side of the images that are made, pixels; null: the network's",
        None,
        range=Range(at_least=1),
    )
    seed: int = key("draws: of augmentation", 0, range=SEED)
    split: str = key("the split", "train", choices=SPLITS)
    output: str = key("PNG file to write", "sheet.png", written=PNG)
    classes: list[str] = key("names of the classes to show; []: as many as fit, evenly over all", [])
    count: int = key("images of each class", 4, range=Range(at_least=1))
    rows: int = key("classes at most", 10, range=Range(at_least=1))
    side: int = key("side of an image on the sheet, pixels", 128, range=Range(at_least=16))


@dataclass(frozen=True)
class PrepareConfig:
    data: SourceConfig = group(SourceConfig, "the archives; `data=PATH` is short for `data.path=PATH`")
    output: str | None = key("folder for the class folders, SPLIT/CLASS/FILE", None, written=FOLDER)
    splits: list[str] = key("the splits to unpack", list(SPLITS))
    workers: int | None = key(WORKERS, None, range=Range(at_least=0))


def check_data_index(config: DataIndexConfig) -> None:
    """Raise UserError for a data set that is missing or not there."""
    check_fields(config)
    check_data_path(config.data.given_path)


def check_pack(config: PackConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_source(config.data)
    output_folder(config)
    _check_splits(config.splits)
    if config.form == "original":
        for name in ("short_side", "interpolation"):
            require(getattr(config, name) is None, f"form=original keeps the files as they are: it takes no {name}")


def check_prepare(config: PrepareConfig) -> None:
    """Raise UserError for the first key, or combination of keys, that cannot work."""
    check_fields(config)
    check_source(config.data)
    output_folder(config)
    _check_splits(config.splits)


def output_folder(config: PackConfig | PrepareConfig) -> Path:
    """The folder that `output` names; UserError where it is null."""
    return Path(given(config.output, "output is missing: give output=FOLDER, where the images are to go")).expanduser()


def check_check(config: CheckConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_fields(config)
    check_source(config.data)
    _check_splits(config.splits)


def check_stats(config: StatsConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_fields(config)
    check_source(config.data)


def check_show(config: ShowConfig) -> None:
    """Raise UserError for a key that cannot work."""
    check_fields(config)
    check_source(config.data)
    if config.draws is not None:
        check_arch(config.arch)
        check_augment(config.augment, input_size(config))
        require(config.augment.device == "cpu", "data show draws on the CPU: leave augment.device=cpu")


def _check_splits(splits: list[str]) -> None:
    require(len(splits) > 0, f"splits is empty: choose of {', '.join(SPLITS)}")
    require(len(set(splits)) == len(splits), f"splits names {splits[0]} twice")
    for name in splits:
        require(name in SPLITS, f"splits={name} is unknown{nearest(name, SPLITS)}; choose of {', '.join(SPLITS)}")
