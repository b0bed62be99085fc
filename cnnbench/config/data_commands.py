"""The schemas of the `cnnbench data` commands. Values live in conf/data_show.yaml, checks in checks_data.py."""

from __future__ import annotations

from dataclasses import dataclass

from cnnbench.config.augment import AugmentConfig
from cnnbench.config.fields import group, key
from cnnbench.config.schema import ArchConfig, SourceConfig

SPLITS = ("train", "val")
PACKED_FORMS = ("jpeg", "raw", "original")
WORKERS = "worker processes; 0: none beside this one; null: one per core"


@dataclass(frozen=True)
class DataPathConfig:
    path: str | None = key("the data set, its layout recognised by a look at it", None)


@dataclass(frozen=True)
class DataIndexConfig:
    data: DataPathConfig = group(DataPathConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    split: str | None = key("only this split; null: both", None, choices=("train", "val"))
    beside: bool = key("write the index beside the data, for all who use it, not into this user's cache folder", False)


@dataclass(frozen=True)
class PackConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    output: str | None = key("folder for the packed files, SPLIT.cnnbench", None)
    splits: list[str] = key("the splits to pack", list(SPLITS))
    form: str = key(
        "jpeg: encoded anew, 4:2:0; raw: pixels, uint8; original: the files as they are", "jpeg", choices=PACKED_FORMS
    )
    short_side: int | None = key(
        "jpeg, raw: larger images are resized to this short side, pixels; null: 320 for jpeg, 256 for raw", None
    )
    quality: int = key("jpeg: quality, 1 to 100", 90)
    interpolation: str | None = key(
        "jpeg, raw: resampling, antialiased; null: bicubic for jpeg, bilinear for raw",
        None,
        choices=("bilinear", "bicubic"),
    )
    shard_size: int | None = key("images per file (shard); null: one file per split", None)
    skip_broken: bool = key("leave out images that cannot be decoded, instead of failing", False)
    workers: int | None = key(WORKERS, None)


@dataclass(frozen=True)
class CheckConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    splits: list[str] = key("the splits to check", list(SPLITS))
    report: str | None = key("file for everything that was found, as JSON", None)
    workers: int | None = key(WORKERS, None)


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
    image_size: int = key("center: side of the crop, pixels", 224)
    crop_ratio: float = key("center: image_size / short side after resizing, in (0, 1]", 0.875)
    interpolation: str = key("center: resampling, antialiased", "bilinear", choices=("bilinear", "bicubic"))
    workers: int | None = key(WORKERS, None)


@dataclass(frozen=True)
class ShowConfig:
    data: SourceConfig = group(SourceConfig, "the images; `data=PATH` is short for `data.path=PATH`")
    arch: ArchConfig = group(ArchConfig, "draws: the network, for its image size, crop ratio and resampling")
    augment: AugmentConfig = group(AugmentConfig, "draws: augmentation of training images")
    draws: int | None = key("show each image, one a row, before and after this many draws; null: images alone", None)
    image_size: int | None = key("draws: side of the images that are made, pixels; null: the network's", None)
    seed: int = key("draws: of augmentation", 0)
    split: str = key("the split", "train", choices=SPLITS)
    output: str = key("PNG file to write", "sheet.png")
    classes: list[str] = key("names of the classes to show; []: as many as fit, evenly over all", [])
    count: int = key("images of each class", 4)
    rows: int = key("classes at most", 10)
    side: int = key("side of an image on the sheet, pixels", 128)


@dataclass(frozen=True)
class PrepareConfig:
    data: SourceConfig = group(SourceConfig, "the archives; `data=PATH` is short for `data.path=PATH`")
    output: str | None = key("folder for the class folders, SPLIT/CLASS/FILE", None)
    splits: list[str] = key("the splits to unpack", list(SPLITS))
    workers: int | None = key(WORKERS, None)
