"""The stages of an image on its way from the disk into a batch, each as something that can be timed by itself, and
torchvision's pipeline, with which they are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from cnnbench.config.arch import ArchConfig
from cnnbench.config.augment import AugmentConfig
from cnnbench.config.data import DataConfig
from cnnbench.data.augment.crop import training_part
from cnnbench.data.augment.draws import apply_all, draw_all, row
from cnnbench.data.decode.engines import make_engine
from cnnbench.data.decode.jpeg_engines import by_index
from cnnbench.data.decode.picture import Engine, Picture, open_picture
from cnnbench.data.decode.pillow_engine import known_formats, open_image
from cnnbench.data.decode.region import Part, fitted, rectangle
from cnnbench.data.layouts.split import Split
from cnnbench.data.loading.fastest import engine_for
from cnnbench.data.loading.loader import Batch, ImageMaker
from cnnbench.data.loading.normalise import Normalise
from cnnbench.data.loading.sampler import SampleKey, image_random
from cnnbench.data.loading.transform import TrainingTransform, Transform, in_channels
from cnnbench.data.storage.files import Files

TURN_IMAGES = 25  # images measured before it is the next one's turn


@dataclass(frozen=True)
class Bench:
    """What is measured: `count` images of `split`, evenly spaced over it, as `arch` and `augment` would see them."""

    split: Split
    arch: ArchConfig
    augment: AugmentConfig
    data: DataConfig
    size: int
    count: int

    @property
    def indices(self) -> list[int]:
        """Numbers of the images in the split."""
        return np.linspace(0, len(self.split) - 1, min(self.count, len(self.split))).astype(int).tolist()

    def training(self) -> TrainingTransform:
        """The transform of training images."""
        return TrainingTransform(self.arch, self.augment, self.size, seed=0, loose=self.data.pixels == "loose")

    def images(self, transform: Transform) -> ImageMaker:
        """What makes images of the split by `transform`."""
        loose = getattr(transform, "loose", False)
        return ImageMaker(self.split, transform, self.arch.in_channels, self.data.engine, loose)

    def batch(self, transform: Transform) -> Batch:
        """Memory for TURN_IMAGES images, as a worker fills it."""
        images = torch.zeros((TURN_IMAGES, self.size, self.size, self.arch.in_channels), dtype=torch.uint8)
        labels = torch.zeros(TURN_IMAGES, dtype=torch.int64)
        return Batch(images, labels, torch.zeros(TURN_IMAGES, transform.parameters, dtype=torch.float64))


def read(bench: Bench, indices: list[int]) -> None:
    """Read the files of images."""
    for index in indices:
        bench.split.read(index)


class Decode:
    """Opens each picture and decodes the part that its first epoch would draw, from bytes that are in memory."""

    def __init__(self, bench: Bench) -> None:
        engine = make_engine(
            engine_for(bench.split, bench.data.engine), bench.data.pixels == "loose", by_index(bench.split.side_indices)
        )
        self.open = partial(_open, bench, engine, {index: bench.split.read(index) for index in bench.indices})
        self.interpolation = bench.arch.interpolation

    def __call__(self, indices: list[int]) -> None:
        for index in indices:
            picture, part = self.open(index)
            picture.region(*rectangle(picture, part, self.interpolation))


class Resize:
    """Resizes parts that are decoded already."""

    def __init__(self, bench: Bench) -> None:
        engine = make_engine(engine_for(bench.split, bench.data.engine), looks=by_index(bench.split.side_indices))
        contents = {index: bench.split.read(index) for index in bench.indices}
        self.rest = bench.arch.interpolation, bench.data.pixels == "loose"
        self.items = {}
        for index in bench.indices:
            picture, part = _open(bench, engine, contents, index)
            pixels = np.array(picture.region(*rectangle(picture, part, bench.arch.interpolation)))
            self.items[index] = pixels, picture, part

    def __call__(self, indices: list[int]) -> None:
        for index in indices:
            fitted(*self.items[index], *self.rest)


def _open(bench: Bench, engine: Engine, contents: dict[int, Any], index: int) -> tuple[Picture, Part]:
    picture = open_picture(contents[index], bench.split.name(index), engine, bench.split.max_megapixels)
    size, random = (picture.width, picture.height), image_random(0, 0, index)
    return picture, training_part(*size, bench.augment.crop, bench.size, bench.arch, random)


class Augment:
    """Draws, and does what follows the crop to pixels that are there already, into a batch; with augment.device=gpu
    only the draws."""

    def __init__(self, bench: Bench) -> None:
        self.augment, transform = bench.augment, bench.training()
        self.batch, self.later = bench.batch(transform), transform.parameters > 0
        shape = bench.size, bench.size, bench.arch.in_channels
        self.pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def __call__(self, indices: list[int]) -> None:
        slots, parameters = self.batch.images.numpy(), self.batch.parameters.numpy()
        for place, index in enumerate(indices):
            _, after = draw_all(self.augment, image_random(0, 0, index))
            if self.later:
                parameters[place] = row(self.augment, after)
            pixels = self.pixels if self.later else apply_all(self.pixels, after)
            slots[place] = in_channels(pixels, slots.shape[3])


class Normalised:
    """Makes normalised floats of batches, on the CPU: what is left to do there if the network runs on it."""

    def __init__(self, bench: Bench) -> None:
        self.batch = bench.batch(bench.training())
        self.normalise = Normalise(bench.arch, torch.device("cpu"), True, bench.augment)

    def __call__(self, indices: list[int]) -> None:
        part = slice(len(indices))
        self.normalise(Batch(self.batch.images[part], self.batch.labels[part], self.batch.parameters[part]))


class Fill:
    """Makes images in a batch, as a worker does."""

    def __init__(self, bench: Bench, transform: Transform) -> None:
        self.images = replace(bench.images(transform), in_place=True)  # in this process, whose time is taken
        self.batch = bench.batch(transform)

    def __call__(self, indices: list[int]) -> None:
        self.images.fill([SampleKey(0, index) for index in indices], self.batch)


def torchvision_training(bench: Bench) -> Callable[[Image.Image], torch.Tensor]:
    """The training transform of torchvision's reference scripts, which every user of it has begun with."""
    crop = bench.augment.crop
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(bench.size, tuple(crop.scale), tuple(crop.ratio)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(bench.arch.mean, bench.arch.std),
        ]
    )


def torchvision_evaluation(bench: Bench) -> Callable[[Image.Image], torch.Tensor]:
    """The evaluation transform of torchvision's reference scripts."""
    return transforms.Compose(
        [
            transforms.Resize(round(bench.size / bench.arch.crop_ratio)),
            transforms.CenterCrop(bench.size),
            transforms.ToTensor(),
            transforms.Normalize(bench.arch.mean, bench.arch.std),
        ]
    )


def torchvision_images(bench: Bench, transform: Callable[[Image.Image], torch.Tensor], indices: list[int]) -> None:
    """Make images as torchvision does: read, decode, transform."""
    for index in indices:
        transform(with_pillow(bench.split, index))


def with_pillow(split: Split, index: int) -> Image.Image:
    """As torchvision's ImageFolder loads a file, of the formats taken here; what lies in no file of its own, from
    memory."""
    if isinstance(split.storage, Files):
        with open(split.name(index), "rb") as file:
            return Image.open(file, formats=known_formats()).convert("RGB")
    content = split.read(index)
    if isinstance(content, np.ndarray):
        return Image.fromarray(content.squeeze()).convert("RGB")
    return open_image(content).convert("RGB")
